"""A linear recurrence: what it computes, how its gradient is made, and what never changes a bit of it."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.layers.linear_scan import linear_scan

SHAPES = [(1, 1, 1), (3, 1, 4), (1, 7, 5), (4, 23, 3), (2, 40, 33)]


def arguments(batch: int, steps: int, units: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(batch + steps + units)
    decay = torch.rand(batch, steps, units, generator=generator, dtype=dtype)
    inputs = torch.randn(batch, steps, units, generator=generator, dtype=dtype)
    return decay, inputs, torch.randn(batch, units, generator=generator, dtype=dtype)


def step_by_step(decay: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    """The definition, for autograd."""
    states = []
    for step in range(inputs.shape[1]):
        state = decay[:, step] * state + inputs[:, step]
        states.append(state)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_recurrence(shape: tuple[int, int, int]) -> None:
    given = [value.requires_grad_() for value in arguments(*shape)]
    own, wanted = linear_scan(*given), step_by_step(*given)
    torch.testing.assert_close(own, wanted, atol=1e-14, rtol=1e-14)
    weights = torch.randn(own.shape, dtype=own.dtype, generator=torch.Generator().manual_seed(0))
    pairs = zip(
        torch.autograd.grad((own * weights).sum(), given),
        torch.autograd.grad((wanted * weights).sum(), given),
        strict=True,
    )
    for gradient, reference in pairs:
        torch.testing.assert_close(gradient, reference, atol=1e-13, rtol=1e-13)


def test_gradients_are_those_of_small_differences() -> None:
    assert torch.autograd.gradcheck(linear_scan, [value.requires_grad_() for value in arguments(2, 9, 3)])


def test_only_what_needs_a_gradient_gets_one() -> None:
    decay, inputs, state = arguments(2, 5, 3)
    inputs.requires_grad_()
    assert torch.autograd.gradcheck(lambda values: linear_scan(decay, values, state), inputs)
    assert torch.autograd.gradcheck(lambda values: linear_scan(decay, values), inputs)


def test_gradients_of_gradients_are_refused() -> None:
    decay, inputs, state = arguments(2, 5, 3)
    inputs.requires_grad_()
    (gradient,) = torch.autograd.grad(linear_scan(decay, inputs, state).square().sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_a_state_of_none_is_zeros() -> None:
    decay, inputs, state = arguments(2, 5, 3)
    assert torch.equal(linear_scan(decay, inputs), linear_scan(decay, inputs, torch.zeros_like(state)))


def test_decays_of_0_and_1_are_exact() -> None:
    _, inputs, state = arguments(3, 2000, 4, torch.float32)
    forgotten = linear_scan(torch.zeros_like(inputs), inputs, state)
    assert torch.equal(forgotten, inputs)
    kept = linear_scan(torch.ones_like(inputs), torch.zeros_like(inputs), state)
    assert torch.equal(kept, state[:, None].expand_as(kept))
    (gradient,) = torch.autograd.grad(
        linear_scan(torch.ones_like(inputs), torch.zeros_like(inputs), state.requires_grad_())[:, -1].sum(), state
    )
    assert torch.equal(gradient, torch.ones_like(state)), "undamped over 2000 steps"


def test_nothing_overflows_where_a_quotient_or_a_logarithm_would() -> None:
    decay = torch.full((1, 500, 2), 1e-30)
    inputs = torch.tensor([-3e37, 1e-37]).expand(1, 500, 2)
    decay.requires_grad_()
    states = linear_scan(decay, inputs)
    assert torch.equal(states, inputs)
    states[..., 1].sum().backward()
    assert decay.grad is not None
    assert decay.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("units", [1, 7, 16, 131])
def test_a_batch_gives_what_its_rows_give_alone_to_the_bit(units: int, dtype: torch.dtype) -> None:
    decay, inputs, state = arguments(9, 30, units, dtype)
    together = linear_scan(decay, inputs, state)
    for row in range(9):
        alone = slice(row, row + 1)
        assert torch.equal(linear_scan(decay[alone], inputs[alone], state[alone]), together[alone])


@given(cuts=st.lists(st.integers(1, 59), max_size=4, unique=True))
def test_a_scan_in_parts_is_the_whole_to_the_bit(cuts: list[int]) -> None:
    decay, inputs, state = arguments(3, 60, 5, torch.float32)
    borders = [0, *sorted(cuts), 60]
    parts, before = [], state
    for start, stop in pairwise(borders):
        parts.append(linear_scan(decay[:, start:stop], inputs[:, start:stop], before))
        before = parts[-1][:, -1]
    assert torch.equal(torch.cat(parts, dim=1), linear_scan(decay, inputs, state))


def test_what_comes_later_changes_nothing_before() -> None:
    decay, inputs, state = arguments(2, 12, 5)
    spoilt = inputs.clone()
    spoilt[:, 8:] = float("nan")
    spoilt.requires_grad_()
    states = linear_scan(decay, spoilt, state)
    assert torch.equal(states[:, :8], linear_scan(decay, inputs, state)[:, :8])
    states[:, :8].sum().backward()
    assert spoilt.grad is not None
    assert not spoilt.grad[:, 8:].any()


def test_strides_change_nothing() -> None:
    decay, inputs, state = arguments(4, 9, 6, torch.float32)
    both = torch.cat([decay, inputs], dim=2).transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(linear_scan(*both.chunk(2, dim=2), state), linear_scan(decay, inputs, state))


def test_half_precision_is_scanned_in_float32() -> None:
    decay, inputs, state = arguments(2, 300, 4, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        states = linear_scan(decay.bfloat16(), inputs.bfloat16(), state.bfloat16())
    assert states.dtype == torch.float32
    rounded = (value.bfloat16().float() for value in (decay, inputs, state))
    assert torch.equal(states, linear_scan(*rounded))
