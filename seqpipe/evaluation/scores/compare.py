"""Runs side by side on the same rows: which is better, is that chance, what was done differently."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.config.recipe import Recipe
from seqpipe.core.cell import same_cells
from seqpipe.core.input import Input
from seqpipe.core.metric import Counts
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.scores.bootstrap import Difference, grouped, paired_differences, score_intervals
from seqpipe.evaluation.scores.evaluate import Evaluation, evaluate
from seqpipe.run_directory import read_metrics

ABSENT = "–"


@dataclass(frozen=True)
class Side:
    """What is compared: a run, or several of one recipe with different seeds, of which the mean counts.

    Attributes:
        name: short.
        evaluations: one a run.
        row_counts: ``[N, C]``, of all runs together, as if each row had been answered as often on every side: sums of
            the runs', times what makes the numbers of runs equal. So whole numbers stay whole.
    """

    name: str
    evaluations: list[Evaluation]
    row_counts: Counts

    @cached_property
    def scores(self) -> dict[str, float]:
        """Means over the runs."""
        values = self._by_score()
        return {name: statistics.fmean(own) if len(own) > 1 else own[0] for name, own in values.items()}

    @cached_property
    def standard_deviations(self) -> dict[str, float]:
        """Of the sample of runs; none of a single run."""
        values = self._by_score()
        return {name: statistics.stdev(own) for name, own in values.items() if len(own) > 1}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 %, by bootstrap over rows, each with the answers of all runs; how much seeds differ isn't in them."""
        if len(self.evaluations) == 1:
            return self.evaluations[0].intervals
        first = self.evaluations[0]
        return score_intervals(grouped(self.row_counts, first.groups), first.metric.scores)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """How wrong each row is, ``[N]``: the mean over the runs."""
        return np.mean([found.errors for found in self.evaluations], axis=0)

    def to_json(self) -> dict[str, Any]:
        """As `Evaluation.to_json` of a run; of several, their means, and each by itself."""
        if len(self.evaluations) == 1:
            return self.evaluations[0].to_json()
        record: dict[str, Any] = {}
        for name, value in self.scores.items():
            record[name] = round(value, 4)
            record[f"{name}_standard_deviation"] = round(self.standard_deviations[name], 4)
            record[f"{name}_interval"] = [round(end, 4) for end in self.intervals[name]]
        return {**record, "runs": [found.to_json() for found in self.evaluations]}

    def _by_score(self) -> dict[str, list[float]]:
        return {name: [found.scores[name] for found in self.evaluations] for name in self.evaluations[0].scores}


@dataclass(frozen=True)
class Comparison:
    """Two sides or more on the same rows; all but the first are compared with the first.

    Attributes:
        sides: each a run, or several of different seeds.
        differences: by score, of each side but the first, from the first.
        changed: by score, of each side but the first: how many rows it has better and worse than the first.
        facts: what is known of each side (parameters, seconds of training), by name; of several runs the mean.
        recipes: values of the recipes' keys that are not the same on all sides, by key path.
        notices: what should be known, e.g. that answers were made comparable in different ways.
    """

    sides: list[Side]
    differences: list[dict[str, Difference]]
    changed: list[dict[str, tuple[int, int]]]
    facts: dict[str, list[Any]]
    recipes: dict[str, list[Any]]
    notices: list[str]

    @property
    def names(self) -> list[str]:
        """Of the sides."""
        return [side.name for side in self.sides]

    @property
    def evaluations(self) -> list[Evaluation]:
        """One a side: of its first run, whose answers are shown."""
        return [side.evaluations[0] for side in self.sides]

    def most_different(self, most: int = 10) -> list[int]:
        """Positions of the rows in which the sides' errors lie furthest apart; none on which they are equally wrong."""
        errors = np.stack([side.errors for side in self.sides])  # [S, N]
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
            "runs": {side.name: side.to_json() for side in self.sides},
            "against": self.names[0],
            "differences": differences,
            "recipes": {key: dict(zip(self.names, values, strict=True)) for key, values in self.recipes.items()},
        }


