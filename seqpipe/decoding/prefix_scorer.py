"""What is added to a prefix's log-probability: by a language model, a lexicon, hot words, a bonus for words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.language_model import LanguageModel
from seqpipe.decoding.histories import histories_of
from seqpipe.decoding.hot_words import HotWords
from seqpipe.decoding.unit_trie import UnitTrie
from seqpipe.decoding.word_spacing import WordSpacing

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_UNIT = -2
"""A label behind which a language model is not asked to go on."""


class PrefixState(NamedTuple):
    """Of hypotheses, ``[n, W]`` each.

    Attributes:
        word: the node of the word that has begun in the trie; 0 between words, -1 of a word that isn't in it.
        history: the number of what the language model has seen.
        hot: the state of the hot words.
    """

    word: Numbers
    history: Numbers
    hot: Numbers

    def rows(self, chosen: slice | Numbers) -> PrefixState:
        """Those of these rows: a part, or their numbers."""
        return PrefixState(self.word[chosen], self.history[chosen], self.hot[chosen])


class Candidates(NamedTuple):
    """Hypotheses with a label more, ``[N]`` each.

    Attributes:
        source: which hypothesis, counted through all rows: of W in each the row's number times W, and its place.
        label: that it grows by.
        word, hot: what these become.
        spoken: the unit that the language model goes on by; -1 of an unknown one, `NO_UNIT` where it doesn't.
    """

    source: Numbers
    label: Numbers
    word: Numbers | None = None
    hot: Numbers | None = None
    spoken: Numbers | None = None

    def chosen(self, places: Numbers) -> Candidates:
        """These alone."""
        return Candidates._make(item[places] if item is not None else None for item in self)


@dataclass(frozen=True, eq=False)
class WordList:
    """Words as a search meets them.

    Attributes:
        trie: of their spellings; the words' numbers are those below.
        units: the language model's number of each word, -1 of those it doesn't know; None without a model over words.
        is_listed: whether each is one of the lexicon's.
        unlisted: what a word adds that isn't, in nats; minus infinity of a closed lexicon.
    """

    trie: UnitTrie
    units: Numbers | None
    is_listed: NDArray[np.bool_]
    unlisted: float = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether nothing but the lexicon's words may be written."""
        return math.isinf(self.unlisted)


@lru_cache(maxsize=8)
def allowed_labels(words: WordList, spacing: WordSpacing) -> NDArray[np.bool_] | None:
    """Whether a closed lexicon allows each label behind each node, ``[nodes · V]``; None of an open or a large one."""
    if not words.is_closed or not words.trie.is_table:
        return None
    nodes, size = len(words.trie.word), words.trie.size
    node, label = np.repeat(np.arange(nodes), size), np.tile(np.arange(size), nodes)
    begins, is_bare = spacing.begins[label], spacing.is_bare[label]
    behind = words.trie.step(np.where(begins, 0, node), label) >= 0
    whole = (words.trie.word >= 0) & np.append(words.is_listed, False)[words.trie.word]
    return np.where(begins, ((node == 0) & behind) | (whole[node] & (behind | is_bare)), behind)


@dataclass(frozen=True)
class PrefixScorer:
    """What is added to a prefix; by default nothing.

    Attributes:
        spacing: where words begin; needed with any of the others.
        words: those that may be written, or that the language model knows.
        model: a language model, over words if `units` is None.
        units: its number of each label, ``[V]``, if it is one over the head's units.
        lm_weight: of its log-probabilities.
        insertion_bonus: of each word in nats, or of each label where there are no words.
        hot: words that have a bonus.
        hot_lists: which of their lists each row has; the first if None.
    """

    spacing: WordSpacing | None = None
    words: WordList | None = None
    model: LanguageModel | None = None
    units: Numbers | None = None
    lm_weight: float = 0.0
    insertion_bonus: float = 0.0
    hot: HotWords | None = None
    hot_lists: Sequence[int] | None = None

    @property
    def is_neutral(self) -> bool:
        """Whether it adds nothing."""
        return self.words is None and self.model is None and self.hot is None and not self.insertion_bonus

    def begin(self, rows: Sequence[int], size: int) -> PrefixScores:
        """What these rows' hypotheses are asked about; labels are below ``size``."""
        return PrefixScores(self, rows, size)


