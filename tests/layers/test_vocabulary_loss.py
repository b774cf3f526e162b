"""The loss over a vocabulary beside torch's own, in values and gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from seqpipe.layers import vocabulary_loss as module
from seqpipe.layers.vocabulary_loss import aligned_output, vocabulary_loss


def given(dtype: torch.dtype, rows: int = 300, classes: int = 101) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(rows, 12, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(classes, 12, generator=generator, dtype=dtype).requires_grad_()
    bias = torch.randn(classes, generator=generator, dtype=dtype).requires_grad_()
    return inputs, weight, bias, torch.randint(0, classes, (rows,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("most", [2**22, 64 * 128, 1])  # all rows at once; 64 rows at a time
def test_it_is_torch_s_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, most: int, with_bias: bool, smoothing: float
) -> None:
    monkeypatch.setattr(module, "MAX_LOGITS", most)
    inputs, weight, bias, labels = given(torch.float64)
    asked = [inputs, weight, bias] if with_bias else [inputs, weight]
    ours = vocabulary_loss(inputs, weight, bias if with_bias else None, labels, smoothing)
    logits = F.linear(inputs, weight, bias if with_bias else None)
    torchs = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(ours, torchs)
    for one, other in zip(torch.autograd.grad(3 * ours, asked), torch.autograd.grad(3 * torchs, asked), strict=True):
        torch.testing.assert_close(one, other)


def test_logits_far_from_zero_overflow_nothing() -> None:
    inputs, weight, bias, labels = given(torch.float32)
    loss = vocabulary_loss(inputs, weight, bias + 1e4, labels)
    torch.testing.assert_close(loss, vocabulary_loss(inputs, weight, bias, labels), rtol=1e-3, atol=0)
    gone = vocabulary_loss(inputs, weight, torch.where(torch.arange(101) == 5, -torch.inf, bias), labels % 5)
    assert torch.isfinite(gone)


def test_in_autocast_products_alone_are_narrow() -> None:
    inputs, weight, bias, labels = given(torch.float32)
    exact = vocabulary_loss(inputs, weight, bias, labels, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = vocabulary_loss(inputs, weight, bias, labels, 0.1)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, exact, rtol=2e-3, atol=0)
    for one, other in zip(
        torch.autograd.grad(narrow, [inputs, weight]), torch.autograd.grad(exact, [inputs, weight]), strict=True
    ):
        assert float((one - other).norm() / other.norm()) < 0.02


def test_without_gradients_it_makes_none_and_a_second_one_is_refused() -> None:
    inputs, weight, bias, labels = given(torch.float64)
    counted = FlopCounterMode(display=False)
    with counted:
        vocabulary_loss(inputs, weight, bias, labels)
    with torch.no_grad(), FlopCounterMode(display=False) as fewer:
        assert not vocabulary_loss(inputs, weight, bias, labels).requires_grad
    assert counted.get_total_flops() == 3 * fewer.get_total_flops() > 0
    loss = vocabulary_loss(inputs, weight, bias, labels)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad(loss, inputs, create_graph=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("with_bias", [True, False])
def test_the_layer_by_itself_is_torch_s_linear(dtype: torch.dtype, with_bias: bool) -> None:
    inputs, weight, bias, _ = given(dtype)
    layer = aligned_output(weight, bias if with_bias else None)
    torch.testing.assert_close(layer(inputs), F.linear(inputs, weight, bias if with_bias else None))
    with torch.autocast("cpu", torch.bfloat16):
        narrow = aligned_output(weight, bias)(inputs)
    assert narrow.shape == (300, 101)
    assert narrow.dtype == dtype
