"""Pen strokes: the shapes in which people keep them, and InkML."""
