"""Power spectra and mel spectra of padded batches, each row as if it were alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.speech.torchaudio_import import torchaudio_functional

BANDS = 16
"""Of mel filters that are applied together: few are wide, and few together have zeros in most bins."""
BLOCK_FRAMES = 1024
"""Frames whose spectra, 2 MB at 512 samples, are computed together."""


def frame_counts(samples: Tensor, hop_length: int) -> Tensor:
    """Frames of centred windows: ``1 + S // hop_length``, for any S (one frame even of one sample)."""
    return 1 + samples // hop_length


class CentredFrames:
    """What a stage answers whose frame t is centred on sample t · hop_length."""

    hop_length: int

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Samples -> frames."""
        return frame_counts(lengths, self.hop_length)

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Frames -> samples at their centres."""
        return steps * self.hop_length


def power_spectrum(waveforms: PaddedSequence, window: Tensor, n_fft: int, hop_length: int) -> PaddedSequence:
    """Short-time power spectrum of ``[B, S]`` -> ``[B, T, 1 + n_fft / 2]``.

    Frame t is centred on sample t · hop_length; beyond a row's ends stand zeros (librosa's ``pad_mode="constant"``).
    Reflecting instead, as torchaudio does by default, mirrors at the end of the padding and changes a short row's last
    frames with its neighbours in the batch.
    """
    values, lengths = waveforms.masked()
    frames = frame_counts(lengths, hop_length)
    padded = F.pad(values, (n_fft // 2, n_fft // 2))
    spectrum = torch.stft(
        padded, n_fft, hop_length, window.numel(), window, center=False, return_complex=True
    )  # [B, F, T]
    power = spectrum.real.square() + spectrum.imag.square()
    steps = frame_counts(torch.tensor(values.shape[1]), hop_length)
    return PaddedSequence(power.transpose(1, 2)[:, : int(steps)], frames)


def mel_spectrum(
    waveforms: PaddedSequence, window: Tensor, n_fft: int, hop_length: int, filters: Tensor
) -> PaddedSequence:
    """Power in bands: what `power_spectrum` gives, times filters ``[1 + n_fft / 2, M]`` -> ``[B, T, M]``.

    For inference on a CPU: in blocks of rows that stay in the cache, and without most of the zeros in the filters. That
    takes a third of the time.
    """
    values, lengths = waveforms.masked()
    frames = frame_counts(lengths, hop_length)
    steps = int(frame_counts(torch.tensor(values.shape[1]), hop_length))
    before = (n_fft - window.numel()) // 2
    centred = F.pad(window, (before, n_fft - window.numel() - before))
    parts = filter_groups(filters)
    mel = values.new_empty(len(values), steps, filters.shape[1])
    rows = max(1, BLOCK_FRAMES // steps)
    for start in range(0, len(values), rows):
        padded = F.pad(values[start : start + rows], (n_fft // 2, n_fft // 2))
        spectrum = torch.fft.rfft(padded.unfold(1, n_fft, hop_length)[:, :steps] * centred)
        squares = torch.view_as_real(spectrum).square_()
        power = (squares[..., 0] + squares[..., 1]).flatten(0, 1)
        for bins, bands, part in parts:
            torch.mm(power[:, bins], part, out=mel[start : start + rows].flatten(0, 1)[:, bands])
    return PaddedSequence(mel, frames)


def mel_to_onnx(
    graph: OnnxGraph, waveforms: Symbol, window: Tensor, n_fft: int, hop_length: int, filters: Tensor
) -> Symbol:
    """`mel_spectrum` as nodes of a graph: the Fourier transform of windows is a product, that of a strided convolution.

    A window is centred in the ``n_fft`` samples of a frame, and what lies beyond it counts nothing, so that the product
    is as long as the window.
    """
    length = window.numel()
    before = (n_fft - length) // 2
    kernel = _fourier_to_onnx(graph, window, n_fft, before)
    values = graph.masked(waveforms, rank=2).values
    values = graph.op("Unsqueeze", values, graph.constant([1], np.int64))  # [B, 1, S]
    pads = [n_fft // 2 - before, length - (n_fft // 2 - before)]
    spectrum = graph.op("Conv", values, kernel, strides=[hop_length], pads=pads)  # [B, 2 F, T]
    squares = graph.op("Mul", spectrum, spectrum)
    real, imaginary = graph.outputs("Split", [squares], 2, axis=1, num_outputs=2)
    power = graph.transpose(graph.op("Add", real, imaginary), [0, 2, 1])  # [B, T, F]
    mel = graph.op("MatMul", power, graph.constant(filters.numpy()))
    frames = graph.op("Div", waveforms.lengths, graph.constant(hop_length, np.int64))
    return Symbol(mel, graph.op("Add", frames, graph.constant(1, np.int64)))


def _fourier_to_onnx(graph: OnnxGraph, window: Tensor, n_fft: int, before: int) -> str:
    """Cosines and sines of all bins under a window, ``[2 F, 1, W]``, worked out once when the graph is loaded.

    They would take most of the file of a small model. Angles are reduced in whole numbers, so that none is large.
    """
    bins, places = (graph.constant(np.arange(*span)) for span in ((n_fft // 2 + 1,), (before, before + window.numel())))
    turns = graph.op("Mul", graph.op("Unsqueeze", bins, graph.constant([1])), places)
    turns = graph.op("Cast", graph.op("Mod", turns, graph.constant(n_fft)), to=1)  # of a circle of n_fft
    angles = graph.op("Mul", turns, graph.constant(2 * np.pi / n_fft))
    waves = graph.concatenate([graph.op("Cos", angles), graph.op("Sin", angles)], 0)
    return graph.op("Unsqueeze", graph.op("Mul", waves, graph.constant(window.numpy())), graph.constant([1]))


def filter_groups(filters: Tensor) -> list[tuple[slice, slice, Tensor]]:
    """Filters ``[F, M]`` by `BANDS` at a time: the bins in which these have any weight, the bands, and that part."""
    groups = []
    for first in range(0, filters.shape[1], BANDS):
        part = filters[:, first : first + BANDS]
        used = part.any(dim=1).nonzero().flatten().tolist() or [0]
        bins = slice(used[0], used[-1] + 1)
        groups.append((bins, slice(first, first + part.shape[1]), part[bins].contiguous()))
    return groups


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, low: float, high: float | None) -> Tensor:
    """Triangular filters ``[1 + n_fft / 2, n_mels]``, Slaney's mel scale and area normalisation (librosa's default).

    Raises:
        ConfigError: the bands don't lie between 0 and half the sample rate.
    """
    top = sample_rate / 2 if high is None else high
    if not low < top <= sample_rate / 2:
        raise ConfigError(
            f"mel bands from low_hertz = {low:g} to high_hertz = {top:g} don't lie below half the sample rate, "
            f"{sample_rate / 2:g} Hz"
        )
    filters: Tensor = torchaudio_functional().melscale_fbanks(
        n_fft // 2 + 1, low, top, n_mels, sample_rate, "slaney", "slaney"
    )
    return filters
