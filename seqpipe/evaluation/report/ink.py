"""Strokes of a pen on a page, as SVG, coloured by what was recognised in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.answer import Mark
from seqpipe.core.picture import Drawing
from seqpipe.evaluation.report.labels import Band, Label, describe, place_labels
from seqpipe.evaluation.report.media import MAX_COLUMNS, line_zoom

MARGIN = 6.0
"""Pixels around the ink."""
Points = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Stretch:
    """The points in which a part of the answer was found.

    Attributes:
        path: them as SVG path data.
        start: where they begin, in pixels.
        wrong: whether the part is wrong.
        title: what it is, in words.
    """

    path: str
    start: tuple[float, float]
    wrong: bool
    title: str


@dataclass(frozen=True)
class InkFigure:
    """A drawing with marks, ready for a page.

    Attributes:
        width, height: of the drawing, in pixels.
        path: all of the ink, as SVG path data.
        stretches: of it, one for each mark that isn't white space.
        labels: what they say.
        lanes: lines of labels.
    """

    width: int
    height: int
    path: str
    stretches: list[Stretch]
    labels: list[Label]
    lanes: int
    truncated = False
    is_ink = True

    @property
    def marked(self) -> bool:
        """Whether it shows where parts of the answer were found."""
        return bool(self.stretches)

    @property
    def size(self) -> int:
        """Characters of the page that it takes, nearly."""
        return len(self.path) + sum(len(stretch.path) + len(stretch.title) + 200 for stretch in self.stretches)


def draw_ink(drawing: Drawing, marks: Sequence[Mark], wrong: set[int], zoom: float | None = None) -> InkFigure:
    """A drawing with its marks.

    Args:
        drawing: of the input.
        marks: parts of the answer, in their order, with places in numbers of points.
        wrong: positions of items of the answer that are wrong.
        zoom: pixels of the page for a unit of the drawing; None fits it to the page.
    """
    low, high = bounds(drawing)
    wide, tall = high - low
    zoom = zoom or min(line_zoom(wide, tall), MAX_COLUMNS / wide if wide else np.inf)
    corner = np.array([low[0], high[1]])
    strokes = [(np.asarray(stroke, dtype=np.float64) - corner) * [zoom, -zoom] + MARGIN for stroke in drawing.strokes]
    size = [round(float(zoom * length + 2 * MARGIN)) for length in (wide, tall)]

    stretches, bands = [], []
    seen = [mark for mark in marks if mark.text.strip()]
    for mark in seen:
        lines = between(strokes, mark.start, mark.end)
        across = np.concatenate(lines)[:, 0]
        left, right = float(across.min()), float(across.max())
        title = describe(mark, drawing.unit)
        x, y = lines[0][0]
        stretches.append(Stretch(_path(lines), (round(float(x), 1), round(float(y), 1)), mark.item in wrong, title))
        bands.append(Band(left, max(right - left, 1.5), mark.item in wrong, title))
    labels, lanes = place_labels(seen, bands, size[0])
    return InkFigure(size[0], size[1], _path(strokes), stretches, labels, lanes)


def bounds(drawing: Drawing) -> tuple[Points, Points]:
    """The lower left and the upper right corner of the ink, each ``[2]``."""
    points = np.concatenate([np.asarray(stroke, dtype=np.float64) for stroke in drawing.strokes])
    return points.min(axis=0), points.max(axis=0)


def between(strokes: Sequence[Points], start: float, end: float) -> list[Points]:
    """The ink from one place to another, in numbers of points through all strokes, fractions too: polylines ``[n, 2]``.

    Where the pen was up all along, it is the single point that is nearest.
    """
    found: list[Points] = []
    first = 0
    for stroke in strokes:
        low, high = max(start - first, 0.0), min(end - first, len(stroke) - 1.0)
        if low <= high:
            inner = np.arange(np.floor(low) + 1, np.ceil(high))
            places, numbers = np.concatenate([[low], inner, [high]]), np.arange(len(stroke))
            found.append(np.stack([np.interp(places, numbers, stroke[:, axis]) for axis in (0, 1)], axis=1))
        first += len(stroke)
    if not found:
        every = np.concatenate(list(strokes))
        nearest = int(np.clip(round((start + end) / 2), 0, len(every) - 1))
        return [every[nearest : nearest + 1]]
    return found


def _path(lines: Iterable[Points]) -> str:
    """Polylines as SVG path data, to a tenth of a pixel; a single point as a line to itself, which a pen shows."""
    parts = []
    for line in lines:
        points = [f"{x:.1f} {y:.1f}" for x, y in line.tolist()]
        kept = [point for place, point in enumerate(points) if place == 0 or point != points[place - 1]]
        parts.append("M" + "L".join(kept if len(kept) > 1 else kept * 2))
    return "".join(parts)
