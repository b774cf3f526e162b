from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.encoders.segments import SEGMENT_OVERHEAD, STEP_MULTIPLE, STEP_OVERHEAD_ROWS, Segment, plan_segments

falling_lengths = st.lists(st.integers(1, 400), min_size=1, max_size=70).map(lambda row: sorted(row, reverse=True))


def cost(segments: list[Segment]) -> int:
    return sum((stop - start) * (rows + STEP_OVERHEAD_ROWS) + SEGMENT_OVERHEAD for start, stop, rows in segments)


@given(falling_lengths, st.integers(0, 20))
def test_segments_cover_every_real_step(lengths: list[int], more: int) -> None:
    steps = lengths[0] + more
    segments = plan_segments(lengths, steps)
    assert segments[0].start == 0
    assert segments[-1].stop == steps
    for before, after in pairwise(segments):
        assert before.stop == after.start
        assert before.rows >= after.rows, "a row that was left out has no state to come back with"
    for start, stop, rows in segments:
        assert start < stop
        assert 1 <= rows <= len(lengths)
        assert all(length <= start for length in lengths[rows:]), "a row with steps to come is left out"


@pytest.mark.parametrize("lengths", [[100] * 32, [100, 99, 98, 95], [1], [7, 7, 1]])
def test_similar_lengths_stay_whole(lengths: list[int]) -> None:
    assert plan_segments(lengths, lengths[0]) == [Segment(0, lengths[0], len(lengths))]


def test_ragged_lengths_are_cut() -> None:
    segments = plan_segments([400] * 8 + [20] * 56, 400)
    assert len(segments) == 2
    assert segments[1].rows == 8


def test_where_a_call_costs_more_fewer_are_made() -> None:
    lengths = sorted([*range(100, 196, 3), 200], reverse=True)
    counts = [len(plan_segments(lengths, 200, overhead)) for overhead in (0, SEGMENT_OVERHEAD, 800, 10**6)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[1] > counts[2] == counts[3] == 1


@given(st.lists(st.integers(1, 96), min_size=1, max_size=64).map(lambda row: sorted(row, reverse=True)))
def test_no_other_cut_costs_less(lengths: list[int]) -> None:
    steps = lengths[0]
    borders = [*range(0, steps, STEP_MULTIPLE), steps]
    whole = plan_segments(lengths, steps)
    rows_at = {
        border: min(len(lengths), -(-sum(length > border for length in lengths) // 8) * 8) for border in borders[:-1]
    }
    cheapest = min(
        cost([Segment(start, stop, rows_at[start]) for start, stop in pairwise(cut)])
        for count in range(len(borders) - 1)
        for inner in combinations(borders[1:-1], count)
        for cut in [[0, *inner, steps]]
    )
    assert cost(whole) == cheapest
