"""Words as units of a text that is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from seqpipe.text.splitting import words_of
from seqpipe.text.vocabulary import UNKNOWN, Vocabulary


class WordUnits:
    """Words between white space (`words_of`), by number; 0 is the unknown one, which is written so: ``<unk>``.

    Args:
        vocabulary: the words.
    """

    FILE = "words.json"
    separator = " "
    MARK = "<unk>"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, texts: Iterable[str], size: int | None) -> WordUnits:
        """The most frequent words, at most ``size`` of them.

        Raises:
            DataError: there are none.
        """
        return cls(Vocabulary.learn(map(words_of, texts), most=size))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Numbers of the words, that of the unknown one included."""
        return self.vocabulary.numbers(words_of(text))

    def decode(self, numbers: Sequence[int]) -> str:
        """The words with a space between two."""
        return " ".join(self.piece(number) for number in numbers)

    def piece(self, number: int) -> str:
        """The word."""
        return self.MARK if number == UNKNOWN else self.vocabulary.entries[number - 1]

    def number(self, piece: str) -> int | None:
        """The number of a word; None if it isn't known."""
        return self.vocabulary.number(piece) or None

    def save(self, folder: Path) -> None:
        """Write ``words.json``."""
        self.vocabulary.save(folder / self.FILE)

    @classmethod
    def load(cls, folder: Path) -> WordUnits:
        """What `save` wrote."""
        return cls(Vocabulary.load(folder / cls.FILE))
