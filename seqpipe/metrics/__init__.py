"""Scores of each task, by counts of rows. Imports core, text, decoding (spans) and answers."""
