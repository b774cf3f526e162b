"""Data that this machine makes for itself, once, with nothing to download."""
