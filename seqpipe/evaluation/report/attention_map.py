"""What a writing head looked at for each unit that it wrote, as inline SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup, escape
from numpy.typing import NDArray

from seqpipe.core.head import Autoregressive
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import InputError
from seqpipe.evaluation.scores.evaluate import Evaluation

CELL, MAX_WIDTH = 17, 900
"""Pixels of a cell; and of all columns together, where these have no names and may be narrower."""
LEAST = 0.01
"""Weights below this are not drawn."""
MAX_NAME, NAME_PIXELS = 16, 6.6
"""Characters of a name, and pixels of one."""
MAX_UNITS, MAX_STEPS = 80, 4000
"""Larger maps are not drawn."""


@dataclass(frozen=True)
class AttentionMap:
    """A row's map.

    Attributes:
        svg: the picture.
        width: in pixels.
    """

    svg: Markup
    width: int


def attention_map(evaluation: Evaluation, position: int) -> AttentionMap | None:
    """What was looked at for the answer of a row; None of a head that has no such weights, and where it is too large.

    Args:
        evaluation: of the run.
        position: of the row.
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


def draw_attention(units: Sequence[str], steps: Sequence[str], weights: NDArray[np.float32]) -> AttentionMap:
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
    parts = [
        f'<text x="{left - 6:.1f}" y="{top + (row + 0.72) * CELL:.1f}" fill="var(--muted)" text-anchor="end">'
        f"{escape(_short(unit))}</text>"
        for row, unit in enumerate(units)
    ]
    for column, step in enumerate(steps):
        middle = left + (column + 0.6) * cell
        parts.append(
            f'<text x="{middle:.1f}" y="{top - 5:.1f}" fill="var(--muted)" text-anchor="start" '
            f'transform="rotate(-60 {middle:.1f} {top - 5:.1f})">{escape(_short(step))}</text>'
        )
    for row, column in zip(*np.nonzero(weights >= LEAST), strict=True):
        share = float(weights[row, column])
        title = f"{units[row].strip()}: {100 * share:.0f} % on {steps[column] if steps else f'step {column + 1}'}"
        parts.append(
            f'<rect x="{left + column * cell:.1f}" y="{top + row * CELL:.1f}" width="{max(cell, 1):.1f}" '
            f'height="{CELL}" fill="var(--series-1)" opacity="{min(1.0, share):.2f}"><title>{escape(title)}</title>'
            "</rect>"
        )
    parts.append(
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{columns * cell:.1f}" height="{rows * CELL}" fill="none" '
        'stroke="var(--line)"/>'
    )
    label = "Weights of attention: what was written, by where in the input was looked"
    head = (
        f'<svg class="chart" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" font-size="11" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    return AttentionMap(Markup(f"{head}{''.join(parts)}</svg>"), width)


def _short(name: str) -> str:
    name = name.strip() or "␣"
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
