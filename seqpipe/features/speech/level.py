"""Every recording at the same loudness."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputRate
from seqpipe.core.sequence import PaddedSequence


class LevelNormalization(Feature):
    """Scale each row to the same root mean square, so that no model depends on how loud a recording is.

    It works on the device, so after all augmentation of waveforms wherever it stands in the list.

    Args:
        sample_rate: of the samples, in hertz.
        db: the level that rows get, in decibel of full scale (a full square wave is 0).
        floor_db: a quieter row is raised no more than one at this level would be: digital silence stays silence.

    Shape: ``[B, S]`` -> ``[B, S]``.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        db: Annotated[float, Field(ge=-80, le=0)] = -20.0,
        floor_db: Annotated[float, Field(ge=-120, le=0)] = -80.0,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.level, self.floor = 10 ** (db / 20), 10 ** (floor_db / 10)
        self.output_size = 1

    def forward(self, waveforms: PaddedSequence) -> PaddedSequence:
        """Scale."""
        values, lengths = waveforms.masked()
        power = values.square().sum(dim=1, keepdim=True) / lengths.clamp(min=1).unsqueeze(1)  # [B, 1]
        return PaddedSequence(values * (self.level * power.clamp(min=self.floor).rsqrt()), lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        values, lengths = graph.masked(sequence, rank=2)
        count = graph.op("Max", graph.op("Cast", lengths, to=1), graph.constant(1.0))
        squares = graph.reduce("ReduceSum", graph.op("Mul", values, values), [1])
        power = graph.op("Div", squares, graph.op("Unsqueeze", count, graph.constant([1], np.int64)))
        root = graph.op("Sqrt", graph.op("Max", power, graph.constant(self.floor)))
        scale = graph.op("Div", graph.constant(self.level), root)
        return Symbol(graph.op("Mul", values, scale), lengths)
