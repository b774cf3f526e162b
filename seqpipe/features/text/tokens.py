"""Text in: numbers of its words, characters or subword units."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
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
from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Source
from seqpipe.errors import ConfigError
from seqpipe.features.text.tokenization import Tokenization
from seqpipe.features.text.word_pooling import WordPooling, pool_words, pool_words_to_onnx
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.splitting import Split, checked_text
from seqpipe.text.subword_sampling import SampledSpelling, check_sampling, sampled_spelling
from seqpipe.text.units import SentencePieceUnits
from seqpipe.text.validity import unfit
from seqpipe.text.vocabulary import UNKNOWN, Vocabulary


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
        self.tokenization = Tokenization(
            units,
            split,
            text,
            characters=characters,
            word_pooling=word_pooling,
            max_length=max_length,
            overflow=overflow,
        )
        self._hidden: np.ndarray[Any, Any] | None = None
        self._sampled: SampledSpelling | None = None

    # What is learnt

    @property
    def known(self) -> Vocabulary | SentencePieceUnits:
        """The vocabulary.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        return self.tokenization.known

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
        spelt = self.tokenization.spelt
        return ["", "", *spelt.entries] if spelt is not None else []

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn the vocabulary from the training texts, and from the targets where it is ``shared``.

        Raises:
            DataError: nothing is left of it, or SentencePiece can't make so many units.
        """
        texts = [checked_text(raw) for raw in rows]
        if self.needs_targets:
            texts += [target for target in targets if isinstance(target, str) and unfit(target) is None]
        tokens = self.tokenization
        known: Vocabulary | SentencePieceUnits
        if self.subwords:
            known = SentencePieceUnits.learn(
                (tokens.normalized(raw).text for raw in texts),
                int(self.vocabulary_size or 0),
                "bpe" if self.units == "bpe" else "unigram",
                byte_fallback=self.byte_fallback,
            )
        else:
            spell = self._words if self.units == "words" else lambda raw: tokens.normalized(raw).text
            known = Vocabulary.learn(map(spell, texts), min_count=self.min_count, most=self.vocabulary_size)
        words = (item.text for raw in texts for item in self.items(raw))
        self._use(known, Vocabulary.learn(words) if self.characters else None)

    def save_assets(self, folder: Path) -> None:
        """Write the vocabulary, and that of characters."""
        if isinstance(self.known, SentencePieceUnits):
            self.known.save(folder)
        else:
            self.known.save(folder / Vocabulary.FILE)
        if self.tokenization.spelt is not None:
            self.tokenization.spelt.save(folder / Vocabulary.OF_CHARACTERS)

    def load_assets(self, folder: Path) -> None:
        """Restore them."""
        known = SentencePieceUnits.load(folder) if self.subwords else Vocabulary.load(folder / Vocabulary.FILE)
        self._use(known, Vocabulary.load(folder / Vocabulary.OF_CHARACTERS) if self.characters else None)

    def _use(self, known: Vocabulary | SentencePieceUnits, spelt: Vocabulary | None) -> None:
        """Take what was learnt, with the probability of each number to be hidden while training."""
        self.tokenization.use(known, spelt)
        self._sampled = sampled_spelling(
            known, self.units, bpe_dropout=self.bpe_dropout, unigram_sampling=self.unigram_sampling
        )
        counts = np.array([0, *known.counts] if isinstance(known, Vocabulary) else [])
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
        return self.tokenization.items(raw)

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
        return self.tokenization.split(raw, max_length)

    def prepare(self, raw: Any, key: RowKey | None) -> Tensor:
        """Numbers of a text; see the class for their shape.

        Raises:
            InputError: it is no text, holds none, or is longer than allowed.
        """
        if key is None:
            return torch.from_numpy(self.tokenization.prepare(raw))
        lowered = key.child("case").chance(self.lowercase_share) is not None
        spell = None if self._sampled is None else partial(self._drawn_units, key)
        numbers = self.tokenization.prepare(raw, lowered=lowered, spell=spell)
        if numbers.ndim == 1:
            return torch.from_numpy(self._dropped(numbers, key))
        numbers = numbers.copy()  # words met are kept as they are
        numbers[:, 0] = self._dropped(numbers[:, 0], key)
        return torch.from_numpy(numbers)

    def _drawn_units(self, key: RowKey, text: str, place: int | None) -> list[int]:
        """Numbers of drawn units of a text, or of a word; those that are too many give way to the usual ones."""
        if self._sampled is not None:
            numbers = self._sampled.encode(text, key if place is None else key.child(str(place)))
            if self.max_length is None or self.word_pooling is not None or len(numbers) <= self.max_length:
                return numbers  # where words are pooled, it is they that ``max_length`` counts
        return self.tokenization.units_of(text)

    def _dropped(self, numbers: np.ndarray[Any, Any], key: RowKey) -> np.ndarray[Any, Any]:
        if self._hidden is None or not self._hidden.any():
            return numbers
        chance = self._hidden[numbers if len(self._hidden) > 1 else 0]
        return np.where(key.generator().random(len(numbers)) < chance, UNKNOWN, numbers)

    @property
    def words_are_steps(self) -> bool:
        """Whether there is a step for each word behind the encoder."""
        return self.tokenization.words_are_steps

    @property
    def has_lengths(self) -> bool:
        """Whether `length` counts tokens yet."""
        return not self.subwords or self.tokenization.vocabulary is not None

    def length(self, raw: Any) -> int:
        """Tokens of a text; of SentencePiece units before they are learnt, its characters."""
        return self.tokenization.length(raw)

    def warnings(self, raw: Any, prepared: Any) -> list[tuple[str, str]]:
        """``truncated``: what `overflow` leaves out; ``long words``: what ``characters`` does."""
        return self.tokenization.warnings(raw, prepared)

    def truncated(self, raw: Any) -> int:
        """Tokens of a text that `overflow` leaves out."""
        return self.tokenization.truncated(raw)

    def _words(self, raw: Any) -> list[str]:
        return [apply_rules(item.text, self.rules) for item in self.items(raw)]

    def preview(self, raw: Any) -> str:
        """The text."""
        return self.tokenization.text(raw)

    def source(self, raw: Any) -> Source:
        """The text, its words, and how much of it isn't read; each is found when it is asked for."""
        return self.tokenization.source(raw)

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

    def onnx_input(self) -> Form:
        """Numbers, with what stands beside them; see the class for the shape."""
        beside = 1 + self.characters if self.characters else 2 if self.word_pooling is not None else None
        return Form("int64", ("rows", "tokens", *([] if beside is None else [beside])))

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """Numbers as they are; see `Stage.to_onnx`."""
        return sequence

    def pool_to_onnx(self, graph: OnnxGraph, prepared: Symbol, encoded: Symbol) -> Symbol:
        """See `pool`."""
        if self.word_pooling is None:
            return encoded
        begins = graph.op("Gather", prepared.values, graph.constant(1), axis=2)
        return pool_words_to_onnx(graph, encoded, begins, self.word_pooling)
