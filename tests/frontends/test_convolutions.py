"""What the two convolutional front-ends compute on one row, and what they refuse."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe import Chain, ConfigError, Conv1dFrontEnd, Conv2dFrontEnd, LogMel, PaddedSequence
from seqpipe.core.stage import StageConfig
from seqpipe.layers.activation import activate

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


@pytest.mark.parametrize(("height", "rows_left"), [(8, 2), (7, 2), (5, 2), (4, 1)])
def test_pooling_first_equals_pooling_last(height: int, rows_left: int) -> None:
    """Convolution, bias, ReLU, max-pool, as in a recogniser of line images, with kernels of many columns."""
    torch.manual_seed(0)
    stage = Conv2dFrontEnd(
        input_size=height,
        channels=[4, 3],
        kernels=[(7, 3), (5, 3)],
        pools=[(2, 2), (1, 2)],
        normalization="none",
    )
    row = torch.rand(13, height)
    image = row[None, None]
    for convolution, pool, padding in zip(stage.convolutions, [(2, 2), (1, 2)], [(3, 1), (2, 1)], strict=True):
        image = F.conv2d(image, convolution.weight, convolution.bias, padding=padding).relu()
        image = F.max_pool2d(F.pad(image, (0, image.shape[3] % 2, 0, image.shape[2] % pool[0])), pool)
    expected = image[0].permute(1, 0, 2).flatten(1)
    assert stage.output_size == 3 * rows_left
    torch.testing.assert_close(stage(PaddedSequence.pad([row])).rows()[0], expected)


def test_a_pool_sees_no_padding() -> None:
    """Not even where the convolution of the padding is greater than all of a row's own values."""
    stage = Conv2dFrontEnd(
        input_size=1, channels=[1], kernels=[(1, 1)], pools=[(4, 1)], normalization="none", activation="silu"
    )
    torch.nn.init.constant_(stage.convolutions[0].weight, 1.0)
    torch.nn.init.constant_(stage.convolutions[0].bias, 0.0)
    rows = [torch.tensor([[-5.0], [-4.0], [-3.0], [-2.0], [-1.5]]), torch.arange(9.0)[:, None]]
    output = stage(PaddedSequence.pad(rows))
    assert output.lengths.tolist() == [2, 3]
    torch.testing.assert_close(output.rows()[0], F.silu(torch.tensor([[-2.0], [-1.5]])))
    torch.testing.assert_close(output.rows()[1], F.silu(torch.tensor([[3.0], [7.0], [8.0]])))


@pytest.mark.parametrize("collapse", ["max", "mean"])
def test_what_is_left_of_the_features_can_be_collapsed(collapse: Any) -> None:
    options: Any = {"input_size": 12, "channels": [4, 6], "kernels": [(3, 3), (3, 3)], "pools": [(2, 2), (1, 1)]}
    whole, collapsed = Conv2dFrontEnd(**options).eval(), Conv2dFrontEnd(**options, collapse=collapse).eval()
    collapsed.load_state_dict(whole.state_dict())
    batch = PaddedSequence.pad([torch.randn(20, 12), torch.randn(9, 12)])
    positions = whole(batch).values.unflatten(2, (6, 6))  # [B, T', C, F']
    expected = positions.amax(3) if collapse == "max" else positions.mean(3)
    assert (whole.output_size, collapsed.output_size) == (36, 6)
    torch.testing.assert_close(collapsed(batch).values, expected)


def test_whole_channels_are_dropped() -> None:
    stage = Conv2dFrontEnd(
        input_size=8, channels=[200], kernels=[(3, 3)], strides=[(1, 1)], dropout=0.5, dropout_kind="channels",
        normalization="layer", activation="gelu",
    )  # fmt: skip
    batch = PaddedSequence.pad([torch.randn(16, 8), torch.randn(16, 8)])
    kept = stage(batch).values != 0
    by_channel = kept.unflatten(2, (200, 8)).transpose(1, 2).flatten(2)  # [B, C, T' · F']
    assert torch.equal(by_channel.any(2), by_channel.all(2))
    assert float(by_channel.any(2).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert not torch.equal(by_channel[0].any(1), by_channel[1].any(1))
    assert stage.eval()(batch).values.all()


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


@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
@pytest.mark.parametrize("collapse", ["flatten", "max", "mean"])
def test_gradients_through_pools_are_right(normalization: Any, collapse: Any) -> None:
    """Against those of the same layers over each row alone, without padding."""
    torch.manual_seed(0)
    stage = Conv2dFrontEnd(
        input_size=9, channels=[4, 3], kernels=[(3, 3), (3, 3)], pools=[(2, 2), (3, 2)], normalization=normalization,
        activation="silu", collapse=collapse,
    ).double().eval()  # fmt: skip
    rows = [torch.randn(length, 9, dtype=torch.double) for length in (17, 4, 1, 32)]
    leaves = [row.clone().requires_grad_() for row in rows]
    batch = stage(PaddedSequence.pad(leaves))
    together = torch.autograd.grad(sum(row.square().sum() for row in batch.rows()), leaves)
    for row, got in zip(rows, together, strict=True):
        leaf = row.clone().requires_grad_()
        (expected,) = torch.autograd.grad(stage(PaddedSequence.pad([leaf])).rows()[0].square().sum(), leaf)
        assert expected.any()
        torch.testing.assert_close(got, expected)


def test_every_list_counts() -> None:
    with pytest.raises(ConfigError, match=r"strides, pools need one entry a layer; received 2, 2, 2 and 3"):
        Conv2dFrontEnd(input_size=8, pools=[(1, 1)] * 3)


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
    with pytest.raises(ConfigError, match="RecurrentEncoder is a encoder stage, not a frontend stage"):
        Chain(stages=[StageConfig.parse("Conv1dFrontEnd"), StageConfig.parse("RecurrentEncoder")], previous=before)
    with pytest.raises(ConfigError, match=r"stages\.1\.kernel is not known; did you mean kernels\?"):
        StageConfig.parse({"stage": "Chain", "stages": ["Conv1dFrontEnd", {"stage": "Conv1dFrontEnd", "kernel": [3]}]})
