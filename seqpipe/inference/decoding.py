"""What becomes of encoded inputs: answers, and the answer to a long one out of those to its segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from seqpipe.core.head import ConcatenatesParts, Encoded, JoinsSegments
from seqpipe.inference.slot import Slot, Unit
from seqpipe.pipeline import Pipeline


class Responder(Protocol):
    """Answers what the model has encoded; called by several threads."""

    def respond(self, units: Sequence[Unit], encoded: Encoded) -> list[Any]:
        """For each unit its answer or failure, or what `join` makes one of."""

    def join(self, slot: Slot) -> Any:
        """The answer to an input, all of whose parts are there."""


class Decoding:
    """Answers of the pipeline's head.

    Args:
        pipeline: in evaluation mode.
        options: of decoding.
    """

    def __init__(self, pipeline: Pipeline, options: Any) -> None:
        self.pipeline, self.options = pipeline, options

    def respond(self, units: Sequence[Unit], encoded: Encoded) -> list[Any]:
        """Answers, of segments too."""
        return self.pipeline.decode_batch(
            [unit.slot.id for unit in units],
            [unit.raw for unit in units],
            [unit.prepared for unit in units],
            encoded,
            self.options,
        )

    def join(self, slot: Slot) -> Any:
        """Answers to segments, put together by the head."""
        if len(slot.parts) == 1 and slot.parts[0][0] is None:
            return slot.parts[0][1]
        parts = [(segment, answer) for segment, answer in slot.parts if segment is not None]
        head = self.pipeline.head
        if isinstance(head, JoinsSegments):
            return head.join(slot.id, parts)
        if isinstance(head, ConcatenatesParts):  # the parts of a text don't overlap
            return head.concatenate(slot.id, parts)
        raise TypeError(f"{type(head).__name__} joins no segments")
