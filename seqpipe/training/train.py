"""Training a recipe into a run directory."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy

from seqpipe.checks.part import Part
from seqpipe.config.recipe import Recipe, TrainingConfig
from seqpipe.core.files import write_json
from seqpipe.core.interruption import Interruption
from seqpipe.data.loader import Examples, Share, plain_loader
from seqpipe.errors import ConfigError
from seqpipe.pipeline import Pipeline
from seqpipe.run_directory import METRICS, environment, last_checkpoint, open_run_directory
from seqpipe.training.averaging import WeightAverage
from seqpipe.training.devices import World, first_goes_ahead, joined, launch, started_by_torchrun
from seqpipe.training.distillation import Teachers
from seqpipe.training.dry_run import dry_run
from seqpipe.training.loggers import make_loggers
from seqpipe.training.module import LOG_EVERY, PipelineModule
from seqpipe.training.preparing import Notice, Prepared, prepare_training
from seqpipe.training.progress import progress_callbacks
from seqpipe.training.saving import ReportScores, SaveCheckpoint, SavedState, SaveModel, read_checkpoint

PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
OnScores = Callable[[int, dict[str, float]], None]


def say(message: str) -> None:
    """A notice on standard error."""
    print(message, file=sys.stderr, flush=True)


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    accept: Sequence[str] = (),
    quiet: bool = False,
    notice: Notice = say,
    on_scores: OnScores | None = None,
    callbacks: Sequence[lightning.Callback] = (),
) -> dict[str, Any]:
    """Train a recipe; the run directory is the model.

    Args:
        recipe: from `load_recipe`.
        out: run directory; made if absent, must be empty unless ``resume``.
        resume: go on from the last checkpoint in ``out``, or start afresh if there is none.
        accept: key paths in which the recipe may differ from the one that ``out`` was started with (``data``: rows).
        quiet: no progress.
        notice: receives what the user should know; standard error by default.
        on_scores: called with the number of finished epochs and the scores whenever dev was scored and the model saved;
            what it raises ends the training.
        callbacks: of Lightning, of your own; called before seqpipe's own save anything.

    Returns:
        What ``metrics.json`` holds: dev scores, seconds, seed, versions, machine.

    Raises:
        ConfigError, DataError, RunError: explained mistakes.
        OSError: no space left; the model and the checkpoint saved last are still whole.
        KeyboardInterrupt: SIGINT or SIGTERM; a checkpoint was written, and ``resume`` goes on from it.
    """
    if accept and not resume:
        raise ConfigError("--accept says in what a resumed run may differ, so it needs --resume")
    if recipe.training.devices > 1 and not started_by_torchrun():
        if on_scores is not None or callbacks:
            raise ConfigError(
                "training.devices: with more than one, on_scores and callbacks need to be run by torchrun"
            )
        return dict(launch(recipe.training.devices, _train, recipe, Path(out), resume, tuple(accept), quiet))
    followers = [*([ReportScores(on_scores)] if on_scores else []), *callbacks]
    return _train(recipe, Path(out), resume, accept, quiet, notice, followers)


def _train(
    recipe: Recipe,
    out: Path,
    resume: bool,
    accept: Sequence[str],
    quiet: bool,
    notice: Notice = say,
    followers: Sequence[lightning.Callback] = (),
) -> dict[str, Any]:
    """Train in this process, which may be one of several."""
    config, world = recipe.training, World.from_environment()
    device = _device(recipe)
    threads = config.threads or (max(1, (os.cpu_count() or 1) // world.local_size) if world.size > 1 else None)
    if threads is not None:
        torch.set_num_threads(threads)
    interruption = Interruption(patient=world.size > 1)
    with joined(world, device), interruption.listening():
        return _Training(recipe, out, world, device, interruption, notice, quiet or world.rank > 0).run(
            resume, accept, followers
        )


@dataclass
class _Training:
    """One training, from the rows to ``metrics.json``."""

    recipe: Recipe
    out: Path
    world: World
    device: str
    interruption: Interruption
    notice: Notice
    quiet: bool

    @property
    def config(self) -> TrainingConfig:
        return self.recipe.training

    def run(self, resume: bool, accept: Sequence[str], followers: Sequence[lightning.Callback]) -> dict[str, Any]:
        """Train, and write what came of it."""
        started = time.perf_counter()
        out, config, world = self.out, self.config, self.world
        with first_goes_ahead(world):
            checkpoint = open_run_directory(out, resume=resume) if world.rank == 0 else last_checkpoint(out)
            state = read_checkpoint(checkpoint) if checkpoint else None
            prepared = self._prepare(state, accept)
        pipeline, training, dev = prepared.pipeline, prepared.training, prepared.dev
        seconds_before = state.seconds if state else 0.0
        average = WeightAverage(config) if config.average != "none" else None
        metric, stopping = pipeline.head.metric, []
        if config.stop_after is not None:
            mode = "min" if metric.kinds[metric.main].lower_is_better else "max"
            stopping = [EarlyStopping(f"dev_{metric.main}", patience=config.stop_after, mode=mode)]
        saving = SaveModel(out, metric, keep_best=config.keep == "best" and bool(dev.rows), average=average)
        checkpoints = SaveCheckpoint(
            out,
            config.checkpoint_minutes,
            self.interruption,
            {"data": prepared.data, "changed": prepared.changed},
            seconds_before + time.perf_counter() - started,
        )
        allowed = int(self.recipe.data.max_bad_share * len(training.rows))
        module = PipelineModule(pipeline, config, training.rows, dev.rows, allowed, self.notice, checkpoints.requests)
        module.share = Share(world.rank, world.size)
        if config.distill_from:
            module.teachers = Teachers(config.distill_from, pipeline, training)
        callbacks = [
            *([average] if average else []),
            saving,
            *progress_callbacks(self.quiet),
            *stopping,
            *followers,
            checkpoints,
        ]
        loggers = make_loggers(config, out, state.steps if state else None) if world.rank == 0 else []
        trainer = self._trainer(callbacks, loggers)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # advice for its own users, not ours
            loader = prepared.loader(config, lambda: trainer.current_epoch, module.share)
            dev_loader = self._dev_loader(pipeline, dev, module.share)
            if config.dry_run and config.chunk_steps is None:  # all chunks are alike, so the first step tries them
                examples, batches = prepared.examples(config), prepared.batches(config)
                module.on_start = lambda: dry_run(module, examples, batches)
            trainer.fit(module, loader, dev_loader, ckpt_path=checkpoint, weights_only=True)
            self.interruption.stepping = False
            if dev_loader is not None and config.keep == "last" and trainer.current_epoch % config.evaluate_every:
                trainer.validate(module, dev_loader, verbose=False)
                saving.scores = module.scores
        for logger in loggers:
            logger.finalize("success")
        metrics = {
            "dev": saving.scores,
            "scoring": metric.describe(),
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "skipped_steps": module.bad_steps,
            "seed": config.seed,
            "seconds": round(seconds_before + time.perf_counter() - started, 1),
            "rows": {"train": len(training.rows), "dev": len(dev.rows), "failed": len(module.failed)},
            "data": prepared.data,
            "changed": prepared.changed,
            "parameters": sum(parameter.numel() for parameter in pipeline.parameters()),
            "processes": world.size,
            **environment(),
        }
        if world.rank == 0:
            if config.report:
                # Here alone: evaluation builds on training, not this on it.
                from seqpipe.evaluation.report.write import write_report

                write_report(out, device=self.device, metrics=metrics)
            write_json(out / METRICS, metrics)
        return metrics

    def _prepare(self, state: SavedState | None, accept: Sequence[str]) -> Prepared:
        """The first process lets the pipeline learn, and saves it for the others."""
        first = self.world.rank == 0
        goes_on = state is not None or not first
        prepared = prepare_training(
            self.recipe,
            self.out if goes_on else None,
            self.notice if first else lambda _: None,
            state=state if first else None,
            accept=accept,
            progress=not self.quiet,
        )
        if not goes_on:
            prepared.pipeline.save(self.out, {"epoch": "0"})
        return prepared

    def _dev_loader(self, pipeline: Pipeline, dev: Part, share: Share) -> Any:
        if not dev.rows:
            return None
        config = self.config
        return plain_loader(
            Examples(dev.rows, dev.targets, pipeline.features, config.seed),
            dev.lengths,
            budget=config.batch_steps,
            max_rows=config.batch_rows,
            workers=0,
            share=share,
        )

    def _trainer(self, callbacks: list[lightning.Callback], loggers: list[Logger]) -> lightning.Trainer:
        config = self.config
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        if config.precision == "bf16" and self.device == "cpu" and not has_fast_bf16():
            self.notice("training.precision=bf16: this processor has no bf16 instructions, fp32 would be faster here")
        several: dict[str, Any] = {}
        if self.world.size > 1:
            several = {
                "strategy": DDPStrategy(cluster_environment=TorchElasticEnvironment()),
                "num_nodes": self.world.size // self.world.local_size,
            }
        return lightning.Trainer(
            accelerator="gpu" if self.device == "cuda" else "cpu",
            devices=self.world.local_size,
            max_epochs=config.epochs,
            precision=PRECISIONS[config.precision],
            accumulate_grad_batches=config.accumulate,
            check_val_every_n_epoch=config.evaluate_every,
            num_sanity_val_steps=0,
            log_every_n_steps=LOG_EVERY,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            logger=loggers,
            callbacks=callbacks,
            enable_progress_bar=not self.quiet and sys.stderr.isatty(),
            enable_model_summary=False,
            **several,
        )


def _device(recipe: Recipe) -> str:
    """The device that the recipe means; raises `ConfigError` if what it wants can't be had."""
    config = recipe.training
    for key, value in (("stop_after", config.stop_after), ("schedule: plateau", config.schedule == "plateau")):
        if value and recipe.data.dev is None:
            raise ConfigError(f"training.{key} needs data.dev: there is nothing to see a gain in")
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device: cuda was asked for, and torch sees no CUDA device")
    if config.precision == "fp16" and device == "cpu":
        raise ConfigError("training.precision: fp16 needs a GPU; a CPU takes bf16 or fp32")
    return device


def has_fast_bf16() -> bool:
    """Whether this CPU has bf16 instructions (AVX512-BF16 or AMX)."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
