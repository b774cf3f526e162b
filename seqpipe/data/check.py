"""Rows that can't be used, found before they cost a night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError


@dataclass
class Findings:
    """What is wrong with the rows of a source.

    Attributes:
        rows: how many were looked at.
        problems: each bad row with its kind of problem and the message.
    """

    rows: int = 0
    problems: list[tuple[Row, str, str]] = field(default_factory=list)

    def add(self, row: Row, error: InputError) -> None:
        """Note one bad row."""
        self.problems.append((row, error.kind, str(error)))

    def lines(self, most: int = 5) -> list[str]:
        """Counts by kind, and the first rows of each."""
        lines = []
        for kind, count in Counter(kind for _, kind, _ in self.problems).most_common():
            lines.append(f"{kind}: {count} of {self.rows} rows")
            shown = [(row, message) for row, found, message in self.problems if found == kind][:most]
            lines += [f"  {row.where}: {message}" for row, message in shown]
            if count > most:
                lines.append(f"  and {count - most} more")
        return lines

    def enforce(self, most_share: float) -> None:
        """End with an error if more than this share of the rows is bad.

        Raises:
            DataError: with the counts and the first rows of each kind.
        """
        if self.rows and len(self.problems) / self.rows > most_share:
            share = 100 * len(self.problems) / self.rows
            raise DataError(
                f"{len(self.problems)} of {self.rows} rows ({share:.2g} %) can't be used; data.max_bad_share allows "
                f"{100 * most_share:g} %. Mend or remove them, or raise the share to leave them out:\n"
                + "\n".join(self.lines())
            )


def usable(rows: Iterable[Row], examine: Callable[[Row], Any], findings: Findings) -> tuple[list[Row], list[Any]]:
    """The rows that ``examine`` accepts, and what it returned for each; the others go to the findings."""
    good, results = [], []
    for row in rows:
        findings.rows += 1
        try:
            results.append(examine(row))
        except InputError as error:
            findings.add(row, error)
        else:
            good.append(row)
    return good, results


def fits(steps: int, needed: int) -> None:
    """Raise `InputError` if a label needs more encoded steps than its input leaves."""
    if needed > steps:
        raise InputError(
            "too short for its label",
            f"its label needs {needed} steps, and {steps} are left after features and front-end (at the fastest speed "
            "perturbation); lower the front-end's time strides, or use larger units",
        )


def encode_label(row: Row, pipeline: Any, length: int) -> Tensor:
    """A row's target as its head learns it.

    Raises:
        InputError: it can't be spelt, or needs more steps than ``length`` prepared ones leave.
    """
    target: Tensor = pipeline.head.encode_target(row.target)
    fits(pipeline.shortest_encoded(length), pipeline.head.steps_needed(target))
    return target


def examine_whole(row: Row, pipeline: Any) -> None:
    """Decode one row's input, encode its target and compare lengths; raises `InputError`."""
    encode_label(row, pipeline, len(pipeline.features.prepare(row.input, None)))
