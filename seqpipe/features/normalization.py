"""Zero mean and unit variance, of an utterance or of the training data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import DataError


class Normalization(Feature):
    """Subtract the mean of every feature and divide by its standard deviation, over real steps only.

    Args:
        input_size: D, features of a step.
        over: ``utterance`` takes each row's own statistics; ``global`` those of the training rows, learnt by `fit`.
        variance: divide by the standard deviation; otherwise only the mean is removed.

    Shape: ``[B, T, D]`` -> ``[B, T, D]``.
    """

    FLOOR = 1e-5  # of the variance: a feature that never changes stays 0 instead of blowing up

    def __init__(
        self, *, input_size: InputSize, over: Literal["utterance", "global"] = "utterance", variance: bool = True
    ) -> None:
        super().__init__()
        self.over = over
        self.variance = variance
        self.output_size = input_size
        self.needs_fit = over == "global"
        if over == "global":
            self.register_buffer("mean", torch.zeros(input_size))
            self.register_buffer("standard_deviation", torch.ones(input_size))
            self.mean: Tensor
            self.standard_deviation: Tensor

    def fit(self, rows: Iterable[PaddedSequence], targets: Iterable[Any] = ()) -> None:
        """One pass over the training features, merged batch by batch (Chan et al. 1979) in float64.

        Raises:
            DataError: there are no steps at all.
        """
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for batch in rows:
            steps = torch.cat(batch.rows()).double()  # [steps, D]
            if len(steps) == 0:
                continue
            batch_mean = steps.mean(dim=0)
            difference = batch_mean - mean
            total = count + len(steps)
            squares = squares + (steps - batch_mean).square().sum(0) + difference.square() * count * len(steps) / total
            mean = mean + difference * len(steps) / total
            count = total
        if count == 0:
            raise DataError("global normalisation needs training rows; there were no steps to take statistics of")
        self.mean.copy_(mean)
        self.standard_deviation.copy_((squares / count).clamp(min=self.FLOOR).sqrt())

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Normalise."""
        values, lengths = sequence.masked()
        if self.over == "global":
            centred = values - self.mean
            return PaddedSequence(centred / self.standard_deviation if self.variance else centred, lengths).masked()
        count = lengths.clamp(min=1).reshape(-1, 1, 1)
        # Seen from the first step, so that what never changes, as the bands of digital silence, is 0 to the bit.
        shifted = PaddedSequence(values - values[:, :1], lengths).masked().values
        centred = PaddedSequence(shifted - shifted.sum(dim=1, keepdim=True) / count, lengths).masked().values
        if self.variance:
            variance = centred.square().sum(dim=1, keepdim=True) / count
            centred = centred * variance.clamp(min=self.FLOOR).rsqrt()
        return PaddedSequence(centred, lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        values, lengths = graph.masked(sequence)
        if self.over == "global":
            centred = graph.op("Sub", values, graph.constant(self.mean.numpy()))
            if self.variance:
                centred = graph.op("Div", centred, graph.constant(self.standard_deviation.numpy()))
            return Symbol(centred, lengths)
        count = graph.op("Max", graph.op("Cast", lengths, to=1), graph.constant(1.0))
        count = graph.op("Unsqueeze", count, graph.constant([1, 2], np.int64))
        first = graph.slice(values, 0, 1, axis=1)
        shifted = graph.masked(Symbol(graph.op("Sub", values, first), lengths)).values
        mean = graph.op("Div", graph.reduce("ReduceSum", shifted, [1]), count)
        centred = graph.masked(Symbol(graph.op("Sub", shifted, mean), lengths)).values
        if self.variance:
            squares = graph.reduce("ReduceSum", graph.op("Mul", centred, centred), [1])
            variance = graph.op("Max", graph.op("Div", squares, count), graph.constant(self.FLOOR))
            centred = graph.op("Div", centred, graph.op("Sqrt", variance))
        return Symbol(centred, lengths)
