"""A recurrent decoder as nodes of ONNX graphs: what it begins with, and one step of several hypotheses of each row."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol, quantize
from seqpipe.decoders.attention import WIDTH, Attention
from seqpipe.decoders.recurrent import RecurrentDecoder

ROWS, HYPOTHESES, STEPS = "rows", "hypotheses", "steps"
Named = dict[str, tuple[str, Form]]
"""Nodes and their forms by the names that they have outside of the graph."""


class Step(NamedTuple):
    """What a step gives.

    Attributes:
        output: ``[B, W, O]``.
        weights: of attention, ``[B, W, T]``.
        state: that goes into the next step, by the names of `state_forms`.
    """

    output: str
    weights: str
    state: dict[str, str]


def state_forms(decoder: RecurrentDecoder) -> dict[str, Form]:
    """What is carried from step to step, each ``[rows, hypotheses, ...]``; see `seqpipe.decoders.state.State`."""
    layers = Form("float32", (ROWS, HYPOTHESES, len(decoder.layers), decoder.hidden_size))
    return {
        "hidden": layers,
        **({"cell": layers} if decoder.cell == "lstm" else {}),
        **({"fed": Form("float32", (ROWS, HYPOTHESES, decoder.output_size))} if decoder.input_feeding else {}),
        **({"weights": Form("float32", (ROWS, HYPOTHESES, STEPS))} if decoder.attention.follows else {}),
    }


def memory_forms(decoder: RecurrentDecoder, memory_size: int) -> dict[str, Form]:
    """What all steps look at: the encoder's steps as they are compared with, and as they are taken."""
    key = decoder.attention.key
    keys = memory_size if key is None else key.out_features
    return {"keys": Form("float32", (ROWS, STEPS, keys)), "values": Form("float32", (ROWS, STEPS, memory_size))}


def start(graph: OnnxGraph, decoder: RecurrentDecoder, encoded: Symbol, memory_size: int) -> Named:
    """Memory and first state of each row, ``W = 1``; see `RecurrentDecoder.start` and `Attention.remember`."""
    encoded = graph.masked(encoded)
    attention = decoder.attention
    keys = _linear(graph, attention.key, encoded.values) if attention.key is not None else encoded.values
    values = _linear(graph, attention.value, encoded.values) if attention.kind == "multi_head" else encoded.values
    nodes = {"keys": keys, "values": values, **_first_state(graph, decoder, encoded)}
    rows, one = graph.size(encoded.values, 0), graph.constant([1], np.int64)

    def zeros(*sizes: str) -> str:
        return graph.op("ConstantOfShape", graph.op("Concat", rows, one, *sizes, axis=0))

    nodes["fed"] = zeros(graph.constant([decoder.output_size], np.int64))
    nodes["weights"] = zeros(graph.size(encoded.values, 1))
    forms = {**memory_forms(decoder, memory_size), **state_forms(decoder)}
    return {
        name: (nodes[name], Form(form.dtype, [1 if size == HYPOTHESES else size for size in form.shape]))
        for name, form in forms.items()
    }


def embedded(graph: OnnxGraph, table: Tensor, labels: str) -> str:
    """Rows ``[..., E]`` of a table ``[V, E]``, which is kept as a last layer with the same weights keeps them."""
    columns = _numbers(table).T
    if graph.precision == "int8":
        quantized, scales = quantize(columns, graph.weight_bits)
        found = graph.op("Cast", graph.op("Gather", graph.constant(quantized), labels, axis=1), to=1)
        found = graph.op("Mul", found, graph.op("Gather", graph.constant(scales), labels, axis=0))
    else:
        found = graph.op("Gather", graph.constant(columns), labels, axis=1)
    return graph.transpose(found, [1, 2, 0])  # [E, B, W] -> [B, W, E]


