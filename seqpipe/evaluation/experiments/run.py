"""A run among several: what is finished is kept, what was stopped goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqpipe.config.recipe import Recipe
from seqpipe.run_directory import read_metrics
from seqpipe.training.preparing import Notice
from seqpipe.training.train import OnScores, train


def train_or_keep(
    recipe: Recipe, folder: Path, *, quiet: bool, notice: Notice, on_scores: OnScores | None = None
) -> dict[str, Any]:
    """The metrics of a run: read if it is finished, else trained, from its last checkpoint if there is one."""
    return read_metrics(folder) or train(recipe, folder, resume=True, quiet=quiet, notice=notice, on_scores=on_scores)
