"""CTC decoding and posteriors against plain loops and enumeration of all paths."""

from collections import defaultdict
from itertools import groupby, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe import PaddedSequence
from seqpipe.decoding.ctc import (
    BLANK,
    ctc_losses,
    greedy_decode,
    label_posteriors,
    penalize_blank,
)
from seqpipe.decoding.ctc_hypothesis import frames_needed

Labels = tuple[int, ...]


def collapse(path: tuple[int, ...]) -> Labels:
    """Repeats merged, then blanks removed."""
    return tuple(label for label, _ in groupby(path) if label != BLANK)


def all_posteriors(probabilities: np.ndarray) -> dict[Labels, float]:
    """Every label sequence of ``[T, V]`` with the sum over all its paths."""
    steps, vocabulary = probabilities.shape
    total: dict[Labels, float] = defaultdict(float)
    for path in product(range(vocabulary), repeat=steps):
        total[collapse(path)] += float(np.prod([probabilities[step, label] for step, label in enumerate(path)]))
    return total


def emissions(lengths: list[int], vocabulary: int, seed: int, sharpness: float = 2.0) -> PaddedSequence:
    """Log-probabilities, with log-probabilities of something else in the padding."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(len(lengths), max(lengths, default=0) + 2, vocabulary, generator=generator)
    return PaddedSequence(logits.log_softmax(dim=-1), torch.tensor(lengths))


def loop_decode(row: Tensor) -> list[tuple[int, int, int, float]]:
    """(label, first step, step after the last, mean posterior) of ``[T, V]``, spelt out."""
    found = []
    best = row.argmax(dim=-1).tolist()
    start = 0
    while start < len(best):
        stop = start
        while stop < len(best) and best[stop] == best[start]:
            stop += 1
        if best[start] != BLANK:
            posterior = sum(float(row[step, best[start]].exp()) for step in range(start, stop)) / (stop - start)
            found.append((best[start], start, stop, posterior))
        start = stop
    return found


@given(
    lengths=st.lists(st.integers(0, 25), min_size=1, max_size=6), vocabulary=st.integers(2, 5), seed=st.integers(0, 999)
)
def test_greedy_decoding_is_the_plain_loop(lengths: list[int], vocabulary: int, seed: int) -> None:
    batch = emissions(lengths, vocabulary, seed)
    for row, hypothesis in zip(batch.rows(), greedy_decode(batch), strict=True):
        expected = loop_decode(row)
        assert hypothesis.labels == tuple(label for label, *_ in expected)
        assert hypothesis.starts == tuple(start for _, start, *_ in expected)
        assert hypothesis.stops == tuple(stop for *_, stop, _ in expected)
        assert hypothesis.posteriors == pytest.approx([posterior for *_, posterior in expected], abs=1e-6)
        assert all(0.0 <= posterior <= 1.0 for posterior in hypothesis.posteriors)


def test_repeats_merge_and_a_blank_keeps_them_apart() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 2, 0]
    probabilities = torch.full((9, 3), 0.1)
    probabilities[range(9), path] = 0.8
    probabilities[6] = torch.tensor([0.3, 0.2, 0.5])
    (hypothesis,) = greedy_decode(PaddedSequence(probabilities.log()[None], torch.tensor([9])))
    assert hypothesis.labels == (1, 1, 2)
    assert (hypothesis.starts, hypothesis.stops) == ((1, 4, 5), (3, 5, 8))
    assert hypothesis.posteriors == pytest.approx((0.8, 0.8, (0.8 + 0.5 + 0.8) / 3))


def test_nothing_heard_is_an_empty_hypothesis() -> None:
    probabilities = torch.tensor([0.9, 0.1]).expand(2, 6, 2)
    batch = PaddedSequence(probabilities.log(), torch.tensor([6, 0]))
    for hypothesis in greedy_decode(batch):
        assert (hypothesis.labels, hypothesis.starts, hypothesis.stops, hypothesis.posteriors) == ((), (), (), ())
    assert label_posteriors(batch, [(), ()]) == pytest.approx([0.9**6, 1.0])
    assert label_posteriors(PaddedSequence(torch.zeros(0, 4, 2), torch.zeros(0, dtype=torch.int64)), []) == []


@pytest.mark.parametrize(("steps", "vocabulary"), [(1, 2), (3, 3), (5, 2), (5, 3), (4, 4)])
def test_posteriors_are_sums_over_all_paths(steps: int, vocabulary: int) -> None:
    """Of every label sequence, in one batch; and together they are certain."""
    batch = emissions([steps], vocabulary, seed=steps)
    truth = all_posteriors(batch.rows()[0].exp().double().numpy())
    labels = list(truth)
    together = PaddedSequence(batch.values.expand(len(labels), -1, -1), batch.lengths.expand(len(labels)))
    got = label_posteriors(together, labels)
    assert got == pytest.approx([truth[row] for row in labels], rel=1e-6, abs=1e-12)
    assert sum(got) == pytest.approx(1.0, abs=1e-6)


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_posteriors_of_a_ragged_batch_are_those_of_its_rows(lengths: list[int], seed: int) -> None:
    batch = emissions(lengths, 3, seed)
    labels = [hypothesis.labels for hypothesis in greedy_decode(batch)]
    got = label_posteriors(batch, labels)
    garbage = label_posteriors(batch.masked(float("nan")), labels)
    for position, row in enumerate(batch.rows()):
        truth = all_posteriors(row.exp().double().numpy())
        assert got[position] == pytest.approx(truth[labels[position]], rel=1e-6)
        assert garbage[position] == got[position]


def test_labels_that_do_not_fit_are_impossible() -> None:
    batch = emissions([2, 2, 1], 3, seed=0)
    assert label_posteriors(batch, [(1, 1), (1, 2, 1), (2, 1)]) == [0.0, 0.0, 0.0]
    assert ctc_losses(*batch, [(1, 1), (1, 2, 1), (2, 1)]).isinf().all()


@pytest.mark.parametrize("length", range(5))
def test_frames_needed_is_the_shortest_path(length: int) -> None:
    for labels in product((1, 2), repeat=length):
        shortest = next(
            steps for steps in range(2 * length + 1)
            if any(collapse(path) == labels for path in product(range(3), repeat=steps))
        )  # fmt: skip
        assert frames_needed(labels) == shortest


def test_a_blank_penalty_changes_the_odds_against_the_blank_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    before = PaddedSequence(torch.randn(2, 5, 4, generator=generator).log_softmax(-1), torch.tensor([5, 3]))
    after = penalize_blank(before, 1.5)
    torch.testing.assert_close(after.values.exp().sum(-1), torch.ones(2, 5))
    odds = after.values[..., 1:] - after.values[..., :1] - (before.values[..., 1:] - before.values[..., :1])
    torch.testing.assert_close(odds, torch.full_like(odds, 1.5))
    assert penalize_blank(before, 0.0) is before
    assert [len(row.labels) for row in greedy_decode(penalize_blank(before, -50.0))] == [0, 0]
    assert all(
        sum(row.stops) - sum(row.starts) == length
        for row, length in zip(greedy_decode(penalize_blank(before, 50.0)), [5, 3], strict=True)
    )