def _first_state(graph: OnnxGraph, decoder: RecurrentDecoder, encoded: Symbol) -> dict[str, str]:
    layers = len(decoder.layers)
    if decoder.bridge is None:
        shape = [graph.size(encoded.values, 0), graph.constant([1, layers, decoder.hidden_size], np.int64)]
        zeros = graph.op("ConstantOfShape", graph.op("Concat", *shape, axis=0))
        return {"hidden": zeros, "cell": zeros}
    one = graph.constant(1, np.int64)
    if decoder.kind == "mean":
        count = graph.op("Cast", graph.op("Max", encoded.lengths, one), to=1)
        count = graph.op("Unsqueeze", count, graph.constant([1], np.int64))
        seen = graph.op("Div", graph.reduce("ReduceSum", encoded.values, [1], keep=False), count)
    else:
        last = graph.op("Max", graph.op("Sub", encoded.lengths, one), graph.constant(0, np.int64))
        last = graph.op("Unsqueeze", last, graph.constant([1], np.int64))
        ends = graph.op("GatherND", encoded.values, last, batch_dims=1)  # [B, D]
        begins = graph.reshape(graph.slice(encoded.values, 0, 1, 1), [0, -1])
        half = decoder.bridge.in_features // 2
        seen = graph.concatenate([graph.slice(ends, 0, half, 1), graph.slice(begins, half, 2 * half, 1)])
    states = graph.op("Tanh", _linear(graph, decoder.bridge, seen))
    states = graph.reshape(states, [0, -1, layers, decoder.hidden_size])
    return {"hidden": graph.slice(states, 0, 1, 1), "cell": graph.slice(states, 1, 2, 1)}


def step(graph: OnnxGraph, decoder: RecurrentDecoder, written: str, lengths: str) -> Step:
    """One step; see `RecurrentDecoder.step`.

    Args:
        graph: which has inputs by the names of `memory_forms` and `state_forms`.
        decoder: the network.
        written: embeddings of what was written last, ``[B, W, E]``.
        lengths: of the rows, ``[B]``.
    """
    attention, layers = decoder.attention, len(decoder.layers)
    mask = graph.mask(Symbol("keys", lengths))
    inputs = [written, "fed"] if decoder.input_feeding else [written]
    context = weights = ""
    if decoder.attends_first:
        query = _layer(graph, "hidden", layers - 1)
        context, weights = _attend(graph, attention, query, mask, "weights" if attention.follows else None)
        inputs.append(context)
    values = graph.concatenate(inputs)
    hidden, cell = [], []
    for number, layer in enumerate(decoder.layers):
        before = _layer(graph, "hidden", number)
        if decoder.cell == "lstm":
            values, kept = _lstm(graph, layer, values, before, _layer(graph, "cell", number))
            cell.append(kept)
        else:
            values = _gru(graph, layer, values, before)
        hidden.append(values)
    if not decoder.attends_first:
        context, weights = _attend(graph, attention, values, mask, None)
    output = graph.op("Tanh", _linear(graph, decoder.output, graph.concatenate([context, values])))
    found = {"hidden": _stacked(graph, hidden), "fed": output, "weights": weights}
    if cell:
        found["cell"] = _stacked(graph, cell)
    return Step(output, weights, {name: found[name] for name in state_forms(decoder)})


def _layer(graph: OnnxGraph, state: str, number: int) -> str:
    """``[B, W, layers, H]`` -> ``[B, W, H]``."""
    return graph.op("Squeeze", graph.slice(state, number, number + 1, 2), graph.constant([2], np.int64))


def _stacked(graph: OnnxGraph, layers: list[str]) -> str:
    return graph.concatenate([graph.op("Unsqueeze", layer, graph.constant([2], np.int64)) for layer in layers], 2)


