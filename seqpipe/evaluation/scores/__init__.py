"""Scores of a run with intervals, where it errs, and two runs side by side. Imports inference, checks and metrics."""
