import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import ConfigError
from seqpipe.features.speech.cutting import Share, measure_levels, overlap_of, samples_per_block, share_out

RATE = 1000


def cut(samples: np.ndarray, max_length: float, rate: int = RATE) -> list[Share]:
    size = samples_per_block(rate)
    levels = measure_levels((samples[at : at + size] for at in range(0, len(samples), size)), rate)
    return share_out(levels, len(samples), rate, max_length=max_length, overlap=overlap_of(max_length))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def quiet_at(samples: np.ndarray, *spans: tuple[float, float]) -> np.ndarray:
    for start, end in spans:
        samples[round(start * RATE) : round(end * RATE)] *= 0.01
    return samples


@given(
    levels=st.lists(st.floats(0, 1), min_size=51, max_size=400),
    missing=st.integers(0, 400),
    rate=st.sampled_from([8000, 11_025, 16_000, 44_100]),
    max_length=st.floats(1, 4),
)
def test_segments_share_a_recording_without_gap_and_within_the_limit(
    levels: list[float], missing: int, rate: int, max_length: float
) -> None:
    """Whatever its level."""
    count = len(levels) * (rate // 50) - min(missing, rate // 50 - 1)
    overlap = overlap_of(max_length)
    shares = share_out(np.array(levels), count, rate, max_length=max_length, overlap=overlap)
    assert (shares[0].start, shares[-1].stop) == (0, count)
    assert (shares[0].heard_from, shares[-1].heard_until) == (0, count)
    for share in shares:
        assert share.start < share.stop
        assert share.heard_until - share.heard_from <= max_length * rate
    for one, other in itertools.pairwise(shares):
        assert one.stop == other.start
        assert one.heard_until == one.stop + one.overlap
        assert other.heard_from == other.start - other.overlap
        assert overlap * rate - rate // 50 < one.overlap <= overlap * rate
        assert one.heard_until <= other.stop - other.overlap or other is shares[-1], "two seams never meet"
    if count > max_length * rate:
        assert min(share.stop - share.start for share in shares) >= max_length * rate / 4 - rate // 25


def test_cuts_lie_in_the_pauses() -> None:
    pauses = [(7.0, 7.5), (14.2, 14.6), (21.0, 21.35), (27.0, 28.5)]
    shares = cut(quiet_at(noise(36), *pauses), max_length=10.0)
    cuts = [share.stop / RATE for share in shares[:-1]]
    assert len(cuts) == len(pauses)
    for place, (start, end) in zip(cuts, pauses, strict=True):
        assert start + 0.1 <= place <= end - 0.1, "not at the edge of a word"


def test_an_offset_is_no_sound() -> None:
    """A recorder's offset, far stronger than the speech, changes nothing."""
    samples = quiet_at(noise(15), (6.0, 6.5))
    assert cut(samples + 0.5, 10.0) == cut(samples, 10.0)


def test_of_pauses_equally_quiet_the_later_one_is_taken() -> None:
    (first, _) = cut(quiet_at(noise(15), (5.5, 6.0), (7.5, 8.0)), 10.0)
    assert 7.5 < first.stop / RATE < 8.0


def test_a_quiet_pause_is_better_than_a_late_one() -> None:
    samples = quiet_at(quiet_at(noise(14), (5.5, 6.0)), (5.5, 6.0))
    (first, _) = cut(quiet_at(samples, (7.5, 8.0)), 10.0)
    assert 5.5 < first.stop / RATE < 6.0


@pytest.mark.parametrize("samples", [np.zeros(60 * RATE), noise(60), np.ones(60 * RATE)], ids=["none", "loud", "flat"])
def test_without_pauses_segments_are_nearly_as_long_as_they_may_be(samples: np.ndarray) -> None:
    shares = cut(samples, 10.0)
    assert len(shares) <= 60 / 6
    assert all(share.stop - share.start >= 5 * RATE for share in shares[:-1])


def test_a_recording_just_above_the_limit_gets_two_segments_worth_having() -> None:
    shares = cut(noise(10.001), 10.0)
    assert len(shares) == 2
    assert min(share.stop - share.start for share in shares) >= 2.4 * RATE


def test_overlap_is_a_second_or_less_in_short_segments() -> None:
    assert overlap_of(20.0) == overlap_of(8.0) == 1.0
    assert overlap_of(4.0) == 0.5
    for refused in (0.5, 0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match=r"1 s or more; received max_length = "):
            overlap_of(refused)
