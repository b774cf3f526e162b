"""A run among several: what is finished is kept, what was stopped goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqpipe.config.recipe import Recipe
from seqpipe.errors import RunError
from seqpipe.training.preparing import Notice
from seqpipe.training.run_directory import METRICS
from seqpipe.training.train import OnScores, train


def finished_metrics(folder: Path) -> dict[str, Any] | None:
    """What a finished run directory says of itself; None where it isn't finished.

    Raises:
        RunError: its ``metrics.json`` is damaged.
    """
    path = folder / METRICS
    if not path.is_file():
        return None
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        whole = {"dev", "seconds", "rows"} <= metrics.keys()
    except (ValueError, AttributeError):
        whole = False
    if not whole:
        raise RunError(f"{path}: is damaged; delete {folder} to train it anew")
    return dict(metrics)


def train_or_keep(
    recipe: Recipe, folder: Path, *, quiet: bool, notice: Notice, on_scores: OnScores | None = None
) -> dict[str, Any]:
    """The metrics of a run: read if it is finished, else trained, from its last checkpoint if there is one."""
    metrics = finished_metrics(folder)
    if metrics is None:
        metrics = train(recipe, folder, resume=True, quiet=quiet, notice=notice, on_scores=on_scores)
    return metrics
