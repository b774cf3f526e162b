"""What stages that stand behind `Tokens` have in common."""

from __future__ import annotations

from torch import Tensor

from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError
from seqpipe.features.text.tokens import Tokens


def tokens_before(previous: object, stage: Stage) -> tuple[Tokens]:
    """The `Tokens` before a stage, in a tuple: a stage of the chain, not a part of this one.

    Raises:
        ConfigError: something else stands there.
    """
    if not isinstance(previous, Tokens):
        raise ConfigError(f"{type(stage).__name__} needs Tokens before it; there stands {type(previous).__name__}")
    return (previous,)


def spelt_tokens_before(previous: object, stage: Stage) -> tuple[Tokens]:
    """The same of `Tokens` that hand characters on.

    Raises:
        ConfigError: something else stands there, or they hand on none.
    """
    if not isinstance(previous, Tokens) or not previous.characters:
        name = type(stage).__name__
        raise ConfigError(f"{name} needs characters: set Tokens.characters, how many of a word are read")
    return (previous,)


def token_numbers(values: Tensor) -> Tensor:
    """The tokens of a batch without what stands beside them: ``[B, T]`` or ``[B, T, 1 + W]`` -> ``[B, T]``."""
    return values if values.dim() == 2 else values[..., 0]
