"""Initial weights of recurrent layers, by the name that the literature uses."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from seqpipe.errors import ConfigError
from seqpipe.layers.minimal_cells import MinGRU, MinimalCell, MinLSTM

Initialization = Literal["uniform", "xavier", "he", "orthogonal"]

RecurrentLayer = nn.RNNBase | MinimalCell

_KEEPING: dict[type[RecurrentLayer], dict[int, int]] = {
    nn.LSTM: {0: -1, 1: 1},
    nn.GRU: {1: 1},
    MinGRU: {0: -1},
    MinLSTM: {0: -1, 1: 1},
}
"""Gates that decide how much of the state is kept: their place in the weights, and 1 where they keep what was, -1 where
they let in what is new."""


def initialize_recurrent(
    layer: RecurrentLayer, name: Initialization, forget_bias: float, chrono_steps: int | None = None
) -> None:
    """Set the weights of a recurrent layer in place, gate by gate (each gate is a matrix of its own).

    Args:
        layer: ``nn.LSTM``, ``nn.GRU``, ``nn.RNN``, `MinGRU` or `MinLSTM`.
        name: ``uniform`` keeps torch's own (±1/√H); ``xavier`` (Glorot & Bengio 2010); ``he`` (He et al. 2015);
            ``orthogonal`` is Xavier for the input weights and orthogonal recurrent weights (Saxe et al. 2014).
        forget_bias: of the forget gate of an LSTM or `MinLSTM`; all other biases become 0 (with ``uniform`` they are
            left alone).
        chrono_steps: Tmax, above 2: draw the steps for which each unit keeps its state, up to Tmax, and set the biases
            of the gates that decide on it to them, whatever ``forget_bias`` (chrono initialization, Tallec & Ollivier
            2018).

    Raises:
        ConfigError: ``chrono_steps`` with a layer that has no gates.
    """
    with torch.no_grad():
        for parameter_name, parameter in layer.named_parameters():
            gates = parameter.chunk(parameter.shape[0] // layer.hidden_size)
            if "bias" in parameter_name:
                if name != "uniform":
                    parameter.zero_()
                if isinstance(layer, (nn.LSTM, MinLSTM)) and "bias_ih" in parameter_name:
                    gates[1].fill_(forget_bias)  # torch's order of gates: input, forget, cell, output
                elif isinstance(layer, nn.LSTM):
                    gates[1].zero_()
                continue
            for gate in gates:
                if name == "he":
                    nn.init.kaiming_uniform_(gate, nonlinearity="relu")
                elif name == "orthogonal" and "weight_hh" in parameter_name:
                    nn.init.orthogonal_(gate)
                elif name in ("xavier", "orthogonal"):
                    nn.init.xavier_uniform_(gate)
        if chrono_steps is not None:
            _draw_time_scales(layer, chrono_steps)


def _draw_time_scales(layer: RecurrentLayer, steps: int) -> None:
    keeping = [gates for kind, gates in _KEEPING.items() if isinstance(layer, kind)]
    if not keeping:
        raise ConfigError(f"chrono_steps sets gates, of which {type(layer).__name__} has none; choose another cell")
    # A gate of sigmoid(log(u)) keeps u / (1 + u) of the state at each step: it lasts for 1 + u steps.
    lasting = torch.empty(layer.hidden_size).uniform_(1, steps - 1).log()
    for name, parameter in layer.named_parameters():
        if "bias" in name:
            gates = parameter.chunk(parameter.shape[0] // layer.hidden_size)
            for place, sign in keeping[0].items():
                gates[place].copy_(sign * lasting if "bias_ih" in name else torch.zeros_like(lasting))
