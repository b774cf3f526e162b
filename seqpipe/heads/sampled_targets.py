"""Target texts in other units in every epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.core.randomness import RowKey
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.subword_sampling import SampledSpelling


@dataclass(frozen=True)
class SampledTargets:
    """Encodes texts in units that are drawn.

    Attributes:
        spelling: draws them.
        rules: applied to the text before.
    """

    spelling: SampledSpelling
    rules: tuple[TextRule, ...]

    def __call__(self, raw: str, key: RowKey) -> Tensor:
        """A text as labels ``[L]`` int64."""
        numbers = self.spelling.encode(apply_rules(raw, self.rules), key.child("target"))
        return torch.tensor(numbers, dtype=torch.int64)
