"""Texts as units: vocabularies, SentencePiece, splitting, normalisation, classes by name. Imports core."""
