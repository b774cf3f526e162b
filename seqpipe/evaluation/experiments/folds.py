"""Rows divided into folds, and the folds as manifests."""

from __future__ import annotations

import datetime
import decimal
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from seqpipe.config.recipe import DataConfig
from seqpipe.core.cell import cell_text
from seqpipe.core.files import write_text
from seqpipe.core.input import FileSpan, Input
from seqpipe.core.suffixes import Suffixes
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Fold:
    """One division of the rows.

    Attributes:
        train: positions of the rows that are trained on, in their order.
        held_out: positions of the rows that are scored.
        groups: whose rows these are, where rows were divided by groups.
    """

    train: list[int]
    held_out: list[int]
    groups: list[str]


def divide(
    rows: Sequence[Row], folds: int, *, group: str | None = None, stratify: str | None = None, seed: int = 1
) -> list[Fold]:
    """Every row is held out in exactly one fold.

    Args:
        rows: to divide.
        folds: how many, at least 2.
        group: column whose rows of one value are never divided (a speaker's recordings, say). As many folds as groups
            leave one group out each; fewer folds take several groups each, so that folds are of similar size.
        stratify: column whose values each fold has in similar shares; ``""`` for the target.
        seed: of the shuffling. Groups without ``stratify`` are not shuffled, but put together by their sizes.

    Raises:
        ConfigError: fewer rows, groups, or rows of a class than folds.
        DataError: a row has not the column, or nothing in it.
    """
    from sklearn import model_selection

    if folds < 2:
        raise ConfigError(f"--folds should be at least 2; received {folds}")
    if len(rows) < folds:
        raise ConfigError(f"--folds {folds}: there are only {len(rows)} rows")
    groups = [_value(row, group, "--group") for row in rows] if group else None
    classes = [_value(row, stratify, "--stratify") for row in rows] if stratify is not None else None
    if groups and len(set(groups)) < folds:
        found = ", ".join(sorted(set(groups)))
        raise ConfigError(f"--folds {folds}: the column {group} has only {len(set(groups))} groups ({found})")
    if classes:
        few = [f"{name!r} ({count})" for name, count in Counter(classes).items() if count < folds]
        if few:
            shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
            raise ConfigError(
                f"--folds {folds}: classes with fewer rows than folds can't be in every one: {shown}; "
                "--stratify COLUMN takes another column's values for classes"
            )
    shuffled: dict[str, Any] = {"shuffle": True, "random_state": seed}
    if groups and classes:
        splitter = model_selection.StratifiedGroupKFold(folds, **shuffled)
    elif groups and len(set(groups)) == folds:
        splitter = model_selection.LeaveOneGroupOut()
    elif groups:
        splitter = model_selection.GroupKFold(folds)
    elif classes:
        splitter = model_selection.StratifiedKFold(folds, **shuffled)
    else:
        splitter = model_selection.KFold(folds, **shuffled)
    made = [
        Fold(train.tolist(), held.tolist(), sorted({groups[index] for index in held}) if groups else [])
        for train, held in splitter.split(range(len(rows)), classes, groups)
    ]
    empty = [str(number) for number, fold in enumerate(made, 1) if not fold.held_out or not fold.train]
    if empty:
        raise ConfigError(
            f"--folds {folds}: no groups are left for fold {', '.join(empty)} if the classes are to be shared evenly; "
            "take fewer folds, or leave out --stratify"
        )
    return made


def _value(row: Row, column: str | None, option: str) -> str:
    """What stands in a column, as text; the target where the column's name is empty."""
    if column:
        if column not in row.columns:
            raise DataError(f"{row.where}: has no column {column} ({option}){did_you_mean(column, row.columns)}")
        value = cell_text(row.columns[column])
    else:
        value = cell_text(row.target)
    if value is None:
        place = f"the column {column}" if column else "the target"
        raise DataError(f"{row.where}: {place} is empty ({option})")
    return value


class FoldManifests:
    """Rows as lines of JSON that stay what they were wherever the manifest lies.

    Ids are kept, paths are absolute, all columns are there, and recordings that a data set holds as bytes become files.

    Args:
        rows: to write, as `read_rows` gave them.
        config: how they were read.
        folder: gets the manifests.
        suffixes: whether inputs are files.

    Attributes:
        config: how the manifests are to be read.
        lines: of the rows, in their order.
    """

    def __init__(self, rows: Sequence[Row], config: DataConfig, folder: Path, *, suffixes: Suffixes) -> None:
        self.folder = folder
        known = {name for row in rows for name in row.columns}
        # Where inputs name the rows too, the ids of rows need another column: paths become absolute.
        named = config.id if config.id != config.input else None
        id_column = named or next(name for name in chain(["id"], map("id_{}".format, count(2))) if name not in known)
        self.config = config.model_copy(
            update={"root": str(folder.resolve()), "format": "jsonl", "id": id_column, "test": None}
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.lines = [self._line(position, row, suffixes=suffixes) for position, row in enumerate(rows)]

    def write(self, number: int, fold: Fold) -> DataConfig:
        """Write a fold's two manifests, and say how they are read: its held-out rows are the dev part."""
        parts = {"train": (f"{number}.train.jsonl", fold.train), "dev": (f"{number}.dev.jsonl", fold.held_out)}
        for name, positions in parts.values():
            text = "".join(self.lines[position] for position in positions)
            write_text(self.folder / name, text)
        return self.config.model_copy(update={part: name for part, (name, _) in parts.items()})

    def _line(self, position: int, row: Row, *, suffixes: Suffixes) -> str:
        given = row.columns[self.config.input]
        if suffixes and isinstance(row.input, FileSpan):
            given = self._path(position, row.input.source)
        names: dict[str, Any] = {self.config.input: given, self.config.target: row.target}
        record = {**row.columns, **names, str(self.config.id): row.id}
        try:
            return json.dumps(record, ensure_ascii=False, default=_plain) + "\n"
        except TypeError as error:
            raise DataError(
                f"{row.where}: {error}, so it can't stand in the manifest of a fold; take the column out of the data "
                "set, or turn it into text, numbers or lists"
            ) from None

    def _path(self, position: int, source: Path | bytes) -> str:
        if isinstance(source, Path):
            return str(source.absolute())
        path = self.folder / "inputs" / f"{position:06d}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source)
        return str(path.resolve())


def _plain(value: Any) -> Any:
    """Dates and decimal numbers as text, lines of pages as mappings; what else JSON doesn't know is refused."""
    if isinstance(value, Input):
        return value.record()
    if isinstance(value, (datetime.date, datetime.time, decimal.Decimal)):
        return cell_text(value)
    raise TypeError(f"a column holds {type(value).__name__}")
