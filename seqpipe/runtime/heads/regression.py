"""Numbers of whole inputs: the counterpart of `seqpipe.heads.regression.RegressionHead`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.regression import Regression
from seqpipe.runtime.location import Location

Found = tuple[list[float], list[float], float]


class Numbers:
    """Values, how far they are expected to be off, and the probability that all are within the tolerance.

    Args:
        options: of the head.
        assets: folder of the targets' scale.
        decoding: options of decoding, of which there are none.
        temperature: 1.
    """

    answer_type = Regression

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        scale = json.loads((assets / "scale.json").read_bytes())
        self.means, self.standard_deviations, self.tolerances = (
            np.array(scale[name]) for name in ("means", "standard_deviations", "tolerances")
        )

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> list[Found]:
        """Values and logarithms of deviations ``[1, 2 V]`` of each row -> these in the unit of the targets."""
        if not outputs:
            return []
        values, logs = np.split(np.concatenate(outputs).astype(np.float64), 2, axis=1)  # [B, V] each
        values = self.means + self.standard_deviations * values
        wide = self.standard_deviations * np.exp(np.clip(logs, -20.0, 20.0))
        ends = self.tolerances / (wide * math.sqrt(2.0))  # of a Gaussian around the value, in its deviations
        sure = [math.prod(map(math.erf, row)) for row in ends.tolist()]
        return list(zip(values.tolist(), wide.tolist(), sure, strict=True))

    def answer(self, row_id: str, hypothesis: Found, location: Location) -> Regression:
        """A hypothesis as an answer."""
        values, wide, confidence = hypothesis
        return Regression(row_id, tuple(values), tuple(wide), confidence, location.truncated)
