"""Whether encoders leave as many steps as they get."""

from __future__ import annotations

import torch

from seqpipe.core.stage import Stage

_LENGTHS = torch.arange(1, 257)


def keeps_steps(encoder: Stage) -> bool:
    """Whether there are as many steps behind an encoder as before it."""
    return torch.equal(encoder.output_lengths(_LENGTHS), _LENGTHS)


def same_steps(one: Stage, other: Stage) -> bool:
    """Whether two encoders leave the same number of steps of the same input."""
    return torch.equal(one.output_lengths(_LENGTHS), other.output_lengths(_LENGTHS))
