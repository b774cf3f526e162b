"""Stage 3: stacked recurrent layers."""
