"""What a word begins and ends with, and how it is written."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.feature import Feature
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import tokens_before


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
    generator = torch.Generator().manual_seed(numbers.shape[-1])
    factors = torch.randint(1, 2**62, (numbers.shape[-1],), generator=generator).to(numbers.device)
    # The upper bits of the sum, which wraps around: the lower ones of the factors alone would decide otherwise.
    return torch.remainder((numbers * factors).sum(dim=-1) >> 20, buckets)
