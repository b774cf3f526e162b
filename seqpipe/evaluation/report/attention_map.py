"""What a writing head looked at for each unit that it wrote, as inline SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray

from seqpipe.core.head import Autoregressive
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import InputError
from seqpipe.evaluation.report.page import fill
from seqpipe.evaluation.scores.evaluate import Evaluation

CELL, MAX_WIDTH = 17, 900
"""Pixels of a cell; and of all columns together, where these have no names and may be narrower."""
LEAST = 0.01
"""Weights below this are not drawn."""
MAX_NAME, NAME_PIXELS = 16, 6.6
"""Characters of a name, and pixels of one."""
MAX_UNITS, MAX_STEPS = 80, 4000
"""Larger maps are not drawn."""


def attention_map(evaluation: Evaluation, position: int) -> tuple[Markup, int] | None:
    """What was looked at for the answer of a row; None of a head that has no such weights, and where it is too large.

    Args:
        evaluation: of the run.
        position: of the row.

    Returns:
        The picture, and how many pixels wide it is.
    """
    pipeline, row = evaluation.pipeline, evaluation.rows[position]
    head = pipeline.head
    if not isinstance(head, Autoregressive):
        return None
    try:
        with torch.inference_mode():
            prepared = pipeline.features.prepare(row.input, None)
            encoded = pipeline(PaddedSequence.pad([prepared]).to(pipeline.device))
            units, weights = head.attention_map(encoded, evaluation.predictions[position].text)
    except InputError:  # the text rules made characters of the answer that the units lack
        return None
    if len(units) > MAX_UNITS or weights.shape[1] > MAX_STEPS:
        return None
    return draw_attention(units, _steps(evaluation, position, weights.shape[1]), weights.float().cpu().numpy())


def _steps(evaluation: Evaluation, position: int, count: int) -> Sequence[str]:
    """Names of the encoded steps, if there is one for each item of a text; else none."""
    items = evaluation.pipeline.features.reader.source(evaluation.rows[position].input).items
    return [item.text for item in items] if len(items) == count else []


def draw_attention(units: Sequence[str], steps: Sequence[str], weights: NDArray[np.float32]) -> tuple[Markup, int]:
    """Units from top to bottom, steps from left to right; the darker, the more weight.

    Args:
        units: names of the rows.
        steps: names of the columns, or none.
        weights: ``[units, steps]``.
    """
    rows, columns = weights.shape
    cell = CELL if steps else min(CELL, MAX_WIDTH / columns)
    left = 10 + NAME_PIXELS * max((len(_short(unit)) for unit in units), default=1)
    top = 10 + NAME_PIXELS * max((len(_short(step)) for step in steps), default=0)
    width, height = round(left + columns * cell + (40 if steps else 2)), round(top + rows * CELL + 2)
    drawn = fill(
        "attention_map.svg.j2",
        units=units,
        steps=steps,
        unit_names=list(map(_short, units)),
        step_names=list(map(_short, steps)),
        weights=[(row, column, float(weights[row, column])) for row, column in np.argwhere(weights >= LEAST).tolist()],
        rows=rows,
        columns=columns,
        cell=cell,
        height_of_cell=CELL,
        left=left,
        top=top,
        width=width,
        height=height,
    )
    return Markup(drawn), width


def _short(name: str) -> str:
    name = name.strip() or "␣"
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
