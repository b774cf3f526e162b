import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from seqpipe.decoding import crf
from seqpipe.decoding.span_confidence import span_confidences
from seqpipe.decoding.spans import spans_of
from seqpipe.decoding.tag_schemes import Scheme, allowed_tags

TAGS: dict[Scheme, list[str]] = {
    "bio": ["B-X", "B-Y", "I-X", "O"],  # no I-Y
    "bioes": ["B-X", "E-X", "I-X", "O", "S-X", "S-Y"],
}
Potentials = tuple[Tensor, Tensor, Tensor]


def sequences(scheme: Scheme, scores: Tensor, potentials: Potentials) -> Iterator[tuple[list[str], float]]:
    """All valid tag sequences of one row ``[T, K]`` with their probabilities, by enumeration."""
    transitions, start, end = potentials
    every = list(itertools.product(range(scores.shape[1]), repeat=len(scores)))
    totals = []
    for path in every:
        total = start[path[0]] + end[path[-1]] + sum(scores[step, tag] for step, tag in enumerate(path))
        totals.append(total + sum(transitions[one, two] for one, two in itertools.pairwise(path)))
    shares = torch.stack(totals).softmax(dim=0).tolist()
    for path, share in zip(every, shares, strict=True):
        if share > 0:
            yield [TAGS[scheme][tag] for tag in path], share


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
@pytest.mark.parametrize("seed", range(8))
def test_spans_are_as_probable_as_an_enumeration_says(scheme: Scheme, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tags = TAGS[scheme]
    size = len(tags)
    lengths = torch.tensor([4, 1, 2, 5, 3])
    scores, transitions, start, end = (
        3 * torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((5, 6, size), (size, size), (size,), (size,))
    )
    potentials = allowed_tags(tags, scheme).constrain(transitions, start, end)
    path, _ = crf.viterbi(scores, lengths, *potentials)
    spans = [
        spans_of([tags[tag] for tag in row[:length]])
        for row, length in zip(path.tolist(), lengths.tolist(), strict=True)
    ]
    found = span_confidences(scores, lengths, path, spans, potentials, tags)
    for row, length in enumerate(lengths.tolist()):
        known = list(sequences(scheme, scores[row, :length], potentials))
        expected = [sum(share for other, share in known if span in spans_of(other)) for span in spans[row]]
        assert found[row] == pytest.approx(expected, abs=1e-9)
    assert any(found)


@pytest.mark.parametrize("scale", [100.0, 2000.0])
def test_scores_of_any_size_give_probabilities(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    tags = TAGS["bio"]
    lengths = torch.tensor([300, 20])
    scores = scale * torch.randn(2, 300, 4, generator=generator)
    potentials = allowed_tags(tags, "bio").constrain(torch.zeros(4, 4), torch.zeros(4), torch.zeros(4))
    path, _ = crf.viterbi(scores, lengths, *potentials)
    spans = [
        spans_of([tags[tag] for tag in row[:length]])
        for row, length in zip(path.tolist(), lengths.tolist(), strict=True)
    ]
    found = [share for row in span_confidences(scores, lengths, path, spans, potentials, tags) for share in row]
    assert all(0 <= share <= 1 for share in found)
    assert sum(share > 0.99 for share in found) > 0.9 * len(found) > 10


def test_rows_without_spans_have_none() -> None:
    scores, lengths = torch.zeros(2, 3, 4), torch.tensor([3, 1])
    potentials = (torch.zeros(4, 4), torch.zeros(4), torch.zeros(4))
    path = torch.full((2, 3), 3)
    assert span_confidences(scores, lengths, path, [[], []], potentials, TAGS["bio"]) == [[], []]