def _attend(graph: OnnxGraph, attention: Attention, queries: str, mask: str, before: str | None) -> tuple[str, str]:
    """Contexts ``[B, W, D]`` and weights ``[B, W, T]`` of queries ``[B, W, H]``; see `Attention.forward`."""
    one, two = graph.constant([1], np.int64), graph.constant([2], np.int64)
    real = graph.op("Unsqueeze", mask, one)  # [B, 1, T]
    if attention.kind == "multi_head":
        return _attend_in_parts(graph, attention, queries, graph.op("Unsqueeze", real, one))
    if attention.kind in ("bahdanau", "location"):
        asked = graph.op("Unsqueeze", _linear(graph, attention.query, queries), two)  # [B, W, 1, H]
        sums = graph.op("Add", asked, graph.op("Unsqueeze", "keys", one))  # [B, W, T, H]
        if before is not None:
            steps = graph.size(before, 2)
            kernel = graph.constant(_numbers(attention.around.weight))
            flat = graph.op("Unsqueeze", graph.reshape(before, [-1, steps]), one)  # [B · W, 1, T]
            found = graph.op("Conv", flat, kernel, pads=[WIDTH // 2, WIDTH // 2])
            found = _linear(graph, attention.place, graph.transpose(found, [0, 2, 1]))
            size = attention.place.out_features
            shape: list[int | str] = [graph.size(before, 0), graph.size(before, 1), steps, size]
            sums = graph.op("Add", sums, graph.reshape(found, shape))
        energy = graph.constant(_numbers(attention.energy.weight).T)
        scores = graph.op("MatMul", graph.op("Tanh", sums), energy)
        scores = graph.op("Squeeze", scores, graph.constant([3], np.int64))
    else:
        scores = graph.op("MatMul", queries, graph.transpose("keys", [0, 2, 1]))
    weights = graph.op("Softmax", graph.where(real, scores, -math.inf), axis=-1)
    return graph.op("MatMul", weights, "values"), weights


def _attend_in_parts(graph: OnnxGraph, attention: Attention, queries: str, real: str) -> tuple[str, str]:
    def parted(values: str, order: list[int]) -> str:  # [B, n, H] -> [B, heads, n, H / heads], or that transposed
        size = attention.query.out_features if values != "values" else attention.output.in_features
        return graph.transpose(graph.reshape(values, [0, 0, attention.heads, size // attention.heads]), order)

    parts = parted(_linear(graph, attention.query, queries), [0, 2, 1, 3])
    scores = graph.op("MatMul", parts, parted("keys", [0, 2, 3, 1]))
    root = math.sqrt(attention.query.out_features // attention.heads)
    scores = graph.op("Div", scores, graph.constant(root))
    weights = graph.op("Softmax", graph.where(real, scores, -math.inf), axis=-1)
    taken = graph.op("MatMul", weights, parted("values", [0, 2, 1, 3]))
    taken = graph.reshape(graph.transpose(taken, [0, 2, 1, 3]), [0, 0, -1])
    return _linear(graph, attention.output, taken), graph.reduce("ReduceMean", weights, [1], keep=False)


def _lstm(graph: OnnxGraph, layer: Any, values: str, hidden: str, cell: str) -> tuple[str, str]:
    weights = {name: _numbers(value) for name, value in layer.named_parameters()}
    gates = graph.op(
        "Add",
        graph.linear(values, weights["weight_ih_l0"], weights["bias_ih_l0"] + weights["bias_hh_l0"]),
        graph.linear(hidden, weights["weight_hh_l0"]),
    )
    size = layer.hidden_size
    entry, forget, new, exit_ = (graph.slice(gates, at * size, (at + 1) * size, 2) for at in range(4))
    kept = graph.op(
        "Add",
        graph.op("Mul", graph.op("Sigmoid", forget), cell),
        graph.op("Mul", graph.op("Sigmoid", entry), graph.op("Tanh", new)),
    )
    return graph.op("Mul", graph.op("Sigmoid", exit_), graph.op("Tanh", kept)), kept


def _gru(graph: OnnxGraph, layer: Any, values: str, hidden: str) -> str:
    weights = {name: _numbers(value) for name, value in layer.named_parameters()}
    size = layer.hidden_size
    by_input = graph.linear(values, weights["weight_ih_l0"], weights["bias_ih_l0"])
    by_state = graph.linear(hidden, weights["weight_hh_l0"], weights["bias_hh_l0"])
    parts = [[graph.slice(each, at * size, (at + 1) * size, 2) for at in range(3)] for each in (by_input, by_state)]
    (input_reset, input_update, input_new), (state_reset, state_update, state_new) = parts
    reset = graph.op("Sigmoid", graph.op("Add", input_reset, state_reset))
    update = graph.op("Sigmoid", graph.op("Add", input_update, state_update))
    new = graph.op("Tanh", graph.op("Add", input_new, graph.op("Mul", reset, state_new)))
    return graph.op("Add", new, graph.op("Mul", update, graph.op("Sub", hidden, new)))


def _linear(graph: OnnxGraph, layer: Any, values: str) -> str:
    return graph.linear(values, _numbers(layer.weight), _numbers(layer.bias) if layer.bias is not None else None)


def _numbers(values: Tensor) -> Any:
    return values.detach().float().cpu().numpy()
