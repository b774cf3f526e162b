"""What heads that write texts have in common: units, and scores of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from seqpipe.core.metric import Pair, ScoreKind
from seqpipe.errors import ConfigError
from seqpipe.metrics.text import TextScores, TranscriptScores, TranslationScores
from seqpipe.text.rules import TextRule, apply_rules, describe_rules
from seqpipe.text.units import Units


class Answer(Protocol):
    """What such a head predicts."""

    @property
    def text(self) -> str:
        """What was written."""
        ...


class TextHead:
    """Mixed into a stage whose answers are texts, and are compared with texts.

    Attributes:
        rules: applied to both sides before scoring.
    """

    rules: list[TextRule]
    _scores: TextScores = TranscriptScores()
    _units: Units | None = None

    @property
    def units(self) -> Units:
        """What texts are written in.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        if self._units is None:
            raise ConfigError(f"{type(self).__name__} has no units yet: call fit(texts) or load_assets(folder) first")
        return self._units

    @property
    def main_score(self) -> str:
        """``bleu`` of translations, ``wer`` of transcriptions."""
        return self._scores.main

    @property
    def score_kinds(self) -> dict[str, ScoreKind]:
        """How the scores read."""
        return self._scores.kinds

    @property
    def count_names(self) -> tuple[str, ...]:
        """Of the columns of `row_counts`."""
        return self._scores.names

    def score(self, references: Sequence[str], predictions: Sequence[Answer]) -> dict[str, float]:
        """Scores of a corpus, in per cent, after the text rules on both sides."""
        return self.scores_from_counts(self.row_counts(references, predictions).sum(axis=0))

    def row_counts(self, targets: Sequence[str], predictions: Sequence[Answer]) -> NDArray[Any]:
        """Counts of every row, ``[N, C]``, in the order of `count_names`."""
        return self._scores.counts(*self.comparable(targets, predictions))

    def scores_from_counts(self, total: NDArray[Any]) -> dict[str, float]:
        """Scores of a corpus, in per cent, from the sum ``[C]`` of its rows' counts."""
        return self._scores.scores(total)

    def row_errors(self, counts: NDArray[Any]) -> NDArray[Any]:
        """How wrong each row is, ``[N, C]`` -> ``[N]``."""
        return self._scores.row_errors(counts)

    def aligned(self, targets: Sequence[str], predictions: Sequence[Answer]) -> dict[str, list[list[Pair]]]:
        """Words and characters of every row beside those of its answer."""
        return self._scores.aligned(*self.comparable(targets, predictions))

    def comparable(self, references: Sequence[str], predictions: Sequence[Answer]) -> tuple[list[str], list[str]]:
        """References and answers as they are compared."""
        return (
            [apply_rules(text, self.rules) for text in references],
            [apply_rules(prediction.text, self.rules) for prediction in predictions],
        )

    @property
    def scoring(self) -> str:
        """How text is normalised before scoring, in words, with sacreBLEU's signatures."""
        said = describe_rules(self.rules)
        if isinstance(self._scores, TranslationScores):
            return "; ".join([said, *self._scores.signatures()])
        return said
