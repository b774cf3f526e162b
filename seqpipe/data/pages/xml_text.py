"""XML out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

KNOWN = {
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
    "http://www.w3.org/1999/xlink": "xlink",
}
"""Namespaces with the prefixes that everybody gives them."""
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def xml_text(root: Element) -> bytes:
    """A document in UTF-8, the root's namespace being the default one.

    `xml.etree` writes prefixes ``ns0`` and such, and others only by a setting of the whole process. Characters that XML
    can't hold are written as U+FFFD. The same tree gives the same bytes.
    """
    attributes = {_split(key)[0] for element in root.iter() for key, _ in element.items()}
    elements = {_split(element.tag)[0] for element in root.iter()}
    # What has no namespace couldn't be told from the default one; and an attribute without prefix has none.
    default = "" if "" in elements else _split(root.tag)[0]
    used = attributes | (elements - {default})
    prefixes = KNOWN | {space: f"ns{number}" for number, space in enumerate(sorted(used - {""} - KNOWN.keys()))}
    declared = {"": default} if default else {}
    declared |= {prefix: space for space, prefix in prefixes.items() if space in used and prefix != "xml"}

    def name_of(tag: str, *, attribute: bool = False) -> str:
        space, local = _split(tag)
        return local if not space or (space == default and not attribute) else f"{prefixes[space]}:{local}"

    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    opened: list[tuple[str, Element, Iterator[Element]]] = []  # a stack, not a recursion: elements may be nested deeply

    def begin(element: Element) -> None:
        name = name_of(element.tag)
        parts.append(f"<{name}")
        if element is root:
            for prefix, space in declared.items():
                parts.append(f' xmlns{":" if prefix else ""}{prefix}="{_escaped(space, _ATTRIBUTE)}"')
        for key, value in element.items():
            parts.append(f' {name_of(key, attribute=True)}="{_escaped(value, _ATTRIBUTE)}"')
        if len(element) or element.text:
            parts.append(f">{_escaped(element.text or '', _TEXT)}")
            opened.append((name, element, iter(element)))
        else:
            parts.append("/>")
            if element is not root:
                parts.append(_escaped(element.tail or "", _TEXT))

    begin(root)
    while opened:
        name, element, inner = opened[-1]
        following = next(inner, None)
        if following is not None:
            begin(following)
            continue
        opened.pop()
        parts.append(f"</{name}>")
        if element is not root:
            parts.append(_escaped(element.tail or "", _TEXT))
    parts.append("\n")
    return "".join(parts).encode()


def _split(tag: str) -> tuple[str, str]:
    """Namespace and name."""
    space, brace, local = tag.rpartition("}")
    return (space[1:], local) if brace else ("", tag)


def _escaped(text: str, table: dict[int, str]) -> str:
    return _FORBIDDEN.sub("\ufffd", text).translate(table)
