"""What training needs before its first step: checked rows, encoded targets, a pipeline that has seen them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seqpipe.checks.comparison import compare, warning_lines
from seqpipe.checks.part import Part, read_part
from seqpipe.config.recipe import Recipe, TrainingConfig
from seqpipe.core.head import PartsTargets, PreparesDecoding, SamplesTargets, find_head
from seqpipe.data.fingerprint import fingerprint
from seqpipe.data.loader import Examples, Share, TrainingBatches, TrainingLoader
from seqpipe.data.source import data_root
from seqpipe.data.streams import StreamLoader
from seqpipe.errors import ConfigError, DataError
from seqpipe.pipeline import Pipeline
from seqpipe.training.concatenation import concatenation_of, refuse_concatenation, targets_fit
from seqpipe.training.oversampling import oversample
from seqpipe.training.resume import enforce_same
from seqpipe.training.saving import SavedState
from seqpipe.training.transfer import fit_with, refuse_target_leakage

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """Everything that a training starts with.

    Attributes:
        pipeline: fitted, or loaded.
        training: rows that are learnt from, some of them several times where `data.oversample` asks for it.
        dev: rows that are scored; none where the recipe has no dev part.
        data: fingerprint of the training rows.
        changed: in what a resumed run differs from what it was started with, by wish.
        max_length: of a training row, in the reader's measure; any when None.
    """

    pipeline: Pipeline
    training: Part
    dev: Part
    data: str
    changed: list[str]
    max_length: float | None = None

    def examples(self, config: TrainingConfig) -> Examples:
        """The training rows, for a loader."""
        head = self.pipeline.head
        sampled = head.sampled_targets() if isinstance(head, SamplesTargets) else None
        return Examples(
            self.training.rows,
            self.training.targets,
            self.pipeline.features,
            config.seed,
            sampled,
            concatenation_of(self.pipeline, config, self.max_length),
        )

    def batches(self, config: TrainingConfig) -> TrainingBatches:
        """The plan of their batches."""
        concatenation = concatenation_of(self.pipeline, config, self.max_length)
        return TrainingBatches(
            self.training.lengths,
            self.pipeline.features,
            seed=config.seed,
            budget=config.batch_steps,
            max_rows=config.batch_rows,
            targets=[len(target) if target is not None else 0 for target in self.training.targets],
            target_budget=config.batch_target_steps,
            concatenation=concatenation,
            suits=partial(targets_fit, self.pipeline, self.training.targets, concatenation),
        )

    def loader(
        self, config: TrainingConfig, epoch: Callable[[], int], share: Share | None = None
    ) -> TrainingLoader | StreamLoader:
        """What hands out the batches of each epoch: whole rows, or chunks of them.

        Args:
            config: the recipe's; ``chunk_steps`` decides.
            epoch: asked for the current one.
            share: of each batch of whole rows, this process's.

        Raises:
            ConfigError: ``chunk_steps`` is given, and the pipeline can't go on where it ended, or is several.
        """
        examples = self.examples(config)
        if config.chunk_steps is None:
            return TrainingLoader(examples, self.batches(config), epoch, config.workers, share)
        if share is not None and share.of > 1:
            raise ConfigError("training.chunk_steps: a state is carried in one process; start it without torchrun")
        head = carrying_head(self.pipeline)
        lengths, steps = self.training.lengths, config.chunk_steps
        return StreamLoader(examples, lengths, head, epoch, seed=config.seed, streams=config.streams, steps=steps)


def carrying_head(pipeline: Pipeline) -> PartsTargets:
    """The head of a pipeline that can learn rows part by part.

    Raises:
        ConfigError: it can't.
    """
    try:
        pipeline.carrier()
        if not isinstance(pipeline.head, PartsTargets):
            raise ConfigError(f"{type(pipeline.head).__name__} learns whole rows alone").within("pipeline", "head")
    except ConfigError as error:
        raise ConfigError(f"training.chunk_steps: {error}") from None
    return pipeline.head


def prepare_training(
    recipe: Recipe,
    saved: Path | None,
    notice: Notice,
    *,
    state: SavedState | None = None,
    accept: Sequence[str] = (),
    progress: bool = False,
) -> Prepared:
    """Read and check the rows, and let the pipeline learn from them.

    Args:
        recipe: what to train.
        saved: run directory from which the pipeline is loaded instead.
        notice: receives what the user should know about the rows.
        state: of the checkpoint that training goes on from.
        accept: see `enforce_same`.
        progress: show the reading on standard error, if that is a terminal.

    Raises:
        ConfigError: no training part is named, the recipe is not the one that ``saved`` was started with, it freezes
            features that know the targets, concatenates what can't be, or names files for decoding that can't be used.
        DataError: more rows than `data.max_bad_share` allows can't be used, or one of dev.
    """
    config = recipe.data
    if config.train is None:
        raise ConfigError("data.train is required: the source of the training rows")
    pipeline, root = Pipeline(recipe), data_root(config)
    refuse_target_leakage(pipeline, recipe.training)
    head = find_head(recipe.pipeline.head.name)
    refuse_concatenation(pipeline.features.reader, head, recipe.training)
    reading: dict[str, Any] = {
        "features": pipeline.features,
        "root": root,
        "empty_targets": head.allows_empty_targets,
        "progress": progress,
    }
    training = read_part("train", config.train, config, max_length=config.max_length, **reading)
    if not training.rows:
        training.findings.enforce(config.max_bad_share)
        raise DataError("\n".join([f"{config.train}: holds no rows that can be used", *training.findings.summary]))
    training.findings.enforce(config.max_bad_share)  # before what is left is learnt from, which may say odd things
    data = fingerprint(training.rows)
    changed: list[str] = []
    if saved is not None:
        if state is not None:
            changed = [*state.changed, *enforce_same(saved, recipe, state.data == data, accept)]
        pipeline = Pipeline.load(saved, recipe)
    else:
        fit_with(pipeline, training.rows, recipe.training)
    for line in pipeline.features.fit_messages():
        notice(line)
    pipeline.train()
    training.encode(pipeline)
    training.findings.enforce(config.max_bad_share)
    for line in training.findings.lines():
        notice(f"left out of training: {line}")
    dev = Part("dev", "", [], [])
    if config.dev is not None:
        dev = read_part("dev", config.dev, config, **reading)
        dev.findings.enforce(0.0)  # the score of a part of dev would mislead
        if not dev.rows:
            raise DataError(f"{config.dev}: holds no rows, so there is nothing to score; data.dev=null trains without")
        # A row whose text can't be spelt is scored all the same.
        dev.encode(pipeline, refuse=lambda row, error: notice(f"scored without a loss: {row.where}: {error}"))
        dev.findings.enforce(0.0)
        if isinstance(pipeline.head, PreparesDecoding):  # what dev is searched with is told to be wrong before training
            pipeline.head.prepare_decoding(pipeline.head.decoding.model_validate(recipe.decoding))
    parts = [training, dev] if dev.rows else [training]
    compare(parts, pipeline, config)
    for line in warning_lines(parts):
        notice(f"warning: {line}")
    for line in oversample(training, config.oversample):
        notice(line)
    return Prepared(pipeline, training, dev, data, changed, config.max_length)
