"""The linear-chain CRF against enumeration of all paths and a plain recursion with logarithms."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.decoding.crf import (
    chain_scores,
    crf_losses,
    log_partition,
    marginals,
    n_best,
    padded_tags,
    path_posteriors,
    viterbi,
)
from seqpipe.decoding.crf_messages import BackwardMessages, chain
from seqpipe.errors import ConfigError, InputError

Path = tuple[int, ...]


def path_scores(
    emissions: Tensor, lengths: Tensor, tags: Tensor, transitions: Tensor, start: Tensor, end: Tensor
) -> Tensor:
    """The score of the given tags ``[B, T]`` of each row, ``[B]``."""
    potentials = chain(emissions, lengths, transitions, start, end)
    return chain_scores(potentials, padded_tags(tags, lengths, transitions.shape[0])).sum(dim=0)


@dataclass(frozen=True)
class Case:
    """A batch of T steps and K tags with tags that break no constraint."""

    emissions: Tensor
    lengths: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor

    @property
    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.transitions, self.start, self.end

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.emissions, self.lengths, *self.scores

    def paths(self, row: int) -> dict[Path, float]:
        """Every path of a row that isn't forbidden, with its score."""
        length, tags = int(self.lengths[row]), len(self.start)
        scores = {}
        for path in product(range(tags), repeat=length):
            score = float(self.start[path[0]] + self.end[path[-1]]) if path else 0.0
            score += sum(float(self.emissions[row, step, tag]) for step, tag in enumerate(path))
            score += sum(float(self.transitions[pair]) for pair in pairwise(path))
            scores[path] = score
        return {path: score for path, score in scores.items() if score > -torch.inf}

    def sampled_tags(self, seed: int) -> Tensor:
        """An allowed path of each row, with -100 in the padding."""
        generator = torch.Generator().manual_seed(seed)
        tags = torch.full(self.emissions.shape[:2], -100)
        for row, length in enumerate(self.lengths.tolist()):
            allowed = sorted(self.paths(row))
            number = int(torch.randint(len(allowed), (1,), generator=generator))
            tags[row, :length] = torch.tensor(allowed[number], dtype=torch.int64)
        return tags


