"""Log-mel spectrogram."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputRate
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.ranges import check_ranges
from seqpipe.features.speech.augmentation.vocal_tract import WarpRange, row_filters
from seqpipe.features.speech.spectrum import CentredFrames, mel_filters, mel_spectrum, mel_to_onnx, power_spectrum


class LogMel(CentredFrames, Feature):
    """Natural logarithm of the power in mel-spaced bands (Davis & Mermelstein 1980; Slaney's filters).

    Args:
        sample_rate: of the incoming samples, in hertz.
        n_mels: bands.
        window_seconds: length of the Hann window.
        hop_seconds: from one frame to the next.
        low_hertz: lower edge of the lowest band.
        high_hertz: upper edge of the highest band; half the sample rate when None.
        floor: power below which a band counts as silent (samples in -1 to 1; 16-bit rounding noise is near 2e-7).
        vtlp: lowest and highest factor of vocal tract length perturbation while training (Jaitly & Hinton 2013; they
            took 0.9 to 1.1): the row's frequencies are warped under the filters by a uniformly drawn one. None for no
            warping. Draws come from torch's generator, which training seeds anew at every step.

    Shape: ``[B, S]`` -> ``[B, 1 + S // hop, n_mels]``; frame t is centred on second t · hop_seconds.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        n_mels: Annotated[int, Field(gt=0)] = 80,
        window_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.025,
        hop_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.01,
        low_hertz: Annotated[float, Field(ge=0)] = 20.0,
        high_hertz: Annotated[float, Field(gt=0)] | None = None,
        floor: Annotated[float, Field(gt=0)] = 1e-6,
        vtlp: WarpRange | None = None,
    ) -> None:
        super().__init__()
        check_ranges(type(self).__name__, vtlp=vtlp)
        self.vtlp = vtlp
        self.hop_length = round(hop_seconds * sample_rate)
        window = round(window_seconds * sample_rate)
        self.n_fft = 2 ** math.ceil(math.log2(window))
        self.floor = floor
        self.output_size = n_mels
        self.frame_rate = sample_rate / self.hop_length
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", mel_filters(sample_rate, self.n_fft, n_mels, low_hertz, high_hertz), False)
        self.window: Tensor
        self.filters: Tensor

    def forward(self, waveforms: PaddedSequence) -> PaddedSequence:
        """Samples to log-mel frames, in fp32 whatever the precision around it."""
        with torch.autocast(waveforms.values.device.type, enabled=False):
            if self.training or torch.is_grad_enabled() or waveforms.values.device.type != "cpu":
                filters = row_filters(self.filters, len(waveforms.lengths), self.vtlp if self.training else None)
                power, lengths = power_spectrum(waveforms, self.window, self.n_fft, self.hop_length)
                mel = power @ filters  # [B, T, n_mels]
            else:
                mel, lengths = mel_spectrum(waveforms, self.window, self.n_fft, self.hop_length, self.filters)
            mel = mel.clamp(min=self.floor).log()
        return PaddedSequence(mel, lengths).masked()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        mel, lengths = mel_to_onnx(graph, sequence, self.window, self.n_fft, self.hop_length, self.filters)
        mel = graph.op("Log", graph.op("Max", mel, graph.constant(self.floor)))
        return graph.masked(Symbol(mel, lengths))
