"""Rows in: sources of every format, batches, loaders. Imports core, text and config."""
