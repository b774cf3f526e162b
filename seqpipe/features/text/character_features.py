"""What a word looks like: features from its characters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence, end_states
from seqpipe.encoders.recurrent import RecurrentEncoder
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import spelt_to_onnx, tokens_before
from seqpipe.layers.dropout import dropout


class CharacterFeatures(Feature):
    """Word features out of characters, by a CNN (Ma & Hovy 2016) or a BiLSTM (Lample et al. 2016).

    Goes beside `Embedding`, in a `Concatenation`; `Tokens` hands characters on with its option of that name. A word
    that occurs several times in a batch is computed once.

    Args:
        previous: `Tokens`, which knows the characters; passed by the pipeline.
        kind: ``cnn`` takes the maximum over a word of convolutions, ``bilstm`` the end states of both directions.
        size: features of a character.
        filters: of the CNN: features for each width of ``kernels``; or units of the LSTM in each direction (the first).
        kernels: widths of the CNN's filters, in characters.
        dropout: probability, on the characters' features while training.

    Shape: ``[B, T, 1 + W]`` numbers -> ``[B, T, sum of filters]`` (``bilstm``: twice the units).
    """

    stepwise = True

    def __init__(
        self,
        *,
        previous: Annotated[Any, Upstream("")],
        kind: Literal["cnn", "bilstm"] = "cnn",
        size: Annotated[int, Field(gt=0)] = 30,
        filters: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)] = [50, 50],  # noqa: B006
        kernels: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)] = [3, 4],  # noqa: B006
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__()
        if kind == "cnn" and len(filters) != len(kernels):
            raise ConfigError(
                f"CharacterFeatures: filters and kernels belong together; received {len(filters)} and {len(kernels)}"
            )
        self._previous = tokens_before(previous, self, spelt=True)
        self.kind, self.size, self.dropout = kind, size, dropout
        self.table: nn.Embedding | None = None
        self.output_size = sum(filters) if kind == "cnn" else 2 * filters[0]
        self.convolutions: Any = None
        self.encoder: Any = None
        if kind == "cnn":
            self.convolutions = nn.ModuleList(
                nn.Linear(width * size, count) for count, width in zip(filters, kernels, strict=True)
            )
            self.kernels = kernels
        else:
            self.encoder = RecurrentEncoder(input_size=size, hidden_size=filters[0], layers=1)

    def build(self) -> None:
        """Make the characters' vectors."""
        self.table = nn.Embedding(len(self._previous[0].known_characters), self.size)
        nn.init.normal_(self.table.weight, std=0.3)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Features of each word's characters."""
        numbers, lengths = sequence.masked(0)
        mask = PaddedSequence(numbers, lengths).mask()
        words, place = distinct(numbers[..., 1:][mask])  # [U, W], [words]
        features = self._words(words).index_select(0, place)
        values = features.new_zeros(*numbers.shape[:2], self.output_size)
        return PaddedSequence(values.masked_scatter(mask.unsqueeze(-1), features), lengths)

    def _words(self, spelt: Tensor) -> Tensor:
        """``[U, W]`` numbers of characters -> ``[U, output_size]``."""
        if self.table is None:
            raise ConfigError("CharacterFeatures has no characters yet: call fit or load_assets of the chain first")
        sizes = (spelt > 0).sum(dim=1).clamp(min=1)
        spelt = spelt[:, : int(sizes.max())]
        inside = PaddedSequence(spelt, sizes).mask().unsqueeze(-1)  # [U, W, 1]
        values = self.table(spelt) * inside
        values = dropout(values, self.dropout, self.training)
        if self.encoder is not None:
            return end_states(self.encoder(PaddedSequence(values, sizes)))
        found = []
        for width, convolution in zip(self.kernels, self.convolutions, strict=True):
            padded = F.pad(values, (0, 0, width // 2, (width - 1) // 2))
            windows = padded.unfold(1, width, 1).transpose(2, 3).flatten(2)  # [U, W, width · size]
            scores = convolution(windows).masked_fill(~inside, float("-inf"))
            found.append(scores.amax(dim=1))
        return torch.cat(found, dim=1).relu()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        tokens = self._previous[0]
        spelt = spelt_to_onnx(graph, tokens, sequence)
        words = graph.reshape(spelt, [-1, tokens.characters])
        keys = graph.whole_sums(words, _factors(tokens.characters))
        _, first, place, _ = graph.outputs("Unique", [keys], 4, sorted=1)
        features = self._words_to_onnx(graph, graph.op("Gather", words, first, axis=0))
        shape: list[int | str] = [graph.size(spelt, 0), graph.size(spelt, 1), self.output_size]
        return Symbol(graph.reshape(graph.op("Gather", features, place, axis=0), shape), sequence.lengths)

    def _words_to_onnx(self, graph: OnnxGraph, spelt: str) -> str:
        """`_words` as nodes of a graph."""
        if self.table is None:
            raise ConfigError("CharacterFeatures has no characters yet: call fit or load_assets of the chain first")
        real = graph.op("Cast", graph.op("Greater", spelt, graph.constant(0)), to=7)
        sizes = graph.op("Max", graph.reduce("ReduceSum", real, [1], keep=False), graph.constant(1))
        longest = graph.reduce("ReduceMax", sizes, [0])
        spelt = graph.slice(spelt, 0, longest, 1)
        values = graph.op("Gather", graph.constant(self.table.weight.detach().numpy()), spelt)
        values = graph.masked(Symbol(values, sizes)).values  # [U, W, size]
        if self.encoder is not None:
            return graph.end_states(self.encoder.to_onnx(graph, Symbol(values, sizes)), self.output_size)
        found = []
        for width, convolution in zip(self.kernels, self.convolutions, strict=True):
            around = graph.constant([0, width // 2, 0, 0, (width - 1) // 2, 0])
            padded = graph.op("Pad", values, around, graph.constant(0.0))
            shifted = [
                graph.slice(padded, place, graph.op("Add", longest, graph.constant([place])), 1)
                for place in range(width)
            ]
            weight, bias = convolution.weight.detach(), convolution.bias.detach()
            scores = graph.linear(graph.concatenate(shifted), weight, bias)
            scores = graph.masked(Symbol(scores, sizes), -np.inf).values
            found.append(graph.reduce("ReduceMax", scores, [1], keep=False))
        return graph.op("Relu", graph.concatenate(found))


def distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The different ones among rows of numbers, ``[N, W]`` -> ``[U, W]``, and which of them each row is, ``[N]``.

    Rows are told apart by a sum with fixed random factors modulo 2^64: sorting whole rows, as ``torch.unique`` does,
    takes longer than the features themselves. Two different rows of a batch are taken for one with a probability of
    some 1e-13.
    """
    factors = _factors(rows.shape[1]).to(rows.device)
    keys, place = torch.unique((rows * factors).sum(dim=1), return_inverse=True)
    first = torch.zeros(len(keys), dtype=torch.int64, device=rows.device)
    first.scatter_(0, place, torch.arange(len(rows), device=rows.device))
    return rows.index_select(0, first), place


def _factors(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-(2**63), 2**63 - 1, (count,), generator=generator, dtype=torch.int64)
