"""Whether a target can be spelt, and fits into what is left of its input."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.pipeline import Pipeline


def fits(steps: int, needed: int) -> None:
    """Raise `InputError` if a label needs more encoded steps than its input leaves."""
    if needed > steps:
        raise InputError(
            "too short for its label",
            f"its label needs {needed} steps, and {steps} are left behind the encoder (at the shortest that "
            "augmentation draws); lower the strides and pools over steps, or use larger units",
        )


def agrees(row: Row, pipeline: Pipeline, tags: int) -> None:
    """Raise `InputError` if a head that tags words is given another number of tags than there are words."""
    source = pipeline.features.reader.source(row.input)
    words = len(source.items) + source.truncated
    if tags != words:
        raise InputError(
            "wrong number of tags",
            f"{tags} tags for {words} words; give one for each (Tokens.split says where a text comes apart)",
        )


def disagreements(rows: Iterable[Row], pipeline: Pipeline) -> list[tuple[Row, InputError]]:
    """Rows whose targets have another number of tags than there are words, or are no tags; see `agrees`.

    None for a head that doesn't tag words. Whether the tags are known is not asked, and rows whose input can't be used
    are left to who reads it.
    """
    found = []
    for row in rows if pipeline.head.tags_items else ():
        try:
            _ = pipeline.features.reader.source(row.input).items
        except InputError:
            continue
        try:
            agrees(row, pipeline, len(pipeline.head.metric.target_classes(row.target)))
        except InputError as error:
            found.append((row, error))
    return found


def encode_label(row: Row, pipeline: Pipeline, length: int) -> Tensor:
    """A row's target as its head learns it.

    Raises:
        InputError: it can't be spelt, or needs more steps than ``length`` prepared ones leave.
    """
    target = pipeline.head.encode_target(row.target)
    if pipeline.head.tags_items:
        agrees(row, pipeline, len(target))
        target = target[: len(pipeline.features.reader.source(row.input).items)]  # the features may leave out the end
    fits(pipeline.min_encoded_length(length), pipeline.head.min_steps(target))
    return target
