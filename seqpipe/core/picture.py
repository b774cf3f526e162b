"""What an input looks and sounds like, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """An image of an input, along the axis on which answers have their places.

    Attributes:
        values: brightness ``[H, W]``, 0 to 1, the uppermost line first; of an image 1 is paper, 0 is ink.
        start: place of the left edge, in the unit of `Stage.locate` (seconds for audio, columns of an image).
        end: place of the right edge.
        unit: of places, short: ``s``; ``px`` for an image.
        height: what the vertical axis is.
    """

    values: NDArray[np.floating[Any]]
    start: float
    end: float
    unit: str
    height: str = ""

    @property
    def as_seen(self) -> bool:
        """Whether this is an image, whose places are columns of pixels: it is shown in grey, and keeps its shape."""
        return self.unit == "px"


@dataclass(frozen=True)
class Drawing:
    """An input that was written with a pen: its strokes, along whose points answers have their places.

    Points are numbered from 0 through all strokes in their order; these numbers are the unit of `Stage.locate`.

    Attributes:
        strokes: each ``[n, 2]``, x to the right and y up, in any unit that is the same for both; none is empty.
        unit: of places, in words.
    """

    strokes: Sequence[NDArray[np.floating[Any]]]
    unit: str = "point"


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        samples: ``[S]``, -1 to 1.
        rate: samples a second, in hertz.
    """

    samples: NDArray[np.float32]
    rate: int
