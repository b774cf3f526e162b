import math

import pytest
import torch
from torch import Tensor, nn

from seqpipe import RecurrentEncoder
from seqpipe.layers.initialization import initialize_recurrent

D, H = 24, 16
LAYERS = [nn.LSTM, nn.GRU, nn.RNN]


def gates(parameter: Tensor) -> tuple[Tensor, ...]:
    return parameter.detach().chunk(parameter.shape[0] // H)


@pytest.mark.parametrize("kind", LAYERS)
def test_recurrent_gates_are_orthogonal(kind: type[nn.RNNBase]) -> None:
    layer = kind(D, H)
    initialize_recurrent(layer, "orthogonal", 1.0)
    for gate in gates(layer.weight_hh_l0):
        torch.testing.assert_close(gate @ gate.T, torch.eye(H), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("name", "weight", "bound"),
    [
        ("xavier", "weight_ih_l0", math.sqrt(6 / (D + H))),
        ("xavier", "weight_hh_l0", math.sqrt(6 / (H + H))),
        ("orthogonal", "weight_ih_l0", math.sqrt(6 / (D + H))),
        ("he", "weight_ih_l0", math.sqrt(6 / D)),
        ("he", "weight_hh_l0", math.sqrt(6 / H)),
        ("uniform", "weight_ih_l0", 1 / math.sqrt(H)),
    ],
)
def test_weights_fill_the_range_of_the_literature(kind: type[nn.RNNBase], name: str, weight: str, bound: float) -> None:
    torch.manual_seed(0)
    layer = kind(D, H)
    initialize_recurrent(layer, name, 1.0)
    for gate in gates(layer.get_parameter(weight)):
        assert 0.9 * bound < float(gate.abs().max()) <= bound


@pytest.mark.parametrize("name", ["uniform", "xavier", "he", "orthogonal"])
@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.5])
def test_the_forget_gate_begins_at_forget_bias(name: str, forget_bias: float) -> None:
    encoder = RecurrentEncoder(input_size=D, hidden_size=H, layers=2, initialization=name, forget_bias=forget_bias)
    lstms = [module for module in encoder.modules() if isinstance(module, nn.LSTM)]
    assert len(lstms) == 4
    for lstm in lstms:
        total = gates(lstm.bias_ih_l0 + lstm.bias_hh_l0)
        assert torch.equal(total[1], torch.full((H,), forget_bias))
        for gate in (total[0], total[2], total[3]):
            assert gate.any() == (name == "uniform"), "the others are 0, or torch's own"


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_other_cells_have_no_forget_bias(kind: type[nn.RNNBase]) -> None:
    layer = kind(D, H)
    initialize_recurrent(layer, "orthogonal", 1.0)
    assert not layer.bias_ih_l0.any()
    assert not layer.bias_hh_l0.any()


def test_the_forget_bias_is_what_an_lstm_forgets_by() -> None:
    """Where nothing enters, the cell is multiplied by sigmoid(forget_bias), which shows that the right gate is set."""
    lstm = nn.LSTM(1, 1)
    initialize_recurrent(lstm, "orthogonal", 2.0)
    cell = torch.full((1, 1, 1), 3.0)
    with torch.no_grad():
        lstm.weight_hh_l0.zero_()
        lstm.weight_ih_l0.zero_()  # then the new candidate is tanh(0) = 0
        _, (_, after) = lstm(torch.zeros(1, 1, 1), (torch.zeros(1, 1, 1), cell))
    torch.testing.assert_close(after, cell * torch.sigmoid(torch.tensor(2.0)))
