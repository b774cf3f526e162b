"""A graph in ONNX, built node by node out of a chain's weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqpipe.errors import ConfigError

OPSET, IR_VERSION = 20, 10
"""What is written: of ONNX 1.15 (November 2023), which onnxruntime reads since 1.17."""
CONTRIBUTED = "com.microsoft"
"""Domain of the operators that onnxruntime alone has: those of 8-bit products."""
TABLES = "ai.onnx.ml"
"""Domain of ONNX's own operators for look-ups of keys."""
Precision = Literal["fp32", "int8"]
Array = NDArray[Any]


class Symbol(NamedTuple):
    """A padded batch of sequences in the graph: the counterpart of `PaddedSequence`.

    Attributes:
        values: name of ``[B, T, D]`` (``[B, T, ...]`` on its way into features).
        lengths: name of ``[B]`` int64.
    """

    values: str
    lengths: str


class Form(NamedTuple):
    """What a tensor at an edge of the graph is like.

    Attributes:
        dtype: ``float32``, ``int64`` or ``uint8``.
        shape: sizes, and names of those that differ from call to call.
    """

    dtype: str
    shape: Sequence[int | str]


class Connected(NamedTuple):
    """A graph with what it takes and gives.

    Attributes:
        graph: its nodes and weights.
        inputs: forms by name.
        outputs: nodes and their forms by the name that each is given.
    """

    graph: OnnxGraph
    inputs: dict[str, Form]
    outputs: dict[str, tuple[str, Form]]


