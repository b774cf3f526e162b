"""Initial weights of recurrent layers, by the name that the literature uses."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

Initialization = Literal["uniform", "xavier", "he", "orthogonal"]


def initialize_recurrent(layer: nn.RNNBase, name: Initialization, forget_bias: float) -> None:
    """Set the weights of a recurrent layer in place, gate by gate (each gate is a matrix of its own).

    Args:
        layer: ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``.
        name: ``uniform`` keeps torch's own (±1/√H); ``xavier`` (Glorot & Bengio 2010); ``he`` (He et al. 2015);
            ``orthogonal`` is Xavier for the input weights and orthogonal recurrent weights (Saxe et al. 2014).
        forget_bias: of an LSTM's forget gate; all other biases become 0 (with ``uniform`` they are left alone).
    """
    with torch.no_grad():
        for parameter_name, parameter in layer.named_parameters():
            gates = parameter.chunk(parameter.shape[0] // layer.hidden_size)
            if "bias" in parameter_name:
                if name != "uniform":
                    parameter.zero_()
                if isinstance(layer, nn.LSTM) and "bias_ih" in parameter_name:
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
