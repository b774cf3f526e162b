"""XML from strangers: read whole, without a document type, entities or the network."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from xml.etree import ElementTree

from seqpipe.errors import InputError, decoding

LARGEST = 32 * 2**20
"""Bytes of a document. A page of a newspaper has about 2 MB word by word, and 20 MB letter by letter. The tree takes
some ten times as much; that of a document which was made to be large, up to eighty times."""
LONGEST_NAMESPACE = 200
"""Characters. The parser writes a namespace out in every name that differs from the others: one of 100 kB, and 5,000
such names of a few bytes, would come to 1 GB. Those of ALTO, PAGE and InkML have up to 70."""
_BLOCK = 2**16
"""Bytes parsed at a time. What a refused document has made of its entities until it is refused is bounded by libexpat
(2.4 and later: 8 MiB, or 100 times what was read), so that this bound is small as well."""


def parse_xml(source: Path | bytes, *, largest: int = LARGEST) -> ElementTree.Element:
    """The root of an XML document; namespaces stand in its tags as ``{namespace}name``.

    A document type declaration is refused, as `defusedxml` does when it is told to (``forbid_dtd``): only by one can
    entities be declared, which may name files and addresses or grow without bound. The formats that are read here are
    defined by schemas and need none. A namespace of more than `LONGEST_NAMESPACE` characters is refused as well: it
    grows with every name that is in it. Nothing but the document itself is ever opened.

    Args:
        source: path of a file, or its bytes.
        largest: bytes that it may have.

    Raises:
        InputError: the file is missing, no file, unreadable or empty; it is no well-formed XML (``undecodable``), has a
            document type declaration or a long namespace (``unsafe``), or is larger than ``largest`` (``too long``).
            The file is named.
    """
    name = f"<{len(source)} bytes>" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else _read(source, largest)
    if len(content) > largest:
        raise InputError("too long", f"{name}: has over {largest:,} bytes, too many for an XML document")
    if not content.strip():
        raise InputError("empty", f"{name}: the file is empty ({len(content)} bytes)")
    file = io.BytesIO(content)
    with decoding(name, "XML"):
        parser = ElementTree.XMLParser(target=_WithoutDocumentType(name))
        while block := file.read(_BLOCK):
            parser.feed(block)
        root: ElementTree.Element = parser.close()
    return root


def local_name(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


class _WithoutDocumentType(ElementTree.TreeBuilder):
    """Builds the tree, and stops where a document type is declared, or a namespace that is no name any more."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Called by the parser at ``<!DOCTYPE``."""
        raise InputError(
            "unsafe",
            f"{self._name}: declares a document type (<!DOCTYPE {name}>), which is refused; take it out",
        )

    def start_ns(self, prefix: str, uri: str) -> None:
        """Called by the parser at ``xmlns``, before any name is written out with it."""
        if len(uri) > LONGEST_NAMESPACE:
            raise InputError(
                "unsafe",
                f"{self._name}: has a namespace of {len(uri):,} characters ({uri[:40]}...); "
                f"{LONGEST_NAMESPACE} are allowed",
            )


def _read(path: Path, largest: int) -> bytes:
    """The content of a file, or as much of it as shows that it is too large."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("not a file", f"{path}: is a directory, not an XML file")
        if not stat.S_ISREG(status.st_mode):  # a pipe may never end, or never begin
            raise InputError("not a file", f"{path}: is a pipe or a device, not an XML file")
        with path.open("rb") as file:
            return file.read(largest + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("missing", f"{path}: no such file") from None
    except OSError as error:
        raise InputError("unreadable", f"{path}: {error.strerror}") from None
    except ValueError as error:  # a null character in the name
        if isinstance(error, InputError):
            raise
        raise InputError("missing", f"{path!s}: no such file") from None
