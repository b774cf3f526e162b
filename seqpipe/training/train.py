"""Training a recipe into a run directory."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from seqpipe.data.check import Findings, encode_label, usable
from seqpipe.data.loader import Examples, TrainingBatches, plain_loader, training_loader
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, read_rows, training_rows
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.pipeline import Pipeline
from seqpipe.recipe import Recipe, TrainingConfig
from seqpipe.training.interruption import Interruption
from seqpipe.training.module import LOG_EVERY, PipelineModule
from seqpipe.training.progress import progress_callbacks
from seqpipe.training.run_directory import LOG, METRICS, continue_log, environment, open_run_directory, plot_curves
from seqpipe.training.run_directory import write_json as write_metrics
from seqpipe.training.saving import ReportScores, SaveCheckpoint, SaveModel, finished_epochs

Notice = Callable[[str], None]
OnScores = Callable[[int, dict[str, float]], None]


def say(message: str) -> None:
    """A notice on standard error."""
    print(message, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class _Data:
    """Rows that training can use, what their targets became, and how long their inputs are."""

    rows: list[Row]
    targets: list[Tensor | None]
    lengths: list[int]


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    quiet: bool = False,
    notice: Notice = say,
    on_scores: OnScores | None = None,
) -> dict[str, Any]:
    """Train a recipe; the run directory is the model.

    Args:
        recipe: from `load_recipe`.
        out: run directory; made if absent, must be empty unless ``resume``.
        resume: go on from the last checkpoint in ``out``, or start afresh if there is none.
        quiet: no progress.
        notice: receives what the user should know; standard error by default.
        on_scores: called with the number of finished epochs and the scores whenever dev was scored and the model saved;
            what it raises ends the training.

    Returns:
        What ``metrics.json`` holds: dev scores, seconds, seed, versions, machine.

    Raises:
        ConfigError, DataError, RunError: explained mistakes.
        OSError: no space left; the model saved last is still whole.
    """
    started = time.perf_counter()
    out = Path(out)
    config = recipe.training
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    checkpoint = open_run_directory(out, resume=resume)
    epochs_before = finished_epochs(checkpoint) if checkpoint else 0
    pipeline, training, dev = prepare_training(recipe, out if checkpoint else None, notice)
    allowed = int(recipe.data.max_bad_share * len(training.rows))
    module = PipelineModule(pipeline, config, training.rows, dev.rows, allowed, notice)
    saving = SaveModel(out, pipeline.head.main_score, keep_best=config.keep == "best" and bool(dev.rows))
    interruption = Interruption()
    callbacks = [
        interruption,
        saving,
        *progress_callbacks(quiet),
        *_early_stopping(config, saving.main_score),
        *([ReportScores(on_scores)] if on_scores else []),
        SaveCheckpoint(out),
    ]
    trainer = _trainer(config, out, callbacks, bool(dev.rows), quiet, notice)
    if not checkpoint:
        pipeline.save(out, {"epoch": "0"})
    batches = TrainingBatches(
        training.lengths,
        pipeline.features,
        seed=config.seed,
        budget=config.batch_steps,
        most_rows=config.batch_rows,
        epoch=lambda: module.current_epoch,
    )
    sizes = {"budget": config.batch_steps, "most_rows": config.batch_rows}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # advice for its own users, not ours
        loader = training_loader(
            Examples(training.rows, training.targets, pipeline.features, config.seed), batches, config.workers
        )
        dev_loader = (
            plain_loader(
                Examples(dev.rows, dev.targets, pipeline.features, config.seed), dev.lengths, workers=0, **sizes
            )
            if dev.rows
            else None
        )
        if checkpoint:
            continue_log(trainer.logger, epochs_before)
        with interruption.listening():
            trainer.fit(module, loader, dev_loader, ckpt_path=checkpoint, weights_only=True)
        if dev_loader is not None and config.keep == "last" and trainer.current_epoch % config.evaluate_every:
            trainer.validate(module, dev_loader, verbose=False)
            saving.scores = module.scores
    metrics = {
        "dev": saving.scores,
        "scoring": pipeline.head.scoring,
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seed": config.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "rows": {"train": len(training.rows), "dev": len(dev.rows), "failed": len(module.failed)},
        "parameters": sum(parameter.numel() for parameter in pipeline.parameters()),
        **environment(),
    }
    plot_curves(out, pipeline.head.main_score)
    write_metrics(out / METRICS, metrics)
    return metrics


def prepare_training(recipe: Recipe, saved: Path | None, notice: Notice = say) -> tuple[Pipeline, _Data, _Data]:
    """Read and check the rows, and let the pipeline learn from them (or load what it learnt, from ``saved``)."""
    pipeline = Pipeline(recipe)
    findings = Findings()
    found = training_rows(recipe.data, reads_files=_reads_files(recipe))
    rows, lengths = usable(found, lambda row: pipeline.features.measure(row.input), findings)
    if not rows:
        findings.enforce(recipe.data.max_bad_share)
        raise DataError(f"{recipe.data.train}: holds no rows that can be used")
    if saved is not None:
        pipeline = Pipeline.load(saved)
        if pipeline.recipe.pipeline != recipe.pipeline:
            raise ConfigError(
                f"the recipe's pipeline is not the one that {saved} was trained with, so --resume can't go on; "
                "take the same recipe and overrides, or train into another --out"
            )
        pipeline.recipe = recipe
    else:
        pipeline.fit(rows)
    pipeline.train()
    targets = _encode(pipeline, rows, lengths, findings.add)
    findings.enforce(recipe.data.max_bad_share)
    for line in findings.lines():
        notice(f"left out of training: {line}")
    kept = [index for index, target in enumerate(targets) if target is not None]
    training = _Data(
        [rows[index] for index in kept], [targets[index] for index in kept], [lengths[index] for index in kept]
    )
    return pipeline, training, _dev_data(pipeline, recipe, notice)


def _dev_rows(recipe: Recipe) -> Iterator[Row]:
    reads_files = _reads_files(recipe)
    return read_rows(str(recipe.data.dev), recipe.data, reads_files=reads_files, root=data_root(recipe.data))


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


def _dev_data(pipeline: Pipeline, recipe: Recipe, notice: Notice) -> _Data:
    """Dev rows: all must be readable; one whose text can't be spelt is scored all the same, without a loss."""
    if recipe.data.dev is None:
        return _Data([], [], [])
    findings = Findings()
    rows, lengths = usable(_dev_rows(recipe), lambda row: pipeline.features.measure(row.input), findings)
    findings.enforce(0.0)
    targets = _encode(
        pipeline, rows, lengths, lambda row, error: notice(f"scored without a loss: {row.where}: {error}")
    )
    return _Data(rows, targets, lengths)


