"""Conditional random fields in numpy, beside those in torch, which are tested by enumeration."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqpipe.decoding import crf
from seqpipe.decoding.span_confidence import span_confidences
from seqpipe.decoding.spans import spans_of
from seqpipe.decoding.tag_schemes import Scheme, allowed_tags
from seqpipe.runtime.crf import Chains

TAGS: dict[Scheme, list[str]] = {
    "bio": ["B-X", "B-Y", "I-X", "O"],  # no I-Y
    "bioes": ["B-X", "E-X", "I-X", "O", "S-X", "S-Y"],
    "none": ["a", "b", "c"],
}
LENGTHS = [4, 1, 30, 2, 1, 9]


def case(scheme: Scheme, seed: int, scale: float) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    size = len(TAGS[scheme])
    scores, transitions, start, end = (
        scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((len(LENGTHS), max(LENGTHS), size), (size, size), (size,), (size,))
    )
    return scores, allowed_tags(TAGS[scheme], scheme).constrain(transitions, start, end)


def chains_of(scores: Tensor, potentials: Any, rows: list[int] | None = None) -> Chains:
    kept = range(len(LENGTHS)) if rows is None else rows
    transitions, start, end = (part.numpy() for part in potentials)
    return Chains([scores[row, : LENGTHS[row]].numpy() for row in kept], (transitions, start, end))


@pytest.mark.parametrize("scheme", TAGS)
@pytest.mark.parametrize(("seed", "scale"), [(0, 1.0), (1, 4.0), (2, 60.0), (3, 400.0), (4, 3000.0)])
def test_paths_and_posteriors_are_those_of_torch(scheme: Scheme, seed: int, scale: float) -> None:
    """Of scores of any size: where a product of exponentials would lose a sum, logarithms are added up."""
    scores, potentials = case(scheme, seed, scale)
    lengths = torch.tensor(LENGTHS)
    wanted, _ = crf.viterbi(scores, lengths, *potentials)
    chains = chains_of(scores, potentials)
    path = chains.best_paths()
    messages = chains.messages()
    np.testing.assert_allclose(messages.totals, crf.log_partition(scores, lengths, *potentials), rtol=1e-9, atol=1e-9)
    shares = crf.path_posteriors(scores, lengths, wanted, *potentials).numpy()
    np.testing.assert_allclose(messages.posteriors(path), shares, atol=1e-9)
    marginals = crf.marginals(scores, lengths, *potentials).numpy()
    spans = [
        spans_of([TAGS[scheme][tag] for tag in row[:length]]) if scheme != "none" else []
        for row, length in zip(wanted.tolist(), LENGTHS, strict=True)
    ]
    sure = span_confidences(scores, lengths, wanted, spans, potentials, TAGS[scheme])
    for row, length in enumerate(LENGTHS):
        assert path[:length, row].tolist() == wanted[row, :length].tolist()
        np.testing.assert_allclose(messages.marginals(row), marginals[row, :length], atol=1e-9)
        found = messages.span_confidences(row, path[:length, row], spans[row], TAGS[scheme])
        np.testing.assert_allclose(found, sure[row], atol=1e-9)
    assert any(spans) == (scheme != "none")


@pytest.mark.parametrize("scheme", TAGS)
def test_the_best_paths_are_those_of_torch(scheme: Scheme) -> None:
    scores, potentials = case(scheme, 7, 2.0)
    wanted = crf.n_best(scores, torch.tensor(LENGTHS), *potentials, 6)
    found = chains_of(scores, potentials).n_best(6)
    for ours, theirs in zip(found, wanted, strict=True):
        assert [path for path, _ in ours] == [path for path, _ in theirs]
        np.testing.assert_allclose([score for _, score in ours], [score for _, score in theirs], rtol=1e-9)
    assert [len(row) for row in found] == [6, *([len(found[1])]), 6, 6, len(found[1]), 6]
    assert len(found[1]) < 6  # of one word


@pytest.mark.parametrize("scheme", TAGS)
@pytest.mark.parametrize("scale", [2.0, 500.0])
def test_no_bit_depends_on_the_company(scheme: Scheme, scale: float) -> None:
    scores, potentials = case(scheme, 9, scale)
    together = chains_of(scores, potentials)
    path, messages = together.best_paths(), together.messages()
    shares = messages.posteriors(path)
    for row, length in enumerate(LENGTHS):
        own = chains_of(scores, potentials, [row])
        alone, sums = own.best_paths(), own.messages()
        assert alone[:length, 0].tolist() == path[:length, row].tolist()
        assert sums.posteriors(alone)[0] == shares[row]
        assert np.array_equal(sums.marginals(0), messages.marginals(row))
