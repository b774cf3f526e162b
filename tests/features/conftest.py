"""Shared by the tests of features: signals and writing."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
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


@pytest.fixture(scope="session")
def written() -> Callable[..., np.ndarray]:
    """Makes brightness ``[H, W]``, uint8, of words in black on white: ``written("some words", size=40)``."""

    def make(words: str = "the willing hills fill, minimum", size: int = 40, margin: int = 8) -> np.ndarray:
        font = ImageFont.load_default(size)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(words))
        image = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), "white")
        ImageDraw.Draw(image).text((margin - left, margin - top), words, fill="black", font=font)
        return np.asarray(image)

    return make
