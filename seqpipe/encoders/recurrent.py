"""The encoder: stacked recurrent layers, exact and fast on padded batches of unsorted lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence, reverse_within_lengths, round_up
from seqpipe.core.stage import Stage
from seqpipe.encoders.carried import CarriedRun, State, zero_state
from seqpipe.encoders.segments import MINIMAL_SEGMENT_OVERHEAD, SEGMENT_OVERHEAD, Segment, plan_segments
from seqpipe.errors import ConfigError
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.initialization import Initialization, RecurrentLayer, initialize_recurrent
from seqpipe.layers.lstm import LSTM
from seqpipe.layers.minimal_cells import MinGRU, MinimalCell, MinLSTM
from seqpipe.layers.parallel_directions import run_side_by_side

Cell = Literal["lstm", "gru", "mingru", "minlstm", "rnn_tanh", "rnn_relu"]
Merge = Literal["concatenate", "sum"]


class RecurrentEncoder(Stage):
    """Stacked LSTM, GRU, minGRU, minLSTM or plain recurrent layers, one way or both ways.

    A bidirectional layer is two one-way layers, the backward one over rows reversed within their own length. That
    equals ``nn.LSTM(bidirectional=True)`` on a packed batch to rounding, and stays in oneDNN's fused kernel, which the
    packed path leaves. ``tools/bench_encoder.py`` measures both side by side.

    Args:
        input_size: D, features of a step.
        cell: ``lstm`` (Hochreiter & Schmidhuber 1997, with forget gates), ``gru`` (Cho et al. 2014), ``mingru``
            or ``minlstm`` (Feng et al. 2024), whose gates see the input alone, so that all steps are computed at once,
            ``rnn_tanh`` or ``rnn_relu`` (Elman 1990).
        hidden_size: H, units of a layer in each direction.
        layers: how many are stacked.
        bidirectional: run each layer both ways (Schuster & Paliwal 1997).
        merge: directions side by side (``concatenate``, 2 H features) or added (``sum``, H features).
        residual: add a layer's input to its output wherever the two have the same size.
        layer_norm: normalise each step's features after every layer (Ba et al. 2016).
        dropout: probability, after every layer but the last.
        dropout_kind: what is dropped together; see `DropoutKind`.
        initialization: of the weights; see `initialize_recurrent`.
        forget_bias: initial bias of the forget gate of ``lstm`` and ``minlstm`` (Jozefowicz et al. 2015); other biases
            start at 0.
        chrono_steps: Tmax, the steps over which something is to be remembered. Units start with time scales from 1 to
            Tmax steps in place of ``forget_bias``, so gradients reach as far back (chrono initialization, Tallec &
            Ollivier 2018): what shortcuts over time do, at no cost. Of cells with gates.

    Shape: ``[B, T, D]`` -> ``[B, T, 2 H]`` (``[B, T, H]`` one way or summed), lengths kept, zeros in the padding.

    Example:
        >>> encoder = RecurrentEncoder(input_size=80, hidden_size=32, layers=2)
        >>> batch = PaddedSequence(torch.randn(2, 50, 80), torch.tensor([31, 50]))
        >>> encoder(batch).values.shape
        torch.Size([2, 50, 64])
    """

    role = "encoder"

    def __init__(
        self,
        *,
        input_size: InputSize,
        cell: Cell = "lstm",
        hidden_size: Annotated[int, Field(gt=0)] = 256,
        layers: Annotated[int, Field(gt=0)] = 3,
        bidirectional: bool = True,
        merge: Merge = "concatenate",
        residual: bool = False,
        layer_norm: bool = False,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        initialization: Initialization = "orthogonal",
        forget_bias: float = 1.0,
        chrono_steps: Annotated[int, Field(gt=2)] | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.residual = residual
        self.merge = merge
        self.segment_overhead = MINIMAL_SEGMENT_OVERHEAD if cell in ("mingru", "minlstm") else SEGMENT_OVERHEAD
        self.dropout, self.dropout_kind = dropout, dropout_kind
        self.output_size = hidden_size * (2 if bidirectional and merge == "concatenate" else 1)
        sizes = [input_size] + [self.output_size] * (layers - 1)

        def stack() -> nn.ModuleList:
            return nn.ModuleList(_one_way(cell, size, hidden_size) for size in sizes)

        self.forward_layers = stack()
        self.backward_layers = stack() if bidirectional else None
        self.norms = nn.ModuleList(nn.LayerNorm(self.output_size) for _ in sizes) if layer_norm else None
        for module in self.modules():
            if isinstance(module, (nn.RNNBase, MinimalCell)):
                initialize_recurrent(module, initialization, forget_bias, chrono_steps)

    @property
    def inner_layers(self) -> int:
        """All but the last."""
        return len(self.forward_layers) - 1

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Encode a batch; the order of its rows doesn't matter."""
        return self._encode(sequence, keep=False)[-1]

    def layer_outputs(self, sequence: PaddedSequence) -> list[PaddedSequence]:
        """Encode a batch; what each layer gives before dropout, ``[B, T, 2 H]``."""
        return self._encode(sequence, keep=True)

    @property
    def carries_state(self) -> bool:
        """One way alone: the other one begins at the end of a row."""
        return self.backward_layers is None

    def initial_state(self, rows: int) -> State:
        """Zeros: ``[rows, H]`` of each layer in turn, of an LSTM hidden and cell state."""
        return zero_state(self.forward_layers, rows)

    def forward_from(self, sequence: PaddedSequence, state: State) -> tuple[PaddedSequence, State]:
        """Encode steps that follow a state; the one behind each row's last step comes with them.

        Raises:
            ConfigError: the encoder is bidirectional.
        """
        if not self.carries_state:
            raise ConfigError("a bidirectional RecurrentEncoder carries no state: set bidirectional: false")
        values, lengths = sequence.masked()
        run = CarriedRun(self.forward_layers, lengths, state)
        output = self._stack(values, lengths, run, keep=False)[-1]
        return PaddedSequence(output, lengths), run.state

    def _encode(self, sequence: PaddedSequence, keep: bool) -> list[PaddedSequence]:
        """The last layer's output, behind those of the others if they are to be kept."""
        values, lengths = sequence.masked()
        if values.device.type != "cpu":
            whole = partial(_run, segments=[Segment(0, values.shape[1], len(values))])
            return [PaddedSequence(output, lengths) for output in self._stack(values, lengths, whole, keep)]
        order = torch.argsort(lengths, descending=True, stable=True)
        steps = values.shape[1]
        # Rounded shapes: oneDNN keeps a primitive per shape it has met (design figure: 517 MB against 25 MB).
        longest = round_up(int(lengths.max()), 8)
        rows = len(values) if len(values) <= 8 else round_up(len(values), 8)
        ordered = values.new_zeros(rows, longest, values.shape[2])
        ordered[: len(values), : min(steps, longest)] = values[order, : min(steps, longest)]
        ordered_lengths = F.pad(lengths[order], (0, rows - len(values)), value=1)
        segments = plan_segments(ordered_lengths.tolist(), longest, self.segment_overhead)
        run = partial(_run, segments=segments)
        back = torch.argsort(order)
        found: list[PaddedSequence] = []
        for output in self._stack(ordered, ordered_lengths, run, keep):
            encoded = output[: len(values), :steps].index_select(0, back)
            found.append(PaddedSequence(F.pad(encoded, (0, 0, 0, steps - encoded.shape[1])), lengths))
        return found

    def _stack(
        self, values: Tensor, lengths: Tensor, run: Callable[[nn.Module, Tensor], Tensor], keep: bool
    ) -> list[Tensor]:
        """All layers over ``[B, T, D]``, each direction by ``run``."""
        kept = []
        padding = ~PaddedSequence(values, lengths).mask().unsqueeze(-1)  # [B, T, 1]
        last = len(self.forward_layers) - 1
        for index, layer in enumerate(self.forward_layers):
            if self.backward_layers is None:
                output = run(layer, values)
            else:
                both = [values, reverse_within_lengths(values, lengths)]
                output, backward = run_side_by_side(run, [layer, self.backward_layers[index]], both)
                backward = reverse_within_lengths(backward, lengths)
                output = output + backward if self.merge == "sum" else torch.cat([output, backward], dim=-1)
            if self.norms is not None:
                output = self.norms[index](output)
            if self.residual and output.shape == values.shape:
                output = output + values
            if index < last:
                if keep:
                    kept.append(output.masked_fill(padding, 0.0))
                output = dropout(output, self.dropout, self.training, self.dropout_kind)
            values = output.masked_fill(padding, 0.0)  # [B, T, output_size]
        return [*kept, values]

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        values, lengths = sequence
        previous = self.input_size
        for index, layer in enumerate(self.forward_layers):
            both = [layer] if self.backward_layers is None else [layer, self.backward_layers[index]]
            output = _layer_to_onnx(graph, Symbol(values, lengths), both)
            if self.backward_layers is not None and self.merge == "sum":
                output = graph.op("Add", *graph.outputs("Split", [output], 2, axis=2, num_outputs=2))
            if self.norms is not None:
                norm: Any = self.norms[index]
                output = graph.layer_norm(output, norm.weight.detach(), norm.bias.detach(), norm.eps)
            if self.residual and previous == self.output_size:
                output = graph.op("Add", output, values)
            values, previous = output, self.output_size
        return Symbol(values, lengths)


