"""Rows in: open a source, check it, batch it."""
