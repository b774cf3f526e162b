"""How well a language model predicts texts, by sums that rows have each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.scored_text import ScoredText
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind, per_cent

SHOWN = 500
"""Characters of a text."""


class LanguageModelMetric(BaseMetric):
    """Bits per character, perplexity, and how often the likeliest unit is the right one.

    The end of each text is a unit like any other. Bits per character compare models of any units: an unknown unit
    costs what it takes to spell it out, so that none gains by knowing few words. Perplexity is the usual one, of the
    units as they are, in which all unknown ones are a single one; it says little without their share.
    """

    main: ClassVar[str] = "bits_per_character"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        "bits_per_character": ScoreKind("bits/char", "bits per character, unknown units spelt out", True, unit=""),
        "nats_per_character": ScoreKind("nats/char", "nats per character, unknown units spelt out", True, unit=""),
        "perplexity": ScoreKind("perplexity", "perplexity of a unit, all unknown ones taken as one", True, unit=""),
        "accuracy": ScoreKind("accuracy", "units that are the likeliest ones", False, "right_units", "units"),
        "unknown": ScoreKind("unknown", "units that the vocabulary lacks", True),
    }
    names: tuple[str, ...] = (
        *("rows", "units", "right_units", "unknown_units", "characters"),
        *("unit_nats", "spelling_nats"),
    )

    def count(
        self, targets: Sequence[Any], answers: Sequence[ScoredText], inputs: Sequence[Any] = ()
    ) -> NDArray[np.float64]:
        """Of every row, ``[N, C]``; targets are what was scored, so the answers say it all."""
        rows = [
            (1, item.units, item.right_units, item.unknown, item.characters, -item.log_probability, -item.spelling)
            for item in answers
        ]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.names))

    def scores(self, total: NDArray[np.float64]) -> dict[str, float]:
        """Of a corpus, from the sum ``[C]`` of its rows' counts; ``accuracy`` and ``unknown`` in per cent."""
        _, units, right, unknown, characters, nats, spelling = total.tolist()
        each = (nats + spelling) / characters if characters else 0.0
        return {
            "bits_per_character": each / math.log(2),
            "nats_per_character": each,
            "perplexity": math.exp(min(nats / units, 700.0)) if units else 1.0,
            "accuracy": per_cent(right, units),
            "unknown": per_cent(unknown, units),
        }

    def errors(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bits per character of each row, ``[N, C]`` -> ``[N]``."""
        nats = counts[:, self.names.index("unit_nats")] + counts[:, self.names.index("spelling_nats")]
        return nats / np.maximum(counts[:, self.names.index("characters")], 1) / math.log(2)

    def comparable(self, targets: Sequence[Any], answers: Sequence[ScoredText]) -> tuple[list[str], list[str]]:
        """The texts' beginnings, and the perplexity of each text."""
        return [_beginning(target) for target in targets], [f"perplexity {item.perplexity:.4g}" for item in answers]

    def aligned(self, targets: Sequence[Any], answers: Sequence[ScoredText]) -> dict[str, list[list[Pair]]]:
        """Each text's beginning beside itself: there is nothing in it to be right or wrong."""
        return {"texts": [[(text, text)] for text in map(_beginning, targets)]}

    def describe(self) -> str:
        """What is counted."""
        return "every unit given those before it in its row, and the row's end"


def _beginning(target: Any) -> str:
    text = " ".join(map(str, target)) if isinstance(target, (list, tuple)) else str(target)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
