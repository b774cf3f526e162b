"""An evaluation as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from seqpipe.evaluation.evaluate import Evaluation
from seqpipe.heads.scoring import Pair


def render(evaluation: Evaluation) -> str:
    """Scores with their intervals, confusions and the worst rows."""
    lines = [f"{evaluation.source}: {len(evaluation.rows)} rows", *score_lines(evaluation)]
    lines += [
        f"[95 % intervals: bootstrap over {evaluation.units}]",
        f"compared as: {evaluation.scoring}",
    ]
    for items in evaluation.aligned:
        found = evaluation.confusions(items)
        if found:
            lines += ["", f"most frequent errors, {items} (reference -> hypothesis):"]
            lines += [f"  {count:4d}  {visible(said)} -> {visible(heard)}" for said, heard, count in found]
    worst = evaluation.worst(5)
    if worst:
        lines += ["", "rows with the most errors:"]
        shown = next(iter(evaluation.aligned.values()))
        for index in worst:
            lines += [f"  {evaluation.rows[index].id}", *(f"    {line}" for line in alignment_lines(shown[index]))]
    return "\n".join(lines)


def score_lines(evaluation: Evaluation) -> list[str]:
    """A line a score: ``WER   4.95 %  [ 3.10,  7.02]  (27 of 545 words)``."""
    kinds = evaluation.head.score_kinds
    width = max(len(kind.label) for kind in kinds.values())
    lines = []
    for name, kind in kinds.items():
        low, high = evaluation.intervals[name]
        line = f"{kind.label:{width}} {evaluation.scores[name]:6.2f}{kind.unit}  [{low:.2f}, {high:.2f}]"
        if kind.part and kind.whole:
            line += f"  ({evaluation.counts[kind.part]} of {evaluation.counts[kind.whole]} {kind.whole})"
        lines.append(line)
    return lines


def alignment_lines(pairs: Sequence[Pair]) -> list[str]:
    """Reference over hypothesis, item under item, with S, D and I under what is wrong.

    Example:
        >>> print("\\n".join(alignment_lines([("turn", "turn"), ("left", "right"), ("now", "")])))
        REF: turn left  now
        HYP: turn right ***
                  S     D
    """
    lines = ["REF:", "HYP:", "    "]
    for said, heard in pairs:
        width = max(len(said), len(heard))
        mark = "" if said == heard else "I" if not said else "D" if not heard else "S"
        for line, item in enumerate((said or "*" * width, heard or "*" * width, mark)):
            lines[line] += f" {item:{width}}"
    return [line.rstrip() for line in lines]


def visible(item: str) -> str:
    """Nothing and a space made visible."""
    return {"": "(nothing)", " ": "(space)"}.get(item, item)
