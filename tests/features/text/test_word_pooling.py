"""Units pooled into words, against a plain loop."""

from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.text.word_pooling import WordPooling, pool_words

ROWS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=5), min_size=1, max_size=4)
"""Units of each word, of each row."""


def pooled(values: Tensor, how: str) -> Tensor:
    """Units of a word ``[U, D]`` -> ``[D]``."""
    if how == "mean":
        return values.mean(dim=0)
    if how == "max":
        return values.max(dim=0).values
    return values[0] if how == "first" else values[-1]


@pytest.mark.parametrize("how", get_args(WordPooling))
@given(rows=ROWS, more=st.integers(0, 3))
def test_each_word_is_pooled_from_its_own_units(how: Any, rows: list[list[int]], more: int) -> None:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([sum(row) for row in rows])
    steps = int(lengths.max()) + more
    values = torch.randn(len(rows), steps, 3, generator=generator)
    begins = torch.full((len(rows), steps), 7)  # what stands in the padding is nothing
    wanted = []
    for place, row in enumerate(rows):
        begins[place, : lengths[place]] = torch.tensor([int(unit == 0) for size in row for unit in range(size)])
        values[place, lengths[place] :] = float("nan")
        wanted.append(torch.stack([pooled(word, how) for word in values[place, : lengths[place]].split(row)]))
    got = pool_words(PaddedSequence(values, lengths), begins, how)
    assert got.lengths.tolist() == [len(row) for row in rows]
    assert torch.isfinite(got.values).all()
    assert not got.values[~got.mask()].any()
    for row, want in zip(got.rows(), wanted, strict=True):
        torch.testing.assert_close(row, want)


@pytest.mark.parametrize("how", get_args(WordPooling))
def test_gradients_are_finite_beside_padding(how: Any) -> None:
    values = torch.randn(2, 5, 3, requires_grad=True)
    begins = torch.tensor([[1, 0, 1, 0, 0], [1, 0, 0, 0, 0]])
    pool_words(PaddedSequence(values, torch.tensor([5, 2])), begins, how).values.sum().backward()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
    assert not values.grad[1, 2:].any()
