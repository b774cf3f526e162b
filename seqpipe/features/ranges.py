"""Options that are drawn from: probabilities, and ranges from low to high."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seqpipe.errors import ConfigError

Probability = Annotated[float, Field(ge=0, le=1)]


def check_ranges(stage: str, **ranges: tuple[float, float] | None) -> None:
    """Ranges of options go from low to high, where there are any.

    Raises:
        ConfigError: one doesn't; the message names it.
    """
    for name, range_ in ranges.items():
        if range_ is not None and range_[0] > range_[1]:
            raise ConfigError(f"{stage}.{name}: goes from low to high; received {range_}")
