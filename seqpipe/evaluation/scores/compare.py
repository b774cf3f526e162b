"""Runs side by side on the same rows: which is better, is that chance, what was done differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqpipe.config.recipe import Recipe
from seqpipe.core.cell import same_cells
from seqpipe.core.input import Input
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.scores.bootstrap import Difference, grouped, paired_differences
from seqpipe.evaluation.scores.evaluate import Evaluation, evaluate
from seqpipe.run_directory import read_metrics

ABSENT = "–"


@dataclass(frozen=True)
class Comparison:
    """Two runs or more on the same rows; all but the first are compared with the first.

    Attributes:
        names: of the runs, short.
        evaluations: one a run.
        differences: by score, of each run but the first, from the first.
        changed: by score, of each run but the first: how many rows it has better and worse than the first.
        facts: what is known of each run (parameters, seconds of training), by name.
        recipes: values of the recipes' keys that are not the same in all runs, by key path.
        notices: what should be known, e.g. that answers were made comparable in different ways.
    """

    names: list[str]
    evaluations: list[Evaluation]
    differences: list[dict[str, Difference]]
    changed: list[dict[str, tuple[int, int]]]
    facts: dict[str, list[Any]]
    recipes: dict[str, list[Any]]
    notices: list[str]

    def most_different(self, most: int = 10) -> list[int]:
        """Positions of the rows in which the runs' errors lie furthest apart; none on which they are equally wrong."""
        errors = np.stack([evaluation.errors for evaluation in self.evaluations])  # [R, N]
        spread = errors.max(axis=0) - errors.min(axis=0)
        order = np.argsort(-spread, kind="stable")
        return [int(index) for index in order[:most] if spread[index] > 0]

    def to_json(self) -> dict[str, Any]:
        """One JSON object: ``runs`` with their scores, ``differences`` from the first by run and score, ``recipes``."""
        differences = {}
        for name, found, changed in zip(self.names[1:], self.differences, self.changed, strict=True):
            differences[name] = {
                score: {**asdict(difference), "rows_better": changed[score][0], "rows_worse": changed[score][1]}
                for score, difference in found.items()
            }
        return {
            "runs": {name: evaluation.to_json() for name, evaluation in zip(self.names, self.evaluations, strict=True)},
            "against": self.names[0],
            "differences": differences,
            "recipes": {key: dict(zip(self.names, values, strict=True)) for key, values in self.recipes.items()},
        }


