"""A comparison as text for a terminal."""

from __future__ import annotations

import textwrap

from seqpipe.evaluation.scores.columns import columns
from seqpipe.evaluation.scores.compare import Comparison, Side
from seqpipe.evaluation.scores.wording import duration, plain

MAX_ROWS, MAX_WORDS = 5, 7
FACTS = {"seconds": "training"}


def render_comparison(comparison: Comparison) -> str:
    """Scores, differences with their p-values, recipes, and the rows that differ most."""
    first = comparison.evaluations[0]
    kinds = first.metric.kinds
    lines = [f"{first.source}: {len(first.rows)} rows", ""]
    table = [["", *comparison.names]]
    for name, kind in kinds.items():
        table.append([f"{kind.label}{kind.unit}"])
        for side in comparison.sides:
            low, high = side.intervals[name]
            table[-1].append(f"{score_text(side, name)} [{low:.2f}, {high:.2f}]")
    for name, values in comparison.facts.items():
        table.append([FACTS.get(name, name), *(fact_text(name, value) for value in values)])
    lines += columns(table)

    lines += ["", f"from {comparison.names[0]}:"]
    table = [["", "", "difference", "95 % interval", "p", "rows better", "worse"]]
    for run, differences, changed in zip(comparison.names[1:], comparison.differences, comparison.changed, strict=True):
        for name, difference in differences.items():
            low, high = difference.interval
            better, worse = changed[name]
            change = f"{difference.second - difference.first:+.2f}"
            cells = [run, kinds[name].label, change, f"{low:+.2f} to {high:+.2f}", p_text(difference.p_value)]
            table.append([*cells, str(better), str(worse)])
    lines += columns(table)
    lines += [
        f"[intervals: bootstrap over {first.units}; p: approximate randomisation, two-sided"
        + (", not corrected for the number of runs]" if len(comparison.names) > 2 else "]")
    ]
    if any(side.standard_deviations for side in comparison.sides):
        lines += ["[of several runs: mean ± standard deviation; tests on each row's counts of all of them]"]
    lines += ["", "recipes:"] if comparison.recipes else ["", "the recipes are the same"]
    lines += columns([[key, *map(str, values)] for key, values in comparison.recipes.items()])

    chosen = comparison.most_different(MAX_ROWS)
    if chosen:
        lines += ["", "rows that differ most:"]
    for index in chosen:
        lines += [f"  {first.rows[index].id}"]
        lines += _answers(comparison, index)
    return "\n".join(lines)


def _answers(comparison: Comparison, index: int) -> list[str]:
    """Reference and answers of a row; of tagged words, those that a run has wrong."""
    first = comparison.evaluations[0]
    words = first.words(index)
    if words:
        pairs = [next(iter(found.aligned.values()))[index] for found in comparison.evaluations]
        wrong = [place for place in range(len(words)) if any(own[place][0] != own[place][1] for own in pairs)]
        table = [["", *(words[place] for place in wrong)], ["reference", *(pairs[0][place][0] for place in wrong)]]
        for name, own in zip(comparison.names, pairs, strict=True):
            table.append([name, *(own[place][1] for place in wrong)])
        shown = [row[:1] + row[1 : MAX_WORDS + 1] for row in table]
        more = [f"    and {len(wrong) - MAX_WORDS} more words"] if len(wrong) > MAX_WORDS else []
        return [*columns(shown, "    "), *more]
    text = [f"    {line}" for line in textwrap.wrap(first.text(index) or "", 106, max_lines=4)]
    answers = [found.hypotheses[index] for found in comparison.evaluations]
    table = [["reference", first.references[index]]]
    table += [[name, answer] for name, answer in zip(comparison.names, answers, strict=True)]
    return [*text, *columns(table, "    ")]


def fact_text(name: str, value: object) -> str:
    """A fact about a run as people read it."""
    return duration(value) if name == "seconds" and isinstance(value, (int, float)) else plain(value)


def score_text(side: Side, name: str) -> str:
    """A score; of several runs the mean with the standard deviation of one."""
    deviation = side.standard_deviations.get(name)
    return f"{side.scores[name]:.2f}" + ("" if deviation is None else f" ± {deviation:.2f}")


def p_text(value: float) -> str:
    """A p-value, never as 0."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
