"""Units of texts, read back from files that the manifest vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqpipe.errors import RunError
from seqpipe.text.limited_units import LimitedUnits
from seqpipe.text.units import Characters, SentencePieceUnits, Units
from seqpipe.text.vocabulary import Vocabulary
from seqpipe.text.word_units import WordUnits

SHARED = "features/0.Tokens"
"""Folder of the units that features and head have in common, in that of all assets."""


def load_units(folder: Path) -> Units:
    """Whichever units a folder holds.

    Raises:
        RunError: it holds none.
    """
    if (path := folder / Characters.FILE).is_file():
        return Characters(json.loads(path.read_bytes()))
    if (path := folder / SentencePieceUnits.FILE).is_file():
        return SentencePieceUnits(path.read_bytes())
    raise RunError(f"{folder}: holds no units; export the model again")


def load_written_units(options: Mapping[str, Any], folder: Path) -> Units:
    """The units of an `AttentionHead`.

    Args:
        options: of the head.
        folder: of what it has learnt, beside which the features' lies.
    """
    if options["units"] == "words":
        content = json.loads((folder / WordUnits.FILE).read_bytes())
        return WordUnits(Vocabulary(content["entries"], content["counts"], content["unknown"]))
    if options["units"] != "shared":
        return load_units(folder)
    known = SentencePieceUnits((folder.parent / SHARED / SentencePieceUnits.FILE).read_bytes())
    if not options["vocabulary_threshold"]:
        return known
    pieces = json.loads((folder / LimitedUnits.FILE).read_bytes())
    return LimitedUnits(known, [number for piece in pieces if (number := known.number(piece)) is not None])
