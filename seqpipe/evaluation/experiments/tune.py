"""A search for better values of a recipe: trials are runs, scored on dev (Optuna)."""

from __future__ import annotations

import gc
import importlib
import math
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from seqpipe.config.recipe import Recipe
from seqpipe.core.files import lock
from seqpipe.core.randomness import seed_from
from seqpipe.errors import ConfigError, DataError, RunError, SeqpipeError
from seqpipe.evaluation.experiments.main_score import main_score
from seqpipe.evaluation.experiments.search_pictures import draw_search
from seqpipe.evaluation.experiments.search_report import (
    CONTINUES,
    FAILURE,
    SCORES,
    SECONDS,
    SEEDS,
    VALUES,
    SearchReport,
    ended_trials,
)
from seqpipe.evaluation.experiments.space import SearchSpace
from seqpipe.run_directory import enter, read_metrics
from seqpipe.training.preparing import Notice
from seqpipe.training.train import say, train

STUDY, LOCK = "study.db", ".lock"


def tune(
    recipe: Recipe,
    out: str | Path,
    *,
    trials: int,
    seeds: int = 1,
    timeout: float | None = None,
    text: str | None = None,
    keep: Literal["all", "best"] = "all",
    prune: bool = True,
    quiet: bool = False,
    notice: Notice = say,
) -> SearchReport:
    """Search the space that a recipe's ``search:`` section spans, for the best main score on dev.

    The recipe's own values are the first trial. The others are suggested by TPE (Bergstra et al. 2011), seeded for each
    trial by the recipe's seed and the number of trials that have ended, so a search that was stopped and goes on tries
    what it would have tried. A trial that is worse, in the second half of its epochs, than the median of those before
    was at the same epoch is given up (the median stopping rule; Golovin et al. 2017).

    Args:
        recipe: from `load_recipe`, with ``search:`` and ``data.dev``.
        out: folder, absent, empty, or of the same search, which then goes on: with the trial that was stopped, from its
            last checkpoint. Gets ``trial-N``, run directories like any other, ``study.db``, Optuna's own
            record, ``best.yaml``, ``tune.json`` and pictures.
        trials: how many there are to be in the end, those of earlier calls included.
        seeds: trainings of a trial, from the recipe's seed on; their mean counts. What is given up is so by the first.
            The further ones lie in ``trial-N-seed-S``.
        timeout: minutes after which no further trial begins.
        text: the recipe as its author wrote it, overrides put in; ``best.yaml`` keeps its comments.
        keep: ``best`` deletes the run directory of every trial that is not the best so far.
        prune: whether trials may be given up early.
        quiet: no progress of the trials.
        notice: receives what the user should know; standard error by default.

    Raises:
        ConfigError: the space is wrong, or there is no dev part, or Optuna is missing.
        RunError: ``out`` holds something else, another process searches there, or its study can't be read.
        SeqpipeError: no trial has given a score; the first reasons are named.
    """
    optuna = import_optuna()
    started = time.monotonic()
    space = SearchSpace(recipe)
    if recipe.data.dev is None:
        raise ConfigError("data.dev is required: a search compares its trials there")
    if trials < 1:
        raise ConfigError(f"--trials should be at least 1; received {trials}")
    if seeds < 1:
        raise ConfigError(f"--seeds should be at least 1; received {seeds}")
    out = Path(out)
    found = enter(out)
    if found - {LOCK} and STUDY not in found:
        raise RunError(f"{out}: is not empty, and holds no search that could go on; give another --out")
    with _alone(out):
        study = _open_study(out, recipe, space, seeds, notice)
        once = cache(notice)  # each message once: every trial finds the same in the data
        if not prune:
            study.pruner = optuna.pruners.NopPruner()
        _take_up_the_stopped(study)
        while (ended := len(ended_trials(study))) < trials:
            if timeout is not None and time.monotonic() - started > 60 * timeout:
                notice(f"{timeout:g} minutes are over: {ended} of {trials} trials; the same command goes on")
                break
            study.sampler = optuna.samplers.TPESampler(seed=seed_from(recipe.training.seed, ended) % 2**32)
            _run_trial(study, study.ask(), space, out, seeds, quiet=quiet, notice=notice, once=once)
            _keep(SearchReport.of(study, space, text), out, only_best=keep == "best")
        report = SearchReport.of(study, space, text)
        if report.best is None:
            reasons = "\n".join(f"trial {trial['trial']}: {trial['failure']}" for trial in report.trials[:5])
            raise SeqpipeError(f"{out}: no trial has given a score\n{reasons}".rstrip())
        report.write(out)
        draw_search(study, out, report.main_score)
    return report


