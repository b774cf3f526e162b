"""Fitting a pipeline."""
