"""Viterbi over CTC's states against enumeration of all paths, and against torchaudio's aligner."""

from itertools import groupby, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.decoding import ctc_lattice
from seqpipe.decoding.ctc_alignment import CTCPath, InMemory, align_long, align_rows
from seqpipe.decoding.ctc_lattice import WILDCARD_COST, Band, whole_band, with_wildcard
from seqpipe.errors import InputError


def emissions(steps: int, vocabulary: int, seed: int) -> np.ndarray:
    """Log-probabilities ``[T, V]``."""
    logits = np.random.default_rng(seed).normal(scale=2.0, size=(steps, vocabulary))
    return torch.from_numpy(logits).log_softmax(-1).float().numpy()


def same(first: CTCPath, second: CTCPath) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("starts", "stops", "log_probabilities", "best")
    )


def spelt(path: CTCPath, labels: list[int]) -> list[int]:
    """What a path has at each step."""
    steps = [0] * len(path.log_probabilities)
    for label, start, stop in zip(labels, path.starts, path.stops, strict=True):
        steps[start:stop] = [label] * (stop - start)
    return steps


@given(st.integers(1, 6), st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(0, 10**6))
def test_it_is_the_best_of_all_paths(steps: int, labels: list[int], seed: int) -> None:
    values = with_wildcard(emissions(steps, 3, seed))  # 3 labels, of which the last is the wildcard
    scores = [
        sum(values[step, label] for step, label in enumerate(path))
        for path in product(range(4), repeat=steps)
        if [label for label, _ in groupby(path) if label] == labels
    ]
    if not scores:
        with pytest.raises(InputError, match="is it the text of another input"):
            align_rows([emissions(steps, 3, seed)], [labels])
        return
    (found,) = align_rows([emissions(steps, 3, seed)], [labels])
    assert found.score == pytest.approx(max(scores), abs=1e-9)
    at = spelt(found, labels)
    assert [label for label, _ in groupby(at) if label] == labels
    assert np.array_equal(found.log_probabilities, values[np.arange(steps), at])
    assert np.array_equal(found.best, values[:, :3].max(axis=1))


def test_a_batch_is_each_row_by_itself_to_the_bit() -> None:
    rows = [emissions(steps, 9, steps) for steps in (40, 7, 23, 1, 40)]
    labels = [[1, 1, 2, 8, 3, 3], [4, 4, 4], [5, 6, 7, 9, 1], [2], [3] * 20]
    for row, own, found in zip(rows, labels, align_rows(rows, labels), strict=True):
        assert same(found, align_rows([row], [own])[0])


@pytest.mark.parametrize("steps", [1, 2, 50, 257])
def test_checkpoints_change_nothing(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row, labels = emissions(steps, 9, steps), ([1, 1, 2, 8, 3] * 20)[: max(1, steps // 3)]
    whole = align_long(InMemory(row), labels)
    several = align_rows([row, row[: steps // 2 + 1]], [labels, labels[:1]])
    monkeypatch.setattr(ctc_lattice, "BACK_BYTES", 1)
    assert same(align_long(InMemory(row), labels), whole)
    assert all(map(same, align_rows([row, row[: steps // 2 + 1]], [labels, labels[:1]]), several))


def test_it_is_torchaudios_path() -> None:
    from torchaudio.functional import forced_align

    for steps, count in ((300, 60), (200, 70), (50, 3), (400, 200)):
        row = emissions(steps, 30, steps)
        labels = np.random.default_rng(count).integers(1, 30, count).tolist()
        (found,) = align_rows([row], [labels])
        theirs, scores = forced_align(torch.from_numpy(row)[None], torch.tensor([labels], dtype=torch.int32))
        assert spelt(found, labels) == theirs[0].tolist()
        assert found.score == pytest.approx(float(scores.double().sum()), abs=1e-6)


def test_memory_grows_by_the_square_root_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is held at once, back-pointers are the most."""
    made = []
    empty = np.empty
    monkeypatch.setattr(ctc_lattice, "BACK_BYTES", 1)
    monkeypatch.setattr(np, "empty", lambda shape, *a, **k: made.append((shape, k)) or empty(shape, *a, **k))
    align_long(InMemory(emissions(3600, 5, 1)), [1, 2, 3, 4] * 10)
    back = [np.prod(shape) for shape, options in made if options.get("dtype") is np.uint8]
    assert len(back) > 10
    assert max(back) <= 2 * 41 * (8 * 3600) ** 0.5


def test_a_wildcard_takes_what_was_said_and_no_more() -> None:
    said = [0, 1, 0, 2, 2, 0, 3, 0, 4, 0]
    row = np.full((len(said), 5), -9.0)
    row[np.arange(len(said)), said] = -0.01
    (found,) = align_rows([row], [[1, 5, 4]])
    assert (found.starts.tolist(), found.stops.tolist()) == ([1, 3, 8], [2, 7, 9])
    assert found.score == pytest.approx(-0.01 * 10 - 4 * WILDCARD_COST)


def test_a_band_is_the_best_within_it_and_says_where_it_is_narrow() -> None:
    steps, labels = 60, [1, 2, 3, 4] * 5
    row = emissions(steps, 5, 1)
    whole = whole_band(steps, len(labels))
    exact = align_long(InMemory(row), labels)
    assert same(align_long(InMemory(row), labels, whole), exact)
    assert not align_long(InMemory(row), labels, whole).touches
    # Around the best path, with room: the same one.
    near = np.searchsorted(exact.starts, np.arange(steps), side="right")
    wide = Band(np.maximum(whole.first, near - 4), np.minimum(whole.stop, np.maximum(near + 3, 1)))
    assert same(align_long(InMemory(row), labels, wide), exact)
    # Around another one: another path, along the edge.
    late = Band(whole.first, np.maximum(whole.first + 1, np.minimum(whole.stop, (np.arange(steps) - 35) * 20 // 25)))
    found = align_long(InMemory(row), labels, late)
    assert found.touches
    assert found.score < exact.score
    assert found.starts[1] > 36


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([], "is empty"),
        ([1, 1, 1], "needs 5 steps, and the input has 4: is it the text of another input"),
    ],
)
def test_what_cannot_be_aligned_says_why(labels: list[int], what: str) -> None:
    row = emissions(4, 3, 1)
    with pytest.raises(InputError, match=what):
        align_rows([row], [labels])
    with pytest.raises(InputError, match=what):
        align_long(InMemory(row), labels)
