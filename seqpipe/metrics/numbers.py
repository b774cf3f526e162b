"""Targets that are numbers."""

from __future__ import annotations

import json
import math
from typing import Any

from seqpipe.errors import InputError


def numbers_of(raw: Any) -> list[float]:
    """A target as numbers: one, a list of them, or a text of them with white space between (or a JSON list).

    Raises:
        InputError: it holds none, or what is no finite number.
    """
    parts: Any = raw
    if isinstance(raw, str):
        try:
            parts = json.loads(raw) if raw.lstrip().startswith("[") else raw.split()
        except (ValueError, RecursionError):
            parts = None
    elif isinstance(raw, (int, float)):
        parts = [raw]
    numbers = [_number(part) for part in parts] if isinstance(parts, (list, tuple)) else []
    if not numbers or not all(map(math.isfinite, numbers)):
        raise InputError("bad value", f"the target should be a finite number (or several); received {raw!r:.80}")
    return numbers


def _number(part: Any) -> float:
    """A number; nan for what is none."""
    if isinstance(part, bool) or not isinstance(part, (int, float, str)) or (isinstance(part, str) and "_" in part):
        return math.nan
    try:
        return float(part)
    except (ValueError, OverflowError):
        return math.nan
