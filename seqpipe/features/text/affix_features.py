"""What a word begins and ends with, and how it is written."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import spelt_to_onnx, tokens_before

DROPPED_BITS = 20
"""Of a sum of products, the lowest."""


class AffixFeatures(Feature):
    """Vectors of a word's first and last characters and of its shape, each looked up in a table by its hash.

    Goes beside `Embedding`, in a `Concatenation`, for words that training has seen seldom or never: ``-ing``, ``un-``,
    ``Xxxx``, ``dd:dd``. Two affixes may share a place of the table (feature hashing, Weinberger et al. 2009).

    Args:
        previous: `Tokens`, which knows the characters; passed by the pipeline.
        prefixes: lengths of beginnings, in characters, lower-cased.
        suffixes: lengths of ends.
        size: features of each affix.
        shape_size: features of the shape, the pattern of capitals, other letters, digits and signs, runs counted as
            one; 0 for none.
        buckets: places of each table.

    Shape: ``[B, T, 1 + W]`` numbers -> ``[B, T, size · affixes + shape_size]``.
    """

    constant = True

    stepwise = True

    def __init__(
        self,
        *,
        previous: Annotated[Any, Upstream("")],
        prefixes: list[Annotated[int, Field(gt=0, le=8)]] = [2, 3],  # noqa: B006
        suffixes: list[Annotated[int, Field(gt=0, le=8)]] = [1, 2, 3, 4],  # noqa: B006
        size: Annotated[int, Field(gt=0)] = 16,
        shape_size: Annotated[int, Field(ge=0)] = 8,
        buckets: Annotated[int, Field(gt=1)] = 8192,
    ) -> None:
        super().__init__()
        if not prefixes and not suffixes and not shape_size:
            raise ConfigError("AffixFeatures: give prefixes, suffixes or shape_size")
        self._previous = tokens_before(previous, self, spelt=True)
        self.prefixes, self.suffixes, self.buckets = prefixes, suffixes, buckets
        self.affixes = nn.ModuleList(_table(buckets, size) for _ in (*prefixes, *suffixes))
        self.shapes = _table(buckets, shape_size) if shape_size else None
        self.output_size = size * len(self.affixes) + shape_size
        for name in ("lowered", "kinds"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.int64), persistent=False)
        self.lowered: Tensor
        self.kinds: Tensor

    def build(self) -> None:
        """Learn which characters belong together, and of which class each is."""
        signs: list[str] = self._previous[0].known_characters
        numbers = {sign: number for number, sign in enumerate(signs)}
        self.lowered = torch.tensor([numbers.get(sign.lower(), number) for number, sign in enumerate(signs)])
        self.kinds = torch.tensor([_kind(sign, number) for number, sign in enumerate(signs)])

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Look up each word's affixes and shape."""
        if not len(self.lowered):
            raise ConfigError("AffixFeatures has no characters yet: call fit or load_assets of the chain first")
        numbers, lengths = sequence.masked(0)
        spelt = numbers[..., 1:]  # [B, T, W]
        sizes = (spelt > 0).sum(dim=-1, keepdim=True)  # [B, T, 1]
        lowered = self.lowered[spelt]
        parts = []
        for index, length in enumerate((*self.prefixes, *self.suffixes)):
            places = torch.arange(length, device=spelt.device).expand(*spelt.shape[:2], length)
            if index >= len(self.prefixes):
                places = sizes - 1 - places  # from the end
            inside = (places >= 0) & (places < sizes)
            signs = lowered.gather(2, places.clamp(min=0, max=spelt.shape[2] - 1)) * inside
            parts.append(self.affixes[index](hashed(signs, self.buckets)))
        if self.shapes is not None:
            parts.append(self.shapes(hashed(runs(self.kinds[spelt]), self.buckets)))
        return PaddedSequence(torch.cat(parts, dim=-1), lengths).masked()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        if not len(self.lowered):
            raise ConfigError("AffixFeatures has no characters yet: call fit or load_assets of the chain first")
        spelt, width = spelt_to_onnx(graph, self._previous[0], sequence), self._previous[0].characters
        sizes = graph.reduce("ReduceSum", _counted(graph, graph.op("Greater", spelt, graph.constant(0))), [2])
        inside = _counted(graph, graph.op("Less", graph.constant(np.arange(width)), sizes))
        lowered = graph.op("Mul", graph.op("Gather", graph.constant(self.lowered.numpy()), spelt), inside)
        parts = []
        for index, length in enumerate((*self.prefixes, *self.suffixes)):
            factors = hash_factors(length)
            if index < len(self.prefixes):
                signs = graph.slice(lowered, 0, min(length, width), 2)
                factors = factors[: min(length, width)]
            else:
                last = graph.op("Sub", sizes, graph.constant(1))
                places = graph.op("Sub", last, graph.constant(np.arange(length)))  # from the end
                signs = graph.op("GatherElements", lowered, graph.op("Max", places, graph.constant(0)), axis=2)
                real = _counted(graph, graph.op("GreaterOrEqual", places, graph.constant(0)))
                signs = graph.op("Mul", signs, real)
            total = graph.whole_sums(signs, factors)
            parts.append(_looked_up(graph, self.affixes[index], total, self.buckets))
        if self.shapes is not None:
            kinds = graph.op("Gather", graph.constant(self.kinds.numpy()), spelt)  # [B, T, W]
            before = graph.op("Pad", kinds, graph.constant([0, 0, 1, 0, 0, 0]), graph.constant(0))
            changed = graph.op("Not", graph.op("Equal", kinds, graph.slice(before, 0, width, 2)))
            changed = _counted(graph, graph.op("And", changed, graph.op("Greater", kinds, graph.constant(0))))
            # The factor of the place that `runs` would move each to.
            places = graph.op("Sub", graph.op("CumSum", changed, graph.constant(2)), graph.constant(1))
            places = graph.op("Max", places, graph.constant(0))
            by_place = graph.op("Gather", graph.constant(hash_factors(width)), places)
            terms = graph.op("Mul", graph.op("Mul", kinds, changed), by_place)
            total = graph.whole_sums(terms, np.ones(width))
            parts.append(_looked_up(graph, self.shapes, total, self.buckets))
        return Symbol(graph.concatenate(parts), sequence.lengths)