def compare(
    runs: Sequence[str | Path],
    data: str | None = None,
    *,
    group: str | None = None,
    decoding: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Comparison:
    """Score runs on the same rows and compare each with the first.

    Args:
        runs: two run directories or more.
        data: a source that each run's recipe can read; None takes each recipe's own, as `evaluate` does.
        group: column whose rows are drawn and exchanged together; see `evaluate`.
        decoding: options that replace the recipes'.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: fewer than two runs, or runs of different tasks.
        DataError: the runs don't score the same rows; and what `evaluate` raises.
    """
    if len(runs) < 2:
        raise ConfigError(f"a comparison needs two runs or more; received {len(runs)}")
    paths = [Path(run) for run in runs]
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise ConfigError(f"each run should be given once; received {', '.join(names)}")
    evaluations: list[Evaluation] = []
    for path, name in zip(paths, names, strict=True):
        found = evaluate(path, data, group=group, decoding=decoding, device=device)
        if evaluations:
            _refuse_other_rows(evaluations[0], found, names[0], name)
        evaluations.append(found)
    scores = evaluations[0].metric.scores
    counts = [grouped(found.row_counts, found.groups) for found in evaluations]
    return Comparison(
        names=names,
        evaluations=evaluations,
        differences=[paired_differences(counts[0], other, scores) for other in counts[1:]],
        changed=[_changed(evaluations[0], other) for other in evaluations[1:]],
        facts=_facts(paths, evaluations),
        recipes=recipe_differences([found.pipeline.recipe for found in evaluations]),
        notices=_notices(names, evaluations),
    )


def recipe_differences(recipes: Sequence[Recipe]) -> dict[str, list[Any]]:
    """Values of the keys that are not the same in all recipes, by key path as on the command line."""
    flat = [_flat(recipe.model_dump(mode="json")) for recipe in recipes]
    keys = list(dict.fromkeys(key for values in flat for key in values))
    found = {key: [values.get(key, ABSENT) for values in flat] for key in keys}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by key path; a stage of a list goes by its class, numbered from the second of a class on."""
    found: dict[str, Any] = {}
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            found |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(tree, list) and tree and all(isinstance(item, Mapping) and "stage" in item for item in tree):
        seen: dict[str, int] = {}
        for item in tree:
            name = item["stage"]
            seen[name] = seen.get(name, 0) + 1
            label = name if seen[name] == 1 else f"{name}#{seen[name]}"
            found |= _flat(item, f"{prefix}.{label}")
        return found
    return {prefix: tree}


def _refuse_other_rows(first: Evaluation, other: Evaluation, first_name: str, name: str) -> None:
    if first.metric.names != other.metric.names:
        raise ConfigError(
            f"{name} can't be compared with {first_name}: they don't count the same, "
            f"{_only(other, first) or 'in another order'} in the one and {_only(first, other) or 'nothing else'} in "
            "the other (other tasks, or other classes in their training rows)"
        )
    hint = "give --data SOURCE, a source that both are to be scored on"
    if len(first.rows) != len(other.rows):
        raise DataError(
            f"{name} doesn't score the same rows as {first_name}: {len(other.rows)} rows of {other.source}, and "
            f"{len(first.rows)} of {first.source}; {hint}"
        )
    for one, two in zip(first.rows, other.rows, strict=True):
        if not same_cells(one.target, two.target) or _place(one.input) != _place(two.input):
            inputs = ", from another input" if same_cells(one.target, two.target) else ""
            raise DataError(
                f"{name} doesn't score the same rows as {first_name}: {two.where} has {two.target!r}, and {one.where} "
                f"has {one.target!r}{inputs}; {hint}"
            )


def _only(one: Evaluation, other: Evaluation) -> str:
    """Counts that the one has and the other hasn't, shortened."""
    names = [name for name in one.metric.names if name not in set(other.metric.names)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _place(value: Any) -> Any:
    """An input as something to compare: the same file may be reached by different paths, or lie elsewhere by now."""
    if isinstance(value, Input):
        return value.identity()
    return value if isinstance(value, (str, bytes, list, tuple)) else None


def _changed(first: Evaluation, other: Evaluation) -> dict[str, tuple[int, int]]:
    found = {}
    for name, kind in first.metric.kinds.items():
        if kind.part is not None:
            column = first.metric.names.index(kind.part)
            more = other.row_counts[:, column] - first.row_counts[:, column]
            signs = np.sign(more if kind.lower_is_better else -more)
        else:
            signs = np.sign(other.errors - first.errors)
        found[name] = int((signs < 0).sum()), int((signs > 0).sum())
    return found


def _facts(paths: Sequence[Path], evaluations: Sequence[Evaluation]) -> dict[str, list[Any]]:
    metrics = [read_metrics(path) for path in paths]
    facts = {
        "parameters": [sum(parameter.numel() for parameter in found.pipeline.parameters()) for found in evaluations]
    }
    for name in ("seconds", "epochs", "steps"):
        if any(name in record for record in metrics):
            facts[name] = [record.get(name, ABSENT) for record in metrics]
    return facts


def _notices(names: Sequence[str], evaluations: Sequence[Evaluation]) -> list[str]:
    notices = list(dict.fromkeys(notice for found in evaluations for notice in found.notices))
    if len({found.scoring for found in evaluations}) > 1:
        ways = "; ".join(f"{name}: {found.scoring}" for name, found in zip(names, evaluations, strict=True))
        notices.append(f"answers were made comparable in different ways, so scores differ for that alone ({ways})")
    return notices