class OnnxGraph:
    """Nodes and weights, collected in the order in which data passes, so that each stands behind what it needs.

    What stands in the padding is unspecified, as it is between stages, so that a stage masks what it needs masked.

    Args:
        precision: ``int8`` has products with large matrices, those of `linear` and `lstm`, in 8 bits: weights once and
            for all with a scale for each output, what they are multiplied with as it comes, with one scale for all of
            a call. So rows are to be answered one by one, where batch = single is to hold.
        weight_bits: of 8-bit weights; 7 keep processors without VNNI from saturating where they add up pairs in 16
            bits.
    """

    def __init__(self, precision: Precision = "fp32", weight_bits: Literal[7, 8] = 7) -> None:
        self.precision, self.weight_bits = precision, weight_bits
        self.nodes: list[Any] = []
        self._weights: dict[str, Any] = {}
        self._known: dict[bytes, str] = {}
        self._made: dict[tuple[Any, ...], str] = {}
        self._masked: set[tuple[Symbol, float]] = set()  # with the value in their padding

    # Nodes

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output, whose name it is; the same node of the same inputs is made once.

        Args:
            kind: of the operator, as ONNX names it.
            inputs: names; "" for one that is left out.
            domain: of the operator.
            attributes: as the operator names them; those that are None are left out.
        """
        return self.outputs(kind, inputs, 1, domain=domain, **attributes)[0]

    def outputs(
        self, kind: str, inputs: Sequence[str], count: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """A node with several outputs."""
        from onnx import helper

        given = {name: value for name, value in attributes.items() if value is not None}
        key = (kind, domain, tuple(inputs), count, repr(sorted(given.items())))
        if key not in self._made:
            self._made[key] = f"{kind.lower()}_{len(self.nodes)}"
            name = self._made[key]
            names = [name, *(f"{name}_{number}" for number in range(1, count))]
            self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **given))
        name = self._made[key]
        return [name, *(f"{name}_{number}" for number in range(1, count))]

    def constant(self, values: ArrayLike, dtype: Any = None) -> str:
        """Numbers that are part of the model, float32 where they are floats; equal ones are kept once."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype)
        if dtype is None and array.dtype.kind == "f":
            array = array.astype(np.float32)  # whole numbers are int64 by themselves
        array = np.ascontiguousarray(array).reshape(array.shape)  # which makes a scalar one of a dimension
        key = hashlib.sha256(f"{array.dtype} {array.shape} ".encode() + array.tobytes()).digest()
        if key not in self._known:
            name = f"weight_{len(self._weights)}"
            self._weights[name] = numpy_helper.from_array(array, name)
            self._known[key] = name
        return self._known[key]

    # What several stages need

    def size(self, values: str, axis: int) -> str:
        """One size of a tensor, ``[1]`` int64."""
        return self.op("Shape", values, start=axis, end=axis + 1)

    def reshape(self, values: str, shape: Sequence[int | str]) -> str:
        """A tensor in another shape: numbers, -1 for what is left, 0 for what it is, and names of ``[1]`` int64."""
        if not any(isinstance(size, str) for size in shape):
            return self.op("Reshape", values, self.constant(shape, np.int64))
        parts = [size if isinstance(size, str) else self.constant([size], np.int64) for size in shape]
        return self.op("Reshape", values, self.op("Concat", *parts, axis=0))

    def transpose(self, values: str, order: Sequence[int]) -> str:
        """Axes in another order."""
        return self.op("Transpose", values, perm=list(order))

    def concatenate(self, parts: Sequence[str], axis: int = -1) -> str:
        """Tensors one behind the other."""
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=axis)

    def slice(self, values: str, start: int | str, stop: int | str, axis: int, step: int = 1) -> str:
        """A part of a tensor; edges may be names of ``[1]`` int64."""
        edges = [edge if isinstance(edge, str) else self.constant([edge], np.int64) for edge in (start, stop)]
        return self.op("Slice", values, *edges, self.constant([axis], np.int64), self.constant([step], np.int64))

    def reduce(self, kind: str, values: str, axes: Sequence[int], *, keep: bool = True) -> str:
        """``ReduceSum``, ``ReduceMax``, ... over axes."""
        return self.op(kind, values, self.constant(axes, np.int64), keepdims=int(keep))

    def whole_sums(self, numbers: str, factors: ArrayLike) -> str:
        """Sums of int64 ``[..., N]`` times factors ``[N]``, modulo 2^64 as torch has them: ``[...]``.

        onnxruntime's ReduceSum adds up whole numbers in floating point, so it is wrong beyond 2^53; its MatMul isn't.
        """
        column = np.asarray(factors, np.int64)[:, None]
        return self.op("Squeeze", self.op("MatMul", numbers, self.constant(column)), self.constant([-1]))

    def mask(self, sequence: Symbol, axis: int = 1) -> str:
        """``[B, T]`` bool, true at real steps, which are counted along an axis."""
        steps = self.op("Squeeze", self.size(sequence.values, axis), self.constant([0], np.int64))
        places = self.op("Range", self.constant(0, np.int64), steps, self.constant(1, np.int64))
        ends = self.op("Unsqueeze", sequence.lengths, self.constant([1], np.int64))
        return self.op("Less", places, ends)

    def where(self, condition: str, values: str, otherwise: float, dtype: Any = np.float32) -> str:
        """The values where a condition is true, a number elsewhere."""
        return self.op("Where", condition, values, self.constant(otherwise, dtype))

    def masked(self, sequence: Symbol, value: float = 0.0, *, rank: int = 3, dtype: Any = np.float32) -> Symbol:
        """The same sequences with ``value`` in the padding.

        Args:
            sequence: of ``rank`` dimensions.
            value: what stands there then.
            rank: of the values.
            dtype: of the values.
        """
        if (sequence, value) in self._masked:
            return sequence
        mask = self.mask(sequence)
        for axis in range(2, rank):
            mask = self.op("Unsqueeze", mask, self.constant([axis], np.int64))
        masked = Symbol(self.where(mask, sequence.values, value, dtype), sequence.lengths)
        self._masked.add((masked, value))
        return masked

    def strided_lengths(self, lengths: str, stride: int) -> str:
        """ceil(length / stride)."""
        if stride == 1:
            return lengths
        more = self.op("Add", lengths, self.constant(stride - 1, np.int64))
        return self.op("Div", more, self.constant(stride, np.int64))

    def end_states(self, sequence: Symbol, size: int) -> str:
        """As `seqpipe.core.sequence.end_states`: ``[B, T, D]`` -> ``[B, D]``, ``size`` being D."""
        last = self.op("Max", self.op("Sub", sequence.lengths, self.constant(1)), self.constant(0))
        ends = self.op("GatherND", sequence.values, self.op("Unsqueeze", last, self.constant([1])), batch_dims=1)
        first = self.op("Gather", sequence.values, self.constant(0), axis=1)  # [B, D]
        return self.concatenate([self.slice(ends, 0, size // 2, 1), self.slice(first, size // 2, size, 1)], 1)

    def places(self, keys: str, known: ArrayLike) -> str:
        """Where each key stands among known ones, counted from 1; 0 if it isn't there.

        Args:
            keys: int64 of any shape.
            known: ``[N]``, each once.
        """
        numbers = np.asarray(known, np.int64).tolist()
        if not numbers:
            return self.op("Mul", keys, self.constant(0))
        return self.op(
            "LabelEncoder",
            keys,
            domain=TABLES,
            keys_int64s=numbers,
            values_int64s=list(range(1, len(numbers) + 1)),
            default_int64=0,
        )

    def ones(self, lengths: str) -> str:
        """As many ones as there are rows: lengths of what has one step for each."""
        return self.op("Max", self.op("Min", lengths, self.constant(1, np.int64)), self.constant(1, np.int64))

    def single_steps(self, values: str, lengths: str) -> Symbol:
        """``[B, K]`` as sequences of a step each, ``[B, 1, K]``; ``lengths`` are of any sequences of as many rows."""
        return Symbol(self.op("Unsqueeze", values, self.constant([1], np.int64)), self.ones(lengths))

    def activation(self, values: str, name: str) -> str:
        """As `seqpipe.layers.activation.activate`."""
        if name == "silu":
            return self.op("Mul", values, self.op("Sigmoid", values))
        if name == "hardtanh":
            return self.op("Clip", values, self.constant(0.0), self.constant(20.0))
        return self.op({"relu": "Relu", "gelu": "Gelu"}[name], values)

    def layer_norm(self, values: str, weight: ArrayLike, bias: ArrayLike, epsilon: float = 1e-5) -> str:
        """Over the last axis (Ba et al. 2016)."""
        return self.op(
            "LayerNormalization", values, self.constant(weight), self.constant(bias), axis=-1, epsilon=epsilon
        )

    def linear(self, values: str, weight: ArrayLike, bias: ArrayLike | None = None) -> str:
        """``[..., D]`` -> ``[..., K]`` by a matrix ``[K, D]``, as torch keeps it."""
        matrix = np.asarray(weight, np.float32).T
        if self.precision == "int8":
            quantized, scales = quantize(matrix, self.weight_bits)
            inputs = [values, self.constant(quantized), self.constant(scales), ""]
            inputs.append(self.constant(bias) if bias is not None else "")
            while not inputs[-1]:
                inputs.pop()
            return self.op("DynamicQuantizeMatMul", *inputs, domain=CONTRIBUTED)
        product = self.op("MatMul", values, self.constant(matrix))
        return product if bias is None else self.op("Add", product, self.constant(bias))

    def lstm(self, sequence: Symbol, directions: Sequence[Mapping[str, ArrayLike]]) -> str:
        """``[B, T, D]`` -> ``[B, T, directions · H]``: one way, or there and back within each row's length.

        Args:
            sequence: its lengths should be above 0.
            directions: of each way weights by torch's names (``weight_ih_l0``, ...), gates in torch's order i, f, g, o.
        """
        forms = [{name: _gates(value, [0, 3, 1, 2]) for name, value in each.items()} for each in directions]
        size = forms[0]["weight_hh_l0"].shape[1]
        biases = np.stack([np.concatenate([each["bias_ih_l0"], each["bias_hh_l0"]]) for each in forms])
        weights = [np.stack([each[name] for each in forms]) for name in ("weight_ih_l0", "weight_hh_l0")]
        shared = {"hidden_size": size, "direction": "bidirectional" if len(forms) == 2 else "forward"}
        if self.precision == "int8":
            parts = [quantize(weight.transpose(0, 2, 1), self.weight_bits) for weight in weights]
            zeros = self.constant(np.zeros((len(forms), 4 * size), np.int8))
            further = [name for _, scales in parts for name in (self.constant(scales), zeros)]
            inputs = [*(self.constant(values) for values, _ in parts), self.constant(biases)]
            return self._recurrent("DynamicQuantizeLSTM", sequence, inputs, ["", "", "", *further], shared)
        inputs = [*map(self.constant, weights), self.constant(biases)]
        return self._recurrent("LSTM", sequence, inputs, [], shared)

    def gru(self, sequence: Symbol, directions: Sequence[Mapping[str, ArrayLike]]) -> str:
        """The same of GRUs, whose gates torch has in the order r, z, n."""
        forms = [{name: _gates(value, [1, 0, 2]) for name, value in each.items()} for each in directions]
        return self._plain("GRU", sequence, forms, linear_before_reset=1)

    def rnn(self, sequence: Symbol, directions: Sequence[Mapping[str, ArrayLike]], activation: str) -> str:
        """The same of plain recurrent layers; ``activation``: ``Tanh`` or ``Relu``."""
        forms = [{name: np.asarray(value, np.float32) for name, value in each.items()} for each in directions]
        return self._plain("RNN", sequence, forms, activations=[activation] * len(forms))

    def _plain(self, kind: str, sequence: Symbol, forms: Sequence[Mapping[str, Array]], **options: Any) -> str:
        size = forms[0]["weight_hh_l0"].shape[1]
        inputs = [self.constant(np.stack([each[name] for each in forms])) for name in ("weight_ih_l0", "weight_hh_l0")]
        biases = np.stack([np.concatenate([each["bias_ih_l0"], each["bias_hh_l0"]]) for each in forms])
        direction = "bidirectional" if len(forms) == 2 else "forward"
        shared = {"hidden_size": size, "direction": direction, **options}
        return self._recurrent(kind, sequence, [*inputs, self.constant(biases)], [], shared)

    def _recurrent(
        self, kind: str, sequence: Symbol, inputs: list[str], further: list[str], options: dict[str, Any]
    ) -> str:
        lengths = self.op("Cast", sequence.lengths, to=6)  # int32
        steps_first = self.transpose(sequence.values, [1, 0, 2])  # [T, B, D]
        given = [steps_first, *inputs, lengths, *further]
        domain = CONTRIBUTED if kind.startswith("Dynamic") else ""
        states = self.op(kind, *given, domain=domain, **options)  # [T, directions, B, H]
        return self.reshape(self.transpose(states, [2, 0, 1, 3]), [0, 0, -1])

    # The whole

    def model(self, inputs: Mapping[str, Form], outputs: Mapping[str, tuple[str, Form]], producer: str) -> bytes:
        """The graph as a file's content.

        Args:
            inputs: forms by name.
            outputs: nodes and their forms by the name that each is given.
            producer: name and version of what has written it.
        """
        from onnx import TensorProto, checker, helper

        types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}
        nodes = [*self.nodes, *(helper.make_node("Identity", [made], [name]) for name, (made, _) in outputs.items())]
        used = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "seqpipe",
            [helper.make_tensor_value_info(name, types[form.dtype], form.shape) for name, form in inputs.items()],
            [helper.make_tensor_value_info(name, types[form.dtype], form.shape) for name, (_, form) in outputs.items()],
            [weight for name, weight in self._weights.items() if name in used],
        )
        opsets = [
            helper.make_opsetid("", OPSET),
            helper.make_opsetid(CONTRIBUTED, 1),
            helper.make_opsetid(TABLES, 3),  # of the same release
        ]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=producer)
        checker.check_model(model)
        found: bytes = model.SerializeToString()
        return found


def _gates(values: ArrayLike, order: Sequence[int]) -> Array:
    """Blocks of rows, one for each gate, in another order."""
    array = np.asarray(values, np.float32)
    parts = np.split(array, len(order))
    return np.concatenate([parts[place] for place in order])


def quantize(matrix: Array, bits: int) -> tuple[Array, Array]:
    """A matrix ``[..., D, K]`` as int8 and the scale of each of its columns ``[..., K]``, symmetrically."""
    most = 2 ** (bits - 1) - 1
    largest = np.abs(matrix).max(axis=-2)
    scales = np.where(largest > 0, largest / most, 1.0).astype(np.float32)
    return np.clip(np.rint(matrix / scales[..., None, :]), -most, most).astype(np.int8), scales


def onnx_graph(precision: Precision, weight_bits: Literal[7, 8] = 7) -> OnnxGraph:
    """A new graph.

    Raises:
        ConfigError: the package onnx isn't installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise ConfigError("writing ONNX needs the package onnx: pip install 'seqpipe[export]'") from None
    return OnnxGraph(precision, weight_bits)
