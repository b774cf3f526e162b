"""Silence around recordings at random while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError

Seconds = Annotated[float, Field(ge=0, le=10)]


class AddSilence(Feature):
    """Put silence before and behind an utterance, as less tightly cut recordings have it.

    `Reverberation` and `AddNoise` after it fill the silence. Without it, a model of tightly cut recordings takes the
    breath behind a word for a further one.

    Args:
        sample_rate: of the samples, in hertz.
        seconds: lowest and highest length; drawn uniformly for either end.
        probability: that an utterance gets silence at all.

    Shape: ``[S]`` -> ``[S']``, S' at least S; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        seconds: tuple[Seconds, Seconds] = (0.0, 0.3),
        probability: Annotated[float, Field(ge=0, le=1)] = 0.5,
    ) -> None:
        super().__init__()
        if seconds[0] > seconds[1]:
            raise ConfigError(f"AddSilence.seconds: goes from low to high; received {seconds}")
        self.sample_rate = sample_rate
        self.seconds, self.probability = seconds, probability
        self.output_size = 1

    def prepare(self, raw: Tensor, key: RowKey | None) -> Tensor:
        """Samples ``[S]`` between silences."""
        return raw if key is None else F.pad(raw, self._around(key))

    def augmented_length(self, length: int, key: RowKey) -> int:
        """Samples that this key makes of them."""
        return length + sum(self._around(key))

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Nothing is left to do in a batch."""
        return sequence

    def _around(self, key: RowKey) -> tuple[int, int]:
        generator = key.chance(self.probability)
        if generator is None:
            return 0, 0
        before, after = generator.uniform(*self.seconds, size=2)
        return round(before * self.sample_rate), round(after * self.sample_rate)
