"""Cross-validation: a recipe trained once a fold, and scored on the rows that the fold leaves out."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqpipe.checks.findings import Findings, usable
from seqpipe.config.recipe import Recipe
from seqpipe.core.files import write_json
from seqpipe.core.metric import headline_scores
from seqpipe.core.suffixes import Suffixes
from seqpipe.core.warning import collecting_warnings
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, read_rows
from seqpipe.errors import ConfigError, RunError
from seqpipe.evaluation.experiments.folds import FoldManifests, divide
from seqpipe.evaluation.scores.columns import columns
from seqpipe.pipeline import Pipeline
from seqpipe.run_directory import enter, read_metrics
from seqpipe.training.preparing import Notice
from seqpipe.training.train import say, train

RESULT, PLAN, MANIFESTS = "crossval.json", "plan.json", "folds"


@dataclass(frozen=True)
class CrossValidation:
    """Scores of a recipe over its folds.

    Attributes:
        folds: of each: ``scores`` of its held-out rows, ``rows``, ``groups``, ``epochs``, ``seconds``, ``run``.
        mean: of each score over the folds, every fold counting the same.
        deviation: the sample standard deviation of each score over the folds.
    """

    folds: list[dict[str, Any]]
    mean: dict[str, float]
    standard_deviation: dict[str, float]

    @classmethod
    def of(cls, folds: Sequence[dict[str, Any]]) -> CrossValidation:
        """Means and deviations of the scores that every fold has."""
        names = [name for name in folds[0]["scores"] if all(name in fold["scores"] for fold in folds)]
        values = {name: [fold["scores"][name] for fold in folds] for name in names}
        return cls(
            list(folds),
            {name: statistics.fmean(scores) for name, scores in values.items()},
            {name: statistics.stdev(scores) for name, scores in values.items()},
        )

    def lines(self) -> list[str]:
        """A table for a terminal, of the headline scores."""
        names = list(headline_scores(self.mean, next(iter(self.mean)), most=5)) if self.mean else []
        table = [["fold", "held out", "rows", *names, "seconds"]]
        for fold in self.folds:
            scores, seconds = _two_digits(fold["scores"], names), f"{fold['seconds']:.0f}"
            table.append([str(fold["fold"]), _shown(fold["groups"]), str(fold["rows"]["dev"]), *scores, seconds])
        for name, of in (("mean", self.mean), ("sd", self.standard_deviation)):
            table.append([name, "", "", *_two_digits(of, names), ""])
        if not any(fold["groups"] for fold in self.folds):
            table = [[row[0], *row[2:]] for row in table]
        return columns(table)


def _two_digits(scores: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{scores[name]:.2f}" for name in names]


def crossval(
    recipe: Recipe,
    out: str | Path,
    *,
    folds: int = 5,
    group: str | None = None,
    stratify: str | None = None,
    parts: Sequence[str] = ("train",),
    resume: bool = False,
    quiet: bool = False,
    notice: Notice = say,
) -> CrossValidation:
    """Train and score a recipe once for every fold of its rows.

    Args:
        recipe: from `load_recipe`; its seed divides the rows, and every fold is trained with it.
        out: folder, absent or empty. Gets ``fold-N``, run directories like any other, ``folds``, their manifests, and
            last of all ``crossval.json``.
        folds, group, stratify: see `divide`.
        parts: of the recipe's ``data`` whose rows are divided: ``train``, ``dev``, ``test``.
        resume: keep the folds that are finished, and go on with the one that was stopped.
        quiet: no progress.
        notice: receives what the user should know; standard error by default.

    Raises:
        ConfigError, DataError, RunError: explained mistakes.
    """
    out = Path(out)
    rows, suffixes = _rows(recipe, parts, notice)
    divided = divide(rows, folds, group=group, stratify=stratify, seed=recipe.training.seed)
    found = enter(out)
    if found and not resume:
        raise RunError(f"{out}: is not empty; give another --out, or --resume to go on with what is there")
    if found and PLAN not in found:
        raise RunError(f"{out}: holds no cross-validation that could go on ({PLAN} is not there); give another --out")
    manifests = FoldManifests(rows, recipe.data, out / MANIFESTS, suffixes=suffixes)
    plan = {
        "recipe": recipe.model_dump(mode="json"),
        "folds": folds,
        "group": group,
        "stratify": ("(target)" if stratify == "" else stratify),
        "parts": list(parts),
        "rows": len(rows),
        "rows_sha256": hashlib.sha256("".join(manifests.lines).encode()).hexdigest(),
    }
    _same_plan(out / PLAN, plan)
    if recipe.training.keep == "best" or recipe.training.stop_after is not None:
        notice(
            "training.keep=best and training.stop_after choose the epoch by the held-out rows, so their scores are "
            "better than those of new rows would be"
        )
    records = []
    for number, fold in enumerate(divided, 1):
        run = out / f"fold-{number}"
        whose = f" ({_shown(fold.groups)})" if fold.groups else ""
        notice(f"fold {number}/{folds}{whose}: {len(fold.train)} rows to train, {len(fold.held_out)} held out")
        of_fold = recipe.model_copy(update={"data": manifests.write(number, fold)})
        metrics = read_metrics(run) or train(of_fold, run, resume=True, quiet=quiet, notice=notice)
        records.append(
            {
                "fold": number,
                "groups": fold.groups,
                "rows": metrics["rows"],
                "scores": metrics["dev"],
                "epochs": metrics.get("epochs"),
                "seconds": metrics["seconds"],
                "run": run.name,
            }
        )
    result = CrossValidation.of(records)
    summary = {
        "scores": result.mean,
        "standard_deviation": result.standard_deviation,
        "results": result.folds,
        "seed": recipe.training.seed,
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }
    write_json(out / RESULT, {**summary, **plan})
    return result


def _rows(recipe: Recipe, parts: Sequence[str], notice: Notice) -> tuple[list[Row], Suffixes]:
    """The rows that can be used, and the endings of the files that their inputs are."""
    features = Pipeline(recipe).features
    suffixes = features.reader.suffixes
    rows: list[Row] = []
    for part in parts:
        source = getattr(recipe.data, part)
        if source is None:
            raise ConfigError(f"data.{part} is required: --parts {','.join(parts)} asks for its rows")
        with collecting_warnings() as heard:
            rows += read_rows(source, recipe.data, suffixes=suffixes, root=data_root(recipe.data))
        for _, message in heard:
            notice(message)
    # Left out here already: a row that training may leave out would end the fold that should be scored on it.
    findings = Findings()
    good, _ = usable(rows, lambda row: features.length(row.input), findings)
    findings.enforce(recipe.data.max_bad_share)
    for line in findings.lines():
        notice(f"left out: {line}")
    return good, suffixes


def _same_plan(path: Path, plan: dict[str, Any]) -> None:
    """Keep what is to be done, or compare it with what was begun here."""
    if not path.is_file():
        write_json(path, plan)
        return
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name, value in plan.items() if begun.get(name) != value]
    except (ValueError, AttributeError) as error:
        raise RunError(f"{path}: is damaged ({error}); give another --out") from None
    if changed:
        shown = ", ".join("the rows' contents" if name == "rows_sha256" else name for name in changed)
        raise RunError(
            f"{path.parent}: was begun with something else ({shown}), so --resume can't go on; give the same "
            "command, or another --out"
        )


def _shown(groups: Sequence[str]) -> str:
    return ", ".join(groups) if len(groups) <= 2 else f"{groups[0]} and {len(groups) - 1} more"
