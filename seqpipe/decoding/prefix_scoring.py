"""What a search over a head's labels is given: a language model over units or words, a lexicon, hot words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.files import expand_home
from seqpipe.core.language_model import LanguageModel
from seqpipe.decoding.hot_words import HotWords
from seqpipe.decoding.prefix_scorer import PrefixScorer, WordList
from seqpipe.decoding.shallow_fusion import Lexicon, ShallowFusion
from seqpipe.decoding.unit_trie import UnitTrie
from seqpipe.decoding.word_spacing import WordSpacing, pieces_of
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.text.lexicon import Entry, phrases_of_cell, read_lexicon, read_phrases
from seqpipe.text.units import SPACE, Units

LEAST_SHARE = 0.1
"""Of a language model's words that must be spellable: one of other units, or of other letters, spells next to none."""
MAX_LACKING = 0.25
"""Share of the units that a language model over them may lack."""
SPECIAL = ("<unk>",)
"""Units that no text is written in."""


class Scoring:
    """A head's labels as searches, language models and lexicons see them: labels 1 to V - 1 are units 0 to V - 2.

    Args:
        units: of the head.
        written: a text as it is spelt, after the recipe's rules and in the order of the labels.
        rules: the text after the recipe's rules.
        read_model: the language model of a name.
        in_reading_order: whether labels come in the order in which a text is read, as language models score it.
    """

    def __init__(
        self,
        units: Units,
        written: Callable[[str], str],
        rules: Callable[[str], str],
        read_model: Callable[[str], LanguageModel],
        *,
        in_reading_order: bool = True,
    ) -> None:
        self.units, self.written, self.rules, self.in_reading_order = units, written, rules, in_reading_order
        self._read_model = read_model
        self.pieces = pieces_of(units)
        self._special = {number for number in range(len(units)) if units.piece(number) in SPECIAL}
        self._built: dict[str, PrefixScorer] = {}

    def scorer(self, options: ShallowFusion, columns: Sequence[Mapping[str, Any]] = ()) -> PrefixScorer:
        """What is added to prefixes by these options; what they name is read once.

        Args:
            options: of the search.
            columns: what the rows' sources say about them, their own hot words among it; none where nobody says. What
                can't be spelt of these is passed over.

        Raises:
            ConfigError: a file is missing, a language model is over other units, a hot word is empty or can't be spelt.
            DataError: a lexicon can't be read, or a word of it not be spelt.
        """
        key = options.built_from
        if (found := self._built.get(key)) is None:
            found = self._built[key] = self._build(options)
        weight = options.lm_weight if found.model is not None else 0.0
        found = replace(found, lm_weight=weight, insertion_bonus=options.insertion_bonus)
        if options.hot_words_column is None or not columns:
            return found
        return self._with_rows(found, options, [phrases_of_cell(row.get(options.hot_words_column)) for row in columns])

    def _build(self, options: ShallowFusion) -> PrefixScorer:
        if options.lm is not None and not self.in_reading_order:
            message = "scores texts as they are read, and with base_direction they are written in display order"
            raise ConfigError(message).within("decoding", "lm")
        model = self._read_model(options.lm) if options.lm is not None else None
        lexicon = options.lexicon
        needs_words = bool(model is not None or lexicon or options.insertion_bonus or options.hot_words)
        if not needs_words and options.hot_words_column is None:
            return PrefixScorer()
        spacing = WordSpacing(self.pieces)
        entries = read_lexicon(expand_home(lexicon.file)) if lexicon is not None else []
        listed = [(entry.word, self._spelling(entry)) for entry in entries]
        units = unit_numbers(self.pieces, model, spacing, options.lm or "") if model is not None else None
        known: list[tuple[str, list[int]]] = []
        if model is not None and units is None and (lexicon is None or lexicon.is_open):
            known = self._spelt(model, options.lm or "")
        words = self._words(listed, known, model if units is None else None, lexicon) if listed or known else None
        scorer = PrefixScorer(spacing, words, model, units)
        phrases = self._phrases(options)
        return replace(scorer, hot=self._hot(spacing, [phrases], options)) if phrases else scorer

    def _with_rows(self, scorer: PrefixScorer, options: ShallowFusion, rows: Sequence[Sequence[str]]) -> PrefixScorer:
        """The scorer for rows with these hot words beside the options' own; what can't be spelt is left out."""
        spacing = scorer.spacing
        if spacing is None or not any(rows):
            return scorer
        common = self._phrases(options)
        lists: dict[tuple[str, ...], int] = {}
        places = [lists.setdefault(tuple(row), len(lists)) for row in rows]
        spelt = [[*common, *(found for phrase in row if (found := self._tried(phrase)))] for row in lists]
        return replace(scorer, hot=self._hot(spacing, spelt, options), hot_lists=places)

    def _hot(self, spacing: WordSpacing, lists: Sequence[Sequence[list[int]]], options: ShallowFusion) -> HotWords:
        """Hot words of several lists."""
        sizes = [0.0, *(float(len(piece.replace(" ", ""))) for piece in self.pieces)]
        return HotWords(lists, sizes, spacing, options.hot_word_weight)

    def spell(self, text: str) -> list[int]:
        """The labels of a text; raises `InputError` where it can't be spelt."""
        return self._labels(self.written(text))

    def _labels(self, text: str) -> list[int]:
        numbers = self.units.encode(text)
        if self._special.intersection(numbers):
            raise InputError("unknown unit", f"{text!r} holds what the model's units lack")
        return [number + 1 for number in numbers]

    def _tried(self, phrase: str) -> list[int]:
        try:
            return self.spell(phrase)
        except InputError:
            return []

    def _phrases(self, options: ShallowFusion) -> list[list[int]]:
        if options.hot_words is None:
            return []
        found = []
        try:
            for phrase, where in read_phrases(options.hot_words):
                try:
                    labels = self.spell(phrase)
                except InputError as error:
                    raise ConfigError(f"{where}: can't be spelt: {error}") from None
                if not labels:
                    raise ConfigError(f"{where}: nothing is left of {phrase!r} after the recipe's rules for texts")
                found.append(labels)
        except ConfigError as error:
            raise error.within("decoding", "hot_words") from None
        return found

    def _spelling(self, entry: Entry) -> list[int]:
        if entry.spelling is None:
            try:
                labels = self.spell(entry.word)
            except InputError as error:
                raise DataError(
                    f"{entry.where}: can't be spelt: {error}; write its units behind a tab, or leave it out"
                ) from None
            if not labels:
                raise DataError(f"{entry.where}: nothing is left of {entry.word!r} after the recipe's rules for texts")
            return labels
        numbers = [self.units.number(unit.replace(SPACE, " ")) for unit in entry.spelling]
        if None in numbers:
            lacking = entry.spelling[numbers.index(None)]
            raise DataError(f"{entry.where}: {entry.word!r} can't be spelt: the model has no unit {lacking!r}")
        return [number + 1 for number in numbers if number is not None]

    def _spelt(self, model: LanguageModel, name: str) -> list[tuple[str, list[int]]]:
        """Those words of a language model that can be spelt."""
        found = []
        for word in model.vocabulary:
            try:
                labels = self._labels(word)
            except InputError:
                continue
            if labels:
                found.append((word, labels))
        if len(found) < LEAST_SHARE * len(model.vocabulary) or not found:
            raise other_units(name, f"{len(found):,} of its {len(model.vocabulary):,} words can be spelt in them")
        return found

    def _words(
        self,
        listed: Sequence[tuple[str, list[int]]],
        known: Sequence[tuple[str, list[int]]],
        model: LanguageModel | None,
        lexicon: Lexicon | None,
    ) -> WordList:
        """Words of the lexicon, and those that the language model knows besides."""
        words = [*listed, *known]
        spellings = [spelling for _, spelling in words]
        trie = UnitTrie(spellings, range(len(words)), len(self.units) + 1)
        units: NDArray[np.int64] | None = None
        if model is not None:
            numbers = {word: number for number, word in enumerate(model.vocabulary)}
            units = np.array([_number(word, numbers, self.rules) for word, _ in words])
        is_listed = np.arange(len(words)) < (len(listed) or len(words))
        penalty = 0.0 if lexicon is None else -lexicon.oov_penalty if lexicon.is_open else -math.inf
        return WordList(trie, units, is_listed, penalty)


