"""Characters, classes and tags that are too rare to be learnt, and tags that break their scheme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from seqpipe.checks.findings import shortened
from seqpipe.checks.part import Part
from seqpipe.core.head import Head, SpellsTargets
from seqpipe.data.rows import Row
from seqpipe.errors import InputError

RARE_ROWS = 2
"""A character in no more rows than this is probably a typing error."""
FEWEST_ROWS = 50
"""Below this, a rare character says nothing."""
MAX_CLASSES = 100
ROWS_A_CLASS = 10
"""Targets are taken for classes if there are no more than `MAX_CLASSES`, each with so many rows on average."""
FEW_ROWS = 5
"""Of a class."""

Found = TypeVar("Found")


def find_rare_characters(part: Part, head: Head) -> None:
    """Summarise the characters, and warn of each row of train with one that hardly any other has."""
    if not isinstance(head, SpellsTargets):
        return
    spelt = [set(head.target_characters(row.target) or ()) for row in part.rows]
    counts = Counter(character for characters in spelt for character in characters)
    if not counts:
        return
    rarest = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    part.findings.summary.append(
        f"{len(counts)} different characters; rarest (rows): "
        + ", ".join(f"{character!r} {count}" for character, count in rarest[:5])
    )
    part.findings.numbers["characters"] = dict(rarest)
    if part.name != "train" or len(part.rows) < FEWEST_ROWS:
        return
    rare = {character: count for character, count in counts.items() if count <= RARE_ROWS}
    for row, characters in zip(part.rows, spelt, strict=True):
        if found := sorted(characters & rare.keys()):
            shown = ", ".join(f"{character!r} (in {_CLASSES.count(rare[character])})" for character in found)
            part.findings.warn(
                row, "rare character", f"{shortened(row.target)} holds {shown}, which joins the vocabulary"
            )


def compare_classes(parts: Sequence[Part], head: Head) -> None:
    """Summarise the targets; if they are classes, warn of those with very few rows, or missing from a part.

    Of the tags of a sentence each is a class, and it is words that are counted. What the head finds odd about a target
    (tags that break their scheme) is a warning too.

    Args:
        parts: the training rows first.
        head: whose metric says what a target names, and what is odd about it.
    """
    for part in parts:
        for row in part.rows:
            for what, message in _said(row, head.metric.warnings):
                part.findings.warn(row, what, message)
    kind = _TAGS if head.tags_items else _CLASSES
    tables = [Counter(name for row in part.rows for name in _labels(row, head)) for part in parts]
    if not any(tables):
        return
    for part, table in zip(parts, tables, strict=True):
        part.findings.numbers["different_targets"] = len(table)
    train = tables[0]
    if parts[0].name != "train" or len(train) > MAX_CLASSES or sum(train.values()) < ROWS_A_CLASS * len(train):
        for part, table in zip(parts, tables, strict=True):
            part.findings.summary.append(f"{len(table)} different {kind.label}s")
        return
    for part, table in zip(parts, tables, strict=True):
        shown = ", ".join(f"{name!r} {count}" for name, count in table.most_common(20))
        more = f" and {len(table) - 20} more" if len(table) > 20 else ""
        part.findings.summary.append(f"{len(table)} different {kind.label}s ({kind.item}s): {shown}{more}")
        part.findings.numbers["targets"] = dict(table.most_common())
        if part is parts[0]:
            _find_few(part, table, kind, head)
        else:
            _find_missing(part, table, train, parts[0], kind, head)


@dataclass(frozen=True)
class _Kind:
    """What labels are called, and what each stands at."""

    label: str
    item: str

    def count(self, number: int) -> str:
        return f"1 {self.item}" if number == 1 else f"{number} {self.item}s"


_CLASSES, _TAGS = _Kind("target", "row"), _Kind("tag", "word")


def _find_few(train: Part, table: Counter[str], kind: _Kind, head: Head) -> None:
    for row in train.rows:
        for name in dict.fromkeys(_labels(row, head)):
            if table[name] < FEW_ROWS:
                train.findings.warn(
                    row,
                    f"{kind.label} with few {kind.item}s",
                    f"{name!r} is the {kind.label} of {kind.count(table[name])}",
                )


def _find_missing(
    part: Part, table: Counter[str], train_table: Counter[str], train: Part, kind: _Kind, head: Head
) -> None:
    first = {name: row for row in (*reversed(train.rows), *reversed(part.rows)) for name in _labels(row, head)}
    for name in sorted(table.keys() - train_table.keys()):
        part.findings.warn(
            first[name],
            f"{kind.label} not in train",
            f"no training {kind.item} has the {kind.label} {name!r} of {kind.count(table[name])}, the first this one's",
        )
    # A small part can't hold every class.
    if sum(table.values()) >= 3 * len(train_table):
        for name in sorted(name for name in train_table.keys() - table.keys() if train_table[name] >= FEW_ROWS):
            train.findings.warn(
                first[name],
                f"{kind.label} not in {part.name}",
                f"no {kind.item} of {part.name} has the {kind.label} {name!r} of {kind.count(train_table[name])}, the "
                "first this one's",
            )


def _said(row: Row, ask: Callable[[Any], Sequence[Found]]) -> Sequence[Found]:
    """What a metric says of a target; nothing of one that it can't read."""
    try:
        return ask(row.target)
    except InputError:
        return []  # named already, where targets are encoded


def _labels(row: Row, head: Head) -> Sequence[str]:
    return _said(row, head.metric.target_classes)
