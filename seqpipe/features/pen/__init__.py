"""Pen strokes: points at equal distances, and what is seen of each."""
