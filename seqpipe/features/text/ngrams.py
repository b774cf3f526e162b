"""N-grams of token numbers, as numbers themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.core.onnx_graph import OnnxGraph
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import token_numbers


def ngram_keys(tokens: PaddedSequence, order: int, size: int) -> Tensor:
    """The number of the n-gram that ends at each token, ``[B, T]``; -1 where there is none, or it has an unknown token.

    N-grams of different orders have different numbers.

    Args:
        tokens: numbers ``[B, T]`` or ``[B, T, 1 + W]``, 0 to size - 1; 0 is the unknown one.
        order: tokens of an n-gram.
        size: numbers in use.

    Raises:
        ConfigError: n-grams of that order of so many tokens can't be numbered in 62 bits.
    """
    if size ** (order + 1) >= 2**62:
        raise ConfigError(f"{size} tokens are too many for n-grams of {order}: raise min_count or lower the order")
    sequence = PaddedSequence(token_numbers(tokens.values), tokens.lengths)
    numbers = sequence.masked(0).values  # so what reaches into the padding has an unknown token
    keys = torch.full_like(numbers, -1)
    if numbers.shape[1] >= order:
        windows = numbers.unfold(1, order, 1)  # [B, T - order + 1, order]
        # Orders are kept apart by a leading 1, as numbers of more digits.
        key = torch.ones_like(windows[..., 0])
        for place in range(order):
            key = key * size + windows[..., place]
        keys[:, order - 1 :] = torch.where((windows > 0).all(dim=-1), key, -1)
    return keys


def ngram_keys_to_onnx(graph: OnnxGraph, numbers: str, order: int, size: int) -> str:
    """`ngram_keys` as nodes of a graph, of numbers ``[B, T]`` with 0 in the padding."""
    before = graph.op("Pad", numbers, graph.constant([0, order - 1, 0, 0]), graph.constant(0))
    steps = graph.size(numbers, 1)
    key, least = graph.constant(1), numbers
    for place in range(order):
        stop = graph.op("Add", steps, graph.constant([place]))
        token = graph.slice(before, place, stop, 1)
        key = graph.op("Add", graph.op("Mul", key, graph.constant(size)), token)
        least = graph.op("Min", least, token)
    return graph.op("Where", graph.op("Greater", least, graph.constant(0)), key, graph.constant(-1))


def places_of(keys: Tensor, known: Tensor) -> Tensor:
    """Where each key stands in a sorted table of keys; -1 if it isn't there."""
    if not len(known):
        return torch.full_like(keys, -1)
    place = torch.searchsorted(known, keys).clamp(max=len(known) - 1)
    return torch.where(known[place] == keys, place, -1)
