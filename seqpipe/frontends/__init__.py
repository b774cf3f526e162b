"""Stage 2: convolutions that shorten and enrich a sequence."""
