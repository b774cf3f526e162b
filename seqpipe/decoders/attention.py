"""Attention: what a decoder takes from the encoder's steps, by what it asks for."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.layers.dropout import dropout

AttentionKind = Literal["dot", "general", "bahdanau", "location", "multi_head"]
"""How a query q and a step's key k are scored: ``dot``: q·k; ``general``: q·W k (both Luong et al. 2015);
``bahdanau``: v·tanh(W q + U k) (Bahdanau et al. 2015); ``location``: v·tanh(W q + U k + F f), f being what a
convolution makes of the weights of the step before, so that it knows where it was, for speech and lines of writing
(Chorowski et al. 2015); ``multi_head``: several scaled dot products side by side, each of its own part of W q and U k
(Vaswani et al. 2017)."""
FILTERS, WIDTH = 10, 31
"""Of the convolution of ``location``: how many, and steps of each; some of the usual numbers for speech."""


class Memory(NamedTuple):
    """The encoder's steps as the decoder sees them, projected once for all of its steps.

    Attributes:
        keys: ``[B, T, K]``, what queries are compared with.
        values: ``[B, T, D]``, what is taken.
        hidden: ``[B, 1, T]`` bool, true in the padding.
    """

    keys: Tensor
    values: Tensor
    hidden: Tensor

    def chosen(self, rows: Tensor) -> Memory:
        """These rows alone."""
        return Memory(*(part.index_select(0, rows) for part in self))


class Attention(nn.Module):
    """Weights over the encoder's steps, and the context that these give.

    Args:
        kind: see `AttentionKind`.
        query_size: H, of what asks.
        memory_size: D, features of an encoded step.
        heads: of ``multi_head``.
        dropout: probability, on the weights.

    Attributes:
        follows: whether it wants the weights of the step before.

    Shape: queries ``[B, L, H]`` -> contexts ``[B, L, D]`` and weights ``[B, L, T]``, 0 in the padding (of several heads
    their mean).
    """

    def __init__(
        self,
        kind: AttentionKind,
        query_size: int,
        memory_size: int,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.kind, self.heads, self.dropout = kind, heads, dropout
        self.follows = kind == "location"
        self.output_size = memory_size
        self.key: nn.Linear | None = None
        if kind == "dot" and query_size != memory_size:
            message = f"dot needs hidden_size to be the encoder's {memory_size} features; it is {query_size}"
            raise ConfigError(message).within("attention")
        if kind == "general":
            self.key = nn.Linear(memory_size, query_size, bias=False)
        elif kind in ("bahdanau", "location", "multi_head"):
            if kind == "multi_head" and (query_size % heads or memory_size % heads):
                message = f"should divide hidden_size ({query_size}) and the encoder's features ({memory_size})"
                raise ConfigError(message).within("heads")
            self.query = nn.Linear(query_size, query_size)
            self.key = nn.Linear(memory_size, query_size, bias=False)
            if kind != "multi_head":
                self.energy = nn.Linear(query_size, 1, bias=False)
            if kind == "location":
                self.around = nn.Conv1d(1, FILTERS, WIDTH, padding=WIDTH // 2, bias=False)
                self.place = nn.Linear(FILTERS, query_size, bias=False)
            elif kind == "multi_head":
                self.value = nn.Linear(memory_size, memory_size)
                self.output = nn.Linear(memory_size, memory_size)

    def remember(self, encoded: PaddedSequence) -> Memory:
        """Project the encoder's steps, once for all queries."""
        values = encoded.masked().values
        hidden = ~encoded.mask()[:, None]
        keys = self.key(values) if self.key is not None else values
        return Memory(keys, self.value(values) if self.kind == "multi_head" else values, hidden)

    def forward(self, queries: Tensor, memory: Memory, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Contexts and weights.

        Args:
            queries: ``[B, L, H]``.
            memory: of B rows.
            before: where it `follows`, the weights that each query's last one gave, ``[B, L, T]``; 0 at the beginning.
        """
        if self.kind == "multi_head":
            return self._several(self.query(queries), memory)
        if self.kind in ("bahdanau", "location"):
            sums = self.query(queries)[:, :, None] + memory.keys[:, None]  # [B, L, T, H]
            if before is not None:
                found = self.around(before.flatten(0, 1)[:, None])  # [B · L, filters, T]
                sums = sums + self.place(found.transpose(1, 2)).unflatten(0, before.shape[:2])
            scores = self.energy(sums.tanh())[..., 0]
        else:
            scores = queries @ memory.keys.transpose(1, 2)  # [B, L, T]
        return self._taken(scores, memory.hidden, memory.values)

    def _taken(self, scores: Tensor, hidden: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What scores ``[..., L, T]`` take of values ``[..., T, D]``, and the weights that they become."""
        weights = F.softmax(scores.float().masked_fill(hidden, float("-inf")), dim=-1)
        return dropout(weights, self.dropout, self.training).to(values.dtype) @ values, weights

    def _several(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        def parted(values: Tensor) -> Tensor:  # [B, n, H] -> [B, heads, n, H / heads]
            return values.unflatten(2, (self.heads, -1)).transpose(1, 2)

        parts = parted(queries)
        scores = parts @ parted(memory.keys).transpose(2, 3) / math.sqrt(parts.shape[-1])
        taken, weights = self._taken(scores, memory.hidden[:, None], parted(memory.values))
        return self.output(taken.transpose(1, 2).flatten(2)), weights.mean(dim=1)
