"""Randomness from counters: what is drawn depends on where one is, never on what was drawn before."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RowKey:
    """The source of randomness of one row in one epoch.

    Any two processes that name the same seed, epoch and row draw the same numbers, so the number of workers changes
    nothing, a resumed run needs no generator states, and one row's augmentation can be looked at again.

    Args:
        seed: of the run, at least 0.
        epoch: counted from 0.
        row: position of the row in the training data, counted from 0.
        stream: keeps the users of one row (the stages) apart; see `child`.

    Example:
        >>> key, again = RowKey(seed=1, epoch=0, row=7), RowKey(seed=1, epoch=0, row=7)
        >>> key.generator().random() == again.generator().random()
        True
    """

    seed: int
    epoch: int
    row: int
    stream: int = 0

    def child(self, name: str) -> RowKey:
        """An independent source for the stage (or part) called ``name``."""
        return RowKey(self.seed, self.epoch, self.row, zlib.crc32(name.encode(), self.stream))

    def generator(self) -> np.random.Generator:
        """A fresh generator, always at its start."""
        # Philox (Salmon et al. 2011) is built for this: key and counter name the stream. The lowest counter word
        # counts the numbers drawn, so the higher ones are free to say where we are.
        key = np.array([self.seed, self.stream], dtype=np.uint64)  # of a list, numpy makes floats from 2^63 on
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, self.row, self.epoch]))

    def chance(self, probability: float) -> np.random.Generator | None:
        """The generator with a probability of ``probability``, for what happens to some rows only; else None."""
        generator = self.generator()
        return generator if generator.random() < probability else None


def seed_from(*counters: int) -> int:
    """One 63-bit seed for torch out of several counters (seed, epoch, step, rank)."""
    return int(np.random.SeedSequence(counters).generate_state(1, np.uint64)[0] >> np.uint64(1))
