from pathlib import Path

import numpy as np
import pytest

from seqpipe.data.ink.inkml import read_inkml
from seqpipe.errors import InputError

FORMAT = '<traceFormat{}><channel name="X" type="decimal"/><channel name="Y" type="decimal"/>{}</traceFormat>'
BUTTON = '<channel name="{}" type="boolean" default="F"/>'
BUTTONS = f"<intermittentChannels>{BUTTON.format('B1')}{BUTTON.format('B2')}</intermittentChannels>"


def document(content: str) -> bytes:
    return f'<?xml version="1.0"?><ink xmlns="http://www.w3.org/2003/InkML">{content}</ink>'.encode()


def strokes_of(content: str) -> list[list[list[float]]]:
    """As they stand in the document: y down."""
    return [(stroke * [1, -1]).tolist() for stroke in read_inkml(document(content)).strokes()]


def test_the_example_of_the_standard() -> None:
    """Section 3.2.1: the positions that its table gives for each point."""
    trace = "<trace>1125 18432,'23'43,\"7\"-8,3-5,7 -3,6 2,6 8,3 6 T,2 4*T,3 6,3-6 F F</trace>"
    assert strokes_of(FORMAT.format("", BUTTONS) + trace) == [
        [
            [1125, 18432], [1148, 18475], [1178, 18510], [1211, 18540], [1251, 18567], [1297, 18596],
            [1349, 18633], [1404, 18676], [1461, 18723], [1521, 18776], [1584, 18823],
        ]
    ]  # fmt: skip


@pytest.mark.parametrize(
    "trace",
    [
        "10 20, 13 18, 13 22, 14 26",
        " 10 20 ,13 18,\n13 22,14 26, ",
        "10 20,'3'-2,0 4,1 4",
        "10 20,'3'-2,'0'4,!14 !26",
        "10 20,'3 '-2,0 4,'1*",
        "10 20,'3'-2,\"-3\"6,1 0",
        "1e1 2.0E+1,13. +18,#D 22,#e 26",
        "10 20,13 18,*22,14 26",
        "10 20,? 19,13 18,5 ?,13 22,14 26",
    ],
)
def test_ways_of_writing_the_same_trace(trace: str) -> None:
    assert strokes_of(f"<trace>{trace}</trace>") == [[[10, 20], [13, 18], [13, 22], [14, 26]]]


@pytest.mark.parametrize("kind", ["differences", "second differences"])
def test_differences_add_up_to_values(kind: str) -> None:
    points = np.random.default_rng(3).integers(-500, 500, (60, 2))
    change = np.diff(points, axis=0)
    if kind == "differences":
        rest = [f"'{x}'{y}" for x, y in change]
    else:
        rest = [f"'{change[0, 0]}'{change[0, 1]}", *(f'"{x}"{y}' for x, y in np.diff(change, axis=0))]
    trace = ",".join([f"{points[0, 0]} {points[0, 1]}", *rest])
    assert strokes_of(f"<trace>{trace}</trace>") == [points.tolist()]


def test_channels_in_any_order_and_pen_up() -> None:
    channels = "".join(f'<channel name="{name}" type="decimal"/>' for name in ("T", "Y", "F", "S", "X"))
    form = f"<traceFormat>{channels}</traceFormat>"
    assert strokes_of(form + "<trace>0 5 .5 T 1, 1 6 .5 T 2, 2 9 0 F 3, 3 8 .1 T 4</trace>") == [
        [[1, 5], [2, 6]],
        [[4, 8]],
    ]
    assert strokes_of('<trace>1 2</trace><trace type="penUp">3 4</trace><trace type="penDown">5 6</trace>') == [
        [[1, 2]],
        [[5, 6]],
    ]


def test_y_grows_downward_unless_its_channel_says_otherwise() -> None:
    assert read_inkml(document("<trace>1 2, 3 5</trace>")).points.tolist() == [[1, -2], [3, -5]]
    form = '<traceFormat><channel name="X"/><channel name="Y" orientation="-ve"/></traceFormat>'
    assert read_inkml(document(form + "<trace>1 2, 3 5</trace>")).points.tolist() == [[1, 2], [3, 5]]


def test_groups_are_read_in_the_order_of_the_document() -> None:
    content = "<trace>1 1</trace><traceGroup><traceGroup><trace>2 2</trace></traceGroup><trace>3 3</trace></traceGroup>"
    assert strokes_of(content + "<annotation>abc</annotation><trace>4 4</trace>") == [[[k, k]] for k in (1.0, 2, 3, 4)]
    deep = "<traceGroup>" * 3000 + "<trace>1 2</trace>" + "</traceGroup>" * 3000
    assert strokes_of(deep) == [[[1, 2]]]


