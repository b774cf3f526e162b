"""Recordings and spectra as other speakers, rooms and microphones would give them, while training."""
