import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from seqpipe.decoding.hypothesis_alignment import align_labels


def drawn(lengths: Sequence[int], seed: int) -> list[NDArray[np.float32]]:
    generator = np.random.default_rng(seed)
    logits = [generator.standard_normal((length, 3)) for length in lengths]
    return [(row - np.log(np.exp(row).sum(axis=1, keepdims=True))).astype(np.float32) for row in logits]


def best_path(emissions: NDArray[np.float32], labels: tuple[int, ...]) -> float:
    return max(
        float(sum(emissions[step, label] for step, label in enumerate(path)))
        for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions))
        if tuple(label for label, _ in itertools.groupby(path) if label) == labels
    )


@pytest.mark.parametrize("labels", [(1,), (1, 2), (2, 2), (1, 2, 1), (2, 1, 1)])
def test_it_is_the_likeliest_of_all_alignments(labels: tuple[int, ...]) -> None:
    rows = drawn((6, 4, 5), seed=len(labels))
    for row, found in zip(rows, align_labels(rows, [labels] * 3), strict=True):
        path = [0] * len(row)
        for label, start, stop, posterior in zip(
            found.labels, found.starts, found.stops, found.posteriors, strict=True
        ):
            path[start:stop] = [label] * (stop - start)
            assert posterior == pytest.approx(float(np.exp(row[start:stop, label]).mean()))
        assert tuple(label for label, _ in itertools.groupby(path) if label) == labels
        total = float(sum(row[step, label] for step, label in enumerate(path)))
        assert total == pytest.approx(best_path(row, labels), abs=1e-5)
    alone = [align_labels([row], [labels])[0] for row in rows]
    assert align_labels(rows, [labels] * 3) == alone


def test_posteriors_may_be_told_by_other_distributions() -> None:
    (row,), (other,) = drawn([5], seed=0), drawn([5], seed=1)
    (path,), (told,) = align_labels([row], [(1, 2)]), align_labels([row], [(1, 2)], [other.astype(np.float64)])
    assert (path.starts, path.stops) == (told.starts, told.stops)
    for label, start, stop, posterior in zip(told.labels, told.starts, told.stops, told.posteriors, strict=True):
        assert posterior == pytest.approx(float(np.exp(other[start:stop, label]).mean()))


def test_rows_without_labels_have_none() -> None:
    batch = drawn((3, 3), seed=0)
    assert [found.labels for found in align_labels(batch, [(), (1,)])] == [(), (1,)]
    assert align_labels(batch, [(), ()])[0].starts == ()
