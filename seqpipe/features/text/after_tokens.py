"""What stages that stand behind `Tokens` have in common."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError
from seqpipe.features.text.tokens import Tokens


def tokens_before(previous: object, stage: Stage, *, spelt: bool = False) -> tuple[Tokens]:
    """The `Tokens` before a stage, in a tuple: a stage of the chain, not a part of this one.

    Args:
        previous: what stands there.
        stage: for messages.
        spelt: whether they have to hand characters on.

    Raises:
        ConfigError: something else stands there, or `Tokens` that hand on no characters where they have to.
    """
    name = type(stage).__name__
    if spelt and not (isinstance(previous, Tokens) and previous.characters):
        raise ConfigError(f"{name} needs characters: set Tokens.characters, how many of a word are read")
    if not isinstance(previous, Tokens):
        raise ConfigError(f"{name} needs Tokens before it; there stands {type(previous).__name__}")
    return (previous,)


def token_numbers(values: Tensor) -> Tensor:
    """The tokens of a batch without what stands beside them: ``[B, T]`` or ``[B, T, 1 + W]`` -> ``[B, T]``."""
    return values if values.dim() == 2 else values[..., 0]


def numbers_to_onnx(graph: OnnxGraph, tokens: Tokens, sequence: Symbol) -> Symbol:
    """`token_numbers` of what `Tokens` has prepared, as nodes of a graph: ``[B, T]``, 0 in the padding."""
    values = sequence.values
    if len(tokens.onnx_input().shape) == 3:
        values = graph.op("Gather", values, graph.constant(0), axis=2)
    return graph.masked(Symbol(values, sequence.lengths), 0, rank=2, dtype=np.int64)


def spelt_to_onnx(graph: OnnxGraph, tokens: Tokens, sequence: Symbol) -> str:
    """The characters of each word, ``[B, T, W]``, none in the padding, as a node of a graph."""
    values = graph.masked(sequence, 0, dtype=np.int64).values
    return graph.slice(values, 1, 1 + tokens.characters, 2)
