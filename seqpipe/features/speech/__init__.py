"""Recordings: reading, spectra, cepstra, pitch, and where a long one is split."""
