"""How much each class counts in the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from seqpipe.core.written import Name
from seqpipe.errors import ConfigError, did_you_mean
from seqpipe.text.classes import Classes

ClassWeights = Literal["none", "balanced"] | dict[Name, float]
"""How much a class counts in the loss: all alike; inversely to its frequency; or as given (1 for those that aren't)."""


def class_weights(classes: Classes, wanted: ClassWeights) -> Tensor:
    """The weight of each class in the loss, ``[K]``.

    Raises:
        ConfigError: a weight is given for what is no class, or is negative.
    """
    counts = torch.tensor(classes.counts, dtype=torch.float64)
    return _weights(classes, wanted, classes.items / (len(classes) * counts.clamp(min=1)))


def positive_weights(classes: Classes, wanted: ClassWeights) -> Tensor:
    """How much a label counts in the loss where an item has it, beside 1 where it hasn't: ``[K]``.

    ``balanced`` lets those that have it weigh as much altogether as those that haven't.

    Raises:
        ConfigError: a weight is given for what is no label, or is negative.
    """
    counts = torch.tensor(classes.counts, dtype=torch.float64)
    return _weights(classes, wanted, (classes.items - counts) / counts.clamp(min=1))


def _weights(classes: Classes, wanted: ClassWeights, balanced: Tensor) -> Tensor:
    if wanted == "balanced":
        return balanced.float()
    given: Mapping[str, float] = wanted if isinstance(wanted, dict) else {}
    for name, weight in given.items():
        if classes.number(name) is None:
            raise ConfigError(f"class_weights.{name}: there is no such class{did_you_mean(name, classes.names)}")
        if weight < 0:
            raise ConfigError(f"class_weights.{name}: should be at least 0; received {weight:g}")
    return torch.tensor([float(given.get(name, 1.0)) for name in classes.names])
