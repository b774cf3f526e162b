"""An evaluation as text for a terminal."""

from __future__ import annotations

from seqpipe.evaluation.evaluate import Evaluation


def render(evaluation: Evaluation) -> str:
    """Scores, confusions and the worst utterances."""
    counts = evaluation.counts
    lines = [
        f"{evaluation.source}: {counts['rows']} rows",
        f"WER {evaluation.scores['wer']:6.2f} %  ({counts['word_errors']} of {counts['words']} words)",
        f"CER {evaluation.scores['cer']:6.2f} %  ({counts['character_errors']} of {counts['characters']} characters)",
        f"compared as: {evaluation.scoring}",
    ]
    for title, characters in (("words", False), ("characters", True)):
        found = evaluation.confusions(10, characters=characters)
        if found:
            lines += ["", f"most frequent errors, {title} (reference -> hypothesis):"]
            lines += [f"  {count:4d}  {_shown(said)} -> {_shown(heard)}" for said, heard, count in found]
    worst = evaluation.worst(5)
    if worst:
        lines += ["", "utterances with the most word errors:"]
        for row, alignment in worst:
            lines += [f"  {row.id}", *(f"    {line}" for line in alignment.splitlines())]
    return "\n".join(lines)


def _shown(item: str) -> str:
    """Nothing and a space made visible."""
    return {"": "(nothing)", " ": "(space)"}.get(item, item)
