"""The classes that a head tells apart, learnt from the training targets."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from seqpipe.core.assets import read_json
from seqpipe.core.cell import cell_text, plain
from seqpipe.errors import DataError, InputError, RunError, did_you_mean


@dataclass
class _Content:
    names: list[str]
    counts: list[int]
    items: int | None = None


class Classes:
    """Names of classes by number, in the order of the alphabet (numbers by their value).

    Args:
        names: without repeats.
        counts: training items of each.
        items: training items; the sum of the counts when None, as long as an item is of one class.
    """

    FILE = "classes.json"

    def __init__(self, names: Sequence[str], counts: Sequence[int], items: int | None = None) -> None:
        self.names, self.counts = list(names), list(counts)
        self.items = sum(self.counts) if items is None else items
        self._numbers = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def learn(cls, targets: Iterable[str]) -> Classes:
        """The classes of training targets.

        Raises:
            DataError: there is only one, or none.
        """
        found = Counter(targets)
        if len(found) < 2:
            only = f"the only one is {next(iter(found))!r}" if found else "there are none"
            raise DataError(
                f"the training rows need two classes or more to tell apart; {only} (data.target names the column)"
            )
        return cls._sorted(found)

    @classmethod
    def learn_sets(cls, targets: Iterable[Iterable[str]]) -> Classes:
        """The labels of training targets that have several each, or none.

        Raises:
            DataError: there are none, or every row has the only one.
        """
        found: Counter[str] = Counter()
        items = 0
        for labels in targets:
            found.update(set(labels))
            items += 1
        if not found or (len(found) == 1 and found.total() == items):
            only = f"all {items} have {next(iter(found))!r}, and no other" if found else f"none of {items} has any"
            raise DataError(
                f"the training rows need labels that some have and others don't; {only} (data.target names the column)"
            )
        return cls._sorted(found, items)

    @classmethod
    def _sorted(cls, counts: Mapping[str, int], items: int | None = None) -> Classes:
        names = sorted(counts, key=_order)
        return cls(names, [counts[name] for name in names], items)

    def completed(self, names: Iterable[str]) -> Classes:
        """The same with further classes, which no training target has."""
        return self._sorted(dict.fromkeys(names, 0) | dict(zip(self.names, self.counts, strict=True)))

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int | None:
        """The number of a class; None if there is no such class."""
        return self._numbers.get(name)

    def require(self, name: str) -> int:
        """The number of a class.

        Raises:
            InputError: there is no such class; the nearest is named, or all.
        """
        number = self._numbers.get(name)
        if number is None:
            hint = did_you_mean(name, self.names)
            shown = ", ".join(self.names[:20]) + (" ..." if len(self.names) > 20 else "")
            raise InputError(
                "unknown label", f"{name!r} is none of the classes of the training rows{hint or ': ' + shown}"
            )
        return number

    def save(self, folder: Path) -> None:
        """Write ``classes.json``."""
        content = {"names": self.names, "counts": self.counts, "items": self.items}
        (folder / self.FILE).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Classes:
        """What `save` wrote; raises `RunError` if the file is damaged."""
        path = folder / cls.FILE
        content: _Content = read_json(path, _Content)
        names, counts = content.names, content.counts
        if not names or len(set(names)) < len(names) or len(counts) != len(names):
            raise RunError(f"{path}: is damaged: a class stands there twice, or without a count; restore it")
        if min([*counts, content.items or 0]) < 0:
            raise RunError(f"{path}: is damaged: counts are never negative; restore it")
        return cls(names, counts, content.items)


def class_name(raw: Any) -> str:
    """A target, one of its labels or one of its tags as the name of a class; see `cell_text`.

    A number with a fraction is refused, since classes that are numbers are rarely meant by it.

    Raises:
        InputError: it is no text, whole number, truth value or date.
    """
    value = plain(raw)
    is_name = isinstance(value, (str, int, date, time)) or (
        isinstance(value, (float, Decimal)) and math.isfinite(value) and value == int(value)
    )
    name = (cell_text(value) or "").strip() if is_name else ""
    if not name:
        is_fraction = isinstance(value, (float, Decimal)) and math.isfinite(value)
        hint = "; a fraction is a class if it is written as text, and a number to RegressionHead" if is_fraction else ""
        raise InputError("bad value", f"the target should name a class; received {raw!r:.80}{hint}")
    return name


def _order(name: str) -> tuple[bool, float, str]:
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    return (False, number, name) if math.isfinite(number) else (True, 0.0, name)
