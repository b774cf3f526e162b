"""The encoder's state, carried from a stream's chunk to its next one."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.core.head import Encoded
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.loader import Carried
from seqpipe.pipeline import Pipeline


class CarriedStates:
    """States of all streams between two batches, without gradients.

    Args:
        streams: how many.

    Attributes:
        states: see `seqpipe.core.stage.CarriesState`, rows being streams; none before the first batch.
    """

    def __init__(self, streams: int) -> None:
        self.streams = streams
        self.states: list[Tensor] = []

    def encode(self, pipeline: Pipeline, inputs: PaddedSequence, carried: Carried) -> Encoded:
        """A batch of chunks ``[B, T, D]``, each from where its stream stands; where it then stands is kept."""
        nothing = pipeline.carrier().initial_state(self.streams)
        if not self.states:
            self.states = list(nothing)
        places = torch.tensor(carried.streams, device=inputs.values.device)
        begins = torch.tensor(carried.begins, device=inputs.values.device)[:, None]
        before = tuple(
            torch.where(begins, first[places], kept.to(first.device)[places])
            for first, kept in zip(nothing, self.states, strict=True)
        )
        encoded, after = pipeline.forward_from(inputs, before)
        self.states = [
            kept.to(new.device).index_copy(0, places, new.detach().to(kept.dtype))
            for kept, new in zip(self.states, after, strict=True)
        ]
        return encoded

    def forget(self) -> None:
        """Let all streams begin anew: what is not finite would stay in them."""
        self.states = []
