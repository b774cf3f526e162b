"""Fitting calibrations of confidences to rows, and how well they do on others. Imports scores and folds.

The files: `temperature` and `mapping` (what is fitted), `calibrate` (the
command), `table` (what it prints).
"""
