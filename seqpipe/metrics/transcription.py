"""Word and character error rates of transcripts, by counts that rows have each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.transcript import Transcript
from seqpipe.core.metric import Pair, ScoreKind, per_cent
from seqpipe.metrics.alignment import align
from seqpipe.metrics.text import TextMetric


class TranscriptionMetric(TextMetric):
    """Word and character error rates, and the share of rows without any error."""

    main: str = "wer"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        "wer": ScoreKind("WER", "word error rate", True, "word_errors", "words"),
        "cer": ScoreKind("CER", "character error rate", True, "character_errors", "characters"),
        "accuracy": ScoreKind("accuracy", "transcripts without any error", False, "correct_rows", "rows"),
    }
    names: tuple[str, ...] = (
        "rows",
        "correct_rows",
        "words",
        "word_errors",
        "characters",
        "character_errors",
    )

    def _count(self, references: Sequence[str], hypotheses: Sequence[str]) -> NDArray[np.int64]:
        """Items and edits of every row, ``[N, 6]``."""
        levels = self._aligned(references, hypotheses)
        counts = np.zeros((len(references), len(self.names)), dtype=np.int64)
        for index, (words, characters) in enumerate(zip(levels["words"], levels["characters"], strict=True)):
            sizes = [
                count
                for pairs in (words, characters)
                for count in (sum(bool(said) for said, _ in pairs), sum(said != heard for said, heard in pairs))
            ]
            counts[index] = [1, sizes[-1] == 0, *sizes]
        return counts

    def right_parts(self, targets: Sequence[Any], answers: Sequence[Any]) -> list[dict[str, list[bool]]]:
        """Words, and tokens of transcripts, that stand for the same in the reference, with the fewest edits of all.

        Of an answer that the rules change, parts may be others than were compared; those of such a row can't be told.
        """
        references, hypotheses = self.comparable(targets, answers)
        levels = self._aligned(references, hypotheses)
        return [
            _right_parts(answer, words, characters) if isinstance(answer, Transcript) else {}
            for answer, words, characters in zip(answers, levels["words"], levels["characters"], strict=True)
        ]

    def scores(self, total: NDArray[np.int64]) -> dict[str, float]:
        """In per cent, from the sum ``[6]`` of rows' counts."""
        count = dict(zip(self.names, total.tolist(), strict=True))
        return {
            name: per_cent(count[kind.part], count[kind.whole])
            for name, kind in self.kinds.items()
            if kind.part and kind.whole
        }

    def errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Wrong words of each row, and a fraction for wrong characters among equals; ``[N, 6]`` -> ``[N]``."""
        words, characters = (
            counts[:, self.names.index(name)].astype(np.float64) for name in ("word_errors", "character_errors")
        )
        return words + characters / (characters + 1)

    def _aligned(self, references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, list[list[Pair]]]:
        """Words and characters of every row beside those of its hypothesis."""
        return {"words": align(references, hypotheses), "characters": align(references, hypotheses, characters=True)}


def _right_parts(answer: Transcript, words: Sequence[Pair], characters: Sequence[Pair]) -> dict[str, list[bool]]:
    """Of one transcript, beside the words and characters of its reference."""
    found = {}
    heard = [(heard, said == heard) for said, heard in words if heard]
    if [text for text, _ in heard] == [word.text for word in answer.words]:
        found["words"] = [right for _, right in heard]
    heard = [(heard, said == heard) for said, heard in characters if heard]
    spelt = "".join(token.text for token in answer.tokens)
    # What parts words in units is no character at either end of the text.
    before, behind = len(spelt) - len(spelt.lstrip()), len(spelt) - len(spelt.rstrip())
    if "".join(text for text, _ in heard) == spelt.strip():
        right = [True] * before + [right for _, right in heard] + [True] * behind
        ends = list(accumulate(len(token.text) for token in answer.tokens))
        found["tokens"] = [all(right[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    return found