def _keep(report: SearchReport, out: Path, *, only_best: bool) -> None:
    """What is known so far, in case that the search doesn't come to its end."""
    if report.best is None:
        return
    report.write(out)
    for trial in report.trials:
        if only_best and trial["trial"] != report.best["trial"]:
            for folder in _folders(out, trial["trial"]):
                shutil.rmtree(folder)


def _folders(out: Path, trial: int) -> list[Path]:
    """The run directories of a trial that are there, that of the first seed first."""
    first, further = out / f"trial-{trial}", sorted(out.glob(f"trial-{trial}-seed-*"))
    return [folder for folder in (first, *further) if folder.is_dir()]


def import_optuna() -> Any:
    """Optuna, told to keep to itself what our own notices say; raises `ConfigError` if it isn't installed."""
    try:
        optuna = importlib.import_module("optuna")
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise ConfigError("a search needs Optuna: pip install 'seqpipe[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other processes out: they would take our running trial for one that was killed."""
    with (out / LOCK).open("w") as file:
        if not lock(file):
            raise RunError(f"{out}: another process searches here; wait for it, or give another --out")
        yield


def _open_study(out: Path, recipe: Recipe, space: SearchSpace, seeds: int, notice: Notice) -> Any:
    """The study of the folder, begun with the recipe's own values if it is new."""
    optuna = import_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    wanted = recipe.model_dump(mode="json")
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{out.absolute() / STUDY}",
            study_name="seqpipe",
            load_if_exists=True,
            direction="minimize" if main_score(recipe)[1] else "maximize",
            pruner=_pruner(recipe),
        )
        begun = study.user_attrs.get("recipe")
        if begun is None:
            inside = space.inside()
            outside = ", ".join(f"{path} {own}" for path, own in space.own.items() if path not in inside)
            if outside:
                notice(f"the recipe's own values are outside what is searched, the first trial draws others: {outside}")
            study.enqueue_trial(inside, skip_if_exists=True)
            study.set_user_attr(SEEDS, seeds)
            study.set_user_attr("recipe", wanted)
            begun = wanted
        if (others := study.user_attrs.get(SEEDS, 1)) != seeds:
            raise RunError(f"{out}: the search there was begun with --seeds {others}; give the same, or another --out")
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{out / STUDY}: can't be used ({reason}); give another --out to search anew") from None
    changed = sorted(_differences(begun, wanted))
    if changed:
        raise RunError(
            f"{out}: the search there was begun with another recipe ({', '.join(changed[:5])}), so it can't go on with "
            "this one; give the same recipe and overrides, or another --out"
        )
    return study


def _pruner(recipe: Recipe) -> Any:
    optuna = import_optuna()
    if "training.epochs" in recipe.search:
        # The rate falls with the share of all epochs, so the same epoch of a longer training is always worse.
        return optuna.pruners.NopPruner()
    # A CTC model says nothing but blanks at first, for longer or shorter by chance: what it is worth shows later.
    # Optuna prunes at the end of epoch n_warmup_steps already, so this is the first one of the second half.
    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=recipe.training.epochs // 2 + 1)


