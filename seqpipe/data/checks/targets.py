"""Characters and classes that are too rare to be learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from seqpipe.data.checks.part import Part

RARE_ROWS = 2
"""A character in no more rows than this is probably a typing error."""
FEWEST_ROWS = 50
"""Below this, a rare character says nothing."""
MOST_CLASSES = 100
ROWS_A_CLASS = 10
"""Targets are taken for classes if there are no more than `MOST_CLASSES`, each with so many rows on average."""
FEW_ROWS = 5
"""Of a class."""


def find_rare_characters(part: Part, head: Any) -> None:
    """Summarise the characters, and warn of each row of train with one that hardly any other has."""
    spelt = [set(head.symbols(row.target) or ()) for row in part.rows]
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
            shown = ", ".join(f"{character!r} (in {_rows(rare[character])})" for character in found)
            part.findings.warn(row, "rare character", f"{row.target!r} holds {shown}, which joins the vocabulary")


def compare_classes(parts: Sequence[Part], head: Any) -> None:
    """Summarise the targets; if they are classes, warn of those with very few rows, or missing from a part.

    The head says which classes a target names; each is counted once a row.
    """
    tables = [Counter(name for row in part.rows for name in head.labels(row.target)) for part in parts]
    if not any(tables):
        return
    for part, table in zip(parts, tables, strict=True):
        part.findings.numbers["different_targets"] = len(table)
    train = tables[0]
    if parts[0].name != "train" or len(train) > MOST_CLASSES or sum(train.values()) < ROWS_A_CLASS * len(train):
        for part, table in zip(parts, tables, strict=True):
            part.findings.summary.append(f"{len(table)} different targets")
        return
    for part, table in zip(parts, tables, strict=True):
        shown = ", ".join(f"{name!r} {count}" for name, count in table.most_common(20))
        more = f" and {len(table) - 20} more" if len(table) > 20 else ""
        part.findings.summary.append(f"{len(table)} different targets (rows): {shown}{more}")
        part.findings.numbers["targets"] = dict(table.most_common())
        if part is parts[0]:
            _find_few(part, table, head)
        else:
            _find_missing(part, table, train, parts[0], head)


def _find_few(train: Part, table: Counter[str], head: Any) -> None:
    for row in train.rows:
        for name in head.labels(row.target):
            if table[name] < FEW_ROWS:
                train.findings.warn(row, "target with few rows", f"{name!r} is the target of {_rows(table[name])}")


def _find_missing(part: Part, table: Counter[str], train_table: Counter[str], train: Part, head: Any) -> None:
    first = {name: row for row in (*reversed(train.rows), *reversed(part.rows)) for name in head.labels(row.target)}
    for name in sorted(table.keys() - train_table.keys()):
        part.findings.warn(first[name], "target not in train", f"no training row has the target {name!r}")
    # A small part can't hold every class.
    if len(part.rows) >= 3 * len(train_table):
        for name in sorted(name for name in train_table.keys() - table.keys() if train_table[name] >= FEW_ROWS):
            train.findings.warn(
                first[name],
                f"target not in {part.name}",
                f"no row of {part.name} has the target {name!r} of {_rows(train_table[name])}, the first this one",
            )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