class PrefixScores:
    """Scores of hypotheses of some rows as they grow.

    Args:
        scorer: what is added.
        rows: their places in the batch.
        size: V.

    Attributes:
        state: of a hypothesis without labels in each row, ``[n, 1]``.
        most: what each label multiplies a prefix's weight by at most, ``[V]``.
        is_neutral: whether nothing is added.
        max_gain: what a label, or the end, adds at most, in nats, at least 0.
        retired: states of rows that have come to their end, in the order in which `retire` was told of them.
    """

    def __init__(self, scorer: PrefixScorer, rows: Sequence[int], size: int) -> None:
        self._scorer = scorer
        none = np.zeros((len(rows), 1), np.int64)
        hot = none
        bonus, spacing = max(0.0, scorer.insertion_bonus), scorer.spacing
        self._by_words = spacing is not None and spacing.has_words
        most = np.zeros(size)
        if spacing is not None:
            most = spacing.begins * bonus if self._by_words else np.full(len(spacing.begins), bonus)
        if scorer.hot is not None:
            lists = scorer.hot_lists
            starts = [scorer.hot.starts[lists[row] if lists is not None else 0] for row in rows]
            hot = np.array(starts)[:, None]
            most = most + scorer.hot.most
        self.most = np.exp(most)
        self.max_gain = bonus + (max(scorer.hot.most, float(scorer.hot.final.max())) if scorer.hot is not None else 0.0)
        self._histories = histories_of(scorer.model) if scorer.model is not None else None
        history = none + self._histories.first if self._histories is not None else none
        self.state = PrefixState(none, history, hot)
        self.retired: list[PrefixState] = []
        self._has_words = scorer.words is not None or (self._by_words and bool(scorer.insertion_bonus))
        self.is_neutral = scorer.is_neutral
        # What the end of a word adds, by the node of its last label, from -1 on.
        words = scorer.words
        ending = np.full(2, scorer.insertion_bonus if self._by_words else 0.0)
        if words is not None:
            whole = np.concatenate([[-1], words.trie.word])
            listed = np.append(words.is_listed, False)[whole]
            ending = np.where(listed, 0.0, words.unlisted) + ending[:1]
        self._ending = ending
        self._allowed = allowed_labels(words, spacing) if words is not None and spacing is not None else None
        self._unit_behind: Numbers | None = None
        if words is not None and words.units is not None:
            self._unit_behind = np.append(words.units, -1)[np.concatenate([[-1], words.trie.word])]

    def allowed(self, state: PrefixState, given: Candidates) -> Numbers | None:
        """Places of the labels that a closed lexicon allows behind hypotheses; None where all are."""
        words = self._scorer.words
        if words is None or self._allowed is None:
            return None
        node = state.word.take(given.source)
        return np.flatnonzero(self._allowed.take(node * words.trie.size + given.label))

    def hot_gains(self, state: PrefixState) -> Floats | None:
        """What hot words add for each label behind each hypothesis, ``[n, W, V]``; None without any."""
        return self._scorer.hot.gain[state.hot] if self._scorer.hot is not None else None

    def extend(self, state: PrefixState, given: Candidates) -> tuple[Floats | None, Candidates]:
        """What labels add to hypotheses in nats, ``[N]`` (None: nothing), and what becomes of these."""
        if self.is_neutral:
            return None, given
        scorer, label = self._scorer, given.label
        gain = np.zeros(len(label))
        word = hot = spoken = None
        if self._has_words:
            gain, word, spoken = self._extend_words(state, given)
        if scorer.insertion_bonus and not self._by_words:
            gain = gain + scorer.insertion_bonus
        if self._histories is not None:
            history = state.history.take(given.source)
            if scorer.units is not None:
                spoken = scorer.units.take(label)
                gain = gain + scorer.lm_weight * self._histories.scores(history, spoken)
            elif spoken is not None:
                at = np.flatnonzero((spoken != NO_UNIT) & (gain > -math.inf))
                if len(at):
                    gain[at] += scorer.lm_weight * self._histories.scores_of(history[at], spoken[at])
        if scorer.hot is not None:
            before = state.hot.take(given.source)
            gain = gain + scorer.hot.gain[before, label]
            hot = scorer.hot.next[before, label]
        return gain, given._replace(word=word, hot=hot, spoken=spoken)

    def _extend_words(self, state: PrefixState, given: Candidates) -> tuple[Floats, Numbers, Numbers | None]:
        """What words add that end, the nodes of those that go on, and the units of those that have ended."""
        words, label = self._scorer.words, given.label
        node = state.word.take(given.source)
        spacing = self._scorer.spacing
        if spacing is None:
            raise ValueError("words need a spacing")
        begins, is_bare = spacing.begins.take(label), spacing.is_bare.take(label)
        ends = begins & (node != 0)
        gain = np.where(ends, self._ending.take(node + 1), 0.0)
        before = np.where(begins, 0, node)
        behind = words.trie.step(before, label) if words is not None else np.full_like(node, -1)
        between = is_bare & (behind < 0)
        behind = np.where(between, 0, behind)
        if words is not None and words.is_closed:
            gain = np.where((behind < 0) | (between & ~ends), -math.inf, gain)
        if self._unit_behind is None:
            return gain, behind, None
        return gain, behind, np.where(ends, self._unit_behind.take(node + 1), NO_UNIT)

    def select(
        self, state: PrefixState, source: Numbers, new: Numbers, which: Numbers, candidates: Candidates
    ) -> PrefixState:
        """The state of the hypotheses that go on.

        Args:
            state: before the step.
            source: each one in it, or what it has grown out of, as `Candidates` count them, ``[n, W']``.
            new: places of those that have grown, counted through all rows, ``[M]``.
            which: of the candidates these are, ``[M]``.
            candidates: as `extend` gave them.
        """
        if self.is_neutral:
            return PrefixState(*(np.broadcast_to(item[: len(source)], source.shape) for item in self.state))
        word, history, hot = (item.take(source) for item in state)
        if candidates.word is not None:
            word.put(new, candidates.word[which])
        if candidates.hot is not None:
            hot.put(new, candidates.hot[which])
        if self._histories is not None and candidates.spoken is not None:
            spoken = candidates.spoken[which]
            speaking = np.flatnonzero(spoken != NO_UNIT)
            if len(speaking):
                at = new[speaking]
                history.put(at, self._histories.advance(history.take(at), spoken[speaking]))
            if self._histories.is_full:
                used = self._histories.forget_others([history, *(item.history for item in self.retired)])
                history = used[0]
                self.retired = [
                    item._replace(history=numbers) for item, numbers in zip(self.retired, used[1:], strict=True)
                ]
        return PrefixState(word, history, hot)

    def retire(self, state: PrefixState) -> None:
        """Keep the state of rows that have come to their end."""
        self.retired.append(state)

    def finish(self, state: PrefixState) -> Floats:
        """What the end of the text adds to hypotheses, in nats, ``[n, W]``."""
        added = np.zeros(state.word.shape)
        if self.is_neutral:
            return added
        history = state.history
        if self._has_words:
            ends = state.word != 0
            added = np.where(ends, self._ending.take(state.word + 1), 0.0)
            if self._unit_behind is not None and self._histories is not None:
                own, units = history[ends], self._unit_behind.take(state.word[ends] + 1)
                added[ends] += self._scorer.lm_weight * self._histories.scores_of(own, units)
                history = history.copy()
                history[ends] = self._histories.advance(own, units)
        if self._histories is not None and self._scorer.model is not None:
            flat = history.ravel()
            end = np.full_like(flat, len(self._scorer.model.vocabulary))
            added = added + self._scorer.lm_weight * self._histories.scores_of(flat, end).reshape(history.shape)
        if self._scorer.hot is not None:
            added = added + self._scorer.hot.final[state.hot]
        return added
