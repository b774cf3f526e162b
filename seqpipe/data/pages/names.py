"""Which files describe pages, by their names; what reads them needs all of XML."""

from __future__ import annotations

from pathlib import PurePath

from seqpipe.core.suffixes import Suffixes

PAGE_SUFFIXES: Suffixes = frozenset({".xml"})
METS = "mets.xml"
"""What lists the pages of an export, and describes none, is called so, mostly in capitals."""


def is_page(name: str | PurePath) -> bool:
    """Whether a file describes a page, by its name."""
    return PurePath(name).suffix.lower() in PAGE_SUFFIXES
