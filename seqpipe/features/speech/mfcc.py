"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputRate
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.deltas import deltas_to_onnx, with_deltas
from seqpipe.features.ranges import check_ranges
from seqpipe.features.speech.augmentation.vocal_tract import WarpRange, row_filters
from seqpipe.features.speech.spectrum import CentredFrames, mel_filters, mel_to_onnx, power_spectrum
from seqpipe.features.speech.torchaudio_import import torchaudio_functional


class MFCC(CentredFrames, Feature):
    """Mel-frequency cepstral coefficients (Davis & Mermelstein 1980), equal to ``librosa.feature.mfcc``.

    Args:
        sample_rate: of the incoming samples, in hertz.
        n_mfcc: coefficients kept, the 0th (loudness) first; at most ``n_mels``.
        n_mels: mel bands under the cosine transform.
        window_seconds: length of the Hann window.
        hop_seconds: from one frame to the next.
        low_hertz: lower edge of the lowest band.
        high_hertz: upper edge of the highest band; half the sample rate when None.
        top_db: bands quieter than this below the row's own loudest are raised to it; None for no limit, in decibel.
        deltas: 0; 1 adds the slopes over time, 2 the slopes of the slopes too.
        vtlp: lowest and highest factor of vocal tract length perturbation while training (Jaitly & Hinton 2013; they
            took 0.9 to 1.1): the row's frequencies are warped under the filters by a uniformly drawn one. None for no
            warping. Draws come from torch's generator, which training seeds anew at every step.

    Shape: ``[B, S]`` -> ``[B, 1 + S // hop, n_mfcc · (1 + deltas)]``.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        n_mfcc: Annotated[int, Field(gt=0)] = 13,
        n_mels: Annotated[int, Field(gt=0)] = 40,
        window_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.025,
        hop_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.01,
        low_hertz: Annotated[float, Field(ge=0)] = 0.0,
        high_hertz: Annotated[float, Field(gt=0)] | None = None,
        top_db: Annotated[float, Field(gt=0)] | None = 80.0,
        deltas: Literal[0, 1, 2] = 2,
        vtlp: WarpRange | None = None,
    ) -> None:
        super().__init__()
        check_ranges(type(self).__name__, vtlp=vtlp)
        self.vtlp = vtlp
        if n_mfcc > n_mels:
            raise ConfigError(f"MFCC.n_mfcc: {n_mfcc} coefficients can't be had from n_mels = {n_mels} bands")
        self.hop_length = round(hop_seconds * sample_rate)
        window = round(window_seconds * sample_rate)
        self.n_fft = 2 ** math.ceil(math.log2(window))
        self.top_db = top_db
        self.deltas = deltas
        self.output_size = n_mfcc * (1 + deltas)
        self.frame_rate = sample_rate / self.hop_length
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", mel_filters(sample_rate, self.n_fft, n_mels, low_hertz, high_hertz), False)
        cosines = torchaudio_functional().create_dct(n_mfcc, n_mels, "ortho")  # orthonormal DCT-II, [n_mels, n_mfcc]
        self.register_buffer("cosines", cosines, persistent=False)
        self.window: Tensor
        self.filters: Tensor
        self.cosines: Tensor

    def forward(self, waveforms: PaddedSequence) -> PaddedSequence:
        """Samples to cepstra, in fp32 whatever the precision around it."""
        with torch.autocast(waveforms.values.device.type, enabled=False):
            filters = row_filters(self.filters, len(waveforms.lengths), self.vtlp if self.training else None)
            power, lengths = power_spectrum(waveforms, self.window, self.n_fft, self.hop_length)
            decibel = 10.0 * (power @ filters).clamp(min=1e-10).log10()  # [B, T, n_mels]
            if self.top_db is not None:
                # The loudest band of each row by itself: torchaudio clamps below the loudest of the whole batch.
                loudest = PaddedSequence(decibel, lengths).masked(float("-inf")).values.amax(dim=(1, 2), keepdim=True)
                decibel = torch.maximum(decibel, loudest - self.top_db)
            cepstra = PaddedSequence(decibel @ self.cosines, lengths).masked()  # [B, T, n_mfcc]
            return with_deltas(cepstra, self.deltas)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        mel, lengths = mel_to_onnx(graph, sequence, self.window, self.n_fft, self.hop_length, self.filters)
        logs = graph.op("Log", graph.op("Max", mel, graph.constant(1e-10)))
        decibel = graph.op("Mul", logs, graph.constant(10.0 / math.log(10)))
        if self.top_db is not None:
            real = graph.masked(Symbol(decibel, lengths), -math.inf).values
            loudest = graph.reduce("ReduceMax", real, [1, 2])
            decibel = graph.op("Max", decibel, graph.op("Sub", loudest, graph.constant(self.top_db)))
        cepstra = graph.op("MatMul", decibel, graph.constant(self.cosines.numpy()))
        return deltas_to_onnx(graph, graph.masked(Symbol(cepstra, lengths)), self.deltas)
