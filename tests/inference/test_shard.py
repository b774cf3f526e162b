import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.answers.failure import Failure
from seqpipe.core.input import FileSpan
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, InputError
from seqpipe.features.speech.waveform import Waveform
from seqpipe.inference import shard as module
from seqpipe.inference.shard import parse_shard, shard

LENGTHS = st.lists(st.none() | st.integers(0, 1000), max_size=60)  # None: can't be measured
COUNT = st.integers(1, 7)


@pytest.fixture(autouse=True, scope="module")
def _small_groups() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GROUP_INPUTS", 8)
        yield


def rows_of(lengths: list[int | None]) -> list[Row | Failure]:
    """Rows as long as they say; every other one that can't be measured is a failure already."""
    return [
        Failure(str(place), "missing", "") if length is None and place % 2 else Row(str(place), length)
        for place, length in enumerate(lengths)
    ]


def measure(row: Row) -> float:
    if row.input is None:
        raise InputError("undecodable", "no header")
    return row.input


def shards(rows: list[Row | Failure], count: int) -> list[list[int]]:
    return [[int(row.id) for row in shard(rows, index, count, measure)] for index in range(count)]


@given(LENGTHS, COUNT)
def test_every_input_is_in_exactly_one_shard_and_in_order(lengths: list[int | None], count: int) -> None:
    parts = shards(rows_of(lengths), count)
    assert sorted(itertools.chain(*parts)) == list(range(len(lengths)))
    assert all(part == sorted(part) for part in parts)


@given(LENGTHS, COUNT)
def test_shards_differ_by_the_longest_input_at_most(lengths: list[int | None], count: int) -> None:
    totals = [sum(lengths[place] or 0 for place in part) for part in shards(rows_of(lengths), count)]
    assert max(totals) - min(totals) <= max((length or 0 for length in lengths), default=0)


@given(LENGTHS, COUNT)
def test_what_has_no_length_is_divided_by_count(lengths: list[int | None], count: int) -> None:
    counts = [sum(not lengths[place] for place in part) for part in shards(rows_of(lengths), count)]
    assert max(counts) - min(counts) <= 1


@given(LENGTHS, COUNT)
def test_what_comes_later_changes_nothing_before_it(lengths: list[int | None], count: int) -> None:
    whole = len(lengths) // 8 * 8
    beginning = shards(rows_of(lengths[:whole]), count)
    assert [[place for place in part if place < whole] for part in shards(rows_of(lengths), count)] == beginning


def test_an_endless_stream_is_divided_as_it_comes() -> None:
    read = 0

    def endless() -> Iterator[Row]:
        nonlocal read
        for read in itertools.count(1):
            yield Row(str(read), random.Random(read).random())

    part = shard(endless(), 1, 3, measure)
    assert read == 0
    next(part)
    assert read == 8
    assert len(list(itertools.islice(part, 100))) == 100
    assert read < 400
    part.close()


def test_a_row_that_is_known_to_be_bad_is_not_measured() -> None:
    bad = [Row(str(place), "text", problem=InputError("bad value", "")) for place in range(4)]
    assert shards(bad, 2) == [[0, 2], [1, 3]]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1])
def test_a_length_that_is_none_counts_as_nothing(odd: float) -> None:
    rows: list[Row | Failure] = [Row("0", odd), Row("1", odd), Row("2", 5), Row("3", 5)]
    assert shards(rows, 2) == [[0, 2], [1, 3]]


def test_recordings_are_divided_by_their_headers(tone_data: Path) -> None:
    files = [*sorted((tone_data / "dev").glob("*.wav")), tone_data / "dev.tsv", tone_data / "gone.wav"]
    rows = [Row(str(place), FileSpan(file)) for place, file in enumerate(files)]
    waveform = Waveform(sample_rate=8000)
    lengths = [waveform.length(row.input) for row in rows[:-2]]
    parts = [
        [int(row.id) for row in shard(rows, index, 2, lambda row: waveform.length(row.input))] for index in range(2)
    ]
    assert sorted(parts[0] + parts[1]) == list(range(len(files)))
    totals = [sum(lengths[place] for place in part if place < len(lengths)) for part in parts]
    assert abs(totals[0] - totals[1]) <= max(lengths)


def test_one_machine_measures_nothing() -> None:
    rows = rows_of([3, None, 1])

    def never(row: Row) -> float:
        raise AssertionError(row)

    assert list(shard(rows, 0, 1, never)) == rows


def test_a_shard_is_written_from_one() -> None:
    assert [parse_shard(f"{number}/12") for number in range(1, 13)] == [(index, 12) for index in range(12)]


@pytest.mark.parametrize(
    "wrong", ["0/8", "9/8", "1/0", "1", "1/", "/8", "-1/8", "1/8/2", "1.5/8", " 1/8", "one/two", ""]
)
def test_what_is_no_shard_is_told_with_the_form_it_should_have(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"--shard should be I/N, I from 1 to N, .*; received '"):
        parse_shard(wrong)


@pytest.mark.parametrize(("index", "count"), [(2, 2), (-1, 2), (0, 0)])
def test_an_index_out_of_range_is_told_before_anything_is_read(index: int, count: int) -> None:
    with pytest.raises(ConfigError, match=rf"received {index}$"):
        shard(iter([]), index, count, measure)
