"""What the two convolutional front-ends compute on one row, and what they refuse."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe import ConfigError, Conv1dFrontEnd, Conv2dFrontEnd, FrontEndChain, LogMel, PaddedSequence
from seqpipe.frontends.activation import activate
from seqpipe.stage import StageConfig

KINDS: list[Any] = [Conv1dFrontEnd, Conv2dFrontEnd]


def test_one_dimensional_layers_are_plain_convolutions() -> None:
    torch.manual_seed(0)
    stage = Conv1dFrontEnd(input_size=3, channels=[4, 2], kernels=[3, 4], strides=[2, 1], normalization="none")
    row = torch.randn(11, 3)
    first, second = stage.convolutions
    hidden = F.conv1d(F.pad(row.T, (1, 1)), first.weight, first.bias, stride=2).relu()
    expected = F.conv1d(F.pad(hidden, (1, 2)), second.weight, second.bias).relu().T
    torch.testing.assert_close(stage(PaddedSequence.pad([row])).rows()[0], expected)


def test_two_dimensional_layers_are_plain_convolutions() -> None:
    torch.manual_seed(0)
    stage = Conv2dFrontEnd(input_size=7, channels=[4], kernels=[(3, 4)], strides=[(2, 3)], normalization="none")
    row = torch.randn(11, 7)
    (convolution,) = stage.convolutions
    image = F.conv2d(F.pad(row[None, None], (1, 2, 1, 1)), convolution.weight, convolution.bias, stride=(2, 3)).relu()
    expected = image[0].permute(1, 0, 2).flatten(1)  # [T', C · F']
    assert stage.output_size == expected.shape[1] == 4 * 3
    torch.testing.assert_close(stage(PaddedSequence.pad([row])).rows()[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_works_in_training_only(kind: Any) -> None:
    batch = PaddedSequence.pad([torch.randn(200, 8)])
    stage = kind(input_size=8, channels=[16, 16], dropout=0.5, normalization="layer", activation="gelu")
    (dropped,) = stage.train()(batch).rows()
    assert float((dropped == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert stage.eval()(batch).rows()[0].all()


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda x: max(0.0, x)),
        ("gelu", lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
        ("silu", lambda x: x / (1 + math.exp(-x))),
        ("hardtanh", lambda x: min(20.0, max(0.0, x))),
    ],
)
def test_activations_follow_their_formula(name: Any, formula: Any) -> None:
    points = [-30.0, -1.5, 0.0, 0.3, 19.0, 21.0]
    got: Tensor = activate(torch.tensor(points), name)
    assert got.tolist() == pytest.approx([formula(point) for point in points], abs=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "hardtanh"])
@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_right(kind: Any, normalization: str, activation: str) -> None:
    """Against finite differences, whatever is done in place."""
    torch.manual_seed(0)
    stage = kind(input_size=4, channels=[3, 2], normalization=normalization, activation=activation)
    values = torch.randn(2, 6, 4)
    lengths = torch.tensor([6, 3])
    leaf = values.clone().requires_grad_()
    weights = torch.randn(stage.train()(PaddedSequence(values, lengths)).values.shape)

    def total(inputs: Tensor) -> Tensor:
        return (stage(PaddedSequence(inputs, lengths)).values * weights).sum()

    total(leaf).backward()
    direction = torch.randn_like(values)
    with torch.no_grad():
        slope = (total(values + 1e-3 * direction) - total(values - 1e-3 * direction)) / 2e-3
    assert float((leaf.grad * direction).sum()) == pytest.approx(float(slope), rel=0.01, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_lists_must_be_equally_long(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"one entry a layer; received 3, 2 and 2"):
        kind(input_size=8, channels=[1, 2, 3])


@pytest.mark.parametrize("kind", KINDS)
def test_at_least_one_layer(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"channels .*at least 1"):
        kind(input_size=8, channels=[], kernels=[], strides=[])


def test_only_front_ends_make_a_chain() -> None:
    before = LogMel(sample_rate=8000)
    with pytest.raises(ConfigError, match="RecurrentEncoder is a encoder stage, not a front-end"):
        FrontEndChain(
            stages=[StageConfig.parse("Conv1dFrontEnd"), StageConfig.parse("RecurrentEncoder")], previous=before
        )
    with pytest.raises(ConfigError, match=r"stages\.1\.kernel is not known; did you mean kernels\?"):
        StageConfig.parse(
            {"stage": "FrontEndChain", "stages": ["Conv1dFrontEnd", {"stage": "Conv1dFrontEnd", "kernel": [3]}]}
        )
