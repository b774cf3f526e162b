"""Features that go around an encoder."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import Stage, StageConfig
from seqpipe.encoders.steps import keeps_steps
from seqpipe.errors import ConfigError


class Bypass(Stage):
    """Let the last features of each step pass beside an encoder, which doesn't see them (Cheng et al. 2016).

    Args:
        input_size: D, features of a step.
        size: how many of them pass, the last ones; fewer than D.
        encoder: that the others go through.

    Shape: ``[B, T, D]`` -> ``[B, T, E + size]``, E features of the encoder and then those that passed.
    """

    role = "encoder"

    def __init__(self, *, input_size: InputSize, size: Annotated[int, Field(gt=0)], encoder: StageConfig) -> None:
        super().__init__()
        if size >= input_size:
            raise ConfigError([(("size",), f"should be below the {input_size} features of a step; received {size}")])
        self.size = size
        self.encoder = encoder.build(None, input_size=input_size - size)
        if self.encoder.role != "encoder":
            raise ConfigError([(("encoder",), f"{encoder.name} is a {self.encoder.role} stage, not an encoder")])
        if not keeps_steps(self.encoder):
            raise ConfigError(
                [(("encoder",), f"{encoder.name} changes the number of steps, so nothing can pass beside it")]
            )
        self.output_size = self.encoder.output_size + size

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Encode the first features, and put the last ones beside."""
        values, lengths = sequence.masked()
        encoded = self.encoder(PaddedSequence(values[..., : -self.size], lengths))
        return PaddedSequence(torch.cat([encoded.values, values[..., -self.size :]], dim=-1), encoded.lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        seen, beside = (graph.slice(sequence.values, *edges, 2) for edges in ((0, -self.size), (-self.size, 2**62)))
        encoded = self.encoder.to_onnx(graph, Symbol(seen, sequence.lengths))
        return Symbol(graph.concatenate([encoded.values, beside]), encoded.lengths)