def _table(rows: int, size: int) -> nn.Embedding:
    table = nn.Embedding(rows, size)
    nn.init.normal_(table.weight, std=0.1)
    return table


def _kind(sign: str, number: int) -> int:
    """The class of a character: nothing, capitals, other letters, digits, anything else; number 0 is none at all."""
    if number == 0:
        return 0
    if sign.isalpha():
        return 1 if sign.isupper() else 2
    return 3 if sign.isdigit() else 4


def runs(kinds: Tensor) -> Tensor:
    """``[..., W]`` with 0 in the place of what repeats its left neighbour, and what is left moved to the left."""
    changed = torch.ones_like(kinds, dtype=torch.bool)
    changed[..., 1:] = kinds[..., 1:] != kinds[..., :-1]
    changed &= kinds > 0
    places = (changed.cumsum(dim=-1) - 1).clamp(min=0)
    return torch.zeros_like(kinds).scatter_add(-1, places, kinds * changed)


def hashed(numbers: Tensor, buckets: int) -> Tensor:
    """Rows of numbers ``[..., N]`` as places of a table ``[...]``, 0 to buckets - 1; equal rows have equal places."""
    factors = hash_factors(numbers.shape[-1]).to(numbers.device)
    # The upper bits of the sum, which wraps around: the lower ones of the factors alone would decide otherwise.
    return torch.remainder((numbers * factors).sum(dim=-1) >> DROPPED_BITS, buckets)


def hash_factors(count: int) -> Tensor:
    """What each of so many numbers is multiplied by."""
    return torch.randint(1, 2**62, (count,), generator=torch.Generator().manual_seed(count))


def _looked_up(graph: OnnxGraph, table: Any, total: str, buckets: int) -> str:
    """`hashed`, of sums of products with the factors, and the vectors of these places, as nodes of a graph."""
    # ONNX shifts no signed numbers, and its division cuts off towards 0; its modulo has the sign of the divisor.
    block = graph.constant(2**DROPPED_BITS)
    upper = graph.op("Div", graph.op("Sub", total, graph.op("Mod", total, block)), block)
    places = graph.op("Mod", upper, graph.constant(buckets))
    return graph.op("Gather", graph.constant(table.weight.detach().numpy()), places)


def _counted(graph: OnnxGraph, condition: str) -> str:
    """1 where it is true, else 0, int64."""
    return graph.op("Cast", condition, to=7)
