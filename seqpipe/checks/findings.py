"""What is wrong with rows: errors, for which they can't be used, and warnings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError

Problem = tuple[Row, str, str]
"""A row, a short fixed kind, and a message."""


MAX_CHARACTERS, LONGEST_LINE = 100, 300
"""Of a target in a message, and of a message in a list for people."""


@dataclass
class Findings:
    """What is wrong with the rows of a source.

    Attributes:
        rows: how many were looked at.
        problems: each row that can't be used with its kind of problem and the message.
        warnings: the same of what is suspicious; these rows are used, and may stand here more than once.
        summary: lines about the rows that can be used: how much there is of what.
        numbers: the same as plain values, for machines.
    """

    rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def add(self, row: Row, error: InputError) -> None:
        """Note one row that can't be used."""
        self.problems.append((row, error.kind, str(error)))

    def warn(self, row: Row, kind: str, message: str) -> None:
        """Note one row that is used and should be looked at."""
        self.warnings.append((row, kind, message))

    def warn_of_source(self, source: str, kind: str, message: str) -> None:
        """Note something about a source as a whole."""
        self.warnings.append((Row(source, None), kind, message))

    def lines(self, most: int = 5) -> list[str]:
        """Counts of the problems by kind, and the first rows of each."""
        return _lines(self.problems, self.rows, most)

    def warning_lines(self, most: int = 5) -> list[str]:
        """Counts of the warnings by kind, and the first rows of each."""
        return _lines(self.warnings, self.rows, most)

    def report(self, name: str, most: int = 5) -> str:
        """All of it as text for people: the summary, then problems and warnings with the first rows of each kind."""
        good = self.rows - len(self.problems)
        lines = [f"{name}: {good} of {self.rows} rows can be used", *(f"  {line}" for line in self.summary)]
        for title, found in (
            (f"can't be used: {len(self.problems)}", self.lines(most)),
            (f"warnings: {len(self.warnings)}, on rows that are used", self.warning_lines(most)),
        ):
            if found:
                lines += [f"  {title}", *(f"    {line}" for line in found)]
        return "\n".join(lines)

    def enforce(self, max_share: float) -> None:
        """End with an error if more than this share of the rows is bad.

        Raises:
            DataError: with the counts and the first rows of each kind.
        """
        if self.rows and len(self.problems) / self.rows > max_share:
            share = 100 * len(self.problems) / self.rows
            raise DataError(
                f"{len(self.problems)} of {self.rows} rows ({share:.2g} %) can't be used; data.max_bad_share allows "
                f"{100 * max_share:g} %. Mend or remove them, or raise the share to leave them out:\n"
                + "\n".join(self.lines())
            )

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values; every row is named, however many."""
        return {
            "rows": self.rows,
            "usable": self.rows - len(self.problems),
            "summary": self.numbers,
            "errors": _plain(self.problems),
            "warnings": _plain(self.warnings),
        }


def _lines(problems: list[Problem], rows: int, most: int) -> list[str]:
    lines = []
    for kind, found in _by_kind(problems).items():
        count = f": {len(found)} of {rows} rows" if any(row.number for row, _ in found) else ""
        lines.append(f"{kind}{count}")
        lines += [f"  {row.where}: {_cut(message)}" for row, message in found[:most]]
        if len(found) > most:
            lines.append(f"  and {len(found) - most} more")
    return lines


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_LINE else f"{message[: LONGEST_LINE - 4]} ..."


def _by_kind(problems: list[Problem]) -> dict[str, list[tuple[Row, str]]]:
    """Rows with their messages by the kind of problem, the most frequent kind first."""
    found = defaultdict(list)
    for row, kind, message in problems:
        found[kind].append((row, message))
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _plain(problems: list[Problem]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "count": len(found),
            "rows": [{"row": row.number, "id": row.id, "message": message} for row, message in found],
        }
        for kind, found in _by_kind(problems).items()
    ]


def usable(rows: Iterable[Row], examine: Callable[[Row], Any], findings: Findings) -> tuple[list[Row], list[Any]]:
    """The rows that ``examine`` accepts, and what it returned for each; the others go to the findings."""
    good, results = [], []
    for row in rows:
        findings.rows += 1
        try:
            if row.problem is not None:
                raise row.problem
            results.append(examine(row))
        except InputError as error:
            findings.add(row, error)
        else:
            good.append(row)
    return good, results


def shortened(value: object, most: int = MAX_CHARACTERS) -> str:
    """A value in at most so many characters, as messages show it."""
    shown = repr(value)
    return shown if len(shown) <= most else f"{shown[: most - 4]} ..."
