"""The words (or characters) that a model knows, by number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqpipe.core.assets import read_json
from seqpipe.errors import DataError, RunError

UNKNOWN = 0
"""The number of whatever is not in a vocabulary."""


@dataclass
class _Content:
    entries: list[str]
    counts: list[int]
    unknown: int = 0


class Vocabulary:
    """Entries with numbers from 1 on, the most frequent first; 0 is the unknown one.

    Args:
        entries: without repeats.
        counts: how often each was met in the training rows.
        unknown: how often others were.

    Example:
        >>> words = Vocabulary.learn([["the", "cat", "the"], ["the", "dog"]], min_count=2)
        >>> len(words), words.number("the"), words.number("dog")
        (2, 1, 0)
    """

    FILE, OF_CHARACTERS = "vocabulary.json", "characters.json"

    def __init__(self, entries: Sequence[str], counts: Sequence[int], unknown: int = 0) -> None:
        self.entries, self.counts, self.unknown = list(entries), list(counts), unknown
        self._numbers = {entry: number for number, entry in enumerate(self.entries, UNKNOWN + 1)}

    @classmethod
    def learn(cls, texts: Iterable[Iterable[str]], *, min_count: int = 1, most: int | None = None) -> Vocabulary:
        """Count the entries of texts.

        Args:
            texts: each as its words or characters.
            min_count: rarer ones stay unknown.
            most: the size, by count; among equals those that come first in the alphabet.

        Raises:
            DataError: none is left.
        """
        found: Counter[str] = Counter()
        for text in texts:
            found.update(text)
        often = ((entry, count) for entry, count in found.items() if count >= min_count)
        kept = sorted(often, key=lambda item: (-item[1], item[0]))[:most]
        if not kept:
            raise DataError(
                f"the vocabulary is empty: of {len(found)} different entries in the training rows none occurs "
                f"{min_count} times (min_count)"
            )
        counts = [count for _, count in kept]
        return cls([entry for entry, _ in kept], counts, found.total() - sum(counts))

    def __len__(self) -> int:
        """Numbers in use, that of the unknown included."""
        return len(self.entries) + 1

    def number(self, entry: str) -> int:
        """The number of an entry, 0 for an unknown one."""
        return self._numbers.get(entry, UNKNOWN)

    def numbers(self, entries: Iterable[str]) -> list[int]:
        """The numbers of entries."""
        get = self._numbers.get
        return [get(entry, UNKNOWN) for entry in entries]

    def save(self, path: Path) -> None:
        """Write a JSON file: entries and counts."""
        content = {"entries": self.entries, "counts": self.counts, "unknown": self.unknown}
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """What `save` wrote; raises `RunError` if the file is damaged."""
        content: _Content = read_json(path, _Content)
        entries, counts = content.entries, content.counts
        if len(set(entries)) < len(entries) or len(counts) != len(entries) or min([content.unknown, *counts]) < 0:
            raise RunError(f"{path}: is damaged: an entry stands there twice, or without a count; restore it")
        return cls(entries, counts, content.unknown)
