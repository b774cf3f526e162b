"""Texts as numbers, without torch: what `Tokens` prepares, and runtimes without it too."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import Segment
from seqpipe.core.item import Item
from seqpipe.core.measure import TOKENS
from seqpipe.core.source import Source
from seqpipe.errors import ConfigError, InputError
from seqpipe.text.normalized_text import NormalizedText, normalize
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.segmentation import share_out_text
from seqpipe.text.splitting import Split, checked_text, joined, split_words, words_of
from seqpipe.text.units import SentencePieceUnits
from seqpipe.text.vocabulary import UNKNOWN, Vocabulary

NO_CHARACTER = 0
"""Stands behind the last character of a word; unknown characters are 1, known ones begin with 2."""
MAX_MET, LONGEST_MET = 50_000, 64
"""What stands between white space, and words, that are kept with their numbers, so as not to part and look up each
again: some 15 MB each; and characters of one that is kept at all."""
MORE_UNITS = 4
"""That a part of a text may have alone, and hadn't within the whole."""

_NOTHING = nullcontext()
Kept = TypeVar("Kept")
TokenUnits = Literal["words", "characters", "unigram", "bpe"]
Spell = Callable[[str, int | None], Sequence[int]]
"""Numbers of the units of a text, or of a word by its place in the text."""


