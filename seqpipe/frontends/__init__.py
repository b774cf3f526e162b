"""Convolutions that shorten and enrich a sequence. Imports layers and core."""
