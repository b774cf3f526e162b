"""The classes that a head tells apart, learnt from the training targets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from seqpipe.errors import ConfigError, DataError, InputError, did_you_mean

ClassWeights = Literal["none", "balanced"] | dict[str, float]
"""How much a class counts in the loss: all alike; inversely to its frequency; or as given (1 for those that aren't)."""


class Classes:
    """Names of classes by number, in the order of the alphabet (numbers by their value).

    Args:
        names: without repeats.
        counts: training items of each.
    """

    FILE = "classes.json"

    def __init__(self, names: Sequence[str], counts: Sequence[int]) -> None:
        self.names, self.counts = list(names), list(counts)
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
        names = sorted(found, key=_order)
        return cls(names, [found[name] for name in names])

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

    def weights(self, wanted: ClassWeights) -> Tensor:
        """The weight of each class in the loss, ``[K]``.

        Raises:
            ConfigError: a weight is given for what is no class, or is negative.
        """
        if wanted == "none":
            return torch.ones(len(self))
        if wanted == "balanced":
            counts = torch.tensor(self.counts, dtype=torch.float64)
            return (counts.sum() / (len(self) * counts.clamp(min=1))).float()
        given: Mapping[str, float] = wanted if isinstance(wanted, dict) else {}
        for name, weight in given.items():
            if name not in self._numbers:
                raise ConfigError(f"class_weights.{name}: there is no such class{did_you_mean(name, self.names)}")
            if weight < 0:
                raise ConfigError(f"class_weights.{name}: should be at least 0; received {weight:g}")
        return torch.tensor([float(given.get(name, 1.0)) for name in self.names])

    def save(self, folder: Path) -> None:
        """Write ``classes.json``."""
        content = {"names": self.names, "counts": self.counts}
        (folder / self.FILE).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Classes:
        """What `save` wrote."""
        content = json.loads((folder / cls.FILE).read_text(encoding="utf-8"))
        return cls(content["names"], content["counts"])


def class_name(raw: Any) -> str:
    """A target as the name of a class.

    Raises:
        InputError: it is neither a text nor a number.
    """
    if isinstance(raw, str) and raw.strip():
        return raw.strip()
    if isinstance(raw, (bool, int)):
        return str(raw)
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))  # a table with gaps has whole numbers as 1.0
    raise InputError("bad value", f"the target should name a class; received {raw!r}")


def _order(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
