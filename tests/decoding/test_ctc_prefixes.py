"""Prefixes by CTC against enumeration."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.ctc import ctc_losses
from seqpipe.decoding.ctc_prefixes import CTCPrefixes

LENGTHS = torch.tensor([4, 3])


def emissions() -> PaddedSequence:
    """Of a blank and two labels; noise in the padding."""
    values = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64).log_softmax(dim=-1)
    return PaddedSequence(values, LENGTHS)


def texts(max_length: int = 4) -> Iterator[tuple[int, ...]]:
    """Of CTC's labels."""
    for length in range(max_length + 1):
        yield from itertools.product((1, 2), repeat=length)


def probability(row: int, text: tuple[int, ...]) -> float:
    values, lengths = emissions()
    return math.exp(-float(ctc_losses(values[row : row + 1], lengths[row : row + 1], [text])))


def test_a_prefix_has_the_probability_of_all_texts_that_begin_with_it() -> None:
    for prefix in texts(3):
        prefixes = CTCPrefixes(emissions())
        both = torch.tensor([0, 1])
        for label in prefix:
            grown = prefixes.extended(torch.tensor([[1, 2]] * 2))
            prefixes.choose(both, both, torch.full((2,), label))
        for row in (0, 1):
            whole = float(prefixes.ended()[row].exp())
            assert whole == pytest.approx(probability(row, prefix), abs=1e-12)
            if prefix:
                begun = sum(probability(row, text) for text in texts() if text[: len(prefix)] == prefix)
                assert float(grown[row, prefix[-1] - 1].exp()) == pytest.approx(begun, abs=1e-12)


def test_hypotheses_that_are_left_out_or_doubled_keep_their_own_prefixes() -> None:
    prefixes = CTCPrefixes(emissions())
    prefixes.choose(torch.tensor([0, 1]), torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 1, 2]))
    prefixes.choose(torch.tensor([1]), torch.tensor([3, 2]), torch.tensor([1, 1]))  # of row 1: "2 1" and "1 1"
    ends = prefixes.ended().exp().tolist()
    assert ends == pytest.approx([probability(1, (2, 1)), probability(1, (1, 1))], abs=1e-12)
