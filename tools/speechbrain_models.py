"""SpeechBrain's models for `bench_recipe.py`: CRDNNs, and SpeechBrain's layers in the order of a recipe's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from speechbrain.decoders.ctc import ctc_greedy_decode
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.CRDNN import CRDNN
from speechbrain.nnet.activations import Softmax
from speechbrain.nnet.CNN import Conv2d
from speechbrain.nnet.containers import LengthsCapableSequential
from speechbrain.nnet.dropout import Dropout2d
from speechbrain.nnet.linear import Linear
from speechbrain.nnet.losses import ctc_loss
from speechbrain.nnet.normalization import BatchNorm2d
from speechbrain.nnet.RNN import LSTM
from speechbrain.processing.features import InputNormalization
from torch import Tensor, nn

from seqpipe.core.sequence import PaddedSequence
from seqpipe.encoders.recurrent import RecurrentEncoder
from seqpipe.errors import ConfigError
from seqpipe.features.speech.log_mel import LogMel
from seqpipe.frontends.conv2d import Conv2dFrontEnd
from seqpipe.heads.ctc import CTCHead
from seqpipe.pipeline import Pipeline

BLANK = 0


@dataclass(frozen=True)
class Shape:
    """The sizes of a recipe: log-mel bands, convolutions, bidirectional LSTM layers, one linear layer.

    Kernels and strides are of time and frequency.
    """

    sample_rate: int
    n_mels: int
    n_fft: int
    window_milliseconds: float
    hop_milliseconds: float
    channels: list[int]
    kernels: list[tuple[int, int]]
    strides: list[tuple[int, int]]
    convolution_dropout: float
    layers: int
    hidden_size: int
    dropout: float
    vocabulary: int

    @classmethod
    def of(cls, pipeline: Pipeline) -> Shape:
        """The sizes of a pipeline.

        Raises:
            ConfigError: it has stages to which SpeechBrain's CRDNN has no counterpart.
        """
        mels = [stage for stage in pipeline.features.stages if isinstance(stage, LogMel)]
        frontend: Any = pipeline.frontend
        encoder: Any = pipeline.encoder
        if not (
            mels
            and isinstance(frontend, Conv2dFrontEnd)
            and isinstance(encoder, RecurrentEncoder)
            and encoder.backward_layers is not None
            and all(isinstance(layer, nn.LSTM) for layer in encoder.forward_layers)
            and len(set(map(tuple, frontend.kernels))) == 1
            and isinstance(pipeline.head, CTCHead)
        ):
            raise ConfigError(
                "a CRDNN can have the shape of LogMel, Conv2dFrontEnd, a bidirectional LSTM and CTCHead only"
            )
        reader: Any = pipeline.features.reader
        rate: int = reader.sample_rate
        convolutions: Any = frontend.convolutions
        recurrent: Any = encoder.forward_layers
        return cls(
            sample_rate=rate,
            n_mels=mels[0].output_size,
            n_fft=mels[0].n_fft,
            window_milliseconds=1000 * len(mels[0].window) / rate,
            hop_milliseconds=1000 * mels[0].hop_length / rate,
            channels=[convolution.out_channels for convolution in convolutions],
            kernels=list(frontend.kernels),
            strides=list(frontend.strides),
            convolution_dropout=frontend.dropout,
            layers=len(recurrent),
            hidden_size=recurrent[0].hidden_size,
            dropout=encoder.dropout,
            vocabulary=pipeline.head.output_size,
        )


class SpeechBrainModel(nn.Module):
    """Waveforms to log-probabilities as in SpeechBrain's CTC recipes: `Fbank`, `InputNormalization`, body, `Linear`."""

    def __init__(
        self,
        features: nn.Module,
        body: Any,
        size: int,
        vocabulary: int,
        *,
        takes_lengths: bool = False,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.features = features
        self.normalize = InputNormalization(norm_type="sentence")
        self.plain = [body]  # in a list, so that it is no second submodule
        self.body = torch.jit.script(body) if compiled else body
        self.output = Linear(input_size=size, n_neurons=vocabulary)
        self.log_softmax = Softmax(apply_log=True)
        self.takes_lengths = takes_lengths

    def forward(self, batch: PaddedSequence) -> tuple[Tensor, Tensor]:
        """``[B, S]`` -> log-probabilities ``[B, T, V]`` and relative lengths ``[B]``."""
        shares = batch.lengths / batch.values.shape[1]
        features = self.normalize(self.features(batch.values), shares)
        encoded = self.body(features, shares) if self.takes_lengths else self.body(features)
        return self.log_softmax(self.output(encoded)), shares

    def loss(self, batch: PaddedSequence, targets: Sequence[Tensor]) -> Tensor:
        """The mean that SpeechBrain's recipes train on."""
        emissions, shares = self(batch)
        padded = nn.utils.rnn.pad_sequence(list(targets), batch_first=True)  # [B, L]
        target_shares = torch.tensor([len(target) for target in targets]) / padded.shape[1]
        loss: Tensor = ctc_loss(emissions, padded, shares, target_shares, blank_index=BLANK)
        return loss

    def decode(self, batch: PaddedSequence) -> list[list[int]]:
        """Labels by greedy decoding."""
        emissions, shares = self(batch)
        labels: list[list[int]] = ctc_greedy_decode(emissions, shares, blank_id=BLANK)
        return labels

    def uncompile(self) -> None:
        """Go on with the plain body, over the same parameters."""
        self.body = self.plain[0]


def same_layers(shape: Shape, *, packed: bool = False) -> SpeechBrainModel:
    """SpeechBrain's layers, one for each of ours.

    Args:
        shape: of the recipe.
        packed: tell the LSTM the lengths, for which it packs the batch and so never sees padding. `CRDNN` doesn't.
    """
    body = LengthsCapableSequential(input_shape=[None, None, shape.n_mels])
    for channels, kernel, stride in zip(shape.channels, shape.kernels, shape.strides, strict=True):
        # This Conv2d works on [B, C, F, T], so its pairs are of frequency and time.
        body.append(Conv2d, out_channels=channels, kernel_size=kernel[::-1], stride=stride[::-1], bias=False)
        body.append(BatchNorm2d)
        body.append(nn.ReLU())
        body.append(Dropout2d(shape.convolution_dropout))
    body.append(LSTM, hidden_size=shape.hidden_size, num_layers=shape.layers, dropout=shape.dropout, bidirectional=True)
    return SpeechBrainModel(_fbank(shape), body, 2 * shape.hidden_size, shape.vocabulary, takes_lengths=packed)


def same_sizes(shape: Shape) -> SpeechBrainModel:
    """`CRDNN` with the recipe's numbers: its blocks are two convolutions each, and pool where ours have strides."""
    time_stride = 1
    for stride in shape.strides:
        time_stride *= stride[0]
    body = CRDNN(
        input_size=shape.n_mels,
        dropout=shape.dropout,
        cnn_blocks=len(shape.channels),
        cnn_channels=shape.channels,
        cnn_kernelsize=shape.kernels[0][::-1],
        inter_layer_pooling_size=[stride[1] for stride in shape.strides],
        time_pooling=time_stride > 1,
        time_pooling_size=time_stride,
        rnn_class=LSTM,
        rnn_layers=shape.layers,
        rnn_neurons=shape.hidden_size,
        rnn_bidirectional=True,
        dnn_blocks=0,
    )
    return SpeechBrainModel(_fbank(shape), body, 2 * shape.hidden_size, shape.vocabulary)


def defaults(shape: Shape) -> SpeechBrainModel:
    """`CRDNN` at its defaults over 40 bands with time pooling, and compiled: SpeechBrain's recipe for TIMIT."""
    body = CRDNN(input_size=40, time_pooling=True)
    features = Fbank(sample_rate=shape.sample_rate, n_fft=round(0.025 * shape.sample_rate), n_mels=40)
    return SpeechBrainModel(features, body, 512, shape.vocabulary, compiled=True)


def _fbank(shape: Shape) -> nn.Module:
    fbank: nn.Module = Fbank(
        sample_rate=shape.sample_rate,
        n_fft=shape.n_fft,
        n_mels=shape.n_mels,
        win_length=shape.window_milliseconds,
        hop_length=shape.hop_milliseconds,
    )
    return fbank


MODELS: dict[str, Callable[[Shape], SpeechBrainModel]] = {
    "layers": same_layers,
    "packed": partial(same_layers, packed=True),
    "crdnn": same_sizes,
    "defaults": defaults,
}
