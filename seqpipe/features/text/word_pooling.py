"""Subword steps back to words."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence

WordPooling = Literal["mean", "max", "first", "last"]


def pool_words(units: PaddedSequence, begins: Tensor, how: WordPooling) -> PaddedSequence:
    """One step for each word, from those of its units.

    Args:
        units: ``[B, T, D]``.
        begins: ``[B, T]``, 1 where a word begins; a row's first step has to be one.
        how: ``mean``, ``max``, ``first`` or ``last`` of a word's units.

    Returns:
        ``[B, words, D]``, zeros in the padding.
    """
    values, lengths = units.masked()
    mask = units.mask()
    word = torch.where(mask, begins[:, : values.shape[1]].cumsum(dim=1) - 1, 0)  # [B, T], counted from 0
    counts = torch.where(mask, word + 1, 0).amax(dim=1)
    shape = (len(values), int(counts.max()), values.shape[2])
    index = word.unsqueeze(-1).expand_as(values)
    if how == "max":
        lowest = torch.full(shape, float("-inf"), dtype=values.dtype, device=values.device)
        filled = values.masked_fill(~mask.unsqueeze(-1), float("-inf"))
        pooled = lowest.scatter_reduce(1, index, filled, "amax")
    else:
        chosen = mask
        if how == "first":
            chosen = mask & (begins[:, : values.shape[1]] == 1)
        elif how == "last":
            following = torch.cat([word[:, 1:], torch.full_like(word[:, :1], -1)], dim=1)
            final = torch.arange(values.shape[1], device=values.device)[None] == lengths[:, None] - 1
            chosen = mask & ((following != word) | final)
        weight = chosen.to(values.dtype).unsqueeze(-1)
        pooled = values.new_zeros(shape).scatter_add(1, index, values * weight)
        if how == "mean":
            size = values.new_zeros(*shape[:2], 1).scatter_add(1, index[..., :1], weight)
            pooled = pooled / size.clamp(min=1)
    return PaddedSequence(pooled, counts).masked()


def pool_words_to_onnx(graph: OnnxGraph, units: Symbol, begins: str, how: WordPooling) -> Symbol:
    """`pool_words` as nodes of a graph."""
    mask = graph.mask(units)
    count = graph.op("CumSum", graph.where(mask, begins, 0, np.int64), graph.constant(1))  # [B, T]
    words = graph.reduce("ReduceMax", count, [1], keep=False)
    word = graph.where(mask, graph.op("Sub", count, graph.constant(1)), 0, np.int64)
    size = graph.size(units.values, 2)
    longest = graph.reduce("ReduceMax", words, [0])
    shape = graph.concatenate([graph.size(units.values, 0), longest, size], 0)

    def spread(values: str) -> str:
        return graph.op("Unsqueeze", values, graph.constant([2]))

    def summed(values: str, reduction: str, start: float) -> str:
        whole = graph.op("Expand", graph.constant(start), shape)
        index = graph.op("Expand", spread(word), graph.op("Shape", units.values))
        return graph.op("ScatterElements", whole, index, values, axis=1, reduction=reduction)

    if how == "max":
        return Symbol(summed(graph.masked(units, -np.inf).values, "max", -np.inf), words)
    chosen = mask
    if how == "first":
        chosen = graph.op("And", mask, graph.op("Equal", begins, graph.constant(1)))
    elif how == "last":  # the next step begins a word, or is none
        following = graph.op("Pad", begins, graph.constant([0, 0, 0, 1]), graph.constant(1))
        behind = graph.slice(following, 1, np.iinfo(np.int64).max, 1)
        steps = graph.op("Unsqueeze", units.lengths, graph.constant([1]))
        places = graph.op("CumSum", graph.op("Cast", graph.op("Equal", begins, begins), to=7), graph.constant(1))
        ends = graph.op("Or", graph.op("Equal", behind, graph.constant(1)), graph.op("Equal", places, steps))
        chosen = graph.op("And", mask, ends)
    pooled = summed(graph.op("Where", spread(chosen), units.values, graph.constant(0.0)), "add", 0.0)
    if how == "mean":
        ones = graph.op("Expand", spread(graph.op("Cast", chosen, to=1)), graph.op("Shape", units.values))
        pooled = graph.op("Div", pooled, graph.op("Max", summed(ones, "add", 0.0), graph.constant(1.0)))
    return Symbol(pooled, words)
