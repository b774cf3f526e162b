"""N-grams as numbers, against a plain loop over tuples."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.ngrams import ngram_keys, places_of

SIZE = 5
ROWS = st.lists(st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=7), min_size=1, max_size=4)


def by_hand(row: list[int], order: int) -> list[tuple[int, ...] | None]:
    """The n-gram that ends at each token of a row, as a tuple."""
    found: list[tuple[int, ...] | None] = []
    for end in range(1, len(row) + 1):
        ngram = tuple(row[max(0, end - order) : end])
        found.append(ngram if len(ngram) == order and 0 not in ngram else None)
    return found


@given(ROWS, st.integers(0, SIZE - 1), st.integers(0, 3), st.booleans())
def test_equal_n_grams_and_no_others_have_equal_numbers(
    rows: list[list[int]], garbage: int, further: int, spelt: bool
) -> None:
    batch = PaddedSequence.pad([torch.tensor(row) for row in rows])
    steps = batch.values.shape[1] + further
    padded = PaddedSequence(torch.full((len(rows), steps), garbage), batch.lengths)
    padded.values[:, : batch.values.shape[1]] = batch.masked(garbage).values
    if spelt:  # what stands beside the numbers is not looked at
        padded = PaddedSequence(torch.stack([padded.values, torch.rand(len(rows), steps).long()], -1), batch.lengths)
    numbers: dict[tuple[int, ...], int] = {}
    for order in (1, 2, 3, 4):
        keys = ngram_keys(padded, order, SIZE)
        assert keys.shape == (len(rows), steps)
        for row, found in zip(rows, keys.tolist(), strict=True):
            assert set(found[len(row) :]) <= {-1}
            for ngram, key in zip(by_hand(row, order), found, strict=False):
                if ngram is None:
                    assert key == -1
                else:
                    assert key == numbers.setdefault(ngram, key) >= 0
    assert len(set(numbers.values())) == len(numbers)  # of all orders together


def test_so_many_tokens_can_not_be_numbered() -> None:
    tokens = PaddedSequence.pad([torch.tensor([30_000, 39_999, 1])])
    assert ngram_keys(tokens, 2, 40_000).max() > 0
    with pytest.raises(ConfigError, match="40000 tokens are too many for n-grams of 4"):
        ngram_keys(tokens, 4, 40_000)


@given(st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30), unique=True))
def test_places_are_those_of_a_table(keys: list[int], known: list[int]) -> None:
    known.sort()
    found = places_of(torch.tensor(keys, dtype=torch.int64), torch.tensor(known, dtype=torch.int64))
    assert found.tolist() == [known.index(key) if key in known else -1 for key in keys]
