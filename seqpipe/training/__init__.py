"""Fitting a pipeline, exactly resumable; it ends with the report.

Imports the pipeline, data, checks and evaluation.report.
"""
