"""A pipeline as one graph: features, front-end, encoder and head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

import seqpipe
from seqpipe.core.head import ExportsGraphs
from seqpipe.core.onnx_graph import Form, OnnxGraph, Precision, Symbol, onnx_graph
from seqpipe.errors import ConfigError
from seqpipe.pipeline import Pipeline

OUTPUT, LENGTHS = "output", "output_lengths"
PRODUCER = f"seqpipe {seqpipe.__version__}"


class Exported(NamedTuple):
    """A graph and what it is connected by.

    Attributes:
        content: of an ONNX file.
        inputs, outputs: forms by name, in their order.
        stride, offset: a step of the output is centred on prepared element ``stride · step + offset``.
        further: the head's own graphs by name.
    """

    content: bytes
    inputs: dict[str, Form]
    outputs: dict[str, Form]
    stride: float
    offset: float
    further: dict[str, Further]


class Further(NamedTuple):
    """A graph that a head runs by itself, behind that of the pipeline.

    Attributes:
        content: of an ONNX file.
        inputs, outputs: forms by name, in their order.
    """

    content: bytes
    inputs: dict[str, Form]
    outputs: dict[str, Form]


def export_pipeline(pipeline: Pipeline, precision: Precision, weight_bits: int = 7) -> Exported:
    """All that is computed on batches, from what the reader prepares to what the head's `forward` gives.

    Args:
        pipeline: in evaluation mode, on the CPU.
        precision: see `OnnxGraph`.
        weight_bits: of int8: 7 or 8.

    Raises:
        ConfigError: a stage or an option has no counterpart in ONNX; or the package onnx isn't installed.
    """
    new = partial(onnx_graph, precision, 8 if weight_bits == 8 else 7)
    graph = new()
    reader = pipeline.features.reader
    form = reader.onnx_input()
    inputs = {"values": form, "lengths": Form("int64", ("rows",))}
    prepared = Symbol("values", "lengths")
    with torch.no_grad():
        encoded = pipeline.features.to_onnx(graph, prepared)
        for stage in (pipeline.frontend, pipeline.encoder):
            encoded = stage.to_onnx(graph, encoded) if stage is not None else encoded
        encoded = reader.pool_to_onnx(graph, prepared, encoded)
        found = pipeline.head.to_onnx(graph, encoded)
    outputs = {OUTPUT: Form("float32", ("rows", "output_steps", "units")), LENGTHS: Form("int64", ("rows",))}
    named = {OUTPUT: (found.values, outputs[OUTPUT]), LENGTHS: (found.lengths, outputs[LENGTHS])}
    content = graph.model(inputs, named, PRODUCER)
    return Exported(content, inputs, outputs, *_geometry(pipeline, form), _further(pipeline, new))


def _further(pipeline: Pipeline, new: Callable[[], OnnxGraph]) -> dict[str, Further]:
    if not isinstance(pipeline.head, ExportsGraphs):
        return {}
    with torch.no_grad():
        made = pipeline.head.further_graphs(new)
    return {
        name: Further(
            graph.model(inputs, outputs, PRODUCER), inputs, {output: form for output, (_, form) in outputs.items()}
        )
        for name, (graph, inputs, outputs) in made.items()
    }


def _geometry(pipeline: Pipeline, form: Form) -> tuple[float, float]:
    """Stride and offset of the steps, in prepared elements."""
    prepared = torch.zeros(1000, *(size for size in form.shape[2:] if isinstance(size, int)))
    steps = torch.arange(3, dtype=torch.float64)
    stages = [pipeline.encoder, pipeline.frontend, *reversed(list(pipeline.features.stages)[1:])]
    for stage in stages:
        steps = stage.locate(prepared, steps) if stage is not None else steps
    first, second, third = steps.tolist()
    if abs((third - second) - (second - first)) > 1e-9 * abs(third):
        raise ConfigError("the pipeline can't be exported: its steps don't lie at equal distances in the input")
    return second - first, first
