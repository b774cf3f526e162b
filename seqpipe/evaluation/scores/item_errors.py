"""Which items of an answer stand for which of the reference: substitutions, deletions and insertions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from seqpipe.evaluation.scores.confusion import ConfusionMatrix
from seqpipe.evaluation.scores.evaluate import Evaluation

MAX_CHARACTERS = 24
"""Characters of a matrix."""
NOTHING = "∅"
"""What a matrix calls the place of a character that one side lacks."""


@dataclass(frozen=True)
class ItemError:
    """One kind of mistake.

    Attributes:
        said: item of the reference, "" for one too many.
        heard: item of the answer, "" for one that is missing.
        count: how often.
        share: of all errors among such items, 0 to 1.
        rate: share of the occurrences of ``said``, 0 to 1; None where nothing was said.
    """

    said: str
    heard: str
    count: int
    share: float
    rate: float | None


@dataclass(frozen=True)
class ItemErrors:
    """The mistakes among items of one kind (words, characters), each list falling.

    Attributes:
        substitutions, deletions, insertions: the most frequent ones of each.
        every: the most frequent ones of all.
        totals: how many of each there are, by the names above.
    """

    substitutions: list[ItemError]
    deletions: list[ItemError]
    insertions: list[ItemError]
    every: list[ItemError]
    totals: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.totals.values())


def item_errors(evaluation: Evaluation, items: str, most: int = 15) -> ItemErrors:
    """The mistakes of an evaluation.

    Args:
        evaluation: of the run.
        items: a kind of item of `Evaluation.aligned`.
        most: of each list.
    """
    found = Counter(pair for pairs in evaluation.aligned[items] for pair in pairs)
    said = Counter[str]()
    for (wanted, _), count in found.items():
        said[wanted] += count
    wrong = sorted(
        ((pair, count) for pair, count in found.items() if pair[0] != pair[1]), key=lambda item: (-item[1], item[0])
    )
    total = sum(count for _, count in wrong)
    every = [
        ItemError(wanted, heard, count, count / total, count / said[wanted] if wanted else None)
        for (wanted, heard), count in wrong
    ]
    kinds = {
        "substitutions": [error for error in every if error.said and error.heard],
        "deletions": [error for error in every if not error.heard],
        "insertions": [error for error in every if not error.said],
    }
    return ItemErrors(
        **{name: errors[:most] for name, errors in kinds.items()},
        every=every[:most],
        totals={name: sum(error.count for error in errors) for name, errors in kinds.items()},
    )


def character_matrix(evaluation: Evaluation, most: int = MAX_CHARACTERS) -> ConfusionMatrix | None:
    """The matrix of the characters with the most errors; None for a head that spells nothing, or where none is wrong.

    Its last row and column, `NOTHING`, are insertions and deletions.
    """
    if "characters" not in evaluation.aligned:
        return None
    found = Counter(pair for pairs in evaluation.aligned["characters"] for pair in pairs)
    wrong, said = Counter[str](), Counter[str]()
    for (wanted, heard), count in found.items():
        said[wanted] += count
        if wanted != heard:
            wrong.update({character: count for character in (wanted, heard) if character})
    if not wrong:
        return None
    shown = [*sorted(character for character, _ in wrong.most_common(most)), ""]
    names = [{"": NOTHING, " ": "␣"}.get(character, character) for character in shown]
    counts = np.array([[found[wanted, heard] for heard in shown] for wanted in shown], dtype=np.int64)
    totals = np.array([said[wanted] for wanted in shown], dtype=np.int64)
    return ConfusionMatrix("characters", names, names, counts, totals, len(wrong) - len(shown) + 1)