def make_case(lengths: list[int], tags: int, seed: int, scale: float = 1.0, forbidden: float = 0.0) -> Case:
    """Random scores with NaN in the padding; a share of the constraints forbids, but never tag 0 after itself."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return scale * torch.randn(shape, generator=generator, dtype=torch.float64)

    emissions = draw(len(lengths), max(lengths) + 1, tags)
    for row, length in enumerate(lengths):
        emissions[row, length:] = torch.nan
    scores = []
    for values in (draw(tags, tags), draw(tags), draw(tags)):
        mask = torch.rand(values.shape, generator=generator) < forbidden
        mask.view(-1)[0] = False
        scores.append(values.masked_fill(mask, -torch.inf))
    return Case(emissions, torch.tensor(lengths), *scores)


def logsumexp(scores: list[float]) -> float:
    return float(torch.tensor(scores, dtype=torch.float64).logsumexp(0))


def plain_losses(case: Case, tags: Tensor, weights: Tensor | None = None) -> Tensor:
    """The (weighted) loss of each row by a loop over rows and steps, for autograd.

    What is forbidden costs a million here: torch's logsumexp of nothing but -inf has a gradient of NaN.
    """
    transitions, start, end = (values.clamp(min=-1e6) for values in case.scores)
    losses = []
    weights = torch.ones_like(case.start) if weights is None else weights
    for row, length in enumerate(case.lengths.tolist()):
        path = tags[row, :length].tolist()
        beta, betas = end, []
        for step in reversed(range(length)):
            betas.insert(0, beta)
            before = start if step == 0 else transitions
            beta = (before + case.emissions[row, step] + beta).logsumexp(-1)
        loss = torch.zeros((), dtype=torch.float64)
        before_beta, score = beta, start
        for step, tag in enumerate(path):
            term = score[tag] + case.emissions[row, step, tag] + betas[step][tag] - before_beta
            loss = loss - weights[tag] * term
            before_beta, score = betas[step][tag], transitions[tag]
        losses.append(loss)
    return torch.stack(losses)


cases = st.builds(
    make_case,
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    tags=st.integers(1, 4),
    seed=st.integers(0, 9999),
    scale=st.sampled_from([1.0, 5.0, 200.0]),
    forbidden=st.sampled_from([0.0, 0.3, 0.6]),
)


@given(case=cases)
def test_sums_and_posteriors_are_those_of_enumeration(case: Case) -> None:
    tags = case.sampled_tags(0)
    scores = path_scores(case.emissions, case.lengths, tags, *case.scores)
    totals = log_partition(*case.inputs)
    posteriors = path_posteriors(case.emissions, case.lengths, tags, *case.scores)
    of_tags = marginals(*case.inputs)
    for row, length in enumerate(case.lengths.tolist()):
        paths = case.paths(row)
        total = logsumexp(list(paths.values()))
        score = paths[tuple(tags[row, :length].tolist())]
        assert float(scores[row]) == pytest.approx(score, rel=1e-12, abs=1e-10)
        assert float(totals[row]) == pytest.approx(total, rel=1e-12, abs=1e-10)
        assert float(posteriors[row]) == pytest.approx(math.exp(score - total), rel=1e-8, abs=1e-12)
        expected = torch.zeros_like(of_tags[row])
        for path, score in paths.items():
            for step, tag in enumerate(path):
                expected[step, tag] += math.exp(score - total)
        torch.testing.assert_close(of_tags[row], expected, rtol=1e-8, atol=1e-10)


@given(case=cases, n=st.integers(1, 30))
def test_best_paths_are_those_of_enumeration(case: Case, n: int) -> None:
    tags, scores = viterbi(*case.inputs)
    lists = n_best(*case.inputs, n)
    for row, length in enumerate(case.lengths.tolist()):
        paths = case.paths(row)
        ordered = sorted(paths, key=lambda path: -paths[path])
        assert tuple(tags[row, :length].tolist()) == ordered[0]
        assert not tags[row, length:].any()
        assert float(scores[row]) == pytest.approx(paths[ordered[0]], rel=1e-12, abs=1e-10)
        assert [tuple(path) for path, _ in lists[row]] == ordered[:n]
        assert [score for _, score in lists[row]] == pytest.approx([paths[path] for path in ordered[:n]], rel=1e-12)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=3), tags=st.integers(1, 3), seed=st.integers(0, 999))
def test_the_first_of_the_n_best_is_that_of_viterbi_among_ties(lengths: list[int], tags: int, seed: int) -> None:
    """Scores of -1, 0 and 1 make many paths equal."""
    case = make_case(lengths, tags, seed)
    case = Case(case.emissions.sign(), case.lengths, *(values.round().clamp(-1, 1) for values in case.scores))
    best, scores = viterbi(*case.inputs)
    for row, (length, found) in enumerate(zip(lengths, n_best(*case.inputs, 3), strict=True)):
        assert found[0] == (best[row, :length].tolist(), float(scores[row]))
        assert len({tuple(path) for path, _ in found}) == min(3, tags**length)


@given(case=cases, seed=st.integers(0, 99), weighted=st.booleans())
def test_losses_and_gradients_are_those_of_autograd_through_the_plain_recursion(
    case: Case, seed: int, weighted: bool
) -> None:
    tags = case.sampled_tags(seed)
    generator = torch.Generator().manual_seed(seed)
    weights = 3 * torch.rand(len(case.start), generator=generator, dtype=torch.float64) if weighted else None
    shares = torch.randn(len(case.lengths), generator=generator, dtype=torch.float64)
    parts = [part.clone().requires_grad_() for part in (case.emissions, *case.scores)]
    own_case = Case(parts[0], case.lengths, *parts[1:])
    losses = crf_losses(parts[0], case.lengths, tags, *parts[1:], weights)
    expected = plain_losses(own_case, tags, weights)
    torch.testing.assert_close(losses, expected, rtol=1e-9, atol=1e-9)
    found = torch.autograd.grad((losses * shares).sum(), parts)
    reference = torch.autograd.grad((expected * shares).sum(), parts, materialize_grads=True)
    for own, other in zip(found, reference, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1.0, 150.0])  # the second goes by way of logarithms
def test_gradients_are_those_of_finite_differences(weighted: bool, scale: float) -> None:
    case = make_case([4, 1, 3], tags=3, seed=5)
    emissions = case.emissions.nan_to_num()
    emissions[:, :, 0] -= scale if scale > 1 else 0.0
    emissions[:, :, 1] -= 3 * scale if scale > 1 else 0.0
    assert bool(len(BackwardMessages(chain(emissions, case.lengths, *case.scores)).lost)) == (scale > 1)
    tags = case.sampled_tags(1)
    weights = torch.tensor([0.5, 2.0, 1.0]) if weighted else None
    parts = [part.clone().requires_grad_() for part in (emissions, *case.scores)]

    def losses(emissions: Tensor, *scores: Tensor) -> Tensor:
        return crf_losses(emissions, case.lengths, tags, *scores, weights)

    def totals(emissions: Tensor, *scores: Tensor) -> Tensor:
        return log_partition(emissions, case.lengths, *scores)

    assert torch.autograd.gradcheck(losses, parts)
    assert torch.autograd.gradcheck(totals, parts)


@given(case=cases)
def test_weights_of_one_are_the_likelihood(case: Case) -> None:
    tags = case.sampled_tags(3)
    losses = crf_losses(case.emissions, case.lengths, tags, *case.scores)
    weighted = crf_losses(case.emissions, case.lengths, tags, *case.scores, torch.ones(len(case.start)))
    torch.testing.assert_close(weighted, losses, rtol=1e-10, atol=1e-9)
    posteriors = path_posteriors(case.emissions, case.lengths, tags, *case.scores)
    torch.testing.assert_close((-losses).exp(), posteriors, rtol=1e-8, atol=1e-12)


@given(case=cases)
def test_weighted_losses_are_the_weighted_conditionals_of_enumeration(case: Case) -> None:
    tags = case.sampled_tags(4)
    weights = torch.arange(1, len(case.start) + 1) / 2
    losses = crf_losses(case.emissions, case.lengths, tags, *case.scores, weights)
    for row, length in enumerate(case.lengths.tolist()):
        paths, right = case.paths(row), tuple(tags[row, :length].tolist())
        sums = [
            logsumexp([score for path, score in paths.items() if path[:step] == right[:step]])
            for step in range(length + 1)
        ]
        expected = sum(
            float(weights[tag]) * (before - after) for tag, (before, after) in zip(right, pairwise(sums), strict=True)
        )
        assert float(losses[row]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def run_all(case: Case, tags: Tensor) -> list[tuple[Any, ...]]:
    """All that is answered of each row."""
    parts = (case.emissions, case.lengths, tags, *case.scores)
    emissions = case.emissions.clone().requires_grad_()
    losses = crf_losses(emissions, case.lengths, tags, *case.scores, torch.linspace(0.5, 1.5, len(case.start)))
    (gradient,) = torch.autograd.grad(losses.sum(), emissions)
    best, scores = viterbi(*case.inputs)
    lists = n_best(*case.inputs, 4)
    results = (crf_losses(*parts), losses.detach(), path_posteriors(*parts), scores, marginals(*case.inputs), gradient)
    return [
        (*(part[row, :length] if part.dim() > 1 else part[row] for part in results), best[row, :length], lists[row])
        for row, length in enumerate(case.lengths.tolist())
    ]


def assert_same(first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]) -> None:
    for row, other in zip(first, second, strict=True):
        for own, expected in zip(row[:-1], other[:-1], strict=True):
            torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-9)
        assert row[-1] == other[-1]


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_a_row_doesnt_depend_on_its_batch_nor_on_the_padding(scale: float) -> None:
    case = make_case([5, 1, 3, 4], tags=4, seed=2, scale=scale, forbidden=0.3)
    tags = case.sampled_tags(2)
    together = run_all(case, tags)
    alone = []
    for row, length in enumerate(case.lengths.tolist()):
        single = replace(case, emissions=case.emissions[row : row + 1, :length], lengths=case.lengths[row : row + 1])
        alone += run_all(single, tags[row : row + 1, :length])
    assert_same(together, alone)

    wide = torch.full((4, 90, 4), torch.inf, dtype=torch.float64)
    longer = torch.full((4, 90), 3)
    for row, length in enumerate(case.lengths.tolist()):
        wide[row, :length], longer[row, :length] = case.emissions[row, :length], tags[row, :length]
    assert_same(together, run_all(replace(case, emissions=wide), longer))


def test_rows_that_underflow_are_done_with_logarithms_and_the_others_are_not() -> None:
    """Tag 1 all along is the only path; its -600 twice are below what float64 can hold (e-308)."""
    emissions = torch.zeros(3, 8, 2, dtype=torch.float64)
    emissions[1, 2:4, 1] = -600.0
    transitions = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]], dtype=torch.float64)
    end = torch.tensor([-torch.inf, 0.0], dtype=torch.float64)
    case = Case(emissions, torch.tensor([8, 8, 8]), transitions, torch.zeros(2, dtype=torch.float64), end)
    assert BackwardMessages(chain(*case.inputs)).lost.tolist() == [1]
    assert log_partition(*case.inputs).tolist() == pytest.approx([0.0, -1200.0, 0.0])

    case = make_case([6, 6, 6], tags=3, seed=0)
    emissions = case.emissions.clone()
    emissions[1, 3] = torch.tensor([0.0, -400.0, 400.0])
    case = replace(case, emissions=emissions)
    assert BackwardMessages(chain(*case.inputs)).lost.tolist() == [1]
    expected = [logsumexp(list(case.paths(row).values())) for row in range(3)]
    assert log_partition(*case.inputs).tolist() == pytest.approx(expected, rel=1e-12)


def test_constraints_alone_need_no_logarithms() -> None:
    """What is 0 because it is forbidden is told from what is 0 by underflow."""
    case = make_case([30, 20, 1], tags=5, seed=7)
    transitions, end = case.transitions.clone(), case.end.clone()
    transitions[1, [0, 1, 3, 4]] = -torch.inf  # 1 leads to 2 only
    transitions[3, [0, 1, 2, 3]] = -torch.inf
    end[[1, 3]] = -torch.inf
    constrained = replace(case, transitions=transitions, end=end)
    messages = BackwardMessages(chain(*constrained.inputs))
    assert messages.lost.tolist() == []
    assert bool((messages.scaled.messages[:-1, :, :-1] == 0).any())


def test_thousands_of_steps_neither_under_nor_overflow() -> None:
    generator = torch.Generator().manual_seed(1)
    emissions = 30 + 10 * torch.randn(2, 3000, 3, generator=generator)
    case = Case(emissions, torch.tensor([3000, 1]), torch.full((3, 3), 50.0), torch.zeros(3), torch.zeros(3))
    expected = emissions[0].double().logsumexp(-1).sum() + 2999 * 50.0  # equal transitions leave the steps independent
    totals = log_partition(*case.inputs)
    assert float(totals[0]) == pytest.approx(float(expected), rel=1e-6)
    torch.testing.assert_close(marginals(*case.inputs)[0], emissions[0].double().softmax(-1), rtol=1e-9, atol=1e-12)
    assert viterbi(*case.inputs)[0][0].tolist() == emissions[0].argmax(-1).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_type_of_scores_is_computed_alike(dtype: torch.dtype) -> None:
    case = make_case([4, 2], tags=3, seed=3)
    tags = case.sampled_tags(0)
    rounded = [part.to(dtype).requires_grad_() for part in (case.emissions, *case.scores)]
    losses = crf_losses(rounded[0], case.lengths, tags, *rounded[1:])
    assert losses.dtype == torch.promote_types(dtype, torch.float32)
    same = [part.detach().double() for part in rounded]
    torch.testing.assert_close(
        losses.double(), crf_losses(same[0], case.lengths, tags, *same[1:]), rtol=1e-6, atol=1e-6
    )
    losses.sum().backward()
    assert all(part.grad is not None and part.grad.dtype == dtype for part in rounded)


def test_a_row_without_steps_has_one_path_of_score_zero() -> None:
    case = make_case([2, 3], tags=3, seed=1)
    case = replace(case, lengths=torch.tensor([0, 3]))
    tags = torch.zeros(2, 4, dtype=torch.int64)
    assert float(log_partition(*case.inputs)[0]) == 0.0
    assert float(crf_losses(case.emissions, case.lengths, tags, *case.scores)[0]) == 0.0
    assert float(viterbi(*case.inputs)[1][0]) == 0.0
    assert n_best(*case.inputs, 2)[0] == [([], 0.0)]


def test_not_a_number_stays_visible() -> None:
    case = make_case([2, 2], tags=2, seed=1)
    emissions = case.emissions.clone()
    emissions[0, 1, 0] = torch.nan
    losses = crf_losses(emissions, case.lengths, torch.zeros(2, 3, dtype=torch.int64), *case.scores)
    assert losses.isnan().tolist() == [True, False]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([[0, 0, 0], [1, 0, 0]], "row 1 of the batch, step 0: .* no sequence starts with tag 1"),
        ([[0, 0, 0], [0, 1, 0]], "row 1 of the batch, step 1: .* no sequence ends with tag 1"),
        ([[0, 0, 1], [0, 0, 0]], "row 0 of the batch, step 2: .* no sequence ends with tag 1"),
        ([[0, 2, 0], [0, 0, 0]], "row 0 of the batch, step 1: .* tag 2 doesn't follow tag 0"),
        ([[0, 0, 0], [0, 3, 0]], r"row 1 of the batch, step 1: 3 is no tag \(0 to 2\)"),
        ([[0, 0, 0], [0, -1, 0]], r"row 1 of the batch, step 1: -1 is no tag \(0 to 2\)"),
    ],
)
def test_right_tags_that_cant_be_are_named(tags: list[list[int]], message: str) -> None:
    transitions, start, end = torch.zeros(3, 3), torch.zeros(3), torch.zeros(3)
    transitions[0, 2] = start[1] = end[1] = -torch.inf
    lengths = torch.tensor([3, 2])
    with pytest.raises(InputError, match=message):
        crf_losses(torch.zeros(2, 3, 3), lengths, torch.tensor(tags), transitions, start, end)


def test_a_forbidden_path_has_the_posterior_zero() -> None:
    transitions = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]])
    arguments = (torch.zeros(1, 2, 2), torch.tensor([2]), torch.tensor([[0, 1]]), transitions, torch.zeros(2))
    assert path_posteriors(*arguments, torch.zeros(2)).tolist() == [0.0]
    assert path_scores(*arguments, torch.zeros(2)).tolist() == [-torch.inf]


def test_fewer_than_one_path_is_refused() -> None:
    with pytest.raises(ConfigError, match="n is 0; ask for at least 1 path"):
        n_best(*make_case([2], tags=2, seed=0).inputs, 0)


def test_the_number_of_threads_stays_and_changes_nothing() -> None:
    case = make_case([5, 3], tags=3, seed=4)
    tags = case.sampled_tags(0)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(run_all(case, tags))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert_same(*results)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_a_gpu_answers_as_the_cpu_does(scale: float) -> None:
    case = make_case([5, 1, 3], tags=4, seed=2, scale=scale, forbidden=0.3)
    tags = case.sampled_tags(2)
    moved = Case(*(part.cuda() for part in case.inputs))
    answers = [
        tuple(part.cpu() if isinstance(part, Tensor) else part for part in row) for row in run_all(moved, tags.cuda())
    ]
    for row, other in zip(answers, run_all(case, tags), strict=True):
        assert_same([(*row[:-1], None)], [(*other[:-1], None)])
        assert [path for path, _ in row[-1]] == [path for path, _ in other[-1]]
