"""Utterance concatenation: several rows of an epoch, one behind the other in time, in one example.

Recurrent models that were trained on short utterances don't carry over to long ones (Chiu et al. 2019; Narayanan et al.
2019, "Recognizing long-form speech using streaming end-to-end models"); longer examples made of those that there are
teach them what comes behind the end of an utterance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqpipe.core.feature import MakesPauses, Reader
from seqpipe.core.randomness import RowKey
from seqpipe.errors import InputError


@dataclass(frozen=True)
class Concatenation:
    """Which rows of an epoch stand in one example, and what stands between them.

    Every row is in exactly one example. All that is drawn is a function of seed and epoch, and what is drawn for a row
    by itself stays as it is.

    Args:
        seed: of the run.
        share: of the rows, that are put together with others, above 0 to 1.
        most: rows of an example.
        pause: least and greatest length of a pause between two rows, in elements of prepared inputs.
        separator: labels between two targets, ``[N]``.
        max_length: of an example of several rows, in elements; any when None.
    """

    seed: int
    share: float
    most: int
    pause: tuple[int, int]
    separator: Tensor
    max_length: int | None = None

    def examples(self, epoch: int, rows: int, fits: Callable[[Sequence[int]], bool]) -> list[tuple[int, ...]]:
        """The rows of each example of an epoch, in the order in which they are heard.

        Args:
            epoch: counted from 0.
            rows: how many there are.
            fits: whether these may stand in one example.
        """
        draws = np.random.Generator(np.random.Philox(key=[self.seed, 2**34], counter=[0, 0, 0, epoch]))
        drawn = draws.permutation(rows)[: round(self.share * rows)].tolist()
        sizes: Iterator[int] = iter(draws.integers(2, self.most + 1, size=len(drawn)).tolist())
        found: list[tuple[int, ...]] = []
        size = 0
        for row in drawn:
            if found and len(found[-1]) < size and fits((*found[-1], row)):
                found[-1] = (*found[-1], row)
            else:
                found.append((row,))
                size = next(sizes)
        in_order = {own[0]: own for own in found} | {row: (row,) for row in set(range(rows)).difference(drawn)}
        return [in_order[first] for first in sorted(in_order)]

    def length(self, epoch: int, rows: Sequence[int], lengths: Sequence[int]) -> int:
        """Elements of an example.

        Args:
            epoch: counted from 0.
            rows: of the example.
            lengths: of all rows, as this epoch's augmentation makes them.
        """
        return sum(lengths[row] for row in rows) + sum(self._pause(epoch, row)[0] for row in rows[1:])

    def target_length(self, targets: Sequence[int]) -> int:
        """Labels of an example whose rows have so many; see `target`."""
        present = [target for target in targets if target]
        return sum(present) + len(self.separator) * max(0, len(present) - 1)

    def target(self, targets: Sequence[Tensor]) -> Tensor:
        """Encoded targets ``[L]``, one behind the other; one without labels leaves no separator."""
        present = [target for target in targets if len(target)]
        between = [part for target in present[1:] for part in (self.separator, target)]
        return torch.cat([*present[:1], *between]) if present else targets[0]

    def input(self, epoch: int, rows: Sequence[int], inputs: Sequence[Tensor], reader: Reader) -> Tensor:
        """Prepared inputs ``[S, ...]`` with pauses between them, as one.

        Args:
            epoch: counted from 0.
            rows: of the example.
            inputs: of these rows, each of the others' `shape_of`.
            reader: of the inputs; makes the pauses.
        """
        parts = [inputs[0]]
        for row, before, own in zip(rows[1:], inputs[:-1], inputs[1:], strict=True):
            length, generator = self._pause(epoch, row)
            if length and isinstance(reader, MakesPauses):
                parts.append(reader.pause(length, before, generator))
            parts.append(own)
        return torch.cat(parts)

    def _pause(self, epoch: int, row: int) -> tuple[int, np.random.Generator]:
        """Length of the pause before a row that isn't an example's first, and what draws the rest of it."""
        generator = RowKey(self.seed, epoch, row).child("concatenation").generator()
        return int(generator.integers(self.pause[0], self.pause[1] + 1)), generator


def require_same_shape(first: Tensor, other: Tensor) -> None:
    """Raise `InputError` where prepared inputs differ in more than their length, and so can't be concatenated."""
    if first.shape[1:] != other.shape[1:] or first.dtype != other.dtype:
        shapes = [f"[{', '.join(map(str, ('T', *each.shape[1:])))}] {each.dtype}" for each in (other, first)]
        raise InputError(
            "not concatenable",
            f"is prepared as {shapes[0]} and another row as {shapes[1]}, so training.concatenation can't put them into "
            "one example; give all rows the same features, or set it to null",
        )
