"""Units of texts, read back from files that the manifest vouches for."""

from __future__ import annotations

import json
from pathlib import Path

from seqpipe.errors import RunError
from seqpipe.text.units import Characters, SentencePieceUnits, Units


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
