"""What stages that stand behind `Tokens` have in common."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqpipe.errors import ConfigError


def tokens_before(previous: Any, stage: object) -> tuple[Any]:
    """The `Tokens` before a stage, in a tuple: a stage of the chain, not a part of this one.

    Raises:
        ConfigError: something else stands there.
    """
    if not hasattr(type(previous), "vocabulary"):
        raise ConfigError(f"{type(stage).__name__} needs Tokens before it; there stands {type(previous).__name__}")
    return (previous,)


def token_numbers(values: Tensor) -> Tensor:
    """The tokens of a batch without what stands beside them: ``[B, T]`` or ``[B, T, 1 + W]`` -> ``[B, T]``."""
    return values if values.dim() == 2 else values[..., 0]
