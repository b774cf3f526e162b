"""What an input looks and sounds like, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """An image of an input, along the axis on which answers have their places.

    Attributes:
        values: brightness ``[H, W]``, 0 to 1, the uppermost line first.
        start: place of the left edge, in the unit of `Stage.locate` (seconds for audio).
        end: place of the right edge.
        unit: of places, short: ``s``.
        height: what the vertical axis is.
    """

    values: NDArray[np.floating[Any]]
    start: float
    end: float
    unit: str
    height: str = ""


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        samples: ``[S]``, -1 to 1.
        rate: samples a second, in hertz.
    """

    samples: NDArray[np.float32]
    rate: int
