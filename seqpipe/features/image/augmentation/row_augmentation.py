"""What augmentations of line images share: which rows of a batch are drawn, and each row's own randomness."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.ranges import Probability

Change = Callable[[PaddedSequence, list[Generator]], PaddedSequence]
"""Makes new rows ``[b, W', H]`` of rows ``[b, W, H]`` that hold paper (0) in their padding, with a generator each."""


class RowAugmentation(Feature, register=False):
    """Lines ``[B, W, H]`` in 0 to 1 (0 is paper), rows of which are changed while training; see `augment_rows`.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is changed, 0 to 1.
    """

    augments = True

    def __init__(self, *, input_size: InputSize, probability: Probability) -> None:
        super().__init__()
        self.output_size, self.probability = input_size, probability

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Change drawn rows while training."""
        return augment_rows(sequence, self.probability, self.changed) if self.training else sequence

    @abstractmethod
    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """The rows that are drawn; see `Change`."""


def augment_rows(sequence: PaddedSequence, probability: float, change: Change) -> PaddedSequence:
    """The rows of a batch, each changed with a probability.

    Each row has a generator of its own, seeded by one number of torch's generator, which training seeds anew at every
    step. So neither how long a row's neighbours are nor what befalls them changes what is drawn for it, and draws are
    made on the CPU: alike on every device.

    Args:
        sequence: ``[B, W, H]`` floating point, of any precision; ``change`` gets fp32.
        probability: that a row is changed, 0 to 1.
        change: see `Change`; it may make rows longer or shorter.

    Returns:
        ``[B, W', H]`` of the same precision with paper (0) in the padding; the very same batch where no row was drawn.
    """
    if probability == 0:
        return sequence
    seeds = torch.randint(2**63 - 1, (len(sequence.lengths),)).tolist()
    generators = [Generator().manual_seed(seed) for seed in seeds]
    drawn = [row for row, generator in enumerate(generators) if uniform(generator, 0.0, 1.0) < probability]
    if not drawn:
        return sequence
    values, lengths = sequence.masked()
    index = torch.tensor(drawn, device=values.device)
    before = PaddedSequence(values[index].float(), lengths[index])
    with torch.autocast(values.device.type, enabled=False):
        after = change(before, [generators[row] for row in drawn]).masked()
    lengths = lengths.index_copy(0, index, after.lengths)
    steps = after.values.shape[1]
    missing = max(steps, values.shape[1]) - values.shape[1]
    if missing:
        values = F.pad(values, (0, 0, 0, missing))
    values[index, :steps] = after.values.to(values.dtype)
    values[index, steps:] = 0.0
    return PaddedSequence(values[:, : int(lengths.max())], lengths)


def uniform(generator: Generator, low: float, high: float) -> float:
    """A number between the two, each equally likely."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def drawn_column(generators: list[Generator], low: float, high: float, values: Tensor) -> Tensor:
    """One number for each row, as ``[B, 1, 1]`` where ``values`` are."""
    numbers = [uniform(generator, low, high) for generator in generators]
    return torch.tensor(numbers, dtype=values.dtype, device=values.device).view(-1, 1, 1)
