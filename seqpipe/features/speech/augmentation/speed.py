"""Speed perturbation of waveforms while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.features.speech.resampling import resample_by_ratio


class SpeedPerturbation(Feature):
    """Play an utterance faster or slower, which moves its pitch too (Ko et al. 2015).

    Args:
        sample_rate: of the samples, in hertz.
        factors: one is drawn per utterance, all equally likely; 1.1 is 10 % faster. Rounded to hundredths.

    Shape: ``[S]`` -> ``[ceil(S / factor)]``; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        factors: Annotated[list[Annotated[float, Field(ge=0.5, le=2)]], Field(min_length=1)] = [0.9, 1.0, 1.1],  # noqa: B006
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.percents = [round(100 * factor) for factor in factors]
        self.output_size = 1

    def prepare(self, raw: Tensor, key: RowKey | None) -> Tensor:
        """Samples ``[S]`` at a drawn speed."""
        return raw if key is None else resample_by_ratio(raw, self._percent(key), 100)

    def augmented_length(self, length: int, key: RowKey) -> int:
        """Samples that this key leaves."""
        return _length(length, self._percent(key))

    def min_length(self, length: int) -> int:
        """Samples at the fastest speed."""
        return _length(length, max(self.percents))

    def _percent(self, key: RowKey) -> int:
        return self.percents[int(key.generator().integers(len(self.percents)))]


def _length(length: int, percent: int) -> int:
    return length if percent == 100 else -(-length * 100 // percent)
