"""What passes between stages: a padded batch of sequences that knows its lengths.

Dimensions are named by one letter everywhere: B batch, T steps, D features of a step, S samples, L target steps,
H hidden units, V vocabulary, F frequency bins, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class PaddedSequence(NamedTuple):
    """A batch of sequences, padded at the end: the counterpart of torch's ``PackedSequence``.

    Attributes:
        values: ``[B, T, D]`` (``[B, T, ...]`` on its way into features). What stands at or after a row's length is
            unspecified: no stage may let it change an answer.
        lengths: ``[B]`` int64, the steps of each row that are real, in any order.

    Example:
        >>> batch = PaddedSequence.pad([torch.ones(3, 2), torch.ones(1, 2)])
        >>> batch.values.shape, batch.lengths.tolist()
        (torch.Size([2, 3, 2]), [3, 1])
        >>> batch.mask().tolist()
        [[True, True, True], [True, False, False]]
    """

    values: Tensor
    lengths: Tensor

    @classmethod
    def pad(cls, rows: Sequence[Tensor]) -> PaddedSequence:
        """Put rows of ``[T_i, ...]`` into one batch, padded with zeros.

        Args:
            rows: B tensors that differ in their first dimension only.

        Raises:
            ValueError: there are no rows.
        """
        if not rows:
            raise ValueError("a batch needs at least one row, got none")
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        return cls(pad_sequence(list(rows), batch_first=True), lengths)

    def extended(self, multiple: int) -> PaddedSequence:
        """The same sequences with T rounded up to a multiple of ``multiple`` (zeros are added)."""
        missing = -self.values.shape[1] % multiple
        if missing == 0:
            return self
        padding = self.values.new_zeros(self.values.shape[0], missing, *self.values.shape[2:])
        return PaddedSequence(torch.cat([self.values, padding], dim=1), self.lengths)

    def mask(self) -> Tensor:
        """``[B, T]`` bool, true at real steps."""
        return length_mask(self.lengths, self.values.shape[1])

    def masked(self, value: float = 0.0) -> PaddedSequence:
        """The same sequences with ``value`` in the padding, whatever stood there (NaN too)."""
        mask = self.mask().reshape(*self.values.shape[:2], *([1] * (self.values.dim() - 2)))
        return PaddedSequence(self.values.masked_fill(~mask, value), self.lengths)

    def rows(self) -> list[Tensor]:
        """The rows without their padding, each ``[T_i, ...]``."""
        return [row[:length] for row, length in zip(self.values, self.lengths.tolist(), strict=True)]

    def chosen(self, rows: Sequence[int]) -> PaddedSequence:
        """These rows alone, in this order, still padded."""
        return PaddedSequence(self.values[rows], self.lengths[rows])

    def first(self) -> PaddedSequence:
        """The first row alone, without its padding."""
        return PaddedSequence(self.values[:1, : int(self.lengths[0])], self.lengths[:1])

    def to(self, *args: Any, **kwargs: Any) -> PaddedSequence:
        """Move to a device (lengths too); a dtype applies to the values alone."""
        values = self.values.to(*args, **kwargs)
        return PaddedSequence(values, self.lengths.to(values.device))


def round_up(number: int, multiple: int) -> int:
    """The smallest multiple of ``multiple`` that is at least ``number``."""
    return -(-number // multiple) * multiple


def length_mask(lengths: Tensor, steps: int) -> Tensor:
    """``[B]`` lengths -> ``[B, steps]`` bool, true below the length."""
    return torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None]


def reverse_within_lengths(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each row of ``[B, T, D]`` within its own length; the padding stays where it is.

    The operation is its own inverse, so its gradient is the same gather; left to autograd it becomes a scatter-add that
    made a bf16 training step four times slower on a CPU.
    """
    steps = torch.arange(values.shape[1], device=values.device)[None, :]
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)  # [B, T]
    reversed_values: Tensor = _GatherOwnInverse.apply(values, index)
    return reversed_values


class _GatherOwnInverse(torch.autograd.Function):
    """Gather along time by an index that is a permutation and its own inverse."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return _gather_steps(values, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _gather_steps(gradients[0], index), None


def _gather_steps(values: Tensor, index: Tensor) -> Tensor:
    """``out[b, t] = values[b, index[b, t]]``, copying whole feature vectors at a time."""
    batch, steps = index.shape
    flat = index + torch.arange(batch, device=index.device)[:, None] * steps
    return values.flatten(0, 1).index_select(0, flat.reshape(-1)).reshape(values.shape)


def end_states(encoded: PaddedSequence) -> Tensor:
    """What each direction of a bidirectional encoder has seen last: ``[B, T, 2 H]`` -> ``[B, 2 H]``.

    The first half of a row's features is that of its last step, the second half that of its first.
    """
    values, lengths = encoded
    half = values.shape[2] // 2
    last = (lengths - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, values.shape[2])
    return torch.cat([values.gather(1, last)[:, 0, :half], values[:, 0, half:]], dim=1)


def concatenate_features(sequences: Iterable[PaddedSequence]) -> PaddedSequence:
    """Sequences of equal lengths side by side: ``[B, T, D1]``, ``[B, T, D2]`` -> ``[B, T, D1 + D2]``.

    Raises:
        ValueError: the lengths differ; the message shows both.
    """
    parts = list(sequences)
    first = parts[0]
    for part in parts[1:]:
        if not torch.equal(part.lengths, first.lengths):
            raise ValueError(
                "features can be set side by side only at the same steps; lengths differ: "
                f"{first.lengths.tolist()} and {part.lengths.tolist()} (is hop_length the same?)"
            )
    steps = min(part.values.shape[1] for part in parts)
    return PaddedSequence(torch.cat([part.values[:, :steps] for part in parts], dim=-1), first.lengths)
