"""What a search has found: the best values as a recipe, a table and JSON of its trials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqpipe.config.plain_yaml import parse_yaml
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.files import write_json, write_text
from seqpipe.errors import ConfigError
from seqpipe.evaluation.experiments.main_score import main_score
from seqpipe.evaluation.experiments.recipe_text import edited
from seqpipe.evaluation.experiments.space import SearchSpace
from seqpipe.evaluation.scores.columns import columns

BEST, RESULT = "best.yaml", "tune.json"
FAILURE, CONTINUES, SECONDS, SCORES, VALUES = "failure", "continues", "seconds", "scores", "values"
"""What a trial of the study is told to remember."""
SEEDS = "seeds"
"""What the study itself is."""

OUTCOMES = {"COMPLETE": "done", "PRUNED": "given up", "FAIL": "failed"}


def ended_trials(study: Any) -> list[Any]:
    """Trials with an outcome: a score, given up, or failed by their values; not those killed and taken up again."""
    taken_up = {trial.user_attrs.get(CONTINUES) for trial in study.trials}
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in taken_up]


@dataclass(frozen=True)
class SearchReport:
    """The trials of a search that have ended.

    Attributes:
        main_score: what was compared, on dev.
        trials: of each: ``trial`` (its number), ``outcome`` (``done``, ``given up``, ``failed``), ``score`` (of a trial
            given up, its last), ``scores``, ``epochs`` (of the last scoring), ``values``, ``seconds``, ``failure``.
        best: the trial with the best score, or None.
        recipe: the best values as the YAML of a recipe, or None.
        seed: of the recipe.
    """

    main_score: str
    trials: list[dict[str, Any]]
    best: dict[str, Any] | None
    recipe: str | None
    seed: int

    @classmethod
    def of(cls, study: Any, space: SearchSpace, text: str | None) -> SearchReport:
        """Read a study; ``text`` is the recipe as its author wrote it."""
        main, _ = main_score(space.recipe)
        trials = [_record(trial) for trial in ended_trials(study)]
        done = [trial for trial in trials if trial["outcome"] == "done"]
        best = next((trial for trial in done if trial["trial"] == study.best_trial.number), None) if done else None
        recipe = None
        if best is not None:
            found = f"trial {best['trial']}: dev {main} {best['score']:.2f}"
            note = f"# The best of {len(trials)} trials ({found}), written by `seqpipe tune`.\n"
            recipe = note + _best_recipe(space, best["values"], text)
        return cls(main, trials, best, recipe, space.recipe.training.seed)

    def write(self, out: Path) -> None:
        """Write ``best.yaml`` and ``tune.json``."""
        if self.recipe is not None:
            write_text(out / BEST, self.recipe)
        content = {
            "main_score": self.main_score,
            "best": self.best,
            "trials": self.trials,
            "seed": self.seed,
            "seconds": round(sum(trial["seconds"] for trial in self.trials), 1),
        }
        write_json(out / RESULT, content)

    def lines(self) -> list[str]:
        """A table for a terminal: a trial a line, the best one marked."""
        paths = list(self.trials[0]["values"]) if self.trials else []
        names = _short_names(paths)
        rows = [
            [
                f"{trial['trial']}{' *' if self.best and trial['trial'] == self.best['trial'] else ''}",
                trial["outcome"],
                "" if trial["score"] is None else f"{trial['score']:.2f}",
                "" if trial["epochs"] is None else str(trial["epochs"]),
                f"{trial['seconds']:.0f}",
                *(str(trial["values"].get(path, "")) for path in paths),
            ]
            for trial in self.trials
        ]
        lines = columns([["trial", "outcome", f"dev {self.main_score}", "epochs", "seconds", *names], *rows])
        failures = [(trial["trial"], trial["failure"]) for trial in self.trials if trial["failure"]]
        return [*lines, *(f"trial {number} failed: {failure}" for number, failure in failures)]


def _record(trial: Any) -> dict[str, Any]:
    reported = trial.intermediate_values
    score = trial.value if trial.state.name == "COMPLETE" else (reported[max(reported)] if reported else None)
    return {
        "trial": trial.number,
        "outcome": OUTCOMES[trial.state.name],
        "score": score,
        "scores": trial.user_attrs.get(SCORES),
        "epochs": max(reported, default=None),
        "values": trial.user_attrs.get(VALUES, {}),
        "seconds": trial.user_attrs.get(SECONDS, 0.0),
        "failure": trial.user_attrs.get(FAILURE),
    }


def _best_recipe(space: SearchSpace, values: dict[str, Any], text: str | None) -> str:
    """The author's text with the best values, if it reads as the recipe that was trained; else that recipe's dump."""
    meant = space.recipe_with(values)
    written = edited(text, {**values, "data.root": meant.data.root}) if text is not None else None
    if written is not None:
        try:
            if parse_recipe(parse_yaml(written), BEST) == meant:
                return written
        except ConfigError:
            pass  # the dump is always right
    return meant.dump()


def _short_names(paths: list[str]) -> list[str]:
    """The last key of each path, and as many before it as tell it from the others."""
    names = []
    for path in paths:
        keys = path.split(".")
        for count in range(1, len(keys) + 1):
            name = ".".join(keys[-count:])
            if sum(other == name or other.endswith(f".{name}") for other in paths) == 1:
                break
        names.append(name)
    return names
