from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe import Conv1dFrontEnd, Conv2dFrontEnd, PaddedSequence
from seqpipe.core.sequence import length_mask
from seqpipe.layers.masked_norm import MaskedBatchNorm, MaskedLayerNorm, NoNorm, make_norm

C, BANDS = 6, 4
LENGTHS = torch.tensor([7, 1, 12, 3])


def batch_of(bands: int, steps: int = 12, garbage: float = 0.0) -> tuple[Tensor, Tensor]:
    """Values ``[B, C, T]`` or ``[B, C, T, F]`` with ``garbage`` in the padding, and their mask."""
    shape = (len(LENGTHS), C, 12, bands) if bands else (len(LENGTHS), C, 12)
    values = 2.0 * torch.randn(shape, generator=torch.Generator().manual_seed(4)) + 1.0
    values = torch.cat([values, values.new_zeros(*shape[:2], steps - 12, *shape[3:])], dim=2)
    mask = length_mask(LENGTHS, steps).reshape(len(LENGTHS), 1, steps, *([1] * bool(bands)))
    return values.masked_fill(~mask, garbage), mask


def real_frames(values: Tensor) -> Tensor:
    """``[B, C, T, ...]`` -> ``[1, C, N, ...]``, the real steps of all rows one after another."""
    return torch.cat([row[:, :length] for row, length in zip(values, LENGTHS.tolist(), strict=True)], dim=1)[None]


@pytest.mark.parametrize("garbage", [0.0, 1e3, float("nan")])
@pytest.mark.parametrize("steps", [12, 31])
@pytest.mark.parametrize("bands", [0, BANDS])
def test_training_equals_torch_on_the_real_frames(bands: int, steps: int, garbage: float) -> None:
    ours = MaskedBatchNorm(C)
    theirs: Any = nn.BatchNorm2d(C) if bands else nn.BatchNorm1d(C)
    with torch.no_grad():
        for name in ("weight", "bias"):
            theirs.get_parameter(name).copy_(ours.get_parameter(name).normal_())
    values, mask = batch_of(bands, steps, garbage)
    for _ in range(3):  # running statistics over several batches
        leaf, reference_leaf = values.clone().requires_grad_(), values.clone().requires_grad_()
        output = real_frames(ours(leaf * 1.0, mask))  # it may write into what it is given
        expected = theirs(real_frames(reference_leaf))
        torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
        values = values * 1.3 + 0.2
    torch.testing.assert_close(ours.running_mean, theirs.running_mean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.running_variance, theirs.running_var, atol=1e-5, rtol=1e-5)
    weights = torch.randn(output.shape)
    (output * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(leaf.grad, reference_leaf.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, atol=1e-5, rtol=1e-5)

    evaluated = real_frames(ours.eval()(values.clone(), mask))
    torch.testing.assert_close(evaluated, theirs.eval()(real_frames(values)), atol=1e-5, rtol=1e-5)


def test_one_real_frame_is_enough() -> None:
    norm = MaskedBatchNorm(C)
    output = norm(torch.randn(1, C, 4), torch.tensor([[[True, False, False, False]]]))
    torch.testing.assert_close(output[:, :, 0], torch.zeros(1, C), atol=1e-3, rtol=0)  # divided by sqrt(epsilon)
    assert norm.running_variance.isfinite().all()


def test_layer_norm_takes_each_position_by_itself() -> None:
    values, mask = batch_of(BANDS)
    norm = MaskedLayerNorm(C)
    output = norm(values, mask)
    for step, band in ((0, 0), (0, 3), (5, 2)):
        expected = F.layer_norm(values[2, :, step, band], (C,))
        torch.testing.assert_close(output[2, :, step, band], expected, atol=1e-5, rtol=1e-5)


def test_norms_go_by_name() -> None:
    assert isinstance(make_norm("batch", C), MaskedBatchNorm)
    assert isinstance(make_norm("layer", C), MaskedLayerNorm)
    values, mask = batch_of(0)
    assert make_norm("none", C)(values, mask) is values
    assert isinstance(make_norm("none", C), NoNorm)


@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
@pytest.mark.parametrize("kind", [Conv1dFrontEnd, Conv2dFrontEnd])
def test_padding_changes_nothing_in_training_either(kind: Any, normalization: str) -> None:
    """Outputs, gradients and running statistics, whatever stands in the padding and however much there is."""
    batch = PaddedSequence.pad([torch.randn(int(length), BANDS) for length in LENGTHS])
    found = []
    for padded in (batch, batch.extended(40), batch.extended(23).masked(1e3), batch.masked(float("nan"))):
        torch.manual_seed(0)
        stage = kind(input_size=BANDS, channels=[5, 5], normalization=normalization).train()
        output = stage(padded)
        torch.cat([row.square().sum(dim=1) for row in output.rows()]).sum().backward()
        gradients = [parameter.grad for parameter in stage.parameters()]
        found.append([*output.rows(), *gradients, *stage.buffers()])
    for other in found[1:]:
        for got, want in zip(other, found[0], strict=True):
            scale = max(1.0, float(want.detach().abs().max()))
            torch.testing.assert_close(got / scale, want / scale, atol=1e-5, rtol=0)
