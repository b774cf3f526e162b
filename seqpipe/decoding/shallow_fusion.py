"""What a search by beam goes by beside the model: a language model, a bonus for words, a lexicon, hot words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words that may be written.

    Attributes:
        file: of words, and of spellings where wanted.
        is_open: whether other words may be written too.
        oov_penalty: nats that each of these costs.
    """

    file: str
    is_open: bool
    oov_penalty: float


@dataclass(frozen=True, slots=True)
class ShallowFusion:
    """What is added to hypotheses' log-probabilities (Gulcehre et al. 2015); by default nothing.

    Attributes:
        lm: name of a language model, over the head's units or over words.
        lm_weight: of its log-probabilities.
        insertion_bonus: nats for each word, or for each unit where units have no spaces.
        lexicon: the words that may be written, where not all may.
        hot_words: words and phrases that are expected: a list, or a file with one a line.
        hot_word_weight: nats for each character of a hot word.
        hot_words_column: of a row's source, with its own hot words.
    """

    lm: str | None = None
    lm_weight: float = 0.3
    insertion_bonus: float = 0.0
    lexicon: Lexicon | None = None
    hot_words: Sequence[str] | str | None = None
    hot_word_weight: float = 1.0
    hot_words_column: str | None = None

    @property
    def built_from(self) -> str:
        """All for which something is read or built; where it is equal, what one search was given serves another."""
        hot = self.hot_words, self.hot_word_weight, self.hot_words_column is not None
        return repr((self.lm, self.lexicon, hot, bool(self.insertion_bonus)))
