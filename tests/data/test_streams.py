from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import Tensor

from seqpipe.core.randomness import RowKey
from seqpipe.data.loader import Examples
from seqpipe.data.rows import Row
from seqpipe.data.streams import Chunk, StreamLoader, plan_streams
from seqpipe.errors import InputError


@given(
    lengths=some.lists(some.integers(1, 30), min_size=1, max_size=6),
    streams=some.integers(1, 9),
    steps=some.integers(1, 12),
    first=some.none() | some.integers(1, 12),
)
def test_every_step_is_in_one_chunk_and_streams_go_through_the_rows_in_order(
    lengths: list[int], streams: int, steps: int, first: int | None
) -> None:
    batches = plan_streams(lengths, streams=streams, steps=steps, first=first)
    seen = sorted((chunk.row, step) for batch in batches for chunk in batch for step in range(chunk.start, chunk.stop))
    assert seen == [(row, step) for row, length in enumerate(lengths) for step in range(length)]
    of_streams: dict[int, list[Chunk]] = {}
    for batch in batches:
        assert len({chunk.stream for chunk in batch}) == len(batch)
        for chunk in batch:
            assert 0 < chunk.stop - chunk.start <= max(steps, first or 0)
            of_streams.setdefault(chunk.stream, []).append(chunk)
    for own in of_streams.values():
        assert own[0].begins
        for before, after in pairwise(own):
            goes_on = (after.row, after.start) == (before.row, before.stop)
            assert goes_on or (after.row, after.start) == (before.row + 1, 0)
            assert after.begins == (after.start == 0)
    shares = [sum(chunk.stop - chunk.start for chunk in own) for own in of_streams.values()]
    assert max(shares) - min(shares) <= 1
    assert len(of_streams) == min(streams, sum(lengths))


class Numbers:
    """Features of rows that are numbers already; drawn ones are counted on."""

    def prepare(self, raw: list[int] | None, key: RowKey | None) -> Tensor:
        if raw is None:
            raise InputError("empty", "holds nothing")
        return torch.tensor(raw) + (1000 * key.epoch if key is not None else 0)


class Parts:
    def target_of(self, target: Tensor, start: int, stop: int) -> Tensor:
        return target[start:stop]


def loader(rows: list[Any], epoch: list[int], **options: Any) -> StreamLoader:
    examples = Examples([Row(str(number), row) for number, row in enumerate(rows)], targets(rows), Numbers(), 1)  # type: ignore[arg-type]
    lengths = [len(row or [0, 0]) for row in rows]
    return StreamLoader(
        examples, lengths, Parts(), lambda: epoch[0], **{"seed": 1, "streams": 2, "steps": 4, **options}
    )


def targets(rows: list[Any]) -> list[Tensor]:
    return [torch.tensor(row or [0, 0]) for row in rows]


ROWS = [list(range(10)), list(range(20, 27)), list(range(40, 58))]


def test_chunks_hold_what_the_rows_do() -> None:
    batches = list(loader(ROWS, [0]))
    found = [
        (int(value), int(label))
        for batch in batches
        for values, target in zip(batch.inputs.rows(), batch.targets, strict=True)
        for value, label in zip(values, target, strict=True)
    ]
    assert sorted(found) == [(number, number) for row in ROWS for number in row]
    assert batches[0].carried.begins == [True, True]
    assert len(batches) == len(loader(ROWS, [0]))


def test_an_epoch_depends_on_its_number_alone_and_cuts_elsewhere() -> None:
    plans = [loader(ROWS, [epoch]).plan(epoch) for epoch in range(8)]
    assert plans[3] == loader(ROWS, [0]).plan(3)
    assert len({str(plan) for plan in plans}) > 1
    first = next(iter(loader(ROWS, [2])))
    assert first.inputs.rows()[0].tolist()[0] == 2000  # drawn anew in each epoch


def test_a_loader_goes_on_where_another_stood() -> None:
    whole = list(loader(ROWS, [1]))
    begun, later = loader(ROWS, [1]), loader(ROWS, [1])
    batches = iter(begun)
    for _ in range(2):
        next(batches)
    later.load_state_dict(begun.state_dict())
    rest = list(later)
    assert len(rest) == len(whole) - 2
    for one, other in zip(rest, whole[2:], strict=True):
        assert torch.equal(one.inputs.values, other.inputs.values)
        assert one.carried == other.carried
    assert len(list(later)) == len(whole)  # the next epoch is whole


def test_a_row_that_can_t_be_read_is_named_and_left_out() -> None:
    batches = list(loader([None, list(range(5))], [0]))
    assert {row for batch in batches for row, _ in batch.failures} == {0}
    assert {row for batch in batches for row in batch.rows} == {1}


def test_a_row_shorter_than_a_chunk_is_a_chunk() -> None:
    (only,) = loader([[7]], [0], streams=3, steps=50)
    assert only.inputs.values.tolist() == [[7]]


@pytest.mark.parametrize("steps", [1, 3])
def test_no_chunk_is_longer_than_asked(steps: int) -> None:
    for batch in loader(ROWS, [0], steps=steps):
        assert int(batch.inputs.lengths.max()) <= steps
