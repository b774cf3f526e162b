"""Texts out of trained language models: their probabilities for a search, continuations, replies."""