def _take_up_the_stopped(study: Any) -> None:
    """A trial that was running when its process ended is tried again, under a new number, from its checkpoint."""
    optuna = import_optuna()
    states = optuna.trial.TrialState
    taken_up = {trial.user_attrs.get(CONTINUES) for trial in study.trials}
    for trial in study.get_trials(states=(states.RUNNING,)):
        if trial.number not in taken_up:  # this process may be killed too, between these two lines
            values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            study.enqueue_trial(values, user_attrs={CONTINUES: trial.number})
        study.tell(trial.number, state=states.FAIL)


def _run_trial(
    study: Any, trial: Any, space: SearchSpace, out: Path, seeds: int, *, quiet: bool, notice: Notice, once: Notice
) -> None:
    """Train one trial and tell the study what came of it."""
    optuna = import_optuna()
    folder = out / f"trial-{trial.number}"
    reported: dict[int, float] = {}
    before = trial.user_attrs.get(CONTINUES)
    if before is not None:
        for run in _folders(out, before) if not folder.exists() else []:
            run.rename(out / run.name.replace(f"trial-{before}", f"trial-{trial.number}", 1))
        reported |= study.trials[before].intermediate_values
        for epochs_done, value in reported.items():
            trial.report(value, epochs_done)
    values = space.draw(trial)
    trial.set_user_attr(VALUES, values)
    went_on = "" if before is None else f" goes on where trial {before} was stopped,"
    notice(f"trial {trial.number}:{went_on} " + " ".join(f"{path}={value}" for path, value in values.items()))
    main, _ = main_score(space.recipe)

    def on_scores(epochs_done: int, scores: dict[str, float]) -> None:
        if epochs_done not in reported:  # else it was killed between the report and the checkpoint
            trial.report(scores[main], epochs_done)
        # At the last epoch nothing is left to save by giving up.
        if epochs_done < space.recipe.training.epochs and trial.should_prune():
            raise optuna.TrialPruned

    started = time.monotonic()
    state = optuna.trial.TrialState.FAIL
    score: float | None = None
    try:
        found: list[dict[str, float]] = []
        first = space.recipe.training.seed
        for seed in range(first, first + seeds):
            chosen = space.recipe_with(values)
            chosen.training.seed = seed
            run = folder if seed == first else out / f"{folder.name}-seed-{seed}"
            heard = on_scores if seed == first else None
            metrics = read_metrics(run) or train(chosen, run, resume=True, quiet=quiet, notice=once, on_scores=heard)
            _require_finite(metrics["dev"].get(main), main, space.recipe.data.dev)
            found.append(metrics["dev"])
        scores = {name: statistics.fmean(each[name] for each in found) for name in found[0]}
        score = scores[main]
        trial.set_user_attr(SCORES, scores)
        state = optuna.trial.TrialState.COMPLETE
    except optuna.TrialPruned:
        state = optuna.trial.TrialState.PRUNED
    except (SeqpipeError, torch.OutOfMemoryError) as error:
        if isinstance(error, DataError) and not ended_trials(study):
            raise  # rows that can't be read will be so in every trial; mended, this one goes on
        trial.set_user_attr(FAILURE, str(error))
        notice(f"trial {trial.number} failed: {error}")
    trial.set_user_attr(SECONDS, round(time.monotonic() - started, 1))
    study.tell(trial, score, state=state)
    if score is not None:
        notice(f"trial {trial.number}: dev {main} {score:.2f} (best {study.best_value:.2f})")
    elif state == optuna.trial.TrialState.PRUNED:
        notice(f"trial {trial.number}: given up after epoch {study.trials[trial.number].last_step}")
    gc.collect()  # a trainer and its loops hold each other in circles, and the model with them


def _require_finite(score: float | None, name: str, source: str | None) -> None:
    """Raise where a training has given nothing to compare."""
    if score is None:
        raise DataError(f"{source}: no {name} came of it, so there is nothing to compare")
    if not math.isfinite(score):
        raise SeqpipeError(f"dev {name} is {score}")


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Key paths at which two trees differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path
