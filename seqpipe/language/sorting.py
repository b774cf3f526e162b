"""Records of n-grams in order, however many: sorted in blocks, written to temporary files, and merged."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Records = np.ndarray
"""Structured, ``[n]``; the field ``gram`` holds the words' numbers, ``[n, k]`` int32, 0 or more."""


def record_type(order: int, **fields: str) -> np.dtype[Any]:
    """The type of records of n-grams: ``gram``, and further fields by their types."""
    return np.dtype([("gram", "<i4", (order,)), *fields.items()])


def prefix_order(order: int) -> tuple[int, ...]:
    """Columns by which n-grams of one context stand together: the first word counts most."""
    return tuple(range(order))


def suffix_order(order: int) -> tuple[int, ...]:
    """Columns by which n-grams that end alike stand together: the last word counts most."""
    return tuple(range(order - 1, -1, -1))


def argsort(grams: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """The stable order of n-grams ``[n, k]`` by columns, of which the first counts most."""
    bits = max(1, int(grams.max(initial=0)).bit_length())
    each = 64 // bits  # columns that fit into a key, in order
    keys = []
    for start in range(0, len(columns), each):
        key = np.zeros(len(grams), np.uint64)
        for column in columns[start : start + each]:
            key = (key << np.uint64(bits)) | grams[:, column].astype(np.uint64)
        keys.append(key)
    return np.argsort(keys[0], kind="stable") if len(keys) == 1 else np.lexsort(keys[::-1])


def starts_of(grams: np.ndarray) -> np.ndarray:
    """Where runs of equal rows begin, of rows ``[n, k]`` with n > 0."""
    return np.concatenate([[0], np.flatnonzero((grams[1:] != grams[:-1]).any(axis=1)) + 1])


class Spool:
    """Records in a temporary file, which are read as often as they are wanted, a block at a time."""

    def __init__(self, folder: Path, dtype: np.dtype[Any], block: int) -> None:
        self._type, self._block = dtype, block
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)  # opened for each block: there may be more runs than files that a process can have open
        self._path = Path(name)

    def add(self, records: Records) -> None:
        """Write behind those before."""
        with self._path.open("ab") as file:
            file.write(np.ascontiguousarray(records).data)

    def blocks(self, block: int | None = None) -> Iterator[Records]:
        """The records."""
        size, place = block or self._block, 0
        while len(records := np.fromfile(self._path, self._type, size, offset=place)):
            yield records
            place += records.nbytes


