"""Those of the SentencePiece units of two languages that the texts of one are written in."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqpipe.core.assets import read_json
from seqpipe.errors import RunError
from seqpipe.text.units import SentencePieceUnits
from seqpipe.text.vocabulary import UNKNOWN


class LimitedUnits:
    """Some units of a larger vocabulary, with numbers of their own; texts are spelt in no others.

    What the larger vocabulary spells in units that are left out is spelt in shorter ones, as `subword-nmt
    --vocabulary-threshold` and SentencePiece's `--vocabulary_threshold` do it (Sennrich et al. 2017).

    Args:
        units: all.
        kept: numbers of those that may be written, among all of them; the unknown one comes first in any case.

    Attributes:
        kept: sorted numbers, among all units, of unit 0, 1, ...
    """

    FILE = "written_units.json"
    separator = ""

    def __init__(self, units: SentencePieceUnits, kept: Iterable[int]) -> None:
        self._all = units
        self.kept = sorted({UNKNOWN, *kept})
        self._own = {number: place for place, number in enumerate(self.kept)}
        scores = units.scores()
        pieces = map(units.piece, self.kept)
        self._scores = {piece: (scores[piece], place) for place, piece in enumerate(pieces) if piece in scores}
        self._least = 10 * min((score for score, _ in self._scores.values()), default=-1.0)  # of an unknown character
        self._longest = max(map(len, self._scores), default=1)

    @classmethod
    def learn(cls, units: SentencePieceUnits, texts: Iterable[str], threshold: int) -> LimitedUnits:
        """Those that occur ``threshold`` times in texts; the texts' characters; and bytes, where units fall back to."""
        counts: Counter[int] = Counter()
        characters = {" "}
        for text in texts:
            counts.update(units.encode_with_unknown(text))
            characters.update(text)
        single = (units.number(character) for character in characters)
        often = (number for number, count in counts.items() if count >= threshold)
        return cls(units, {*often, *units.bytes(), *(number for number in single if number is not None)})

    def __len__(self) -> int:
        return len(self.kept)

    def encode(self, text: str) -> list[int]:
        """Numbers of a text; the unknown unit's for characters that none of these units has."""
        found: list[int] = []
        for number in self._all.encode_with_unknown(text):
            place = self._own.get(number)
            found += [place] if place is not None else self._respelt(self._all.piece(number))
        return found

    def _respelt(self, piece: str) -> list[int]:
        """The likeliest spelling of a unit that is left out (by the units' scores), unknown characters in between."""
        best = [(0.0, 0, UNKNOWN)] + [(-math.inf, 0, UNKNOWN)] * len(piece)  # score, where the last unit begins, and it
        for stop in range(1, len(piece) + 1):
            for start in range(max(0, stop - self._longest), stop):
                known = self._scores.get(piece[start:stop])
                if known is None and stop - start > 1:
                    continue
                score, place = known if known is not None else (self._least, UNKNOWN)
                best[stop] = max(best[stop], (best[start][0] + score, start, place))
        found, stop = [], len(piece)
        while stop:
            _, stop, place = best[stop]
            found.append(place)
        return found[::-1]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of numbers."""
        return self._all.decode([self.kept[number] for number in numbers])

    def piece(self, number: int) -> str:
        """The unit, with a space where SentencePiece writes its mark for one."""
        return self._all.piece(self.kept[number])

    def number(self, piece: str) -> int | None:
        """What `piece` was given; None if none of these units is written so."""
        number = self._all.number(piece)
        return self._own.get(number) if number is not None else None

    def bytes(self) -> list[int]:
        """Numbers of the units that are bytes; none without ``byte_fallback``."""
        return [self._own[number] for number in self._all.bytes() if number in self._own]

    def save(self, folder: Path) -> None:
        """Write ``written_units.json``: the units, as `piece` writes them."""
        pieces = [self.piece(number) for number in range(len(self))]
        (folder / self.FILE).write_text(json.dumps(pieces, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, units: SentencePieceUnits, folder: Path) -> LimitedUnits:
        """What `save` wrote.

        Raises:
            RunError: there is no such file, it is damaged, or it names units that are not among ``units``.
        """
        path = folder / cls.FILE
        pieces: list[str] = read_json(path, list[str])
        kept = [units.number(piece) for piece in pieces]
        if not kept:
            raise RunError(f"{path}: is damaged: it names no units; restore it")
        if None in kept:
            raise RunError(f"{path}: {pieces[kept.index(None)]!r} is no unit of the features")
        return cls(units, (number for number in kept if number is not None))