def _early_stopping(config: TrainingConfig, main_score: str) -> list[lightning.Callback]:
    if config.stop_after is None:
        return []
    return [EarlyStopping(f"dev_{main_score}", patience=config.stop_after, mode="min")]


def _trainer(
    config: TrainingConfig, out: Path, callbacks: list[lightning.Callback], has_dev: bool, quiet: bool, notice: Notice
) -> lightning.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device: cuda was asked for, and torch sees no CUDA device")
    if config.precision == "bf16" and device == "cpu" and not has_fast_bf16():
        notice("training.precision=bf16: this processor has no bf16 instructions, fp32 would be faster here")
    for key, value in (("stop_after", config.stop_after), ("schedule: plateau", config.schedule == "plateau")):
        if value and not has_dev:
            raise ConfigError(f"training.{key} needs data.dev: there is nothing to see a gain in")
    return lightning.Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        max_epochs=config.epochs,
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        gradient_clip_val=config.clip_norm,
        check_val_every_n_epoch=config.evaluate_every,
        num_sanity_val_steps=0,
        log_every_n_steps=LOG_EVERY,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        logger=CSVLogger(out, name=LOG, version=""),
        callbacks=callbacks,
        enable_progress_bar=not quiet and sys.stderr.isatty(),
        enable_model_summary=False,
    )


def has_fast_bf16() -> bool:
    """Whether this CPU has bf16 instructions (AVX512-BF16 or AMX)."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
