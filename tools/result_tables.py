"""Tables of results in READMEs, out of the records; see tools/results.py."""

from __future__ import annotations

import re
import shlex
import statistics
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from result_records import Record, Results

from seqpipe.config.plain_yaml import read_yaml
from seqpipe.errors import ConfigError

BLOCK = re.compile(r"<!-- (results|ablations): (\S+) -->\n(.*?)<!-- end of \1 -->", flags=re.DOTALL)
STALE = "† measured before the recipe last changed"
ABSENT = "–"
ALL = "all"


class MeanAndDeviation:
    """Values of a score over seeds, for a format: ``4.52 ± 0.31``; nothing is known of no values."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values

    def __format__(self, form: str) -> str:
        form = form or ".2f"
        if not self.values:
            return ABSENT
        mean = f"{statistics.fmean(self.values):{form}}"
        return mean if len(self.values) == 1 else f"{mean} ± {statistics.stdev(self.values):{form}}"


def named_scores(*templates: str) -> list[str]:
    """The scores that templates name, each once."""
    fields = [field for template in templates for _, field, _, _ in string.Formatter().parse(template) if field]
    return list(dict.fromkeys(fields))


def filled(template: str, scores: Sequence[Mapping[str, float]]) -> str:
    """A template with the scores of all seeds; empty where none of what it names is known."""
    values = {name: [own[name] for own in scores if name in own] for name in named_scores(template)}
    if not any(values.values()):
        return ""
    return template.format_map({name: MeanAndDeviation(own) for name, own in values.items()})


def rewritten(text: str, results: Results) -> str:
    """A README with all its tables as the records have them.

    Raises:
        ConfigError: a block is of no task and no recipe that there is.
    """
    return BLOCK.sub(lambda block: _block(block[1], block[2], results), text)


def readmes(results: Results) -> list[Path]:
    return [path for path in (results.recipes.parent / "README.md", *sorted(results.recipes.glob("*/README.md")))
            if path.is_file()]  # fmt: skip


def _block(kind: str, name: str, results: Results) -> str:
    if kind == "ablations":
        lines = _ablations(name, results)
    elif name == ALL:
        lines = _overview(results)
    else:
        recipes = [recipe for recipe in results.entries if recipe.startswith(f"{name}/")]
        if not recipes:
            raise ConfigError(f"<!-- results: {name} -->: {results.tables} has no recipe of {name}")
        lines = _results(recipes, results)
    return "\n".join([f"<!-- {kind}: {name} -->", *lines, f"<!-- end of {kind} -->"])


def _results(recipes: Sequence[str], results: Results) -> Iterator[str]:
    yield from _head("recipe", "scored", "main score", "further", "seeds", "epochs", "minutes", "parameters",
                     "processor", "trained")  # fmt: skip
    stale = False
    for recipe in recipes:
        entry, row = results.entry(recipe), results.row(recipe, None)
        if row is None:
            continue
        seeds, old = row["seeds"], results.is_stale(recipe, row)
        stale |= old
        yield _line(recipe.partition("/")[2] + " †" * old, entry.dev, *_scores(entry, seeds), *_facts(seeds))
        for name, part in entry.parts.items():
            of_part = [{"scores": seed["parts"][name]} for seed in seeds if name in seed.get("parts", {})]
            if of_part:
                yield _line(f"... {name}", "", *_scores(part, of_part), *[""] * 6)
    yield from _below(stale, [_command(recipe, results) for recipe in recipes])


def _ablations(recipe: str, results: Results) -> Iterator[str]:
    entry, rows = results.entry(recipe), results.rows(recipe)
    own = next((row for row in rows if row["name"] is None), None)
    folds = list(own["seeds"][0].get("parts", {})) if own is not None and entry.folds else []
    yield from _head("", "main score", "further", *folds, "seeds", "difference", "p")
    (score,) = named_scores(entry.main)[:1]
    number = re.findall(r"\{.*?\}", entry.main)[0]  # without words around it
    stale = tested = False
    for row in rows:
        seeds, old = row["seeds"], results.is_stale(recipe, row)
        stale |= old
        of_folds = [
            filled(number, [seed["parts"][fold] for seed in seeds if fold in seed.get("parts", {})]) for fold in folds
        ]
        title = "the recipe" if row is own else row["name"]
        compared = ("", "") if own is None or row is own else (_difference(own, row, score), _p(own, row))
        yield _line(title + " †" * old, *_scores(entry, seeds), *of_folds, _numbers(seeds), *compared)
        tested |= bool(compared[1])
    if tested:
        yield from (
            "",
            "Differences over the seeds that both rows have; p: paired randomisation test on dev (`seqpipe compare`)",
        )
    named = [row for row in rows if row["name"] is not None and row["overrides"] is not None]
    yield from _below(stale, [_command(recipe, results, row) for row in named])


def _overview(results: Results) -> Iterator[str]:
    yield from _head("task", "recipe", "score on dev", "minutes", "parameters")
    stale, before = False, ""
    for recipe, entry in results.entries.items():
        row = results.row(recipe, None)
        if entry.what is None or row is None:
            continue
        task = recipe.partition("/")[0]
        seeds, old = row["seeds"], results.is_stale(recipe, row)
        stale |= old
        score, _ = _scores(entry, seeds)
        for name, part in entry.parts.items():
            of_part = [seed["parts"][name] for seed in seeds if name in seed.get("parts", {})]
            if part.part == "test" and of_part:
                score += f"; {name}: {filled(part.main, of_part)}"
        _, _, minutes, parameters, _, _ = _facts(seeds)
        link = "" if task == before else f"[{task}](recipes/{task}/README.md)"
        yield _line(link, f"`{recipe}`, {entry.what}" + " †" * old, score, minutes, parameters)
        before = task
    yield from _below(stale, [])


def _head(*cells: str) -> list[str]:
    return [_line(*cells), "|" + "---|" * len(cells)]


def _line(*cells: str) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


def _below(stale: bool, commands: Sequence[str]) -> Iterator[str]:
    if stale:
        yield from ("", STALE)
    if commands:
        yield ""
        for command in commands:
            yield f"    {command}"


def _scores(entry: Any, seeds: Sequence[Record]) -> tuple[str, str]:
    scores = [seed["scores"] for seed in seeds]
    main = filled(entry.main, scores)
    return main + (" (one seed)" if main and len(seeds) == 1 else ""), filled(entry.further, scores)


def _facts(seeds: Sequence[Record]) -> tuple[str, ...]:
    """Seeds, epochs, minutes, parameters, processor, and when: the mean where seeds differ, or each once."""
    epochs, minutes, parameters = (
        [seed[name] for seed in seeds if seed[name] is not None] for name in ("epochs", "minutes", "parameters")
    )
    return (
        _numbers(seeds),
        f"{statistics.fmean(epochs):.3g}" if epochs else "",
        f"{round(statistics.fmean(minutes), 1):.3g}" if minutes else "",
        f"{statistics.fmean(parameters) / 1e6:.3g} M" if parameters else "",
        "; ".join(_each(map(_processor, seeds))),
        _when(seeds),
    )


def _each(values: Any) -> list[str]:
    return sorted({value for value in values if value})


def _numbers(seeds: Sequence[Record]) -> str:
    numbers = [seed["seed"] for seed in seeds]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def _processor(seed: Record) -> str:
    name = re.sub(r"\((R|TM)\)|\bCPU\b|\bProcessor\b|@.*|\d+-Core", "", seed["processor"] or "")
    threads = f"{seed['threads']} thread{'s' * (seed['threads'] > 1)}" if seed["threads"] else ""
    return ", ".join(filter(None, (" ".join(name.split()), threads, seed["precision"])))


def _when(seeds: Sequence[Record]) -> str:
    dates = _each(seed["date"] for seed in seeds)
    if not dates:
        return "before"
    commits = _each(seed["commit"] for seed in seeds)
    shown = commits if len(commits) <= 2 else [f"{len(commits)} commits"]
    return ", ".join([dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}", *shown])


def compared_seeds(own: Record, row: Record) -> list[list[int]]:
    """Of both sides: the seeds that both have; all where they share none."""
    numbers = [[seed["seed"] for seed in each["seeds"]] for each in (own, row)]
    shared = [seed for seed in numbers[0] if seed in numbers[1]]
    return [shared, shared] if shared else numbers


def _difference(own: Record, row: Record, score: str) -> str:
    """Of the means over the compared seeds."""
    means = []
    for each, numbers in zip((own, row), compared_seeds(own, row), strict=True):
        values = [seed["scores"].get(score) for seed in each["seeds"] if seed["seed"] in numbers]
        if None in values:
            return ABSENT
        means.append(statistics.fmean(values))
    return f"{means[1] - means[0]:+.2f}"


def _p(own: Record, row: Record) -> str:
    """The p-value that was stored, if neither side has changed since."""
    found = row.get("compared")
    if not found or found["with"] != own["recipe_sha256"] or found["seeds"] != compared_seeds(own, row):
        return ""
    return f"{found['p']:.3f}" if found["p"] >= 0.001 else "< 0.001"


def _command(recipe: str, results: Results, row: Record | None = None) -> str:
    """What makes a row."""
    tree = read_yaml(results.recipe_file(recipe))
    root = tree.get("data", {}).get("root")
    words = [f"python tools/results.py {recipe}"]
    if root and not root.startswith("starter:"):
        words.append(f"data.root={root}")
    words.append(f"--seeds {max(results.entry(recipe).seeds, len(row['seeds']) if row else 0)}")
    if row is not None:
        words += ["--name", *map(_quoted, (row["name"], *row["overrides"]))]
    return " ".join(words)


def _quoted(word: str) -> str:
    """For a shell, in the quotes that people would take."""
    if re.fullmatch(r"[\w.=,:/+-]+", word):
        return word
    return f'"{word}"' if "'" in word and not re.search(r'[$`"!\\]', word) else shlex.quote(word)
