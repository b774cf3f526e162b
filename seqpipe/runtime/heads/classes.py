"""Classes and labels of whole inputs: the counterparts of `ClassifierHead` and `MultiLabelHead`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.classification import Classification, MultiClassification, classified, labelled
from seqpipe.errors import ConfigError, InputError
from seqpipe.runtime.arrays import log_softmax
from seqpipe.runtime.location import Location
from seqpipe.text.classes import Classes


class Classifier:
    """The most probable classes.

    Args:
        options: of the head.
        assets: folder of its classes.
        decoding: options of decoding.
        temperature: of the probabilities.

    Raises:
        ConfigError: ``among`` names what is no class, or ``top`` is below 1.
    """

    answer_type = Classification

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        classes = read_classes(assets)
        self.names, self.temperature = classes.names, temperature
        top, among = decoding["top"], decoding["among"]
        if not isinstance(top, int) or top < 1:
            raise ConfigError(f"decoding.top: should be a whole number of at least 1; received {top!r}")
        if among is not None and (isinstance(among, str) or not among):
            raise ConfigError(f"decoding.among: should be a list of classes, or null for all; received {among!r}")
        self.forbidden = np.zeros(len(classes), bool)
        if among is not None:
            try:
                self.forbidden[[number for number in range(len(classes)) if self.names[number] not in among]] = True
                for name in among:
                    classes.require(name)
            except InputError as error:
                raise ConfigError(f"decoding.among: {error}") from None
        self.top = min(top, len(classes), len(among or classes.names))

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> list[list[tuple[int, float]]]:
        """Log-probabilities ``[1, K]`` of each row -> its most probable classes by number, falling."""
        if not outputs:
            return []
        emissions = np.concatenate(outputs).astype(np.float64)  # [B, K]
        if self.forbidden.any():
            emissions = log_softmax(np.where(self.forbidden, -np.inf, emissions))
        # A stable order, as `ClassifierHead.decode` has it; whatever the temperature.
        order = np.argsort(-emissions, axis=1, kind="stable")[:, : self.top]
        if self.temperature != 1.0:
            emissions = log_softmax(emissions / self.temperature)
        shares = np.exp(np.take_along_axis(emissions, order, axis=1))
        return [list(zip(*row, strict=True)) for row in zip(order.tolist(), shares.tolist(), strict=True)]

    def answer(self, row_id: str, hypothesis: Sequence[tuple[int, float]], location: Location) -> Classification:
        """A hypothesis as an answer."""
        return classified(row_id, self.names, hypothesis, location.truncated)


class MultiLabel:
    """Every label whose probability reaches the threshold.

    Args:
        options, assets: as of `Classifier`.
        decoding: options of decoding.
        temperature: 1.

    Raises:
        ConfigError: the threshold is none.
    """

    answer_type = MultiClassification

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        self.names, self.threshold = read_classes(assets).names, decoding["threshold"]
        if not isinstance(self.threshold, (int, float)) or not 0 < self.threshold < 1:
            raise ConfigError(f"decoding.threshold: should be between 0 and 1; received {self.threshold!r}")

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> list[list[float]]:
        """Logits ``[1, K]`` of each row -> the probability of each label."""
        if not outputs:
            return []
        logits = np.concatenate(outputs).astype(np.float64)
        small = np.exp(-np.abs(logits))
        found: list[list[float]] = np.where(logits >= 0, 1 / (1 + small), small / (1 + small)).tolist()
        return found

    def answer(self, row_id: str, hypothesis: Sequence[float], location: Location) -> MultiClassification:
        """A hypothesis as an answer."""
        return labelled(row_id, self.names, hypothesis, self.threshold, location.truncated)


def read_classes(folder: Path) -> Classes:
    """Names of classes, out of a file that the manifest vouches for."""
    return Classes(**json.loads((folder / Classes.FILE).read_bytes()))
