from itertools import pairwise

import numpy as np
import pytest

from seqpipe.core.answer import Mark
from seqpipe.core.picture import Drawing
from seqpipe.evaluation.report.ink import MARGIN, between, draw_ink
from seqpipe.evaluation.report.labels import spelt, wrong_items

STROKES = [np.array([[0.0, 0.0], [10.0, 20.0], [20.0, 0.0]]), np.array([[30.0, 10.0]]), np.array([[40, 0], [40, 20]])]


def numbers(path: str) -> list[list[list[float]]]:
    """SVG path data as polylines."""
    return [
        [[float(number) for number in point.split()] for point in line.split("L")] for line in path.split("M") if line
    ]


def test_every_character_has_a_stretch_that_begins_and_ends_where_it_was_found() -> None:
    marks = [
        Mark("a", 0.5, 1.5, 0.9, 0),
        Mark("b", 2.0, 3.0, 0.5, 0),
        Mark(" ", 3.1, 3.2, 0.9),
        Mark("c", 4.25, 5.0, 0.9, 1),
    ]
    figure = draw_ink(Drawing(STROKES), marks, {1}, zoom=2.0)
    assert (figure.width, figure.height) == (80 + 2 * MARGIN, 40 + 2 * MARGIN)
    assert len(numbers(figure.path)) == 3
    a, b, c = figure.stretches  # not the space

    def page(x: float, y: float) -> list[float]:
        return [2 * x + MARGIN, 2 * (20 - y) + MARGIN]  # y up becomes y down

    assert numbers(a.path) == [[page(5, 10), page(10, 20), page(15, 10)]]
    assert numbers(b.path) == [[page(20, 0)] * 2, [page(30, 10)] * 2]
    assert numbers(c.path) == [[page(40, 5), page(40, 20)]]
    assert [list(stretch.start) for stretch in figure.stretches] == [page(5, 10), page(20, 0), page(40, 5)]
    assert [stretch.wrong for stretch in figure.stretches] == [False, False, True]
    assert c.title == "c: points 4 to 5, confidence 0.90"
    assert [(label.text, label.wrong, label.unsure) for label in figure.labels] == [
        ("ab", False, True),
        ("c", True, False),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_ink_make_up_the_whole(seed: int) -> None:
    generator = np.random.default_rng(seed)
    strokes = [generator.normal(size=(number, 2)) for number in generator.integers(1, 9, 4)]
    count = sum(map(len, strokes))

    def length(lines: list[np.ndarray]) -> float:
        return sum(float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines)

    cuts = [0.0, *sorted(generator.uniform(0, count - 1, 6).tolist()), count - 1.0]
    pieces = [between(strokes, start, end) for start, end in pairwise(cuts)]
    assert sum(map(length, pieces)) == pytest.approx(length(strokes))
    assert all(map(len, pieces))


def test_where_the_pen_was_up_the_nearest_point_is_shown() -> None:
    assert [line.tolist() for line in between(STROKES, 2.2, 2.3)] == [[[20.0, 0.0]]]
    assert [line.tolist() for line in between(STROKES, 99, 100)] == [[[40.0, 20.0]]]


@pytest.mark.parametrize("stroke", [[[3.0, 4.0]], [[3.0, 4.0], [9.0, 4.0]], [[3.0, 4.0], [3.0, 9.0]]])
def test_a_dot_and_straight_lines_have_a_size(stroke: list[list[float]]) -> None:
    figure = draw_ink(Drawing([np.array(stroke)]), [], set())
    assert 0 < figure.width < 2000
    assert 0 < figure.height < 2000
    assert "nan" not in figure.path


def test_a_long_line_stays_readable_and_bounded() -> None:
    line = np.column_stack([np.linspace(0, 30_000, 3000), np.sin(np.arange(3000)) * 50])
    figure = draw_ink(Drawing([line]), [], set())
    assert figure.width <= 3000 + 2 * MARGIN
    ordinary = draw_ink(Drawing([line[:100]]), [], set())
    assert 600 < ordinary.width < 1000
    assert 44 <= ordinary.height <= 96 + 2 * MARGIN


def test_marks_are_wrong_where_their_characters_are() -> None:
    marks = [Mark(text, 0.0, 1.0, 1.0, None) for text in ("c", "oo", " ", "t")]
    pairs = [("c", "c"), ("a", "o"), ("o", "o"), (" ", " "), ("x", ""), ("t", "t")]
    found, wrong = spelt(marks, pairs) or ([], set())
    assert [mark.item for mark in found] == [0, 1, 2, 3]
    assert wrong == {1}
    upper = [("C", "C"), ("O", "O"), ("O", "O"), (" ", " "), ("T", "D")]
    assert spelt([*marks[:3], Mark("d", 0, 1, 1.0)], upper) is not None
    assert (spelt([*marks[:3], Mark("d", 0, 1, 1.0)], upper) or ([], set()))[1] == {3}
    assert spelt(marks, pairs[:-1]) is None  # rules of scoring have changed the text
    assert wrong_items([("coo", "coo"), ("x", ""), ("u", "t")], [Mark("t", 0, 1, 1.0, 1)]) == {1}
