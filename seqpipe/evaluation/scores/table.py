"""An evaluation as text for a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from seqpipe.core.metric import Pair
from seqpipe.evaluation.scores.evaluate import Evaluation
from seqpipe.evaluation.scores.item_errors import ItemError, item_errors

WIDTH, MAX_CHOICES = 110, 5
"""Characters of a line, and classes that are shown with a row."""


def render(evaluation: Evaluation) -> str:
    """Scores with their intervals, confusions and the worst rows."""
    lines = [f"{evaluation.source}: {len(evaluation.rows)} rows", *score_lines(evaluation)]
    lines += [
        f"[95 % intervals: bootstrap over {evaluation.units}]",
        f"compared as: {evaluation.scoring}",
    ]
    for items in evaluation.aligned:
        found = item_errors(evaluation, items, 10)
        if found.total:
            totals = ", ".join(f"{count} {name}" for name, count in found.totals.items())
            totals = f"; {totals}" if found.totals["substitutions"] < found.total else ""  # classes are never left out
            lines += ["", f"most frequent errors, {items} (reference -> hypothesis{totals}):"]
            lines += [_error_line(error) for error in found.every]
    kinds = Counter(error.kind for _, error in evaluation.span_errors)
    if kinds:
        lines += ["", "wrong spans: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())]
    worst = evaluation.worst(5)
    if worst:
        sure = bool(evaluation.predictions[worst[0]].class_probabilities)
        lines += ["", "most confident mistakes:" if sure else "rows with the most errors:"]
        for index in worst:
            lines += row_lines(evaluation, index)
    return "\n".join(lines)


def _error_line(error: ItemError) -> str:
    line = f"  {error.count:4d}  {visible(error.said)} -> {visible(error.heard)}"
    return line if error.rate is None else f"{line}  ({100 * error.rate:.3g} % of {visible(error.said)})"


def row_lines(evaluation: Evaluation, index: int) -> list[str]:
    """A wrong row: a class with its text, or items of reference and answer under each other, with their words."""
    row, prediction = evaluation.rows[index], evaluation.predictions[index]
    choices = prediction.class_probabilities
    if choices:
        probabilities = ", ".join(f"{label} {probability:.4f}" for label, probability in choices[:MAX_CHOICES])
        lines = [
            f"  {row.id}: expected {evaluation.references[index]}, answered {evaluation.hypotheses[index]} "
            f"({probabilities})"
        ]
        text = textwrap.wrap(evaluation.text(index) or "", WIDTH - 4, max_lines=6, placeholder=" ...")
        return [*lines, *(f"    {line}" for line in text)]
    pairs = next(iter(evaluation.aligned.values()))[index]
    words = evaluation.words(index)
    words = words if len(words) == len(pairs) else []
    lines = [f"  {row.id}"]
    for first, stop in _segments(pairs, words):
        if words and first and all(said == heard for said, heard in pairs[first:stop]):
            continue  # of a long sentence, what is wrong
        lines += [f"    {line}" for line in alignment_lines(pairs[first:stop], words[first:stop]) if line]
    return lines


def _segments(pairs: Sequence[Pair], words: Sequence[str]) -> list[tuple[int, int]]:
    """Segments of an alignment that fit into a line of a terminal; in one where there are no words above it."""
    if not words:
        return [(0, len(pairs))]
    segments, first, used = [], 0, 0
    for place, (pair, word) in enumerate(zip(pairs, words, strict=True)):
        width = max(len(word), *map(len, pair)) + 1
        if used + width > WIDTH - 10 and place > first:
            segments.append((first, place))
            first, used = place, 0
        used += width
    return [*segments, (first, len(pairs))]


def score_lines(evaluation: Evaluation) -> list[str]:
    """A line a score: ``WER   4.95 %  [ 3.10,  7.02]  (27 of 545 words)``."""
    kinds = evaluation.metric.kinds
    width = max(len(kind.label) for kind in kinds.values())
    lines = []
    for name, kind in kinds.items():
        low, high = evaluation.intervals[name]
        line = f"{kind.label:{width}} {evaluation.scores[name]:6.2f}{kind.unit}  [{low:.2f}, {high:.2f}]"
        if kind.part and kind.whole:
            line += (
                f"  ({evaluation.counts[kind.part]} of {evaluation.counts[kind.whole]} {kind.whole.replace('_', ' ')})"
            )
        lines.append(line)
    if evaluation.teacher_forced is not None:
        fit = evaluation.teacher_forced
        lines.append(
            f"perplexity {fit.perplexity:.3f}, token accuracy {fit.token_accuracy:.2f} %, of {fit.labels:,.0f} units"
            " of the references and their ends"
        )
    return lines


def alignment_lines(pairs: Sequence[Pair], words: Sequence[str] = ()) -> list[str]:
    """Reference over hypothesis, item under item, with S, D and I under what is wrong; on top the words, if given.

    Example:
        >>> print("\\n".join(alignment_lines([("turn", "turn"), ("left", "right"), ("now", "")])))
        REF: turn left  now
        HYP: turn right ***
                  S     D
    """
    lines = ["REF:", "HYP:", "    ", "    "]
    for place, (said, heard) in enumerate(pairs):
        width = max(len(said), len(heard))
        mark = "" if said == heard else "I" if not said else "D" if not heard else "S"
        column = [said or "*" * width, heard or "*" * width, mark, words[place] if words else ""]
        width = max(width, len(column[-1]))
        for line, item in enumerate(column):
            lines[line] += f" {item:{width}}"
    *found, above = (line.rstrip() for line in lines)
    return [above, *found] if words else found


def visible(item: str) -> str:
    """Nothing and a space made visible."""
    return {"": "(nothing)", " ": "(space)"}.get(item, item)
