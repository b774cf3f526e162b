"""Texts out of trained language models: what comes next for a search, continuations, replies. Imports the pipeline."""