def _number(word: str, numbers: Mapping[str, int], rules: Callable[[str], str]) -> int:
    found = numbers.get(word)
    return numbers.get(rules(word), -1) if found is None else found


def unit_numbers(
    pieces: Sequence[str], model: LanguageModel, spacing: WordSpacing, name: str
) -> NDArray[np.int64] | None:
    """A language model's numbers of labels, ``[V]``; -1 of what no text is written in. None if it is one over words.

    Some units of several characters it may lack, since it has met no text that is spelt in them: BPE has units that are
    no more than steps towards longer ones. They aren't written then, but spelt in shorter ones.

    Raises:
        ConfigError: it is over other units.
    """
    numbers = {unit: number for number, unit in enumerate(model.vocabulary)}
    found = [numbers.get(piece.replace(" ", SPACE), -1) for piece in pieces]
    lacking = [piece for piece, number in zip(pieces, found, strict=True) if number < 0 and piece not in SPECIAL]
    if len(lacking) <= MAX_LACKING * len(pieces) and all(len(piece) > 1 for piece in lacking):
        return np.array([-1, *found])
    if not spacing.has_words or any(SPACE in unit for unit in model.vocabulary):
        more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
        raise other_units(name, f"it lacks {', '.join(map(repr, lacking[:5]))}{more}")
    return None


def other_units(name: str, what: str) -> ConfigError:
    """A language model that can't score what a head writes."""
    message = f"{name}: is over other units than the model writes: {what}; train one over the same units, or over words"
    return ConfigError(message).within("decoding", "lm")
