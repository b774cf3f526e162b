"""Texts that are written from right to left, beside inputs that run from left to right."""

from __future__ import annotations

from collections.abc import Sequence

from seqpipe.checks.findings import shortened
from seqpipe.checks.part import Part
from seqpipe.core.head import Head, OrdersTargets, SpellsTargets
from seqpipe.core.measure import Measure
from seqpipe.text.bidi import right_to_left_share


def find_directions(parts: Sequence[Part], head: Head, measure: Measure) -> None:
    """Warn of what the order of targets does to what is learnt of them.

    Where texts are learnt in display order, each that would be answered in another order than it has (several may look
    alike), and once if inputs are none that run from left to right. Where they aren't, once if inputs are such, most of
    the training texts run against them, and the head goes through both together.

    Args:
        parts: the training rows first.
        head: whose targets are looked at.
        measure: of the inputs' lengths.
    """
    if not (isinstance(head, OrdersTargets) and isinstance(head, SpellsTargets)):
        return
    first = parts[0]
    if head.base_direction is None:
        if not (head.follows_input and measure.from_left):
            return
        share = right_to_left_share(["".join(head.target_characters(row.target) or ()) for row in first.rows])
        if share > 0.5:
            first.findings.warn(
                first.rows[0],
                "right to left",
                f"{share:.0%} of the letters are written from right to left, and columns run from left to right: "
                "base_direction: auto (pipeline.head) puts texts into that order",
            )
        return
    if not measure.from_left:
        first.findings.warn(
            first.rows[0],
            "display order",
            "base_direction (pipeline.head) puts texts into the order of an image's columns, and the inputs are "
            f"{measure.kind}",
        )
    for part in parts:
        for row in part.rows:
            text = "".join(head.target_characters(row.target) or ())
            if (found := head.read_back(text)) != text:
                part.findings.warn(
                    row,
                    "not read back",
                    f"{shortened(text)} looks like {shortened(found)} from left to right, which it is answered as; "
                    "base_direction says in which direction lines run as a whole",
                )
