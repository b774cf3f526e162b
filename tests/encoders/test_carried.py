from typing import Any

import pytest
import torch

from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import CarriesState
from seqpipe.encoders.recurrent import RecurrentEncoder
from seqpipe.errors import ConfigError

CELLS = ["lstm", "gru", "mingru", "minlstm", "rnn_tanh"]


def encoder(cell: Any, **options: Any) -> RecurrentEncoder:
    torch.manual_seed(2)
    made = RecurrentEncoder(input_size=5, hidden_size=6, layers=2, cell=cell, bidirectional=False, **options)
    return made.eval()


def steps(*lengths: int) -> PaddedSequence:
    torch.manual_seed(3)
    return PaddedSequence.pad([torch.randn(length, 5) for length in lengths])


@torch.no_grad()
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{}, {"residual": True, "layer_norm": True}])
def test_parts_of_a_row_give_what_the_whole_gives(cell: str, options: dict[str, Any]) -> None:
    whole, made = steps(17), encoder(cell, **options)
    state, outputs = made.initial_state(1), []
    for start, stop in ((0, 6), (6, 7), (7, 17)):
        part = PaddedSequence(whole.values[:, start:stop], torch.tensor([stop - start]))
        output, state = made.forward_from(part, state)
        outputs.append(output.values)
    assert torch.allclose(torch.cat(outputs, dim=1), made(whole).values, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("cell", CELLS)
def test_each_row_goes_on_from_its_own_last_step(cell: str) -> None:
    first, second = steps(4, 9, 0, 9), steps(3, 1, 5, 2)
    made = encoder(cell)
    _, state = made.forward_from(first, made.initial_state(4))
    together, _ = made.forward_from(second, state)
    for row in range(4):
        alone = made.initial_state(1)
        if first.lengths[row]:
            _, alone = made.forward_from(PaddedSequence.pad([first.rows()[row]]), alone)
        output, _ = made.forward_from(PaddedSequence.pad([second.rows()[row]]), alone)
        assert torch.allclose(together.rows()[row], output.values[0], atol=1e-6)


@torch.no_grad()
def test_what_stands_in_the_padding_changes_no_state() -> None:
    made, batch = encoder("lstm"), steps(2, 5)
    bad = batch.masked(float("nan"))
    clean, dirty = (made.forward_from(each, made.initial_state(2))[1] for each in (batch, bad))
    assert all(map(torch.equal, clean, dirty))


def test_the_gradient_reaches_the_state_before() -> None:
    made = encoder("gru")
    state = tuple(part.requires_grad_() for part in made.initial_state(2))
    output, _ = made.forward_from(steps(3, 3), state)
    output.values.sum().backward()
    assert all(part.grad is not None and bool(part.grad.any()) for part in state)


def test_both_ways_carry_nothing() -> None:
    made = RecurrentEncoder(input_size=5, hidden_size=6)
    assert isinstance(made, CarriesState)
    assert not made.carries_state
    with pytest.raises(ConfigError, match="bidirectional: false"):
        made.forward_from(steps(3), made.initial_state(1))
