"""minGRU and minLSTM: the paper's equations, step by step, behind torch's interface."""

import pytest
import torch
from torch import Tensor, nn

from seqpipe.layers.minimal_cells import MinGRU, MinimalCell, MinLSTM

D, H = 5, 4
KINDS = [MinGRU, MinLSTM]


def cell_of(kind: type[MinimalCell], dtype: torch.dtype = torch.float64) -> MinimalCell:
    torch.manual_seed(0)
    return kind(D, H, batch_first=True).to(dtype)


def values_of(batch: int, steps: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(batch, steps, D, generator=generator, dtype=dtype)
    return values, torch.randn(1, batch, H, generator=generator, dtype=dtype)


def by_the_paper(cell: MinimalCell, values: Tensor, state: Tensor) -> Tensor:
    """Feng et al. 2024, one step after the other."""
    weights, biases = (parameter.chunk(cell.matrices) for parameter in (cell.weight_ih_l0, cell.bias_ih_l0))
    states = []
    for step in values.unbind(1):
        *gates, candidate = (step @ weight.T + bias for weight, bias in zip(weights, biases, strict=True))
        if isinstance(cell, MinGRU):
            update = gates[0].sigmoid()
            state = (1 - update) * state + update * candidate
        else:
            entry, forget = (gate.sigmoid() for gate in gates)
            state = forget / (forget + entry) * state + entry / (forget + entry) * candidate
        states.append(state)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_the_paper_s_equations(kind: type[MinimalCell]) -> None:
    cell = cell_of(kind)
    values, state = values_of(3, 11)
    inputs = [values.requires_grad_(), state.requires_grad_(), *cell.parameters()]
    states, last = cell(values, state)
    wanted = by_the_paper(cell, values, state[0])
    assert states.shape == (3, 11, H)
    assert last.shape == (1, 3, H)
    torch.testing.assert_close(states, wanted, atol=1e-13, rtol=1e-13)
    assert torch.equal(last[0], states[:, -1])
    weights = torch.randn(states.shape, dtype=states.dtype)
    own = torch.autograd.grad((states * weights).sum() + last.square().sum(), inputs)
    reference = torch.autograd.grad((wanted * weights).sum() + wanted[:, -1].square().sum(), inputs)
    for gradient, other in zip(own, reference, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_carried_from_chunk_to_chunk_gives_what_one_pass_gives(kind: type[MinimalCell]) -> None:
    cell = cell_of(kind)
    values, state = values_of(3, 24)
    states, last = cell(values, state)
    for size in (1, 5, 23):
        found, before = [], state
        for chunk in values.split(size, dim=1):
            output, before = cell(chunk, before)
            found.append(output)
        torch.testing.assert_close(torch.cat(found, dim=1), states, atol=1e-14, rtol=1e-14)
        torch.testing.assert_close(before, last, atol=1e-14, rtol=1e-14)
    assert torch.equal(cell(values)[0], cell(values, torch.zeros_like(state))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_interface_and_the_names_are_those_of_torch_s_gru(kind: type[MinimalCell]) -> None:
    cell, gru = cell_of(kind, torch.float32), nn.GRU(D, H, batch_first=True)
    values, state = values_of(2, 6, torch.float32)
    for got, wanted in zip(cell(values, state), gru(values, state), strict=True):
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
    assert (cell.input_size, cell.hidden_size) == (gru.input_size, gru.hidden_size)
    assert list(cell.state_dict()) == ["weight_ih_l0", "bias_ih_l0"]
    assert cell.state_dict().keys() <= gru.state_dict().keys()
    with pytest.raises(ValueError, match=f"{kind.__name__} is for batch_first=True alone"):
        kind(D, H, batch_first=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("logit", [-1000.0, -60.0, 60.0, 1000.0])
def test_gates_that_are_shut_or_open_stay_finite(kind: type[MinimalCell], logit: float) -> None:
    """The ratio of two forget and input gates that are both as good as 0 is no 0 / 0."""
    cell = cell_of(kind, torch.float32)
    values, state = values_of(2, 50, torch.float32)
    with torch.no_grad():
        cell.bias_ih_l0[:-H] = logit
    states, _ = cell(values, state)
    states.sum().backward()
    assert states.isfinite().all()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in cell.parameters())  # type: ignore[union-attr]
    if isinstance(cell, MinLSTM):  # both gates alike: what counts is their ratio
        assert float((states[:, 0] - state[0]).detach().abs().mean()) > 0.01
    elif logit < -100:
        assert torch.equal(states[:, -1], state[0]), "kept to the bit"


@pytest.mark.parametrize("kind", KINDS)
def test_under_autocast_the_recurrence_is_in_fp32(kind: type[MinimalCell]) -> None:
    cell = cell_of(kind, torch.float32)
    values, state = values_of(3, 200, torch.float32)
    wanted, _ = cell(values, state)
    with torch.autocast("cpu", torch.bfloat16):
        states, last = cell(values, state)
        states.sum().backward()
    assert states.dtype == last.dtype == torch.float32
    torch.testing.assert_close(states, wanted, atol=0.05, rtol=0.05)
    assert all(parameter.grad.dtype == torch.float32 for parameter in cell.parameters())  # type: ignore[union-attr]
