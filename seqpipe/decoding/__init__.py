"""Hypotheses out of log-probabilities."""