class Sorter:
    """Takes records in any order and gives them back sorted, in memory of a few blocks.

    What comes out doesn't depend on the size of the blocks, but for the order of equal n-grams.

    Args:
        folder: for temporary files; none is written while everything fits into one block.
        dtype: of the records.
        columns: of ``gram``, the most significant first.
        block: records that are held and sorted at once.
    """

    def __init__(self, folder: Path, dtype: np.dtype[Any], columns: Sequence[int], block: int) -> None:
        self._folder, self._type, self._columns, self._block = folder, dtype, tuple(columns), block
        self._held: list[Records] = []
        self._runs: list[Spool] = []

    def add(self, records: Records) -> None:
        """Take records."""
        self._held.append(records)
        if sum(map(len, self._held)) >= self._block:
            run = Spool(self._folder, self._type, self._block)
            run.add(self._sorted(self._held))
            self._runs.append(run)
            self._held = []

    def _sorted(self, blocks: list[Records]) -> Records:
        records = np.concatenate([np.empty(0, self._type), *blocks])
        return records[argsort(records["gram"], self._columns)]

    def blocks(self) -> Iterator[Records]:
        """All records in order, once."""
        held, self._held = self._sorted(self._held), []
        if not self._runs:
            if len(held):
                yield held
            return
        last = Spool(self._folder, self._type, self._block)
        last.add(held)
        yield from self._merged([*self._runs, last])

    def _merged(self, runs: list[Spool]) -> Iterator[Records]:
        """Of every run the next records are held; up to the least of their ends, no other can come in between."""
        share = max(1, self._block // (2 * len(runs)))
        parts = [run.blocks(share) for run in runs]
        is_open = np.ones(len(runs), bool)
        pending, owner = np.empty(0, self._type), np.empty(0, np.int64)
        while True:
            counts = np.bincount(owner, minlength=len(runs))
            for number in np.flatnonzero(is_open & (counts < share)):
                block = next(parts[number], np.empty(0, self._type))
                is_open[number] = len(block) > 0
                pending = np.concatenate([pending, block])
                owner = np.concatenate([owner, np.full(len(block), number)])
            if not len(pending):
                return
            order = argsort(pending["gram"], self._columns)
            pending, owner = pending[order], owner[order]
            ends = np.zeros(len(runs), np.int64)
            np.maximum.at(ends, owner, np.arange(len(owner)))
            stop = int(ends[is_open].min()) + 1 if is_open.any() else len(pending)
            yield pending[:stop]
            pending, owner = pending[stop:], owner[stop:]


def whole_groups(blocks: Iterable[Records], columns: slice) -> Iterator[Records]:
    """Sorted records anew in blocks, none of which parts n-grams that are equal in some columns."""
    held: list[Records] = []
    for block in blocks:
        grams = block["gram"][:, columns]
        if held and (held[-1]["gram"][-1, columns] != grams[0]).any():
            yield np.concatenate(held)
            held = []
        last = int(starts_of(grams)[-1])
        if last:
            yield np.concatenate([*held, block[:last]])
            held = []
        held.append(block[last:])
    if held:
        yield np.concatenate(held)


def matched(left: np.ndarray, right: np.ndarray, columns: Sequence[int]) -> tuple[np.ndarray, int]:
    """Where each n-gram of one sorted array stands in another one.

    Args:
        left: ``[n, k]``, n > 0.
        right: ``[m, k]``, without repeats.
        columns: by which both are sorted.

    Returns:
        The places ``[n]``, -1 for those that aren't there, and how many of the right lie before the last of the left.
    """
    both = np.concatenate([right, left])
    order = argsort(both, columns)
    is_right = order < len(right)
    nearest = np.maximum.accumulate(np.where(is_right, order, -1))[~is_right]  # the last one that isn't above
    places = np.full(len(left), -1)
    candidates = np.flatnonzero(nearest >= 0)
    equal = (right[nearest[candidates]] == left[candidates]).all(axis=1)
    places[candidates[equal]] = nearest[candidates[equal]]
    return places, max(0, int(nearest[-1]))


def looked_up(
    lefts: Iterable[Records], rights: Iterator[Records], skip: int, columns: Sequence[int], field: str
) -> Iterator[tuple[Records, np.ndarray, np.ndarray]]:
    """Two streams, sorted alike, side by side: for each record of the left, a field of the right.

    Args:
        lefts: blocks.
        rights: blocks, of n-grams without repeats.
        skip: first words of the left's n-grams that don't count.
        columns: by which both are sorted, of the n-grams that are compared.
        field: of the right, float64.

    Returns:
        Blocks of the left, the field ``[n]``, and whether it was there.
    """
    buffer = next(rights, None)
    for left in lefts:
        grams = left["gram"][:, skip:]
        end = [int(grams[-1, column]) for column in columns]
        while (more := _more(buffer, end, columns, rights)) is not None and buffer is not None:
            buffer = np.concatenate([buffer, more])
        if buffer is None:
            yield left, np.zeros(len(left)), np.zeros(len(left), bool)
            continue
        places, before = matched(grams, buffer["gram"], columns)
        yield left, buffer[field][places], places >= 0
        buffer = buffer[before:]


def _more(buffer: Records | None, end: list[int], columns: Sequence[int], rights: Iterator[Records]) -> Records | None:
    """The next block of the right, where what is there doesn't reach to the end of the left."""
    if buffer is None or [int(buffer["gram"][-1, column]) for column in columns] >= end:
        return None
    return next(rights, None)
