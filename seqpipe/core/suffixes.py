"""Endings of the files that inputs are: what a folder gives to which first stage."""

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".sph", ".w64"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
INK_SUFFIXES = frozenset({".inkml"})
TEXT_SUFFIXES = frozenset({".txt"})
"""Of the files that a folder gives where inputs are text."""
FILE_SUFFIXES = AUDIO_SUFFIXES | IMAGE_SUFFIXES | INK_SUFFIXES
"""Of all files that are an input each."""
Suffixes = frozenset[str]
"""Endings of names, in lower case."""