def test_continued_traces_are_one_stroke() -> None:
    content = """<trace xml:id="a" continuation="begin">1 1, 2 2</trace><trace id="b">9 9</trace>
        <trace xml:id="c" continuation="middle" priorRef="#a">3 3</trace>
        <trace continuation="end" priorRef="#c">4 4, 5 5</trace>
        <trace continuation="end" priorRef="#nowhere">6 6</trace>"""
    assert strokes_of(content) == [[[k, k] for k in (1.0, 2, 3, 4, 5)], [[9, 9]], [[6, 6]]]


def test_a_stroke_of_thousands_of_traces_is_one() -> None:
    traces = "".join(
        f'<trace xml:id="t{k}" continuation="middle" priorRef="#t{k - 1}">{k} {k}</trace>' for k in range(1, 3000)
    )
    (stroke,) = strokes_of(f'<trace xml:id="t0" continuation="begin">0 0</trace>{traces}')
    assert stroke == [[k, k] for k in range(3000)]


def test_formats_come_from_contexts() -> None:
    backward = '<traceFormat xml:id="yx"><channel name="Y"/><channel name="X"/></traceFormat>'
    source = f'<inkSource xml:id="pen">{backward}</inkSource>'
    around = '<context xml:id="loop" contextRef="#loop"/><context xml:id="far" inkSourceRef="#pen"/>'
    plain = FORMAT.format(' xml:id="xy"', "")
    definitions = f"<definitions>{source}{plain}{around}<trace>7 7</trace></definitions>"
    assert strokes_of(definitions + "<trace>1 2</trace>") == [[[1, 2]]]
    assert strokes_of(definitions + '<trace contextRef="#far">1 2</trace><trace>1 2</trace>') == [[[2, 1]], [[1, 2]]]
    assert strokes_of(definitions + '<context contextRef="#far"/><trace>1 2</trace>') == [[[2, 1]]]
    assert strokes_of(definitions + '<traceGroup contextRef="#far"><trace>1 2</trace></traceGroup>') == [[[2, 1]]]
    assert strokes_of(definitions + '<trace contextRef="#loop">1 2</trace>') == [[[1, 2]]]
    # A single format to which nothing refers is that of all traces.
    assert strokes_of(f"<definitions>{source}</definitions><trace>1 2</trace>") == [[[2, 1]]]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ("", "empty", "has no strokes"),
        ("<trace/>", "empty", "has no strokes"),
        ("<trace>  </trace>", "empty", "has no strokes"),
        ("<trace>1 2, 3</trace>", "undecodable", r"trace 0, point 1: has 1 values, its format 2 \(X Y\)"),
        ('<trace xml:id="t7">1 2 3</trace>', "undecodable", "trace t7, point 0: has 3 values"),
        ("<trace>1 2, 3 x</trace>", "undecodable", "trace 0, point 1: can't read 'x' as the value"),
        ("<trace>1 2, ,3 4</trace>", "undecodable", "trace 0, point 1: can't read ' '"),
        ("<trace>1 -</trace>", "undecodable", "can't read '-'"),
        ("<trace>1 NaN</trace>", "undecodable", "can't read 'NaN'"),
        ("<trace>1 1e999</trace>", "non-finite", r"stroke 0, point 0 is \(1, inf\)"),
        ("<trace>* 1</trace>", "non-finite", "stroke 0, point 0"),
        ("<trace>'1 1, 2 2</trace>", "non-finite", "stroke 0, point 0"),
        ("<trace>? ?</trace>", "empty", "has no strokes"),
        ('<traceFormat><channel name="X"/></traceFormat><trace>1 2</trace>', "undecodable", "channels X, not X and Y"),
        (
            '<traceFormat><channel name="X"/><channel name="X"/><channel name="Y"/></traceFormat><trace>1 2</trace>',
            "undecodable",
            "names a channel twice",
        ),
    ],
)
def test_what_cant_be_read_is_named(content: str, kind: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.inkml"
    path.write_bytes(document(content))
    with pytest.raises(InputError, match=rf"bad\.inkml: .*{message}") as caught:
        read_inkml(path)
    assert caught.value.kind == kind


def test_other_documents_are_refused(tmp_path: Path) -> None:
    for content, kind in [(b"<alto/>", "undecodable"), (b"<!DOCTYPE ink><ink/>", "unsafe"), (b"1 2", "undecodable")]:
        with pytest.raises(InputError) as caught:
            read_inkml(content)
        assert caught.value.kind == kind


def test_what_is_no_xml_is_told_what_is_read() -> None:
    with pytest.raises(InputError, match=r"is not XML .*; pen strokes are read from InkML, or from a manifest"):
        read_inkml(b"\x89PNG\r\n\x1a\n")