def _layer_to_onnx(graph: OnnxGraph, sequence: Symbol, ways: Sequence[nn.Module]) -> str:
    """One layer, there or there and back."""
    weights = [{name: value.detach() for name, value in way.named_parameters()} for way in ways]
    if isinstance(ways[0], nn.LSTM):
        return graph.lstm(sequence, weights)
    if isinstance(ways[0], nn.GRU):
        return graph.gru(sequence, weights)
    if isinstance(ways[0], nn.RNN):
        return graph.rnn(sequence, weights, "Tanh" if ways[0].nonlinearity == "tanh" else "Relu")
    raise ConfigError(
        f"RecurrentEncoder can't be exported with cell {type(ways[0]).__name__.lower()}, whose recurrence ONNX has no "
        "operator for; cells that can: lstm, gru, rnn_tanh, rnn_relu"
    )


def _one_way(cell: Cell, input_size: int, hidden_size: int) -> RecurrentLayer:
    if cell == "lstm":
        return LSTM(input_size, hidden_size, batch_first=True)
    if cell == "gru":
        return nn.GRU(input_size, hidden_size, batch_first=True)
    if cell in ("mingru", "minlstm"):
        return (MinGRU if cell == "mingru" else MinLSTM)(input_size, hidden_size, batch_first=True)
    return nn.RNN(input_size, hidden_size, batch_first=True, nonlinearity="tanh" if cell == "rnn_tanh" else "relu")


def _run(layer: nn.Module, values: Tensor, segments: list[Segment]) -> Tensor:
    """One direction over segments of rows sorted by falling length, the state carried from each to the next.

    ``[B, T, D]`` -> ``[B, T, H]``.
    """
    if len(segments) == 1:
        return layer(values)[0]
    outputs = []
    state = None
    for start, stop, rows in segments:
        if isinstance(state, tuple):
            state = tuple(part[:, :rows].contiguous() for part in state)
        elif state is not None:
            state = state[:, :rows].contiguous()
        output, state = layer(values[:rows, start:stop], state)
        outputs.append(F.pad(output, (0, 0, 0, 0, 0, len(values) - rows)))
    return torch.cat(outputs, dim=1)
