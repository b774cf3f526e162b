"""Reading a document about a page, whichever format it is in."""

from __future__ import annotations

from pathlib import Path

from seqpipe.data.formats.safe_xml import local_name, parse_xml
from seqpipe.data.pages.alto import read_alto
from seqpipe.data.pages.document import PageDocument
from seqpipe.data.pages.page_xml import read_page_xml
from seqpipe.errors import InputError


def read_page(path: Path) -> PageDocument:
    """A document in ALTO (1 to 4) or PAGE (2010 to 2019), whatever namespace it is in.

    Raises:
        InputError: the file is missing, no XML, neither of both, or describes several pages. It is named.
    """
    root = parse_xml(path)
    name = local_name(root)
    reader = {"alto": read_alto, "PcGts": read_page_xml}.get(name)
    if reader is None:
        raise InputError(
            "bad value", f"{path}: is neither ALTO nor PAGE: its outermost element is {name}, not alto or PcGts"
        )
    return reader(root, path)
