"""An n-gram language model as arrays: what comes next in many texts at a time, with back-off."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.language_model import State
from seqpipe.errors import InputError
from seqpipe.language.arpa import BEGIN, END, UNKNOWN, ArpaReader, Block, Entries, open_arpa, write_arpa

MISSING_UNKNOWN = -100.0
"""log10 of the probability of what the vocabulary lacks, where a file has no ``<unk>``; KenLM's."""
_UNKNOWN_SIGNS = (UNKNOWN, "<UNK>")
_BLOCK = 2**15


class NGramModel:
    """The n-grams of an ARPA file; `seqpipe.core.language_model.LanguageModel`.

    Log-probabilities are KenLM's (0.3.0) for the same file: ``<unk>`` (or ``<UNK>``) stands for every unit that the
    vocabulary lacks, with log10 -100 where the file has none; a missing back-off weight is 1; where an n-gram's last
    words are no n-gram themselves, as some tools prune, what is left of them stands in; no unit is ever ``<s>``.

    Units have numbers in the order of the file's unigrams. N-grams are numbered in the order of their words, low orders
    first, so that the number of an n-gram's context and its last word make a key, and keys are sorted: looking one up
    is a binary search. A state is one array, int64 ``[N]``, the number of the longest context that may still matter.

    Args:
        vocabulary: the units.
        reader: a file that was opened; read to its end.

    Attributes:
        vocabulary: the units, in the order of their numbers.
        order: the highest n.
        counts: n-grams of each order, from 1 on; of the first, ``<unk>`` is one even if the file has none.

    Raises:
        InputError: what `ArpaReader.sections` says; an n-gram stands twice, has words that are no unigrams, or first
            words that are no n-gram; there is no ``<s>`` or ``</s>``. The message names file and line.

    Example:
        >>> model = NGramModel.load(Path("words.arpa"))                                # doctest: +SKIP
        >>> state = model.initial_state(1)                                             # doctest: +SKIP
        >>> model.scores_of(state, torch.tensor([model.vocabulary.index("hello")]))    # doctest: +SKIP
    """

    vocabulary: Sequence[str]

    def __init__(self, reader: ArpaReader) -> None:
        self.order = len(reader.counts)
        self._numbers: dict[str, int] = {}
        self._firsts = np.zeros(self.order + 1, np.int64)  # where the keys of each order begin, and where all end
        keys: list[np.ndarray] = []
        log_probs: list[np.ndarray] = []
        backoffs: list[np.ndarray] = []
        for order, blocks in enumerate(reader.sections(), 1):
            for each, values in zip((keys, log_probs, backoffs), self._section(reader, order, blocks), strict=True):
                each.append(values)
            self._keys = np.concatenate(keys)
            self._firsts[order] = len(self._keys)
        self._log_probs, self._backoffs = np.concatenate(log_probs), np.concatenate(backoffs)
        self.counts = np.diff(self._firsts).tolist()
        self._link()

    @classmethod
    def load(cls, path: Path) -> NGramModel:
        """The model of an ARPA file, packed or not; see the class for what is raised."""
        with open_arpa(path) as reader:
            return cls(reader)

    def save(self, path: Path) -> None:
        """Write as an ARPA file, from which the same model is loaded, to the bit; packed if it ends with ``.gz``."""
        write_arpa(path, self.counts, (self._entries(order) for order in range(1, self.order + 1)))

    # Loading

    def _resolved(self, reader: ArpaReader, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Keys, log-probabilities and back-offs of some n-grams, whose contexts have been read."""
        if block.order == 1:
            numbers = np.array([self._numbers.setdefault(word, len(self._numbers)) for word in block.words])
            return numbers, block.log_probs, block.backoffs
        get = self._numbers.get
        words = np.array([get(word, -1) for word in block.words]).reshape(-1, block.order)
        if (words < 0).any():
            place, column = (int(each[0]) for each in np.nonzero(words < 0))
            word = block.words[place * block.order + column]
            reader.refuse(f"{word!r} is no unigram, and these list the whole vocabulary", block.line + place)
        nodes = words[:, 0] + 1
        for column in range(1, block.order - 1):
            places, is_there = self._places(nodes, words[:, column])
            if not is_there.all():
                place = int(is_there.argmin())
                missing = " ".join(block.words[place * block.order : place * block.order + column + 1])
                reader.refuse(
                    f"an n-gram's first words should be an n-gram too, and there is no {column + 1}-gram {missing!r}",
                    block.line + place,
                )
            nodes = places + 1
        return nodes * self._size + words[:, -1], block.log_probs, block.backoffs

    def _section(
        self, reader: ArpaReader, order: int, blocks: Iterator[Block]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of one order, keys in order with their values."""
        line, parts = 0, [(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))]
        for block in blocks:
            line = line or block.line
            parts.append(self._resolved(reader, block))
        keys, log_probs, backoffs = (np.concatenate(each) for each in zip(*parts, strict=True))
        order_of_keys = np.argsort(keys, kind="stable")
        keys = keys[order_of_keys]
        if (twice := np.flatnonzero(keys[1:] == keys[:-1])).size:
            first, second = (line + int(order_of_keys[place]) for place in (twice[0], twice[0] + 1))
            reader.refuse(f"the {order}-gram stands in line {first} already", second)
        log_probs, backoffs = log_probs[order_of_keys], backoffs[order_of_keys]
        return self._renumbered(reader, log_probs, backoffs) if order == 1 else (keys, log_probs, backoffs)

    def _renumbered(
        self, reader: ArpaReader, log_probs: np.ndarray, backoffs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unigrams with the vocabulary first, and then the end, the beginning and the unknown."""
        for sign in (BEGIN, END):
            if sign not in self._numbers:
                raise InputError(
                    "undecodable",
                    f"{reader.path}: has no unigram {sign}, which every text needs; estimate it anew, from whole texts",
                )
        unknown = next((sign for sign in _UNKNOWN_SIGNS if sign in self._numbers), None)
        if unknown is None:
            log_probs, backoffs = np.append(log_probs, MISSING_UNKNOWN), np.append(backoffs, 0.0)
            self._numbers[UNKNOWN] = len(self._numbers)
        special = [END, BEGIN, unknown or UNKNOWN]
        self.vocabulary = [word for word in self._numbers if word not in special]
        old = np.array([self._numbers[word] for word in (*self.vocabulary, *special)])
        self._numbers = {word: number for number, word in enumerate((*self.vocabulary, *special))}
        self._end, self._begin, self._unknown = (self._numbers[sign] for sign in special)
        self._size = len(old)
        return np.arange(self._size), log_probs[old].astype(np.float32), backoffs[old].astype(np.float32)

    def _link(self) -> None:
        """Of each n-gram the longest shorter ending (`_parents`), and the context that follows it (`_following`)."""
        contexts = int(self._firsts[-2]) + 1  # the empty one, then all n-grams but the highest order's
        self._backoffs = np.concatenate([[0.0], self._backoffs[: contexts - 1]])
        self._children = np.searchsorted(self._keys, np.arange(1, contexts + 1) * self._size)
        self._children = np.concatenate([[0], self._children])  # of context c: from c to c + 1
        self._parents = np.zeros(contexts, np.int64)
        matters = np.zeros(contexts, np.int64)  # the longest ending of a context on which anything may depend
        following = np.zeros(len(self._keys), np.int64)
        for order in range(1, self.order + 1):
            first, stop = self._firsts[order - 1], self._firsts[order]
            parents = np.zeros(stop - first, np.int64)
            if order > 1:
                before, word = np.divmod(self._keys[first:stop], self._size)
                parents = self._longest(self._parents[before], word)[0] + 1
            if order == self.order:
                following[first:stop] = matters[parents]
                break
            own = np.arange(first, stop) + 1
            self._parents[own] = parents
            is_needed = (self._children[own + 1] > self._children[own]) | (self._backoffs[own] != 0)
            matters[own] = np.where(is_needed, own, matters[parents])
            following[first:stop] = matters[own]
        self._following = following
        # Contexts that don't matter are passed over on the way down, too: their weight is 1, and nothing follows them.
        self._parents = matters[self._parents]

    # Looking up

    def _places(self, contexts: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where n-grams stand, each a context and a word, and whether they do."""
        keys = contexts * self._size + words
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return places, self._keys[places] == keys

    def _longest(self, contexts: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each word the longest n-gram with an ending of its context, and the weights of backing off to it."""
        found, weights = words.copy(), np.zeros(len(words))
        pending = np.flatnonzero(contexts)
        contexts, words = contexts[pending], words[pending]
        while len(pending):
            places, is_there = self._places(contexts, words)
            found[pending[is_there]] = places[is_there]
            is_missing = ~is_there
            pending, contexts, words = pending[is_missing], contexts[is_missing], words[is_missing]
            weights[pending] += self._backoffs[contexts]
            contexts = self._parents[contexts]
            is_left = contexts > 0
            pending, contexts, words = pending[is_left], contexts[is_left], words[is_left]
        return found, weights

    def _words(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(units < 0, self._unknown, units)

    def initial_state(self, count: int) -> State:
        """The state before the first unit of ``count`` texts."""
        return (np.full(count, self._following[self._begin]),)

    def scores_of(self, state: State, units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of one unit, or the end (the number behind the last), for each text, in nats, ``[N]``; -1 is any other."""
        places, weights = self._longest(state[0], self._words(units))
        return _nats(self._log_probs[places] + weights)

    def advance(self, state: State, units: NDArray[np.int64]) -> State:
        """The states behind those units, int64 ``[N]``."""
        places, _ = self._longest(state[0], self._words(units))
        return (self._following[places],)

    def scores(self, state: State) -> NDArray[np.float32]:
        """Of every unit and of the end, in nats, ``[N, V + 1]``; the same bits as `scores_of` gives."""
        contexts, rows = np.unique(state[0], return_inverse=True)
        chains, weights = [contexts], [np.zeros(len(contexts))]
        while chains[-1].any():
            weights.append(weights[-1] + self._backoffs[chains[-1]])
            chains.append(self._parents[chains[-1]])
        # From the shortest contexts upwards, so that longer n-grams replace shorter ones.
        size = len(self.vocabulary) + 1
        found = np.empty((len(contexts), size))
        for chain, weight in zip(reversed(chains), reversed(weights), strict=True):
            is_empty = chain == 0
            found[is_empty] = self._log_probs[:size] + weight[is_empty, None]
            first, stop = self._children[chain], self._children[chain + 1]
            first[is_empty] = stop[is_empty]
            counts = stop - first
            row = np.repeat(np.arange(len(chain)), counts)
            places = np.arange(len(row)) + np.repeat(first - np.cumsum(counts) + counts, counts)
            words = self._keys[places] - chain[row] * self._size
            is_unit = words < size
            row, places, words = row[is_unit], places[is_unit], words[is_unit]
            found[row, words] = self._log_probs[places] + weight[row]
        return _nats(found)[rows]

    # Writing

    def _entries(self, order: int) -> Entries:
        words = np.array(list(self._numbers), object)
        for first in range(int(self._firsts[order - 1]), int(self._firsts[order]), _BLOCK):
            places = np.arange(first, min(first + _BLOCK, int(self._firsts[order])))
            backoffs = self._backoffs[places + 1] if order < self.order else np.zeros(len(places))
            columns, nodes = [], places
            for _ in range(order):
                before, word = np.divmod(self._keys[nodes], self._size)
                columns.append(word)
                nodes = before - 1
            ngrams = [" ".join(row) for row in words[np.stack(columns[::-1], axis=1)].tolist()]
            yield ngrams, self._log_probs[places], backoffs


def _nats(log10: np.ndarray) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (log10 * math.log(10)).astype(np.float32)
    return found
