"""What a text is spelt in: characters, or SentencePiece units, learnt from the training rows."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from seqpipe.core.assets import loading, read_json
from seqpipe.core.packages import require
from seqpipe.errors import DataError, InputError, RunError


class Units(Protocol):
    """A text as a sequence of numbers from 0 to ``len(units) - 1``, and back.

    Attributes:
        separator: what stands between two units of a text: nothing, or the space that no unit holds then.
    """

    separator: str

    def __len__(self) -> int: ...
    def encode(self, text: str) -> list[int]:
        """Numbers of a text; raises `InputError` where a character is unknown."""
        ...

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of numbers."""
        ...

    def piece(self, number: int) -> str:
        """How one unit is written in results; a leading space belongs to it."""
        ...

    def number(self, piece: str) -> int | None:
        """The unit that is written so; None if there is none."""
        ...

    def save(self, folder: Path) -> None:
        """Write as a file of an existing folder."""
        ...


class Characters:
    """The characters that occur in the training texts, sorted.

    Args:
        characters: each a string of one character, without repeats.
    """

    FILE = "characters.json"
    separator = ""

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Characters:
        """All characters of the texts.

        Raises:
            DataError: there is no text.
        """
        found: set[str] = set()
        for text in texts:
            found.update(text)
        if not found:
            raise DataError("the training rows hold no text to learn characters from")
        return cls(sorted(found))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Numbers of a text; raises `InputError` where a character is unknown."""
        unknown = sorted(set(text) - self._numbers.keys())
        if unknown:
            raise InputError(
                "unknown character",
                f"{text!r} holds {', '.join(repr(sign) for sign in unknown)}, which the vocabulary of "
                f"{len(self)} characters lacks",
            )
        return [self._numbers[character] for character in text]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of numbers."""
        return "".join(self.characters[number] for number in numbers)

    def piece(self, number: int) -> str:
        """The character."""
        return self.characters[number]

    def number(self, piece: str) -> int | None:
        """The number of a character; None if it isn't known."""
        return self._numbers.get(piece)

    def save(self, folder: Path) -> None:
        """Write ``characters.json``."""
        (folder / self.FILE).write_text(json.dumps(self.characters, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Characters:
        """What `save` wrote; raises `RunError` if the file is damaged."""
        characters = read_json(folder / cls.FILE, list[str])
        wrong = [text for text in characters if len(text) != 1]
        if not characters or wrong or len(set(characters)) < len(characters):
            what = f"{wrong[0]!r:.40} is no character" if wrong else "there are none, or one stands there twice"
            raise RunError(f"{folder / cls.FILE}: is damaged: {what}; restore it")
        return cls(characters)


SPACE = "\u2581"
"""How SentencePiece writes a space."""
STAND_INS = {SPACE: "\ufdd0", "\u2585": "\ufdd1"}
"""What stands within a model for the characters that SentencePiece keeps for itself: one is read as a space, and lines
with the other are left out of training. No text holds these stand-ins (Unicode: "noncharacters")."""


class SentencePieceUnits:
    """Subword units (Kudo & Richardson 2018).

    Args:
        model: a serialised SentencePiece model.

    Raises:
        ConfigError: SentencePiece isn't installed.
    """

    FILE = "sentencepiece.model"
    separator = ""

    def __init__(self, model: bytes) -> None:
        require("sentencepiece", "sentencepiece", "a model with subword units")
        import sentencepiece

        self.model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._unknown = self._processor.unk_id()
        learnt = {
            sign: other for sign, other in STAND_INS.items() if self._processor.piece_to_id(other) != self._unknown
        }
        self._to_model = str.maketrans(learnt)
        self._from_model = str.maketrans({SPACE: " ", **{other: sign for sign, other in learnt.items()}})

    @classmethod
    def learn(
        cls, texts: Iterable[str], size: int, kind: Literal["unigram", "bpe"], *, byte_fallback: bool = False
    ) -> SentencePieceUnits:
        """Train a model of ``size`` units, which spell every one of the texts.

        What SentencePiece (0.2) passes over in silence is learnt too: texts with U+2585, long ones, line breaks at the
        end of a text, and the characters of ``<unk>`` where a text has it. Spaces at the ends of a text and repeated
        ones are no part of its spelling.

        Args:
            texts: to learn from, without null characters (`unfit`).
            size: how many units.
            kind: ``unigram`` (Kudo 2018) or ``bpe`` (Sennrich et al. 2016).
            byte_fallback: spell characters that no training text has in their UTF-8 bytes, 256 of the ``size`` units.

        Raises:
            DataError: SentencePiece can't make that many units out of the texts; its reason is given.
        """
        texts, characters = list(texts), set[str]()
        for text in texts:
            characters.update(text)
        units = cls(_train(texts, size, kind, byte_fallback=byte_fallback))
        passed_over = characters - {" ", *STAND_INS.values(), *units.scores()}
        if passed_over and not byte_fallback:
            units = cls(_train(texts, size, kind, required_chars="".join(sorted(passed_over))))
            if lost := passed_over - units.scores().keys():
                shown = ", ".join(map(repr, sorted(lost)))
                raise DataError(f"SentencePiece leaves out {shown}, which training texts hold")
        return units

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Numbers of a text; raises `InputError` where a character is unknown."""
        numbers = self.encode_with_unknown(text)
        if self._unknown in numbers:
            raise InputError("unknown character", f"{text!r} holds characters that the SentencePiece units lack")
        return numbers

    def encode_with_unknown(self, text: str) -> list[int]:
        """Numbers of a text, with that of the unknown unit for what the units lack."""
        return list(self._processor.encode(self._written(text)))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where in the text each unit stands, in characters; of a character in bytes, the first ones are empty."""
        found = self._processor.encode(self._written(text), return_type="offset_mapping")
        return [tuple(pair) for pair in found["offsets"]]

    def _written(self, text: str) -> str:
        """A text as the model has it; no stand-in is for an ASCII character."""
        return text if text.isascii() else text.translate(self._to_model)

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of numbers."""
        return str(self._processor.decode(list(numbers))).translate(self._from_model)

    def piece(self, number: int) -> str:
        """The unit, with a space where SentencePiece writes its mark for one."""
        return str(self._processor.id_to_piece(number)).translate(self._from_model)

    def number(self, piece: str) -> int | None:
        """What `piece` was given; None if no unit is written so."""
        marked = piece.translate(self._to_model).replace(" ", SPACE)
        number = int(self._processor.piece_to_id(marked))  # an unknown one gives that of <unk>
        return number if self._processor.id_to_piece(number) == marked else None

    def scores(self) -> dict[str, float]:
        """Of each unit as `piece` writes it: log-probabilities (unigram), or the order of merges (BPE)."""
        model = self._processor
        return {
            self.piece(number): float(model.get_score(number))
            for number in range(len(self))
            if not (model.is_unknown(number) or model.is_byte(number) or model.is_control(number))
        }

    def bytes(self) -> list[int]:
        """Numbers of the units that are bytes; none without ``byte_fallback``."""
        return [number for number in range(len(self)) if self._processor.is_byte(number)]

    def likeliest(self, text: str, most: int) -> list[list[int]]:
        """The likeliest spellings of a text in units of ``unigram``, best first."""
        found = self._processor.nbest_encode(self._written(text), nbest_size=most, out_type=int)
        return [list(spelling) for spelling in found]

    def save(self, folder: Path) -> None:
        """Write ``sentencepiece.model``."""
        (folder / self.FILE).write_bytes(self.model)

    @classmethod
    def load(cls, folder: Path) -> SentencePieceUnits:
        """What `save` wrote; raises `RunError` if the file is missing or damaged."""
        path = folder / cls.FILE
        with loading(path):
            model = path.read_bytes()
            units = cls(model) if model else None  # SentencePiece takes nothing for a model without a word
        if units is None or not len(units):
            raise RunError(f"{path}: is damaged: it holds no units; restore it")
        return units


def _train(texts: Iterable[str], size: int, kind: str, **options: Any) -> bytes:
    """A serialised model."""
    import sentencepiece

    written, to_model = io.BytesIO(), str.maketrans(STAND_INS)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(text if text.isascii() else text.translate(to_model) for text in texts),
            model_writer=written,
            vocab_size=size,
            model_type=kind,
            character_coverage=1.0,
            max_sentence_length=2**30,  # bytes; by default longer texts are left out
            normalization_rule_name="identity",  # the recipe's own rules have been applied
            bos_id=-1,
            eos_id=-1,
            num_threads=1,  # the order of additions, and so the model, must not depend on the machine
            minloglevel=2,
            **options,
        )
    except RuntimeError as error:
        said = re.sub(r"^.*?\[.*?\]\s*", "", str(error), flags=re.DOTALL) or error  # without a line of its source
        raise DataError(f"SentencePiece can't learn {size} units (vocabulary_size): {said}") from None
    return written.getvalue()


def load_units(folder: Path) -> Units:
    """Whichever units a folder holds.

    Raises:
        RunError: it holds none.
    """
    for kind in (Characters, SentencePieceUnits):
        if (folder / kind.FILE).exists():
            units: Units = kind.load(folder)
            return units
    raise RunError(f"{folder}: holds neither {Characters.FILE} nor {SentencePieceUnits.FILE}")
