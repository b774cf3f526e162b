"""Several encoders over the same steps."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import Stage, StageConfig
from seqpipe.encoders.steps import same_steps
from seqpipe.errors import ConfigError
from seqpipe.layers.dropout import DropoutKind, dropout


class Parallel(Stage):
    """Encoders side by side: different ones, or several of a kind as members of an ensemble (`ClassifierHead.members`).

    Args:
        input_size: D, features of a step.
        encoders: two or more, each over all features; they must keep the number of steps alike.
        dropout: probability, on each encoder's input by itself.
        dropout_kind: what is dropped together; see `DropoutKind`.

    Shape: ``[B, T, D]`` -> ``[B, T, E1 + E2 + ...]``.
    """

    role = "encoder"

    def __init__(
        self,
        *,
        input_size: InputSize,
        encoders: Annotated[list[StageConfig], Field(min_length=2)],
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
    ) -> None:
        super().__init__()
        built = [config.build(None, input_size=input_size) for config in encoders]
        for config, stage in zip(encoders, built, strict=True):
            if stage.role != "encoder":
                raise ConfigError([(("encoders",), f"{config.name} is a {stage.role} stage, not an encoder")])
            if not same_steps(stage, built[0]):
                raise ConfigError(
                    [(("encoders",), f"{config.name} gives another number of steps than {encoders[0].name}")]
                )
        self.encoders: Any = nn.ModuleList(built)
        self.dropout, self.dropout_kind = dropout, dropout_kind
        self.output_size = sum(stage.output_size for stage in built)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Those of the first."""
        found: Tensor = self.encoders[0].output_lengths(lengths)
        return found

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """As the first does."""
        found: Tensor = self.encoders[0].locate(prepared, steps)
        return found

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Each encoder's steps beside each other."""
        values, lengths = sequence.masked()
        encoded = [
            encoder(PaddedSequence(dropout(values, self.dropout, self.training, self.dropout_kind), lengths))
            for encoder in self.encoders
        ]
        return PaddedSequence(torch.cat([one.values for one in encoded], dim=-1), encoded[0].lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        encoded = [encoder.to_onnx(graph, sequence) for encoder in self.encoders]
        return Symbol(graph.concatenate([each.values for each in encoded]), encoded[0].lengths)
