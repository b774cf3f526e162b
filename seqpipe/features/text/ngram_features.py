"""Vectors of neighbouring tokens together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.assets import read_tensors
from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import numbers_to_onnx, token_numbers, tokens_before
from seqpipe.features.text.ngrams import ngram_keys, ngram_keys_to_onnx, places_of


class NGramFeatures(Feature):
    """The sum of trainable vectors of the n-grams that end at a token: itself, it and the one before, and so on.

    Pooled by their mean, they are the bag of n-grams of a text (Joulin et al. 2017), which a recurrent layer needs far
    more text to learn: "not good" is one thing to know. Goes beside `Embedding`, in a `Concatenation`, and around the
    encoder by `Bypass`.

    Args:
        previous: `Tokens`; passed by the pipeline.
        orders: lengths of the n-grams, in tokens.
        size: D.
        min_count: n-grams that the training rows have less often are none; nor is one with an unknown token.
        standard_deviation: of the normally distributed vectors that training starts with. Small: what is seldom met
            keeps its first vector, which then is noise.
        dropout: probability that an n-gram is hidden while training.

    Shape: ``[B, T]`` or ``[B, T, 1 + W]`` numbers -> ``[B, T, size]``.
    """

    constant = True
    needs_fit = True
    FILE = "ngrams.safetensors"

    def __init__(
        self,
        *,
        previous: Annotated[Any, Upstream("")],
        orders: Annotated[list[Annotated[int, Field(gt=0, le=4)]], Field(min_length=1)] = [1, 2],  # noqa: B006
        size: Annotated[int, Field(gt=0)] = 20,
        min_count: Annotated[int, Field(ge=1)] = 2,
        standard_deviation: Annotated[float, Field(gt=0)] = 0.01,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
    ) -> None:
        super().__init__()
        self._previous = tokens_before(previous, self)
        self.orders, self.min_count = orders, min_count
        self.standard_deviation, self.dropout = standard_deviation, dropout
        self.output_size = size
        self.weight: nn.Parameter | None = None
        self.register_buffer("keys", torch.zeros(0, dtype=torch.int64), persistent=False)
        self.keys: Tensor  # sorted; the n-gram of key i has the vector i + 1

    def fit(self, rows: Iterable[PaddedSequence], targets: Iterable[Any] = ()) -> None:
        """Count the n-grams of the training texts."""
        # All texts as one, with unknown tokens between them, which no n-gram has.
        between = torch.zeros(max(self.orders), dtype=torch.int64)
        texts = (sequence._replace(values=token_numbers(sequence.values)) for sequence in rows)
        parts = [part for text in texts for row in text.rows() for part in (row, between)]
        whole = PaddedSequence.pad([torch.cat(parts) if parts else between])
        found = torch.cat([ngram_keys(whole, order, self._previous[0].size)[0] for order in self.orders])
        keys, counts = found[found >= 0].unique(return_counts=True)  # sorted
        self._build(keys[counts >= self.min_count])

    def _build(self, keys: Tensor) -> None:
        self.keys = keys
        self.weight = nn.Parameter(torch.randn(len(keys) + 1, self.output_size) * self.standard_deviation)

    def save_assets(self, folder: Path) -> None:
        """Write the n-grams."""
        save_file({"keys": self.keys.cpu()}, folder / self.FILE)

    def load_assets(self, folder: Path) -> None:
        """Restore the n-grams; raises `RunError` if the file is damaged."""
        self._build(read_tensors(folder / self.FILE, {"keys": 1})["keys"])

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Look up and add."""
        if self.weight is None:
            raise ConfigError("NGramFeatures has no n-grams yet: call fit or load_assets of the chain first")
        total = self.weight.new_zeros(*sequence.values.shape[:2], self.output_size)
        for order in self.orders:
            place = places_of(ngram_keys(sequence, order, self._previous[0].size), self.keys)
            scale = (place >= 0).to(self.weight.dtype)
            if self.training and self.dropout:
                scale = scale * (torch.rand(scale.shape, device=scale.device) >= self.dropout) / (1 - self.dropout)
            total = total + F.embedding(place + 1, self.weight) * scale.unsqueeze(-1)
        return PaddedSequence(total, sequence.lengths).masked()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        if self.weight is None:
            raise ConfigError("NGramFeatures has no n-grams yet: call fit or load_assets of the chain first")
        numbers, lengths = numbers_to_onnx(graph, self._previous[0], sequence)
        vectors = self.weight.detach().numpy().copy()
        vectors[0] = 0.0  # of what is no n-gram
        total = None
        for order in self.orders:
            keys = ngram_keys_to_onnx(graph, numbers, order, self._previous[0].size)
            found = graph.op("Gather", graph.constant(vectors), graph.places(keys, self.keys.numpy()))
            total = found if total is None else graph.op("Add", total, found)
        return Symbol(str(total), lengths)
