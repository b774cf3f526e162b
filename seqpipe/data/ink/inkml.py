"""Reading InkML, the World Wide Web Consortium's format of pen strokes (Recommendation of 20 September 2011)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.formats.safe_xml import local_name, parse_xml
from seqpipe.data.ink.inkml_trace import TraceFormat, read_trace
from seqpipe.data.ink.strokes import Ink, ink_of
from seqpipe.errors import InputError

_ID = "{http://www.w3.org/XML/1998/namespace}id"
_CONTEXTS = {"context", "inkSource", "traceFormat"}


def read_inkml(source: Path | bytes) -> Ink:
    """The strokes of an InkML document, in its order, with y up.

    Read are ``trace`` elements, in groups or not, in the format that their context gives: X, Y and any other channels,
    regular or intermittent; values, differences (``'``) and second differences (``"``); ``*`` (as before) and ``?``
    (not reported: a point without x or y is left out); continued traces. A trace of ``type="penUp"`` is left out, and
    where there is a channel S (tip switch), so are points at which it is F: the stroke ends there. By the standard y
    grows downward, unless its channel has ``orientation="-ve"``. Not read: units, canvas transforms, ``traceView``.

    Args:
        source: path of a file, or its bytes.

    Raises:
        InputError: as `parse_xml` does; it is another kind of document, or a trace can't be read (``undecodable``; the
            trace is named); it has no strokes (``empty``), or as `ink_of` does.
    """
    name = f"<{len(source)} bytes>" if isinstance(source, bytes) else str(source)
    try:
        root = parse_xml(source)
    except InputError as error:
        if error.kind != "undecodable":
            raise
        raise InputError(
            error.kind, f"{error}; pen strokes are read from InkML, or from a manifest"
        ) from error.__cause__
    if local_name(root) != "ink":
        raise InputError("undecodable", f"{name}: is no InkML; its root is <{local_name(root)}>, not <ink>")
    strokes: list[list[NDArray[np.float64]]] = []  # the runs of each, put together once: each time takes their square
    last_of: dict[str, int] = {}  # the stroke that each trace ended with
    for number, (trace, form) in enumerate(_traces(root, name)):
        called = _id(trace) or str(number)
        if trace.get("type") == "penUp":
            continue
        runs = read_trace(trace.text or "", form, f"{name}: trace {called}")
        prior = _reference(trace, "priorRef")
        if trace.get("continuation") in ("middle", "end") and prior in last_of and runs:
            at = last_of[prior]
            strokes[at].append(runs[0])
            strokes += [[run] for run in runs[1:]]
            last_of[called] = len(strokes) - 1 if runs[1:] else at
        elif runs:
            strokes += [[run] for run in runs]
            last_of[called] = len(strokes) - 1
    return ink_of([np.concatenate(runs) for runs in strokes], name, downward=True)


def _traces(root: Element, name: str) -> Iterator[tuple[Element, TraceFormat]]:
    """Every trace that was written, in the document's order, with its format."""
    named = {_id(element): element for element in root.iter() if _id(element)}
    formats = [element for element in root.iter() if local_name(element) == "traceFormat"]
    # Who writes one format and refers to it nowhere means it.
    current = _format(formats[0], name) if len(formats) == 1 else TraceFormat()
    waiting: list[tuple[Element, TraceFormat | None]] = [(child, None) for child in reversed(root)]
    while waiting:  # no recursion: groups may be nested without bound
        element, inherited = waiting.pop()
        kind = local_name(element)
        if kind in _CONTEXTS:
            current = _format_behind(element, named, name) or current
        elif kind in ("trace", "traceGroup"):
            own = named.get(_reference(element, "contextRef"))
            form = inherited if own is None else _format_behind(own, named, name) or inherited
            if kind == "trace":
                yield element, form or current
            else:
                waiting += [(child, form) for child in reversed(element)]


def _format_behind(element: Element, named: Mapping[str, Element], name: str) -> TraceFormat | None:
    """The format in a context, or in what it refers to; None if there is none."""
    seen: set[str] = set()
    while True:
        for inner in element.iter():
            if local_name(inner) == "traceFormat":
                return _format(inner, name)
        references = (_reference(element, key) for key in ("traceFormatRef", "inkSourceRef", "contextRef"))
        further = next((key for key in references if key in named and key not in seen), None)
        if further is None:
            return None
        seen.add(further)
        element = named[further]


def _format(element: Element, name: str) -> TraceFormat:
    """What a ``traceFormat`` says."""
    regular: list[str] = []
    intermittent: list[str] = []
    flipped = set()
    for child in element:
        inner = list(child) if local_name(child) == "intermittentChannels" else [child]
        for channel in inner:
            if local_name(channel) == "channel":
                called = channel.get("name", "").strip()
                (regular if inner[0] is child else intermittent).append(called)
                if channel.get("orientation") == "-ve":
                    flipped.add(called)
    if not {"X", "Y"} <= set(regular):
        raise InputError("undecodable", f"{name}: its traceFormat has the channels {' '.join(regular)}, not X and Y")
    if len({*regular, *intermittent}) < len(regular) + len(intermittent):
        raise InputError("undecodable", f"{name}: its traceFormat names a channel twice ({' '.join(regular)})")
    return TraceFormat(tuple(regular), tuple(intermittent), frozenset(flipped))


def _id(element: Element) -> str:
    return element.get(_ID) or element.get("id") or ""


def _reference(element: Element, key: str) -> str:
    """What an attribute refers to within the document, or ""."""
    return (element.get(key) or "").rpartition("#")[2]