class Tokenization:
    """Part texts and look up the parts; see `seqpipe.features.text.tokens.Tokens`, which learns what is looked up.

    Args:
        units, splitting, rules, characters, word_pooling, max_length, overflow: as of `Tokens`, where ``splitting`` is
            called ``split`` and ``rules`` ``text``.

    Example:
        >>> tokens = Tokenization("words", "whitespace", ["lowercase"])
        >>> tokens.use(Vocabulary(["the", "cat"], [2, 1]))
        >>> tokens.prepare("The  cat purrs").tolist()
        [1, 2, 0]
    """

    suffixes: frozenset[str] = frozenset()
    measure = TOKENS
    unbinds = False

    def __init__(
        self,
        units: TokenUnits,
        splitting: Split,
        rules: Sequence[TextRule],
        *,
        characters: int = 0,
        word_pooling: str | None = None,
        max_length: int | None = None,
        overflow: Literal["error", "truncate"] = "error",
    ) -> None:
        self.units, self.splitting, self.rules = units, splitting, rules
        self.characters, self.word_pooling = characters, word_pooling
        self.max_length, self.overflow = max_length, overflow
        self.subwords = units in ("unigram", "bpe")
        self.vocabulary: Vocabulary | SentencePieceUnits | None = None
        self.spelt: Vocabulary | None = None
        self._words_met: dict[str, NDArray[np.int64]] = {}
        self._runs_met: dict[str, list[Any]] = {}

    def use(self, known: Vocabulary | SentencePieceUnits | None, spelt: Vocabulary | None = None) -> None:
        """Look up in these from now on: units, and characters of words."""
        self.vocabulary, self.spelt = known, spelt
        self._words_met, self._runs_met = {}, {}

    @property
    def known(self) -> Vocabulary | SentencePieceUnits:
        """What is looked up in.

        Raises:
            ConfigError: there is none yet.
        """
        if self.vocabulary is None:
            raise ConfigError("Tokens has no vocabulary yet: call fit(texts) or load_assets(folder) first")
        return self.vocabulary

    @property
    def words_are_steps(self) -> bool:
        """Whether there is a step for each word behind the encoder."""
        return self.units == "words" or self.word_pooling is not None

    # Parts of a text

    def items(self, raw: Any) -> list[Item]:
        """See `Tokens.items`."""
        items = self._all_items(raw)
        return items[: self._allowed(len(items))]

    def _allowed(self, count: int) -> int | None:
        """How many of so many tokens are read, None for all; raises `InputError` if they are too many or none."""
        if not count:
            raise InputError(
                "empty", "the text holds no words; it is empty, or nothing is left of it after the text rules"
            )
        if self.max_length is not None and count > self.max_length and self.overflow == "error":
            raise InputError(
                "too long",
                f"the text has {count} tokens, {self.max_length} are allowed (max_length; overflow: truncate drops"
                " its end)",
            )
        return self.max_length

    def _all_items(self, raw: Any) -> list[Item]:
        text = checked_text(raw)
        if self.words_are_steps:
            items = joined(text) if isinstance(text, list) else split_words(text, self.splitting)
            if "no_punctuation" in self.rules and isinstance(text, str):  # the words of a list may have tags each
                items = [item for item in items if apply_rules(item.text, self.rules)]
        else:
            original = self.text(text)
            found = self.normalized(text)
            holds_text = bool(found.text.strip())
            if self.units == "characters":
                places: Iterable[tuple[int, int]] = zip(found.starts, found.ends, strict=True)
            else:
                places = self._unit_places(found)
            items = [Item(original[start:end], start, end) for start, end in places if holds_text]
        if not items:
            self._allowed(0)
        return items

    def _unit_places(self, found: NormalizedText) -> list[tuple[int, int]]:
        places = []
        for start, end in self._pieces().offsets(found.text):
            first = found.starts[start] if start < len(found.starts) else found.ends[-1]
            places.append((first, found.ends[end - 1] if end > start else first))
        return places

    def _pieces(self) -> SentencePieceUnits:
        if not isinstance(self.known, SentencePieceUnits):
            raise TypeError("units are asked of SentencePiece")
        return self.known

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """See `Tokens.split`."""
        most_tokens = min(int(max_length), self.max_length or int(max_length))
        items = self._all_items(raw)
        if len(items) <= most_tokens:
            return None
        text = self.text(raw)
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

    # Numbers

    def prepare(self, raw: Any, *, lowered: bool = False, spell: Spell | None = None) -> NDArray[np.int64]:
        """Numbers of a text; see `Tokens` for their shape.

        Args:
            raw: a text, or a list of words.
            lowered: whether it is lower-cased before anything else.
            spell: replaces the usual spelling in SentencePiece units.

        Raises:
            InputError: it is no text, holds none, or is longer than allowed.
        """
        if self.units == "words" and not lowered and isinstance(raw, str):
            return self._numbers_of_words(raw)
        items = self.items(raw)
        if lowered:
            items = [item._replace(text=item.text.lower()) for item in items]
        known = self.known
        if self.units == "words":
            rows = np.stack([self._word(item.text) for item in items])  # [T, 1 + W]
            return rows if self.characters else rows[:, 0]
        if isinstance(known, Vocabulary):
            return np.array(known.numbers(self._spelling(raw, lowered)[: self.max_length]), np.int64)
        spell = spell or self.units_of
        if self.word_pooling is None:
            return np.array(spell(self._spelling(raw, lowered), None)[: self.max_length], np.int64)
        pieces = [
            spell(apply_rules(item.text, self.rules), place) or [UNKNOWN]  # nothing may be left of a word
            for place, item in enumerate(items)
        ]
        numbers = [number for word in pieces for number in word]
        begins = [int(place == 0) for word in pieces for place in range(len(word))]
        return np.stack([np.array(numbers, np.int64), np.array(begins, np.int64)], axis=1)

    def units_of(self, text: str, place: int | None = None) -> list[int]:
        """Numbers of the SentencePiece units of a text after the rules."""
        return self._pieces().encode_with_unknown(text)

    def _spelling(self, raw: Any, lowered: bool) -> str:
        """A text after the rules, lower-cased before them if so wished."""
        text = self.normalized(checked_text(raw)).text
        if lowered:
            changed = self.normalized(self.text(raw).lower()).text
            # Characters stay as many, since each may have its tag: a few capitals are two characters in lower case.
            if self.subwords or len(changed) == len(text):
                return changed
        return text

    def _numbers_of_words(self, raw: str) -> NDArray[np.int64]:
        """Of a string, without places: no word reaches across white space, nor depends on what is beyond it."""
        checked_text(raw)
        met, rows = self._runs_met, list[Any]()
        for run in words_of(raw):
            part = met.get(run)
            rows += self._run(run) if part is None else part
        return np.array(rows[: self._allowed(len(rows))], np.int64)

    def _run(self, run: str) -> list[Any]:
        """The words between two white spaces by number, or, if their characters are wanted, `_word` of each."""
        items = split_words(run, self.splitting)
        if "no_punctuation" in self.rules:
            items = [item for item in items if apply_rules(item.text, self.rules)]
        rows = [self._word(item.text) for item in items]
        return _kept(self._runs_met, run, list(rows) if self.characters else [int(row[0]) for row in rows])

    def _word(self, text: str) -> NDArray[np.int64]:
        """A word's number and those of its characters, ``[1 + W]``; kept, since the same words come again and again."""
        row = self._words_met.get(text)
        if row is not None:
            return row
        row = np.full(1 + self.characters, NO_CHARACTER, dtype=np.int64)
        if isinstance(self.known, Vocabulary):
            row[0] = self.known.number(apply_rules(text, self.rules))
        if self.spelt is not None:
            spelt = self.spelt.numbers(text)
            if len(spelt) > self.characters:
                head = (self.characters + 1) // 2
                spelt = [*spelt[:head], *spelt[len(spelt) - (self.characters - head) :]]
            row[1 : 1 + len(spelt)] = np.array(spelt) + 1
        return _kept(self._words_met, text, row)

    def length(self, raw: Any) -> int:
        """Tokens of a text; of SentencePiece units before they are learnt, its characters."""
        if self.subwords:
            if self.vocabulary is not None:
                return len(self.prepare(raw))
            text = checked_text(raw)
            if not (text if isinstance(text, list) else text.strip()):
                raise InputError("empty", "the text holds no words; it is empty")
            return len(self.normalized(text).text)
        return len(self.items(raw))

    # What is told of a text

    def warnings(self, raw: Any, prepared: Any) -> list[tuple[str, str]]:
        """See `Tokens.warnings`."""
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

    def text(self, raw: Any) -> str:
        """The text; of a list of words these joined by spaces."""
        text = checked_text(raw)
        return " ".join(text) if isinstance(text, list) else text

    def normalized(self, text: str | list[str]) -> NormalizedText:
        """It after the rules, with places."""
        return normalize(self.text(text), self.rules)

    def source(self, raw: Any) -> Source:
        """The text, its words, and how much of it isn't read; each is found when it is asked for."""
        return TextSource(self, raw)

    # What texts have in common with other inputs of a runtime (`seqpipe.runtime.readers.RuntimeReader`)

    def unbind(self, raw: Any) -> None:
        """None: a text is answered as one."""
        return None

    def opened(self) -> AbstractContextManager[None]:
        """Nothing to open."""
        return _NOTHING

    def locate(self, prepared: NDArray[Any], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places are counted in tokens."""
        return steps


class TextSource(Source):
    """A text as answers refer to it, in the way in which it was parted."""

    tokens: Tokenization
    raw: Any

    def __init__(self, tokens: Tokenization, raw: Any) -> None:
        vars(self).update(tokens=tokens, raw=raw)  # the base is frozen, and its values are found below

    @property
    def text(self) -> str:
        """The text."""
        return self.tokens.text(self.raw)

    @property
    def items(self) -> Sequence[Item]:
        """Its words; see `Tokens.items`."""
        return self.tokens.items(self.raw)

    @property
    def truncated(self) -> int:
        """Tokens that ``overflow: truncate`` leaves out."""
        return self.tokens.truncated(self.raw)


def _kept(met: dict[str, Kept], text: str, numbers: Kept) -> Kept:
    """Numbers, kept for the next time."""
    if len(text) <= LONGEST_MET:
        if len(met) >= MAX_MET:
            met.clear()
        met[text] = numbers
    return numbers
