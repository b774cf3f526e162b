"""Where words begin in units: at a space that is a unit, or that one begins with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqpipe.errors import ConfigError
from seqpipe.text.units import Units


class WordSpacing:
    """Which of V labels hold spaces; label 0 is the blank.

    Args:
        pieces: the units, in the order of labels 1 to V - 1; a space of a unit stands at its beginning.

    Attributes:
        begins: whether a label has a space, so that the word before it has ended, ``[V]``.
        is_bare: whether it is nothing else, ``[V]``.

    Raises:
        ConfigError: a unit has a space further inside.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        if inner := [piece for piece in pieces if " " in piece[1:]]:
            raise ConfigError(f"words can't be told from units that go beyond a space, as {inner[0]!r} does")
        self.begins = np.array([False, *(piece.startswith(" ") for piece in pieces)])
        self.is_bare = np.array([False, *(piece == " " for piece in pieces)])

    @property
    def has_words(self) -> bool:
        """Whether texts in these units have spaces at all."""
        return bool(self.begins.any())


def pieces_of(units: Units) -> list[str]:
    """How the units are written, a space as one; those that a space parts, with it before them."""
    return [units.separator + units.piece(number) for number in range(len(units))]
