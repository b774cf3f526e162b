"""Sorting through temporary files is sorting in memory."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.language.sorting import Sorter, argsort, looked_up, record_type, suffix_order, whole_groups


def made(count: int, order: int, size: int, seed: int) -> np.ndarray:
    records = np.zeros(count, record_type(order, value="<f8"))
    generator = np.random.default_rng(seed)
    records["gram"] = generator.integers(0, size, (count, order))
    records["value"] = np.arange(count)
    return records


@given(st.integers(1, 6), st.sampled_from([2, 300, 2**20, 2**31 - 1]), st.integers(1, 60))
@settings(deadline=None, max_examples=60)
def test_the_order_is_that_of_tuples(order: int, size: int, count: int) -> None:
    grams = made(count, order, size, count)["gram"]
    columns = suffix_order(order)
    expected = sorted(range(count), key=lambda row: [int(grams[row, column]) for column in columns])
    assert argsort(grams, columns).tolist() == expected


@pytest.mark.parametrize("block", [1, 7, 100, 5000])
def test_many_runs_merged_are_one_sort(tmp_path: Path, block: int) -> None:
    records = made(900, 3, 5, 1)
    sorter = Sorter(tmp_path, records.dtype, suffix_order(3), block)
    for start in range(0, 900, 13):
        sorter.add(records[start : start + 13])
    found = np.concatenate(list(sorter.blocks()))
    expected = records[argsort(records["gram"], suffix_order(3))]
    assert np.array_equal(found["gram"], expected["gram"])
    assert sorted(found["value"]) == sorted(records["value"])


def test_groups_are_not_parted() -> None:
    records = made(500, 2, 9, 2)
    records = records[argsort(records["gram"], (0, 1))]
    blocks = list(whole_groups([records[start : start + 11] for start in range(0, 500, 11)], slice(0, 1)))
    assert np.array_equal(np.concatenate(blocks), records)
    firsts = [set(block["gram"][:, 0].tolist()) for block in blocks]
    assert sum(map(len, firsts)) == len(set.union(*firsts))


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_two_streams_side_by_side(size: int) -> None:
    right = np.unique(made(60, 2, 12, 3)["gram"], axis=0)
    rights = np.zeros(len(right), record_type(2, value="<f8"))
    rights["gram"], rights["value"] = right, np.arange(len(right))
    rights = rights[argsort(rights["gram"], suffix_order(2))]
    left = made(300, 3, 12, 4)
    left = left[argsort(left["gram"], suffix_order(3))]
    known = {tuple(gram): value for gram, value in zip(rights["gram"].tolist(), rights["value"], strict=True)}
    pieces = (left[start : start + size] for start in range(0, 300, size))
    parts = (rights[start : start + 7] for start in range(0, len(rights), 7))
    for block, values, is_there in looked_up(pieces, parts, 1, suffix_order(2), "value"):
        for gram, value, there in zip(block["gram"].tolist(), values, is_there, strict=True):
            assert there == (tuple(gram[1:]) in known)
            assert not there or value == known[tuple(gram[1:])]
