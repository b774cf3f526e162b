"""A confusion matrix as inline SVG in the page's colours."""

from __future__ import annotations

from markupsafe import Markup, escape

from seqpipe.evaluation.scores.confusion import ConfusionMatrix

SIZES = ((12, 60, 12), (25, 34, 9), (10**9, 26, 8))
"""Classes up to which a cell has so many pixels and its text this size."""
MAX_NAME, NAME_PIXELS = 24, 6.8
"""Characters of a name, and pixels of one."""


def draw_confusions(matrix: ConfusionMatrix) -> tuple[Markup, int]:
    """Counts and shares of each reference by answer, and how many pixels wide it should be.

    What is right is in one colour, what is wrong in another; the stronger, the greater its share of the reference.
    """
    # Written by hand, since matplotlib takes seconds for the texts of a thousand cells.
    rows, columns = matrix.counts.shape
    cell, size = next((cell, size) for most, cell, size in SIZES if columns <= most)
    longest = max((len(_short(name)) for name in (*matrix.references, *matrix.answers)), default=1)
    upright = longest <= 3 and (longest == 1 or cell >= 60)
    left = 24 + 10 + NAME_PIXELS * longest
    bottom = rows * cell
    below = 22 if upright else 12 + NAME_PIXELS * longest
    width, height = round(left + columns * cell + 2), round(bottom + below + 22)

    parts = []
    for row, column in zip(*matrix.counts.nonzero(), strict=True):
        share = float(matrix.shares[row, column])
        series = 1 if matrix.references[row] == matrix.answers[column] else 2
        x, y = left + column * cell, row * cell
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{cell}" height="{cell}" fill="var(--series-{series})" '
            f'opacity="{0.06 + 0.6 * share:.2f}"/>'
        )
        lines = [str(matrix.counts[row, column]), f"{100 * share:.0f} %" if share >= 0.005 else "<1 %"]
        title = f"{matrix.references[row]}, answered {matrix.answers[column]}: {lines[0]}, {lines[1]}"
        middle = x + cell / 2
        parts.append(f'<g fill="var(--ink)" font-size="{size}"><title>{escape(title)}</title>')
        parts += [
            f'<text x="{middle:.1f}" y="{y + cell / 2 + line * 1.1 * size - 0.15 * size:.1f}">{escape(text)}</text>'
            for line, text in enumerate(lines)
        ]
        parts.append("</g>")
    parts += [_line(left, y * cell, left + columns * cell, y * cell) for y in range(rows + 1)]
    parts += [_line(left + x * cell, 0, left + x * cell, bottom) for x in range(columns + 1)]
    for row, name in enumerate(matrix.references):
        parts.append(_label(left - 6, (row + 0.5) * cell + 4, _short(name), "end"))
    for column, name in enumerate(matrix.answers):
        middle = left + (column + 0.5) * cell
        if upright:
            parts.append(_label(middle, bottom + 15, _short(name), "middle"))
        else:
            parts.append(_label(middle + 4, bottom + 6, _short(name), "end", turned=True))
    parts.append(_label(left + columns * cell / 2, height - 6, "answer", "middle"))
    parts.append(_label(12, bottom / 2, "reference", "middle", turned=True))
    head = (
        f'<svg class="chart" role="img" aria-label="{escape(f"Reference by answer, {matrix.items}")}" '
        f'viewBox="0 0 {width} {height}" text-anchor="middle" font-size="12" xmlns="http://www.w3.org/2000/svg">'
    )
    return Markup(f"{head}{''.join(parts)}</svg>"), width


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="var(--line)"/>'


def _label(x: float, y: float, text: str, anchor: str, *, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="var(--muted)" text-anchor="{anchor}"{turn}>{escape(text)}</text>'
