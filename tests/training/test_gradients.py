import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqpipe.training.gradients import add_penalties, clip, drop, scale


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def gradients(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.grad.clone() for parameter in module.parameters()]


def with_loss(module: nn.Module, penalty: torch.Tensor | float = 0.0) -> nn.Module:
    module.zero_grad()
    (module(torch.ones(5, 3)).square().mean() + penalty).backward()
    return module


@settings(max_examples=20, deadline=None)
@given(l1=st.floats(0, 1), l2=st.floats(0, 1))
def test_penalties_have_the_gradient_of_their_formula(l1: float, l2: float) -> None:
    module = model()
    matrices = [parameter for parameter in module.parameters() if parameter.dim() > 1]
    penalty = sum(l1 * matrix.abs().sum() + l2 / 2 * matrix.square().sum() for matrix in matrices)
    expected = gradients(with_loss(module, penalty))
    with_loss(module)
    add_penalties(module.parameters(), l1, l2)
    for found, wanted in zip(gradients(module), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_clipping_returns_the_norm_before_and_keeps_the_direction() -> None:
    module = with_loss(model())
    before = gradients(module)
    norm = torch.cat([gradient.flatten() for gradient in before]).norm()
    assert torch.isclose(clip(module.parameters(), None), norm)
    assert all(torch.equal(one, other) for one, other in zip(gradients(module), before, strict=True))
    assert torch.isclose(clip(module.parameters(), float(norm) / 2), norm)
    for found, whole in zip(gradients(module), before, strict=True):
        torch.testing.assert_close(found, whole / 2, atol=1e-6, rtol=1e-4)


def test_an_optimizer_passes_over_what_was_dropped() -> None:
    module = with_loss(model())
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.5)
    optimizer.step()
    weights = [parameter.detach().clone() for parameter in module.parameters()]
    state = [{name: value.clone() for name, value in optimizer.state[p].items()} for p in module.parameters()]
    with_loss(module)
    scale(module.parameters(), float("nan"))
    drop(module.parameters())
    optimizer.step()
    for parameter, before, kept in zip(module.parameters(), weights, state, strict=True):
        assert torch.equal(parameter, before)
        assert all(torch.equal(optimizer.state[parameter][name], value) for name, value in kept.items())
