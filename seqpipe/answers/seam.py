"""Where the transcripts of two segments that overlap are put together: between the same two words in both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Protocol

NEAR = 0.3
"""Of the overlap: the same word is placed by both segments within this. Segments were seen to differ by a step or two
(some 40 ms each), and spelt letters follow each other in 0.3 s, so with an overlap of a second it lies between."""


class Placed(Protocol):
    """A word or a token."""

    @property
    def text(self) -> str:
        """As it stands in the transcript."""
        ...

    @property
    def start(self) -> float:
        """Where it begins."""
        ...

    @property
    def end(self) -> float:
        """Where it ends."""
        ...


def find_seam(
    before: Sequence[Placed], after: Sequence[Placed], border: float, overlap: float
) -> tuple[int, int, float]:
    """How many items of the segment before a border to keep, and from which on those of the segment after it.

    An item that both segments have, of equal text and in nearly the same place or of other text in the same place,
    stays on one side of the seam in both, so that it is kept exactly once. Of all such seams it is the nearest to the
    border.

    Args:
        before: items of the segment before, all of them near the border, in order.
        after: items of the segment after.
        border: where the share of the one ends and that of the other begins.
        overlap: how far both hear beyond it.

    Returns:
        ``kept, first, distance``: keep ``before[:kept]`` and ``after[first:]``; the seam is that far from the border.
    """
    same = _same(before, after, border, overlap)
    seams = []
    for kept, first in product(range(len(before) + 1), range(len(after) + 1)):
        if all((left < kept) == (right < first) for left, right in same):
            ends = [item.end for item in (*before[:kept][-1:], *after[:first][-1:])]
            starts = [item.start for item in (*before[kept:][:1], *after[first:][:1])]
            distance = max(0.0, max(ends, default=border) - border, border - min(starts, default=border))
            seams.append((distance, kept, first))
    distance, kept, first = min(seams)
    return kept, first, distance


def _same(before: Sequence[Placed], after: Sequence[Placed], border: float, overlap: float) -> list[tuple[int, int]]:
    """Pairs of items that stand for the same stretch of the input: equal ones, and unlike ones in the same place."""
    equal = _matches(before, after, NEAR * overlap)
    known = {left for left, _ in equal}, {right for _, right in equal}
    unlike = [
        (left, right)
        for left, right in product(range(len(before)), range(len(after)))
        if left not in known[0]
        and right not in known[1]
        and _share(before[left], after[right], border - overlap, border + overlap) > 0.5
    ]
    return equal + unlike


def _share(first: Placed, second: Placed, low: float, high: float) -> float:
    """How much of the shorter one the other covers, of what lies between ``low`` and ``high``."""
    spans = [(max(item.start, low), min(item.end, high)) for item in (first, second)]
    shorter = min(end - start for start, end in spans)
    common = min(end for _, end in spans) - max(start for start, _ in spans)
    return common / shorter if shorter > 0 else float(common >= 0)


def _matches(before: Sequence[Placed], after: Sequence[Placed], near: float) -> list[tuple[int, int]]:
    """Items of equal text whose centres are less than ``near`` apart, in order on both sides, the nearest preferred.

    By dynamic programming over both sequences, as in an edit distance: a pair counts 1 if both are in the same place,
    and less the further they are apart, so that a letter spelt twice isn't taken for its neighbour.
    """
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    gains = [[0.0] * len(after) for _ in before]
    for left in reversed(range(len(before))):
        for right in reversed(range(len(after))):
            if before[left].text == after[right].text:
                apart = abs(before[left].start + before[left].end - after[right].start - after[right].end) / 2
                gains[left][right] = max(0.0, 1 - apart / near) if near else 0.0
            best[left][right] = max(
                gains[left][right] + best[left + 1][right + 1], best[left + 1][right], best[left][right + 1]
            )
    pairs, left, right = [], 0, 0
    while left < len(before) and right < len(after):
        if gains[left][right] > 0 and best[left][right] == gains[left][right] + best[left + 1][right + 1]:
            pairs.append((left, right))
            left, right = left + 1, right + 1
        elif best[left][right] == best[left + 1][right]:
            left += 1
        else:
            right += 1
    return pairs
