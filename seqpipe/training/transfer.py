"""Starting from another run's weights, and holding stages still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from seqpipe import model_file
from seqpipe.config.recipe import STAGES, TrainingConfig
from seqpipe.core.chain import find_stages
from seqpipe.core.feature import Feature
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, RunError
from seqpipe.hub.fetch import local_run
from seqpipe.pipeline import Pipeline
from seqpipe.training.gradients import drop


def start_from(pipeline: Pipeline, folder: Path, names: Sequence[str]) -> None:
    """Copy what stages of another run have learnt into a fitted pipeline.

    Args:
        pipeline: whose own weights are replaced.
        folder: run directory.
        names: stages (``features``, ``frontend``, ``encoder``, ``head``).

    Raises:
        RunError: the folder holds no model, or a stage there has other sizes; the first weight that differs is named.
    """
    donor = Pipeline.load(folder)
    for name in names:
        own, other = getattr(pipeline, name), getattr(donor, name)
        if own is None or other is None:
            raise RunError(f"training.init_stages: {name} is missing from {'this recipe' if own is None else folder}")
        wanted, given = own.state_dict(), other.state_dict()
        for key in wanted.keys() | given.keys():
            sizes = [list(state[key].shape) if key in state else "nothing" for state in (wanted, given)]
            if sizes[0] != sizes[1]:
                raise RunError(
                    f"training.init_from: {name}.{key} is {sizes[1]} in {folder}, and {sizes[0]} in this recipe; give "
                    "the stage the same options, or leave it out of training.init_stages"
                )
        with torch.no_grad():
            for key, value in wanted.items():
                value.copy_(given[key])


def fit_with(pipeline: Pipeline, rows: Sequence[Row], config: TrainingConfig) -> None:
    """Fit a pipeline on its rows, but for the stages whose knowledge comes from another run."""
    names = STAGES if config.init_stages is None else config.init_stages
    if config.init_from is None or not names:
        pipeline.fit(rows)
        return
    folder = local_run(config.init_from)
    assets = folder / model_file.ASSETS
    if not assets.is_dir():
        raise RunError(f"training.init_from: {folder} is no run directory")
    pipeline.fit(rows, {name: assets / name for name in names if name in ("features", "head")})
    present = [name for name in names if config.init_stages is not None or getattr(pipeline, name) is not None]
    start_from(pipeline, folder, present)


def refuse_target_leakage(pipeline: Pipeline, config: TrainingConfig) -> None:
    """Refuse to hold features still that leave a row's own target out of what they say, as they do while learning.

    Raises:
        ConfigError: such a stage is among the features, and ``training.freeze`` names these.
    """
    if "features" not in config.freeze:
        return
    knowing = [type(part).__name__ for part in find_stages(pipeline.features, Feature) if part.needs_targets]
    if knowing:
        raise ConfigError(
            f"training.freeze: features holds {knowing[-1]}, which has learnt the targets of the training rows, and "
            "held still would give them away; take features out of training.freeze"
        )


def freeze(pipeline: Pipeline, config: TrainingConfig, epoch: int, processes: int) -> None:
    """Hold the stages of ``training.freeze`` still (no gradient, dropout, statistics), or let them go again."""
    frozen = _is_frozen(config, epoch)
    for stage in _stages(pipeline, config):
        stage.train(not frozen)
        # Several processes exchange gradients of the parameters that had one at the start, so they stay as they are
        # where they will be let go, and `drop_frozen` holds them.
        if processes == 1 or config.unfreeze_at is None:
            stage.requires_grad_(not frozen)


def drop_frozen(pipeline: Pipeline, config: TrainingConfig, epoch: int) -> None:
    """Forget gradients of stages that are held still."""
    if _is_frozen(config, epoch):
        for stage in _stages(pipeline, config):
            drop(stage.parameters())


def freeze_for_good(pipeline: Pipeline, config: TrainingConfig) -> None:
    """Before the optimizer is made: what never learns needs no place in it."""
    if config.unfreeze_at is None:
        for stage in _stages(pipeline, config):
            stage.requires_grad_(False)


def _is_frozen(config: TrainingConfig, epoch: int) -> bool:
    return bool(config.freeze) and (config.unfreeze_at is None or epoch < config.unfreeze_at)


def _stages(pipeline: Pipeline, config: TrainingConfig) -> Iterator[nn.Module]:
    for name in config.freeze:
        stage = getattr(pipeline, name)
        if stage is None:
            raise ConfigError(f"training.freeze: {name} is not in this recipe's pipeline")
        yield stage
