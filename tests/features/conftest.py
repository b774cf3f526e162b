"""Shared by the tests of features: signals."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def tone() -> Callable[..., Tensor]:
    """Makes a sine ``[S]``: ``tone(hertz, seconds, rate)``."""

    def make(hertz: float, seconds: float, rate: int, amplitude: float = 0.5) -> Tensor:
        time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
        return (amplitude * torch.sin(2 * math.pi * hertz * time)).float()

    return make


@pytest.fixture(scope="session")
def noisy() -> Callable[[int], Tensor]:
    """Makes ``[S]`` with something in every band, growing louder; the same for the same S."""

    def make(samples: int) -> Tensor:
        generator = torch.Generator().manual_seed(samples)
        return torch.linspace(0.02, 0.1, samples) * torch.randn(samples, generator=generator)

    return make
