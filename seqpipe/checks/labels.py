"""Whether a target can be spelt, and fits into what is left of its input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from seqpipe.data.rows import Row
from seqpipe.errors import InputError


def fits(steps: int, needed: int) -> None:
    """Raise `InputError` if a label needs more encoded steps than its input leaves."""
    if needed > steps:
        raise InputError(
            "too short for its label",
            f"its label needs {needed} steps, and {steps} are left after features and front-end (at the shortest that "
            "augmentation draws); lower the front-end's strides and pools over steps, or use larger units",
        )


def agrees(row: Row, pipeline: Any, tags: int) -> None:
    """Raise `InputError` if a head that tags words is given another number of tags than there are words."""
    words = len(pipeline.features.items(row.input)) + pipeline.features.cut_off(row.input)
    if tags != words:
        raise InputError(
            "wrong number of tags",
            f"{tags} tags for {words} words; give one for each (Tokens.split says where a text comes apart)",
        )


def disagreements(rows: Iterable[Row], pipeline: Any) -> list[tuple[Row, InputError]]:
    """Rows whose targets have another number of tags than there are words, or are no tags; see `agrees`.

    None for a head that doesn't tag words. Whether the tags are known is not asked, and rows whose input can't be used
    are left to who reads it.
    """
    found = []
    for row in rows if getattr(pipeline.head, "tags_items", False) else ():
        try:
            pipeline.features.items(row.input)
        except InputError:
            continue
        try:
            agrees(row, pipeline, len(pipeline.head.labels_of(row.target)))
        except InputError as error:
            found.append((row, error))
    return found


def encode_label(row: Row, pipeline: Any, length: int) -> Tensor:
    """A row's target as its head learns it.

    Raises:
        InputError: it can't be spelt, or needs more steps than ``length`` prepared ones leave.
    """
    target: Tensor = pipeline.head.encode_target(row.target)
    if getattr(pipeline.head, "tags_items", False):
        agrees(row, pipeline, len(target))
        target = target[: len(pipeline.features.items(row.input))]  # the features may leave out the end
    fits(pipeline.shortest_encoded(length), pipeline.head.steps_needed(target))
    return target
