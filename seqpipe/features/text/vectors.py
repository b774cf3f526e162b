"""Pre-trained word vectors out of the files that GloVe, fastText and word2vec write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from seqpipe.features.text.vector_files import open_vectors
from seqpipe.text.rules import TextRule, apply_rules


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary a file of vectors knows.

    Attributes:
        path: of the file.
        known: words of the vocabulary that have a vector.
        total: words of the vocabulary.
        share: of the training tokens, those that are known words, 0 to 1; None where tokens aren't counted.
        undecodable: words of the file that are no UTF-8, and so none of the vocabulary.
        found: rows of the table that were filled, ``[V]`` bool.
    """

    path: str
    known: int
    total: int
    share: float | None = None
    undecodable: int = 0
    found: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool), repr=False, compare=False)

    def __str__(self) -> str:
        tokens = "" if self.share is None else f" ({100 * self.share:.1f} % of the training tokens)"
        line = f"{self.path}: vectors for {self.known:,} of {self.total:,} words of the vocabulary{tokens}"
        if self.undecodable:
            line += f"; {self.undecodable:,} words of the file are no UTF-8, and were passed over"
        if not self.known:
            line += "; are they of this language, and spelt as Tokens.text makes the words?"
        return line


def read_vectors(
    path: Path,
    numbers: Mapping[str, int],
    table: Tensor,
    *,
    rules: Sequence[TextRule] = (),
    counts: Sequence[int] | None = None,
) -> Coverage:
    """Put the vectors of known words into a table; the file is gone through once, and never held in memory.

    A word of the file goes to the entry that is spelt like it. An entry without such a word gets the vector of the
    first one that is spelt like it after the rules: of a file with "The" and "the", a lower-case vocabulary takes
    "the" for its "the", and "Paris" for its "paris". Of words that a file has twice the first one counts.

    Only the vectors of known words are parsed; of other lines the fields are counted.

    Args:
        path: GloVe ``.txt``, fastText ``.vec``, word2vec text or ``.bin``, each also gzipped; told apart by content.
        numbers: rows of the table, by word.
        table: ``[V, D]``, filled in place; rows without a vector stay as they are.
        rules: that the entries have been through.
        counts: how often each row's word occurs in the training rows, ``[V]``; for `Coverage.share`.

    Returns:
        How many were found.

    Raises:
        DataError: the file isn't there, is none of these, is cut off, or has a vector of another size or with a value
            that is no finite number; the message names file and line (of a binary file, which vector).
    """
    exact, by_rules, undecodable = set[int](), set[int](), 0
    with torch.no_grad(), open_vectors(path, table.shape[1]) as source:
        for entry in source.entries():
            try:
                word = entry.word.decode()
            except UnicodeDecodeError:
                undecodable += 1
                continue
            number = numbers.get(word)
            if number is not None:
                if number in exact:
                    continue
                exact.add(number)
            elif rules:
                number = numbers.get(apply_rules(word, rules))
                if number is None or number in exact or number in by_rules:
                    continue
                by_rules.add(number)
            else:
                continue
            table[number] = torch.from_numpy(source.values(entry))
    found = torch.zeros(len(table), dtype=torch.bool)
    found[sorted(exact | by_rules)] = True
    share = None
    if counts is not None:
        occurrences = torch.tensor(counts, dtype=torch.float64)
        share = float(occurrences[found].sum() / occurrences.sum().clamp(min=1))
    return Coverage(str(path), int(found.sum()), len(numbers), share, undecodable, found)
