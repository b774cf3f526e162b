"""Formats of the answers of batch inference: which one is wanted, and the finished store turned into it."""
