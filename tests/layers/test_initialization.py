import math

import pytest
import torch
from torch import Tensor, nn

from seqpipe import ConfigError, PaddedSequence, RecurrentEncoder
from seqpipe.layers.initialization import RecurrentLayer, initialize_recurrent
from seqpipe.layers.minimal_cells import MinGRU, MinimalCell, MinLSTM

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


@pytest.mark.parametrize("kind", [MinGRU, MinLSTM])
@pytest.mark.parametrize("name", ["uniform", "xavier", "he", "orthogonal"])
def test_of_minimal_cells_each_gate_is_a_matrix_of_its_own(kind: type[MinimalCell], name: str) -> None:
    torch.manual_seed(0)
    layer = kind(D, H, batch_first=True)
    initialize_recurrent(layer, name, 2.5)
    bounds = {"uniform": 1 / math.sqrt(H), "he": math.sqrt(6 / D)}
    bound = bounds.get(name, math.sqrt(6 / (D + H)))
    for gate in gates(layer.weight_ih_l0):
        assert 0.9 * bound < float(gate.abs().max()) <= bound
    for place, gate in enumerate(gates(layer.bias_ih_l0)):
        if kind is MinLSTM and place == 1:
            assert torch.equal(gate, torch.full((H,), 2.5)), "the forget gate"
        else:
            assert gate.any() == (name == "uniform")


def layer_of(kind: type, units: int) -> RecurrentLayer:
    layer: RecurrentLayer = kind(1, units, batch_first=True)
    return layer


@torch.no_grad()
@pytest.mark.parametrize("name", ["uniform", "orthogonal"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, MinGRU, MinLSTM])
def test_chrono_initialization_spreads_what_units_keep_of_their_state(kind: type, name: str) -> None:
    """A unit that lasts for s steps keeps 1 - 1 / s of its state at each, where its weights see nothing."""
    torch.manual_seed(0)
    layer = layer_of(kind, 400)
    initialize_recurrent(layer, name, 1.0, chrono_steps=50)
    for parameter_name, parameter in layer.named_parameters():
        if "weight" in parameter_name:
            parameter.zero_()
    state = torch.full((1, 1, 400), 1e6)  # next to which the candidate is nothing
    _, after = layer(torch.zeros(1, 1, 1), (torch.zeros_like(state), state) if kind is nn.LSTM else state)
    kept = (after[1] if kind is nn.LSTM else after) / state
    scales = 1 / (1 - kept)
    assert 2 <= float(scales.min()) < 3
    assert 47 < float(scales.max()) <= 50.1
    assert float(scales.mean()) == pytest.approx(26, abs=2), "uniform between"


def test_chrono_initialization_lets_gradients_reach_further_back() -> None:
    """What shortcuts over time are for: the share of the first step in the last state, after 200 steps."""
    for cell in ("lstm", "gru", "mingru", "minlstm"):
        reached = []
        for chrono_steps in (None, 200):
            torch.manual_seed(0)
            encoder = RecurrentEncoder(
                input_size=4, hidden_size=32, cell=cell, layers=1, bidirectional=False, chrono_steps=chrono_steps
            )
            values = torch.randn(2, 200, 4).requires_grad_()
            last = encoder(PaddedSequence(values, torch.tensor([200, 200]))).values[:, -1]
            (gradient,) = torch.autograd.grad(last.square().sum(), values)
            sizes = gradient.norm(dim=(0, 2))
            reached.append(float(sizes[0] / sizes[-1]))
        assert reached[0] < 1e-6, cell
        assert reached[1] > 1e-3, cell


def test_without_chrono_steps_nothing_more_is_drawn() -> None:
    """So trainings of before are repeated to the bit."""
    drawn = []
    for chrono_steps in (None, 9):
        torch.manual_seed(0)
        layer = nn.LSTM(D, H)
        initialize_recurrent(layer, "orthogonal", 1.0, chrono_steps)
        drawn.append((layer.weight_hh_l0.clone(), torch.rand(1)))
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert not torch.equal(drawn[0][1], drawn[1][1])


def test_a_layer_without_gates_has_no_time_scales() -> None:
    with pytest.raises(ConfigError, match="chrono_steps sets gates, of which RNN has none; choose another cell"):
        initialize_recurrent(nn.RNN(D, H), "orthogonal", 1.0, chrono_steps=9)


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
