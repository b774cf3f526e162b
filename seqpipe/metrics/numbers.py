"""Targets that are numbers."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from seqpipe.core.cell import plain
from seqpipe.errors import InputError


def numbers_of(raw: Any) -> list[float]:
    """A target as numbers: one, a list of them, or a text of them with white space between (or a JSON list).

    Raises:
        InputError: it holds none, or what is no finite number.
    """
    parts: Any = plain(raw)
    if isinstance(raw, str):
        try:
            parts = json.loads(raw) if raw.lstrip().startswith("[") else raw.split()
        except (ValueError, RecursionError):
            parts = None
    elif isinstance(parts, (int, float, Decimal)):
        parts = [parts]
    numbers = [_number(plain(part)) for part in parts] if isinstance(parts, (list, tuple)) else []
    if not numbers or not all(map(math.isfinite, numbers)):
        raise InputError("bad value", f"the target should be a finite number (or several); received {raw!r:.80}")
    return numbers


def _number(part: Any) -> float:
    """A number; nan for what is none."""
    is_number = isinstance(part, (int, float, Decimal)) and not isinstance(part, bool)
    if not is_number and not (isinstance(part, str) and "_" not in part):
        return math.nan
    try:
        return float(part)
    except (ValueError, OverflowError):
        return math.nan
