"""Text in: numbers of its words, characters or subword units."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Reader
from seqpipe.core.input import Segment
from seqpipe.core.item import Item
from seqpipe.core.measure import TOKENS
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Source
from seqpipe.errors import ConfigError, InputError
from seqpipe.features.text.word_pooling import WordPooling, pool_words
from seqpipe.text.normalized_text import NormalizedText, normalize
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.segmentation import share_out_text
from seqpipe.text.splitting import Split, checked_text, joined, split_words
from seqpipe.text.subword_sampling import SampledSpelling, check_sampling, sampled_spelling
from seqpipe.text.units import SentencePieceUnits
from seqpipe.text.validity import unfit
from seqpipe.text.vocabulary import UNKNOWN, Vocabulary

NO_CHARACTER = 0
"""Stands behind the last character of a word; unknown characters are 1, known ones begin with 2."""
MAX_WORDS_MET = 50_000
"""That are kept with their numbers, so as not to look each up again: some 15 MB."""
MORE_UNITS = 4
"""That a part of a text may have alone, and hadn't within the whole."""


class Tokens(Reader):
    """A text as words, characters or SentencePiece units, by number; what they are is learnt from the training rows.

    Number 0 is the unknown one. A text is a string, or a list of words where it comes in words already (column files).

    Args:
        units: ``words``, ``characters``, or ``unigram`` or ``bpe`` for SentencePiece units (Kudo & Richardson 2018).
        split: how strings come apart into words; see `Split`. A list of words stays as it is.
        text: rules applied before anything is looked up, in this order; they travel with the model. See `TextRule`.
        min_count: words and characters that the training rows have less often stay unknown.
        vocabulary_size: the most frequent words or characters that are kept, all when None; for ``unigram`` and ``bpe``
            the number of units, and required.
        shared: the units are learnt from the training targets too, for a head that writes in the same ones (``units:
            shared``); with ``unigram`` and ``bpe``.
        byte_fallback: SentencePiece spells unknown characters in their UTF-8 bytes, which take 256 of its units.
        bpe_dropout: while training, merges of ``bpe`` are left out with this probability, so that a text is spelt in
            other units every time; 0.1 is usual. See `SampledSpelling`.
        unigram_sampling: while training, ``unigram`` units are drawn by their probability to the power of this; 0.1 to
            0.5 are usual. See `SampledSpelling`. Batches are planned by the lengths without either.
        word_pooling: with ``unigram`` and ``bpe``, what stands for a word after the encoder: the ``mean``, ``max``,
            ``first`` or ``last`` of its units, so that a tagger sees words; None leaves a step a unit.
        characters: of each word, this many are handed on beside its number, for `CharacterFeatures`; longer words keep
            their beginning and end. 0 for none; with ``words`` alone.
        word_dropout: probability that a token is hidden while training, as the unknown one (its characters stay).
        rare_dropout: further, a token is hidden with a probability of a / (a + count), this being a (Kiperwasser &
            Goldberg 2016): rare words often, so that the unknown one is learnt.
        lowercase_share: of the texts, chosen anew in every epoch, this share is lower-cased while training, characters
            too, for input whose capitals say nothing.
        max_length: tokens that a text may have; any number when None.
        overflow: what happens to a longer text: ``error`` makes an error of it, ``truncate`` leaves out its end, which
            `seqpipe check` and training warn of, and the answer says. `seqpipe infer` may part it
            (``--segment-tokens``).

    Shape: prepared ``[T]`` int64; with ``characters`` W ``[T, 1 + W]``, each word's number before its characters'; with
    ``word_pooling`` ``[T, 2]``, each unit's number beside 1 where a word begins, else 0.

    Example:
        >>> tokens = Tokens(text=["lowercase"])
        >>> tokens.fit(["The cat", "the dog"])
        >>> tokens.prepare("the  CAT purrs", None).tolist(), tokens.items("the  CAT purrs")[1]
        ([1, 2, 0], Item(text='CAT', start=5, end=8))
    """

    version = 2  # 2: rules that reach across characters do so in characters and subword units too
    needs_fit = True
    measure = TOKENS
    VOCABULARY, CHARACTERS = "vocabulary.json", "characters.json"

    def __init__(
        self,
        *,
        units: Literal["words", "characters", "unigram", "bpe"] = "words",
        split: Split = "whitespace",
        text: list[TextRule] = [],  # noqa: B006
        min_count: Annotated[int, Field(ge=1)] = 1,
        vocabulary_size: Annotated[int, Field(gt=1)] | None = None,
        shared: bool = False,
        byte_fallback: bool = False,
        bpe_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        unigram_sampling: Annotated[float, Field(ge=0)] | None = None,
        word_pooling: WordPooling | None = None,
        characters: Annotated[int, Field(ge=0, le=100)] = 0,
        word_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        rare_dropout: Annotated[float, Field(ge=0)] = 0.0,
        lowercase_share: Annotated[float, Field(ge=0, le=1)] = 0.0,
        max_length: Annotated[int, Field(ge=1)] | None = None,
        overflow: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__()
        self.subwords = units in ("unigram", "bpe")
        if self.subwords and vocabulary_size is None:
            raise ConfigError([(("vocabulary_size",), f"is required for {units} units")])
        for name, given, needed in (
            ("characters", bool(characters), units == "words"),
            ("shared", shared, self.subwords),
            ("byte_fallback", byte_fallback, self.subwords),
            ("word_pooling", word_pooling is not None, self.subwords),
        ):
            if given and not needed:
                raise ConfigError(
                    [((name,), f"goes with units: {'words' if name == 'characters' else 'unigram or bpe'}")]
                )
        check_sampling(units, bpe_dropout=bpe_dropout, unigram_sampling=unigram_sampling)
        self.units, self.splitting, self.rules = units, split, text
        self.bpe_dropout, self.unigram_sampling = bpe_dropout, unigram_sampling
        self.min_count, self.vocabulary_size, self.byte_fallback = min_count, vocabulary_size, byte_fallback
        self.needs_targets = shared
        self.word_pooling, self.characters = word_pooling, characters
        self.stepwise = word_pooling is None
        self.word_dropout, self.rare_dropout = word_dropout, rare_dropout
        self.lowercase_share = lowercase_share
        self.max_length, self.overflow = max_length, overflow
        self.output_size = 1 + characters if units == "words" else 1
        self._known: Vocabulary | SentencePieceUnits | None = None
        self._spelt: Vocabulary | None = None
        self._hidden: np.ndarray[Any, Any] | None = None
        self._words_met: dict[str, np.ndarray[Any, Any]] = {}
        self._sampled: SampledSpelling | None = None

    # What is learnt

    @property
    def known(self) -> Vocabulary | SentencePieceUnits:
        """The vocabulary.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        if self._known is None:
            raise ConfigError("Tokens has no vocabulary yet: call fit(texts) or load_assets(folder) first")
        return self._known

    @property
    def vocabulary(self) -> list[str]:
        """What each number stands for; of 0 an empty string."""
        known = self.known
        if isinstance(known, Vocabulary):
            return ["", *known.entries]
        return [known.piece(number) for number in range(len(known))]

    @property
    def size(self) -> int:
        """Numbers in use."""
        return len(self.known)

    @property
    def counts(self) -> list[int] | None:
        """How often each number occurred in the training texts; None of SentencePiece units, which aren't counted."""
        known = self.known
        return [known.unknown, *known.counts] if isinstance(known, Vocabulary) else None

    @property
    def known_characters(self) -> list[str]:
        """What each number of a character stands for; of 0 (none) and 1 (unknown) an empty string."""
        return ["", "", *self._spelt.entries] if self._spelt is not None else []

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn the vocabulary from the training texts, and from the targets where it is ``shared``.

        Raises:
            DataError: nothing is left of it, or SentencePiece can't make so many units.
        """
        texts = [checked_text(raw) for raw in rows]
        if self.needs_targets:
            texts += [target for target in targets if isinstance(target, str) and unfit(target) is None]
        if self.subwords:
            self._known = SentencePieceUnits.learn(
                (self._normalized(raw).text for raw in texts),
                int(self.vocabulary_size or 0),
                "bpe" if self.units == "bpe" else "unigram",
                byte_fallback=self.byte_fallback,
            )
        else:
            spell = self._words if self.units == "words" else lambda raw: self._normalized(raw).text
            self._known = Vocabulary.learn(map(spell, texts), min_count=self.min_count, most=self.vocabulary_size)
        if self.characters:
            self._spelt = Vocabulary.learn(item.text for raw in texts for item in self.items(raw))
        self._count_hidden()

    def save_assets(self, folder: Path) -> None:
        """Write the vocabulary, and that of characters."""
        if isinstance(self.known, SentencePieceUnits):
            self.known.save(folder)
        else:
            self.known.save(folder / self.VOCABULARY)
        if self._spelt is not None:
            self._spelt.save(folder / self.CHARACTERS)

    def load_assets(self, folder: Path) -> None:
        """Restore them."""
        self._known = SentencePieceUnits.load(folder) if self.subwords else Vocabulary.load(folder / self.VOCABULARY)
        if self.characters:
            self._spelt = Vocabulary.load(folder / self.CHARACTERS)
        self._count_hidden()

    def _count_hidden(self) -> None:
        """The probability of each number to be hidden while training."""
        self._words_met.clear()
        self._sampled = sampled_spelling(
            self._known, self.units, bpe_dropout=self.bpe_dropout, unigram_sampling=self.unigram_sampling
        )
        counts = np.array([0, *self._known.counts] if isinstance(self._known, Vocabulary) else [])
        if self.rare_dropout and len(counts) == 0:
            raise ConfigError([(("rare_dropout",), "goes with units: words or characters, which are counted")])
        rare = self.rare_dropout / (self.rare_dropout + counts) if self.rare_dropout else np.zeros(1)
        self._hidden = 1 - (1 - self.word_dropout) * (1 - rare)

    # One example

    def items(self, raw: Any) -> list[Item]:
        """The steps of a text with their character offsets: words; characters; or units, words where they are pooled.

        Offsets are those of the string that was given, before any rule; of a list of words, of these joined by spaces.

        Raises:
            InputError: it is no text, holds none, or is longer than allowed.
        """
        items = self._all_items(raw)
        if self.max_length is not None and len(items) > self.max_length and self.overflow == "error":
            raise InputError(
                "too long",
                f"the text has {len(items)} tokens, {self.max_length} are allowed (max_length; overflow: truncate drops"
                " its end)",
            )
        return items[: self.max_length]

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """A long text in its sentences, long ones in parts (`share_out_text`); None of any other.

        Args:
            raw: as `prepare` reads it.
            max_length: tokens that a part may have; where this stage's own ``max_length`` is less, that counts.

        Returns:
            Segments in their order, strings (of a list of words, lists), without overlap, with places in tokens.

        Raises:
            InputError: it is no text, or can't be parted so that every part is short enough.
        """
        most_tokens = min(int(max_length), self.max_length or int(max_length))
        items = self._all_items(raw)
        if len(items) <= most_tokens:
            return None
        text = self.preview(raw)
        starts = [item.start for item in items]
        # A unit that is parted from the word before it may become two.
        for most in range(most_tokens, max(0, most_tokens - MORE_UNITS), -1):
            spans = share_out_text(text, starts, most)
            parts: list[Any] = [text[start:end].strip() for start, end in spans]
            if isinstance(raw, list) and self.words_are_steps:
                edges = [bisect_left(starts, end) for _, end in spans]
                parts = [raw[first:end] for first, end in zip([0, *edges], edges, strict=False)]
            parts = [part for part in parts if part]  # a space is a token of characters
            counts = [len(self._all_items(part)) for part in parts]
            if max(counts) <= most_tokens:
                ends = np.cumsum(counts).tolist()
                return [
                    Segment(part, float(end - count), float(end))
                    for part, count, end in zip(parts, counts, ends, strict=True)
                ]
        raise InputError("too long", f"the text has {len(items)} tokens, and no parts of it have at most {most_tokens}")

    def _all_items(self, raw: Any) -> list[Item]:
        text = checked_text(raw)
        if self.units == "words" or self.word_pooling is not None:
            items = joined(text) if isinstance(text, list) else split_words(text, self.splitting)
            if "no_punctuation" in self.rules and isinstance(text, str):  # the words of a list may have tags each
                items = [item for item in items if apply_rules(item.text, self.rules)]
        else:
            original = self.preview(text)
            found = self._normalized(text)
            holds_text = bool(found.text.strip())
            if self.units == "characters":
                places: Iterable[tuple[int, int]] = zip(found.starts, found.ends, strict=True)
            else:
                places = self._unit_places(found)
            items = [Item(original[start:end], start, end) for start, end in places if holds_text]
        if not items:
            raise InputError(
                "empty", "the text holds no words; it is empty, or nothing is left of it after the text rules"
            )
        return items

    def prepare(self, raw: Any, key: RowKey | None) -> Tensor:
        """Numbers of a text; see the class for their shape.

        Raises:
            InputError: it is no text, holds none, or is longer than allowed.
        """
        items = self.items(raw)
        known = self.known
        lowered = key is not None and key.child("case").chance(self.lowercase_share) is not None
        if lowered:
            items = [item._replace(text=item.text.lower()) for item in items]
        if self.word_pooling is not None and isinstance(known, SentencePieceUnits):
            pieces = [
                self._spelt_units(apply_rules(item.text, self.rules), key and key.child(str(place))) or [UNKNOWN]
                for place, item in enumerate(items)
            ]
            numbers = np.array([number for word in pieces for number in word])
            begins = np.array([int(place == 0) for word in pieces for place in range(len(word))])
            return torch.from_numpy(np.stack([self._dropped(numbers, key), begins], axis=1))
        if isinstance(known, SentencePieceUnits):
            numbers = np.array(self._spelt_units(self._spelling(raw, lowered), key)[: self.max_length])
        elif self.units == "words":
            rows = np.stack([self._word(item.text) for item in items])  # [T, 1 + W]
            rows[:, 0] = self._dropped(rows[:, 0], key)
            return torch.from_numpy(rows if self.characters else rows[:, 0])
        else:
            numbers = np.array(known.numbers(self._spelling(raw, lowered)[: self.max_length]))
        return torch.from_numpy(self._dropped(numbers, key))

    def _spelt_units(self, text: str, key: RowKey | None) -> list[int]:
        """Numbers of the units of a text; drawn ones that are too many give way to the usual ones."""
        if not isinstance(self.known, SentencePieceUnits):
            raise TypeError("units are asked of SentencePiece")
        if self._sampled is not None and key is not None:
            numbers = self._sampled.encode(text, key)
            if self.max_length is None or self.word_pooling is not None or len(numbers) <= self.max_length:
                return numbers  # where words are pooled, it is they that ``max_length`` counts
        return self.known.encode_with_unknown(text)

    def _spelling(self, raw: Any, lowered: bool) -> str:
        """A text after the rules, lower-cased before them if so wished."""
        text = self._normalized(checked_text(raw)).text
        if lowered:
            changed = self._normalized(self.preview(raw).lower()).text
            # Characters stay as many, since each may have its tag: a few capitals are two characters in lower case.
            if self.subwords or len(changed) == len(text):
                return changed
        return text

    def _word(self, text: str) -> np.ndarray[Any, Any]:
        """A word's number and those of its characters, ``[1 + W]``; kept, since the same words come again and again."""
        row = self._words_met.get(text)
        if row is not None:
            return row
        row = np.full(1 + self.characters, NO_CHARACTER, dtype=np.int64)
        if isinstance(self.known, Vocabulary):
            row[0] = self.known.number(apply_rules(text, self.rules))
        if self._spelt is not None:
            spelt = self._spelt.numbers(text)
            if len(spelt) > self.characters:
                head = (self.characters + 1) // 2
                spelt = [*spelt[:head], *spelt[len(spelt) - (self.characters - head) :]]
            row[1 : 1 + len(spelt)] = np.array(spelt) + 1
        if len(self._words_met) >= MAX_WORDS_MET:
            self._words_met.clear()
        self._words_met[text] = row
        return row

    def _dropped(self, numbers: np.ndarray[Any, Any], key: RowKey | None) -> np.ndarray[Any, Any]:
        numbers = numbers.astype(np.int64)
        if key is None or self._hidden is None or not self._hidden.any():
            return numbers
        chance = self._hidden[numbers if len(self._hidden) > 1 else 0]
        return np.where(key.generator().random(len(numbers)) < chance, UNKNOWN, numbers)

    @property
    def words_are_steps(self) -> bool:
        """Whether there is a step for each word behind the encoder."""
        return self.units == "words" or self.word_pooling is not None

    @property
    def has_lengths(self) -> bool:
        """Whether `length` counts tokens yet."""
        return not self.subwords or self._known is not None

    def length(self, raw: Any) -> int:
        """Tokens of a text; of SentencePiece units before they are learnt, its characters."""
        if self.subwords:
            if self._known is not None:
                return len(self.prepare(raw, None))
            text = checked_text(raw)
            if not (text if isinstance(text, list) else text.strip()):
                raise InputError("empty", "the text holds no words; it is empty")
            return len(self._normalized(text).text)
        return len(self.items(raw))

    def warnings(self, raw: Any, prepared: Any) -> list[tuple[str, str]]:
        """``truncated``: what `overflow` leaves out; ``long words``: what ``characters`` does."""
        found = []
        if truncated := self.truncated(raw):
            tokens = (self.max_length or 0) + truncated
            found.append(("truncated", f"of the text's {tokens} tokens {self.max_length} are read (max_length)"))
        if self.characters:
            long = [item.text for item in self.items(raw) if len(item.text) > self.characters]
            if long:
                message = f"of {long[0][:60]!r} {self.characters} characters of {len(long[0])} are read (characters)"
                found.append(("long words", message))
        return found

    def truncated(self, raw: Any) -> int:
        """Tokens of a text that `overflow` leaves out."""
        if self.max_length is None or self.overflow != "truncate":
            return 0
        return max(0, len(self._all_items(raw)) - self.max_length)

    def _words(self, raw: Any) -> list[str]:
        return [apply_rules(item.text, self.rules) for item in self.items(raw)]

    def _normalized(self, text: str | list[str]) -> NormalizedText:
        return normalize(self.preview(text), self.rules)

    def _unit_places(self, found: NormalizedText) -> list[tuple[int, int]]:
        if not isinstance(self.known, SentencePieceUnits):
            raise TypeError("places of units are asked of SentencePiece units")
        places = []
        for start, end in self.known.offsets(found.text):
            first = found.starts[start] if start < len(found.starts) else found.ends[-1]
            places.append((first, found.ends[end - 1] if end > start else first))
        return places

    def preview(self, raw: Any) -> str:
        """The text."""
        text = checked_text(raw)
        return " ".join(text) if isinstance(text, list) else text

    def source(self, raw: Any) -> Source:
        """The text, its words, and how much of it isn't read; each is found when it is asked for."""
        return TextSource(self, raw)

    # A batch

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Nothing is left to do in a batch but to clear the padding."""
        return sequence.masked(0)

    def pool(self, prepared: PaddedSequence, encoded: PaddedSequence) -> PaddedSequence:
        """Encoded units to words, where ``word_pooling`` asks for it: ``[B, T, D]`` -> ``[B, words, D]``.

        Raises:
            ConfigError: the front-end has left fewer steps than there are units.
        """
        if self.word_pooling is None:
            return encoded
        if not torch.equal(prepared.lengths, encoded.lengths):
            raise ConfigError("Tokens.word_pooling needs a step for each unit, so no front-end with strides")
        return pool_words(encoded, prepared.values[..., 1], self.word_pooling)


class TextSource(Source):
    """A text as answers refer to it, in the way in which `Tokens` takes it apart."""

    tokens: Tokens
    raw: Any

    def __init__(self, tokens: Tokens, raw: Any) -> None:
        vars(self).update(tokens=tokens, raw=raw)  # the base is frozen, and its values are found below

    @property
    def text(self) -> str:
        """The text."""
        return self.tokens.preview(self.raw)

    @property
    def items(self) -> Sequence[Item]:
        """Its words; see `Tokens.items`."""
        return self.tokens.items(self.raw)

    @property
    def truncated(self) -> int:
        """Tokens that ``overflow: truncate`` leaves out."""
        return self.tokens.truncated(self.raw)
