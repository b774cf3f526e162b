"""A confusion matrix as inline SVG in the page's colours."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from seqpipe.evaluation.report.page import fill
from seqpipe.evaluation.scores.confusion import ConfusionMatrix

SIZES = ((12, 60, 12), (25, 34, 9), (10**9, 26, 8))
"""Classes up to which a cell has so many pixels and its text this size."""
MAX_NAME, NAME_PIXELS = 24, 6.8
"""Characters of a name, and pixels of one."""


def draw_confusions(matrix: ConfusionMatrix) -> tuple[Markup, int]:
    """Counts and shares of each reference by answer, and how many pixels wide it should be.

    What is right is in one colour, what is wrong in another; the stronger, the greater its share of the reference.
    """
    # By a template, since matplotlib takes seconds for the texts of a thousand cells.
    shares, (rows, columns) = matrix.shares, matrix.counts.shape
    cell, size = next((cell, size) for most, cell, size in SIZES if columns <= most)
    longest = max((len(_short(name)) for name in (*matrix.references, *matrix.answers)), default=1)
    upright = longest <= 3 and (longest == 1 or cell >= 60)
    left = 24 + 10 + NAME_PIXELS * longest
    below = 22 if upright else 12 + NAME_PIXELS * longest
    width, height = round(left + columns * cell + 2), round(rows * cell + below + 22)

    drawn = fill(
        "matrix.svg.j2",
        matrix=matrix,
        cells=[
            (row, column, matrix.counts[row, column], float(shares[row, column]))
            for row, column in np.argwhere(matrix.counts).tolist()
        ],
        references=list(map(_short, matrix.references)),
        answers=list(map(_short, matrix.answers)),
        rows=rows,
        columns=columns,
        cell=cell,
        size=size,
        left=left,
        width=width,
        height=height,
        upright=upright,
    )
    return Markup(drawn), width


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
