"""Pen strokes as other hands would write them, while training."""
