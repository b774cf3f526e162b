import itertools

import pytest
import torch

from seqpipe import PaddedSequence
from seqpipe.decoding.hypothesis_alignment import align_labels


def best_path(emissions: torch.Tensor, labels: tuple[int, ...]) -> float:
    return max(
        float(sum(emissions[step, label] for step, label in enumerate(path)))
        for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions))
        if tuple(label for label, _ in itertools.groupby(path) if label) == labels
    )


@pytest.mark.parametrize("labels", [(1,), (1, 2), (2, 2), (1, 2, 1), (2, 1, 1)])
def test_it_is_the_likeliest_of_all_alignments(labels: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(len(labels))
    rows = [torch.log_softmax(torch.randn(length, 3, generator=generator), dim=-1) for length in (6, 4, 5)]
    batch = PaddedSequence.pad(rows)
    for row, found in zip(rows, align_labels(batch, [labels] * 3), strict=True):
        path = [0] * len(row)
        for label, start, stop, posterior in zip(
            found.labels, found.starts, found.stops, found.posteriors, strict=True
        ):
            path[start:stop] = [label] * (stop - start)
            assert posterior == pytest.approx(float(row[start:stop, label].exp().mean()))
        assert tuple(label for label, _ in itertools.groupby(path) if label) == labels
        total = float(sum(row[step, label] for step, label in enumerate(path)))
        assert total == pytest.approx(best_path(row, labels), abs=1e-5)
    alone = [align_labels(PaddedSequence.pad([row]), [labels])[0] for row in rows]
    assert align_labels(batch, [labels] * 3) == alone


def test_rows_without_labels_have_none() -> None:
    row = torch.log_softmax(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    batch = PaddedSequence.pad([row, row])
    assert [found.labels for found in align_labels(batch, [(), (1,)])] == [(), (1,)]
    assert align_labels(batch, [(), ()])[0].starts == ()