def compare(
    runs: Sequence[str | Path | Sequence[str | Path]],
    data: str | None = None,
    *,
    part: str | None = None,
    group: str | None = None,
    decoding: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Comparison:
    """Score runs on the same rows and compare each with the first.

    Args:
        runs: two run directories or more; each may be several, of one recipe with different seeds, whose mean counts.
        data: a source that each run's recipe can read; None takes each recipe's own, as `evaluate` does.
        part: ``dev`` or ``test``, which of the recipes' parts to prefer; see `evaluate`.
        group: column whose rows are drawn and exchanged together; see `evaluate`.
        decoding: options that replace the recipes'.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: fewer than two runs, or runs of different tasks.
        DataError: the runs don't score the same rows; and what `evaluate` raises.
    """
    if len(runs) < 2:
        raise ConfigError(f"a comparison needs two runs or more; received {len(runs)}")
    paths = [[Path(run)] if isinstance(run, (str, Path)) else [Path(each) for each in run] for run in runs]
    names = _names(paths)
    of_sides: list[list[Evaluation]] = []
    for own, name in zip(paths, names, strict=True):
        of_sides.append([])
        for path in own:
            found = evaluate(path, data, part=part, group=group, decoding=decoding, device=device)
            if of_sides[0]:
                _refuse_other_rows(of_sides[0][0], found, names[0], name if len(own) == 1 else str(path))
            of_sides[-1].append(found)
    most = math.lcm(*map(len, of_sides))
    sides = [
        Side(name, own, np.sum([found.row_counts for found in own], axis=0) * (most // len(own)))
        for name, own in zip(names, of_sides, strict=True)
    ]
    first = of_sides[0][0]
    counts = [grouped(side.row_counts, first.groups) for side in sides]
    return Comparison(
        sides=sides,
        differences=[paired_differences(counts[0], other, first.metric.scores) for other in counts[1:]],
        changed=[_changed(sides[0], other) for other in sides[1:]],
        facts=_facts(paths, sides),
        recipes=_recipes_of_sides(sides),
        notices=_notices(sides),
    )


def _names(paths: Sequence[Sequence[Path]]) -> list[str]:
    """Short and different: of several runs, what they have in common once, ``an4-{1,2,3}``."""
    if not all(paths):
        raise ConfigError("each side of a comparison needs a run; received none for one of them")
    for name_of in (lambda path: path.resolve().name, str):
        runs = [[name_of(path) for path in own] for own in paths]
        names = [_together(own) for own in runs]
        if len({name for own in runs for name in own}) == sum(map(len, paths)) and len(set(names)) == len(names):
            return names
    raise ConfigError(f"each run should be given once; received {', '.join(names)}")


def _together(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    start = 0
    while len({name[: start + 1] for name in names}) == 1 and start < min(map(len, names)):
        start += 1
    return f"{names[0][:start]}{{{','.join(name[start:] for name in names)}}}"


def _recipes_of_sides(sides: Sequence[Side]) -> dict[str, list[Any]]:
    """As `recipe_differences`; a list of the runs' values where those of a side differ, as seeds do."""
    differing = recipe_differences([found.pipeline.recipe for side in sides for found in side.evaluations])
    found = {}
    for key, values in differing.items():
        rest = iter(values)
        own = [[next(rest) for _ in side.evaluations] for side in sides]
        found[key] = [each[0] if all(value == each[0] for value in each) else each for each in own]
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


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


def _changed(first: Side, other: Side) -> dict[str, tuple[int, int]]:
    found = {}
    metric = first.evaluations[0].metric
    for name, kind in metric.kinds.items():
        if kind.part is not None:
            column = metric.names.index(kind.part)
            more = other.row_counts[:, column] - first.row_counts[:, column]
            signs = np.sign(more if kind.lower_is_better else -more)
        else:
            signs = np.sign(other.errors - first.errors)
        found[name] = int((signs < 0).sum()), int((signs > 0).sum())
    return found


def _facts(paths: Sequence[Sequence[Path]], sides: Sequence[Side]) -> dict[str, list[Any]]:
    metrics = [[read_metrics(path) for path in own] for own in paths]
    sizes = [
        [sum(parameter.numel() for parameter in found.pipeline.parameters()) for found in side.evaluations]
        for side in sides
    ]
    facts = {"parameters": [_mean(own) for own in sizes]}
    for name in ("seconds", "epochs", "steps"):
        if any(name in record for own in metrics for record in own):
            facts[name] = [_mean([record.get(name, ABSENT) for record in own]) for own in metrics]
    return facts


def _mean(values: Sequence[Any]) -> Any:
    """Of what is known of a side's runs; the value itself where it is the same."""
    known = [value for value in values if value != ABSENT]
    if not known or all(value == known[0] for value in known):
        return known[0] if known else ABSENT
    return round(statistics.fmean(known), 1)


def _notices(sides: Sequence[Side]) -> list[str]:
    runs = [found for side in sides for found in side.evaluations]
    notices = list(dict.fromkeys(notice for found in runs for notice in found.notices))
    if len({found.scoring for found in runs}) > 1:
        ways = "; ".join(f"{side.name}: {side.evaluations[0].scoring}" for side in sides)
        notices.append(f"answers were made comparable in different ways, so scores differ for that alone ({ways})")
    return notices
