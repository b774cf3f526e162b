"""Encoded steps made by hand, and where answers about them lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from seqpipe import PaddedSequence
from seqpipe.core.item import Item

SIZE = 6


@dataclass(frozen=True)
class Place:
    """What a pipeline tells a head about the input of an answer."""

    text: str = ""
    items: Sequence[Item] = field(default_factory=list)
    truncated: int = 0

    def __call__(self, steps: Tensor) -> Tensor:
        return steps


@pytest.fixture
def place() -> type[Place]:
    """``place(text, items, truncated)``."""
    return Place


@pytest.fixture
def encoded() -> Callable[..., PaddedSequence]:
    """``encoded([5, 1, 9], seed=1)``: random steps of 6 features."""

    def make(lengths: Sequence[int], seed: int = 1) -> PaddedSequence:
        generator = torch.Generator().manual_seed(seed)
        return PaddedSequence.pad([torch.randn(length, SIZE, generator=generator) for length in lengths])

    return make
