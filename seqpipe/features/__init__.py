"""Stage 1: one file per kind of feature."""
