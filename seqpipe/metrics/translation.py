"""Scores of translations, by counts that rows have each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.metric import Pair, ScoreKind, per_cent
from seqpipe.metrics.alignment import align
from seqpipe.metrics.text import TextMetric


class TranslationMetric(TextMetric):
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015) as sacreBLEU has them, and the share of exact matches.

    Texts are compared as they are: BLEU splits both sides by its tokenisation 13a, with capitals (Post 2018).
    """

    main: str = "bleu"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        "bleu": ScoreKind("BLEU", "BLEU, 4-grams, 13a, cased", False, unit=""),
        "chrf": ScoreKind("chrF", "chrF2, 6-grams of characters", False, unit=""),
        "accuracy": ScoreKind("exact match", "texts like their reference", False, "correct_rows", "rows"),
        "wer": ScoreKind("WER", "word error rate", True, "word_errors", "words"),
    }
    BLEU_COUNTS, CHRF_COUNTS = 10, 18
    names: tuple[str, ...] = (
        "rows",
        "correct_rows",
        "words",
        "word_errors",
        *("hypothesis_words", "reference_words"),
        *(f"{which}_{order}grams" for which in ("right", "given") for order in range(1, 5)),
        *(f"{side}_{order}_characters" for order in range(1, 7) for side in ("hypothesis", "reference", "right")),
    )

    @cached_property
    def _metrics(self) -> tuple[Any, Any]:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        metrics = BLEU(), CHRF()
        for metric in metrics:  # their signatures need a number of references, which they learn by scoring
            metric.corpus_score(["a"], [["a"]])
        return metrics

    def describe(self) -> str:
        """The rules, and how sacreBLEU names what it counted."""
        named = zip(("BLEU", "chrF"), self._metrics, strict=True)
        return "; ".join([super().describe(), *(f"{name} {metric.get_signature()}" for name, metric in named)])

    def _count(self, references: Sequence[str], hypotheses: Sequence[str]) -> NDArray[np.int64]:
        """Of every row, ``[N, C]``."""
        if not references:
            return np.zeros((0, len(self.names)), dtype=np.int64)
        own = [
            (1, said == heard, sum(bool(word) for word, _ in row), sum(word != other for word, other in row))
            for said, heard, row in zip(references, hypotheses, align(references, hypotheses), strict=True)
        ]
        # What their corpus_score adds up over the rows; there is no public way to have it by row. A test holds both
        # against corpus_score.
        grams = [metric._extract_corpus_statistics(list(hypotheses), [list(references)]) for metric in self._metrics]
        return np.hstack([own, *grams]).astype(np.int64)

    def scores(self, total: NDArray[np.int64]) -> dict[str, float]:
        """Of a corpus, from the sum ``[C]`` of its rows' counts; 0 to 100 each."""
        bleu, chrf = self._metrics
        numbers = total.tolist()
        middle = 4 + self.BLEU_COUNTS
        return {
            "bleu": float(bleu._compute_score_from_stats(numbers[4:middle]).score),
            "chrf": float(chrf._compute_score_from_stats(numbers[middle:]).score),
            "accuracy": per_cent(numbers[1], numbers[0]),
            "wer": per_cent(numbers[3], numbers[2]),
        }

    def errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of wrong words of each row; ``[N, C]`` -> ``[N]``."""
        return counts[:, 3] / np.maximum(counts[:, 2], 1)

    def _aligned(self, references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, list[list[Pair]]]:
        """Words of every row beside those of its hypothesis."""
        return {"words": align(references, hypotheses)}
