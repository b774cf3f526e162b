"""What training needs before its first step: checked rows, encoded targets, a pipeline that has seen them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from seqpipe.data.check import Findings, encode_label, usable
from seqpipe.data.fingerprint import fingerprint
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, read_rows
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.pipeline import Pipeline
from seqpipe.recipe import Recipe
from seqpipe.training.resuming import enforce_same
from seqpipe.training.saving import SavedState
from seqpipe.training.transfer import fit_with

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Rows:
    """Rows that training can use, what their targets became, and how long their inputs are."""

    rows: list[Row]
    targets: list[Tensor | None]
    lengths: list[int]


@dataclass(frozen=True)
class Prepared:
    """Everything that a training starts with.

    Attributes:
        pipeline: fitted, or loaded.
        training: rows that are learnt from.
        dev: rows that are scored.
        data: fingerprint of the training rows.
    """

    pipeline: Pipeline
    training: Rows
    dev: Rows
    data: str


def prepare_training(
    recipe: Recipe,
    saved: Path | None,
    notice: Notice,
    *,
    state: SavedState | None = None,
    accept: Sequence[str] = (),
) -> Prepared:
    """Read and check the rows, and let the pipeline learn from them.

    Args:
        recipe: what to train.
        saved: run directory from which the pipeline is loaded instead.
        notice: receives what the user should know about the rows.
        state: of the checkpoint that training goes on from.
        accept: see `enforce_same`.
    """
    if recipe.data.train is None:
        raise ConfigError("data.train is required: the source of the training rows")
    pipeline = Pipeline(recipe)
    findings = Findings()
    rows, lengths = usable(_rows(recipe, "train"), lambda row: pipeline.features.measure(row.input), findings)
    if not rows:
        findings.enforce(recipe.data.max_bad_share)
        raise DataError(f"{recipe.data.train}: holds no rows that can be used")
    data = fingerprint(rows)
    if saved is not None:
        if state is not None:
            enforce_same(saved, recipe, state.data == data, accept)
        pipeline = Pipeline.load(saved, recipe)
        pipeline.requires_grad_()
    else:
        fit_with(pipeline, rows, recipe.training)
    pipeline.train()
    targets = _encode(pipeline, rows, lengths, findings.add)
    findings.enforce(recipe.data.max_bad_share)
    for line in findings.lines():
        notice(f"left out of training: {line}")
    kept = [index for index, target in enumerate(targets) if target is not None]
    training = Rows(
        [rows[index] for index in kept], [targets[index] for index in kept], [lengths[index] for index in kept]
    )
    return Prepared(pipeline, training, _dev_data(pipeline, recipe, notice), data)


def _rows(recipe: Recipe, part: str) -> Any:
    source = getattr(recipe.data, part)
    reads_files = _reads_files(recipe)
    return read_rows(source, recipe.data, reads_files=reads_files, root=data_root(recipe.data))


def _reads_files(recipe: Recipe) -> bool:
    from seqpipe.stage import find_stage

    return find_stage(recipe.pipeline.features.options["stages"][0].name).reads_files


def _encode(
    pipeline: Pipeline, rows: list[Row], lengths: list[int], refuse: Callable[[Row, InputError], None]
) -> list[Tensor | None]:
    """Targets of the rows; None for one that can't be spelt or doesn't fit, after ``refuse`` was told."""
    targets: list[Tensor | None] = []
    for row, length in zip(rows, lengths, strict=True):
        try:
            targets.append(encode_label(row, pipeline, length))
        except InputError as error:
            refuse(row, error)
            targets.append(None)
    return targets


def _dev_data(pipeline: Pipeline, recipe: Recipe, notice: Notice) -> Rows:
    """Dev rows: all must be readable; one whose text can't be spelt is scored all the same, without a loss."""
    if recipe.data.dev is None:
        return Rows([], [], [])
    findings = Findings()
    rows, lengths = usable(_rows(recipe, "dev"), lambda row: pipeline.features.measure(row.input), findings)
    findings.enforce(0.0)
    targets = _encode(
        pipeline, rows, lengths, lambda row, error: notice(f"scored without a loss: {row.where}: {error}")
    )
    return Rows(rows, targets, lengths)
