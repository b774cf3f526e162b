"""What a cell of a table holds, the same whatever kind of table it is.

A column of whole numbers of which one is missing is one of floats in pandas and what it writes, so 17 may come as 17.0,
and nothing as NaN. Text is what it is, since whoever wrote ``017`` or ``1.0`` may mean it.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """A cell as Python's own values: numpy's scalars and arrays as numbers and lists, NaN as None, which is nothing."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    is_nan = (isinstance(value, float) and math.isnan(value)) or (isinstance(value, Decimal) and value.is_nan())
    return None if is_nan else value


def cell_text(value: Any) -> str | None:
    """What a cell is called: as an id, a group, a class, a value to choose rows by; None where it holds nothing.

    Whole numbers are written without a point, whatever type they have.

    Example:
        >>> [cell_text(value) for value in (17, 17.0, "17.0", 1.5, True, float("nan"), "")]
        ['17', '17', '17.0', '1.5', 'True', None, None]
    """
    value = plain(value)
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        written = f"{value:f}"
        written = written.rstrip("0").rstrip(".") if "." in written else written
        return "0" if written == "-0" else written
    return str(value)


def same_cells(one: Any, other: Any) -> bool:
    """Whether two cells hold the same, each in its own table; lists item by item."""
    one, other = plain(one), plain(other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_cells, one, other))
    return cell_text(one) == cell_text(other)
