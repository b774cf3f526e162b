"""``search:`` the part of a recipe that says which values a search may try (``seqpipe tune``)."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError, model_validator

from seqpipe.core.options import config_error
from seqpipe.core.written import unwritten
from seqpipe.errors import ConfigError, shown


def _number(value: Any) -> int | float:
    """A finite number; YAML takes 1e-3, without a point, for text."""
    value = unwritten(value)
    try:
        number = value if isinstance(value, int) and not isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"should be a finite number; received {shown(value)}")
    return number


Number = Annotated[int | float, PlainValidator(_number)]


class Range(BaseModel):
    """Numbers from ``low`` to ``high``, both included; whole ones where both bounds are (and the step).

    Args:
        low: least value.
        high: greatest value, above ``low``.
        log: draw the logarithm evenly: as many values from 0.001 to 0.01 as from 0.01 to 0.1.
        step: distance of the values that are tried; any value when null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @property
    def whole(self) -> bool:
        """Whether its values are integers."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step) if value is not None)

    @model_validator(mode="after")
    def _consistent(self) -> Range:
        if self.low >= self.high:
            raise ConfigError(f"low should be below high; received low {self.low:g}, high {self.high:g}")
        if self.log and self.low <= 0:
            raise ConfigError(f"low should be above 0 where log is true; received {self.low:g}")
        if self.step is not None and self.log:
            raise ConfigError("step and log can't be given both")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ConfigError(f"step should be above 0 and fit between low and high; received {self.step:g}")
        return self


def _parse(value: Any) -> Range | list[Any]:
    """A range or a list of choices; one message where it is neither."""
    if isinstance(value, Range):
        return value
    if isinstance(value, dict):
        try:
            return Range.model_validate(value)
        except ValidationError as error:
            raise config_error(error, Range.model_fields) from None
    if isinstance(value, list) and value:
        value = [unwritten(choice) for choice in value]
        if len({repr(choice) for choice in value}) < len(value):
            raise ConfigError(f"holds a choice twice: {shown(value)}")
        for choice in value:
            if not _is_plain(choice):
                raise ConfigError(f"holds {shown(choice)}, which JSON can't hold; put quotation marks around text")
        return value
    raise ConfigError(f"should be a range, e.g. {{low: 1, high: 4}}, or a list of choices; received {shown(value)}")


def _is_plain(choice: Any) -> bool:
    """Whether JSON gives it back as it is: no date, no NaN, no mapping with keys that are no text."""
    try:
        return bool(json.loads(json.dumps(choice)) == choice)
    except (TypeError, ValueError):
        return False


Space = Annotated[Range | list[Any], BeforeValidator(_parse)]
SearchConfig = dict[str, Space]
"""Key path of a recipe (``training.learning_rate``) -> the values to try there."""
