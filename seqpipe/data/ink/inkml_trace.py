"""The values of an InkML trace: numbers, changes, and changes of changes, channel by channel."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import InputError

_VALUE = re.compile(
    r"""\s*(?:(?P<order>[!'"])\s*)?
    (?:(?P<sign>[+-]?)\s*(?:\#(?P<hex>[0-9A-Fa-f]{1,16})|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<word>[TF*?]))\s*""",
    re.VERBOSE,
)
_ORDERS = {"!": 0, "'": 1, '"': 2}


@dataclass(frozen=True)
class TraceFormat:
    """What the values of a point are.

    Attributes:
        channels: names of those that every point has.
        also: names of those that a point may have behind them.
        flipped: names of those that grow the other way than the standard has it (``orientation="-ve"``).
    """

    channels: tuple[str, ...] = ("X", "Y")
    also: tuple[str, ...] = ()
    flipped: frozenset[str] = frozenset()


@dataclass
class _Channel:
    """A channel while a trace is read: its value, and how that changed last."""

    order: int = 0
    value: float = math.nan
    velocity: float = 0.0
    acceleration: float = 0.0

    def take(self, number: float | None) -> float:
        """The next value by a number in the channel's present order, or by None (``*``): going on as before."""
        if self.order == 0:
            if number is not None:
                self.velocity, self.value = number - self.value, number
            return self.value
        if self.order == 1:
            self.velocity = self.velocity if number is None else number
        else:
            self.acceleration = self.acceleration if number is None else number
            self.velocity += self.acceleration
        self.value += self.velocity
        return self.value


def read_trace(text: str, form: TraceFormat, where: str) -> list[NDArray[np.float64]]:
    """The strokes of a trace, each ``[n, 2]`` of x and y as they stand; several if the pen was lifted (channel S).

    Args:
        text: what stands in the ``trace`` element.
        form: its channels.
        where: for messages.

    Raises:
        InputError: ``undecodable``: it isn't written as the standard says, or a point has too few or too many values.
    """
    names = (*form.channels, *form.also)
    channels = {name: _Channel() for name in names}
    runs: list[list[tuple[float, float]]] = [[]]
    points = text.split(",")
    if not points[-1].strip():  # nothing at all, or a comma behind the last point
        points.pop()
    for number, point in enumerate(points):
        values = _values(point, f"{where}, point {number}")
        if not len(form.channels) <= len(values) <= len(names):
            least, most = len(form.channels), len(names)
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise InputError(
                "undecodable",
                f"{where}, point {number}: has {len(values)} values, its format {wanted} ({' '.join(names)})",
            )
        now: dict[str, float | None] = {}
        for name, (order, value) in zip(names, values, strict=False):
            channel = channels[name]
            if order is not None:
                channel.order = order
            now[name] = None if value == "?" else channel.take(None if value == "*" else float(value))
        if now.get("S", 1.0) == 0.0:  # the pen is up
            runs.append([])
            continue
        x, y = now["X"], now["Y"]
        if x is not None and y is not None:
            runs[-1].append((-x if "X" in form.flipped else x, -y if "Y" in form.flipped else y))
    return [np.array(run) for run in runs if run]


def _values(point: str, where: str) -> list[tuple[int | None, float | str]]:
    """The values of a point: the order that stands before each, if one does, and a number, ``*`` or ``?``."""
    found: list[tuple[int | None, float | str]] = []
    at = 0
    while at < len(point):
        match = _VALUE.match(point, at)
        if match is None:
            raise InputError("undecodable", f"{where}: can't read {point[at : at + 20]!r} as the value of a channel")
        at = match.end()
        order = _ORDERS[match["order"]] if match["order"] else None
        if match["word"]:
            found.append((order, {"T": 1.0, "F": 0.0}.get(match["word"], match["word"])))
        else:
            number = float(match["number"]) if match["number"] else float(int(match["hex"], 16))
            found.append((order, -number if match["sign"] == "-" else number))
    return found
