"""Searches: beams beside enumeration, what is forbidden, and draws."""

import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.beam import beam_search
from seqpipe.decoding.ctc import ctc_losses
from seqpipe.decoding.ctc_prefixes import CTCPrefixes
from seqpipe.decoding.generated import Generated
from seqpipe.decoding.generation import GenerationDecoding
from seqpipe.decoding.hot_words import HotWords
from seqpipe.decoding.prefix_scorer import PrefixScorer
from seqpipe.decoding.sampling import drawn, key_of, write_on
from seqpipe.decoding.word_spacing import WordSpacing

END = 2
SIZE = 3
STEPS = torch.tensor([5, 3])


class Table:
    """Log-probabilities that depend on row, and on all that was written, by a table that is drawn once."""

    def __init__(self, sharpness: float = 1.0, rows: int = 2) -> None:
        self.rows, self.sharpness = rows, sharpness
        self.numbers = list(range(rows))
        self.written: list[list[int]] = [[] for _ in range(rows)]
        self.steps = 0
        self.computed = 0

    def probabilities(self, row: int, written: list[int]) -> Tensor:
        seed = hash((row, *written)) % 2**31
        values = torch.randn(SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return (self.sharpness * values).log_softmax(dim=0)

    def weights(self, row: int, written: list[int]) -> Tensor:
        return self.probabilities(row + 7, written).exp().repeat(2)[:5] * (torch.arange(5) < STEPS[row % 2])

    def step(self, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.steps:
            self.written = [[*path, label] for path, label in zip(self.written, last.tolist(), strict=True)]
        self.steps += 1
        self.computed += len(self.written)
        width = len(self.written) // len(self.numbers)
        rows = [row for row in self.numbers for _ in range(width)]
        pairs = list(zip(rows, self.written, strict=True))
        found = torch.stack([self.probabilities(*pair) for pair in pairs])
        shift = torch.full((len(pairs),), 8.0, dtype=torch.float64)  # logits may be anywhere
        weights = torch.stack([self.weights(*pair) for pair in pairs]).unflatten(0, (len(self.numbers), width))
        return found + shift[:, None], shift, weights

    def choose(self, rows: Tensor, places: Tensor) -> None:
        self.numbers = [self.numbers[row] for row in rows.tolist()]
        self.written = [self.written[place] for place in places.tolist()]


def enumerated(table: Table, row: int, options: GenerationDecoding) -> list[Generated]:
    """All texts of at most ``max_length`` labels, best first."""
    found = []
    for length in range(options.min_length, int(options.max_length or 0) + 1):
        for labels in itertools.product(range(SIZE - 1), repeat=length):
            path = [*labels, END]
            total = sum(float(table.probabilities(row, path[:at])[label]) for at, label in enumerate(path))
            covered = torch.stack([table.weights(row, path[:at]) for at in range(length + 1)]).sum(dim=0)
            penalty = float(covered[: STEPS[row]].clamp(1e-9, 1).log().sum()) * options.coverage_penalty
            score = float(options.normalized(torch.tensor(total, dtype=torch.float64), length + 1))
            found.append(Generated(list(labels), total, score + penalty))
    return sorted(found, key=lambda item: -item.score)


NORMALIZATIONS: list[dict[str, Any]] = [
    {"length_normalization": "none"},
    {"length_normalization": "average"},
    {"length_normalization": "average", "length_power": 1.7},
    {"length_normalization": "gnmt", "length_power": 0.6},
    {"length_normalization": "gnmt", "coverage_penalty": 0.3},
    {"length_normalization": "average", "min_length": 2},
]


@pytest.mark.parametrize("given", NORMALIZATIONS)
def test_a_wide_beam_finds_what_enumeration_finds(given: dict[str, Any]) -> None:
    options = GenerationDecoding(beam=64, n_best=5, max_length=4, **given)
    for row, found in enumerate(beam_search(Table(), STEPS, END, options)):
        expected = enumerated(Table(), row, options)[:5]
        assert [item.labels for item in found] == [item.labels for item in expected]
        assert [item.score for item in found] == pytest.approx([item.score for item in expected])
        assert [item.log_probability for item in found] == pytest.approx([item.log_probability for item in expected])


@pytest.mark.parametrize("given", NORMALIZATIONS)
def test_stopping_early_loses_nothing_and_saves_steps(given: dict[str, Any]) -> None:
    options = GenerationDecoding(beam=64, max_length=6, **given)
    table = Table(sharpness=3.0)
    found = beam_search(table, STEPS, END, options)
    for row, items in enumerate(found):
        assert items[0].labels == enumerated(Table(sharpness=3.0), row, options)[0].labels
    late = Table(sharpness=3.0)
    beam_search(late, STEPS, END, options.model_copy(update={"n_best": 10**6}))
    # A penalty may be paid by none of what follows, so that the bound on it is loose.
    assert table.computed < late.computed or ("coverage_penalty" in given and table.computed == late.computed)


def test_rows_do_not_change_each_other() -> None:
    options = GenerationDecoding(beam=3, max_length=6)
    both = beam_search(Table(), STEPS, END, options)
    assert beam_search(Table(rows=1), STEPS[:1], END, options)[0] == both[0]


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_rows_do_not_change_each_other_where_bonuses_are_added(share: float) -> None:
    """To the last bit, of given probabilities."""
    spacing = WordSpacing([" ", "a"])
    hot = HotWords([[[2]], [[2, 2], [2]]], [0.0, 0.0, 1.0], spacing, 0.7)
    options = GenerationDecoding(beam=3, n_best=3, max_length=6, ctc_weight=share)
    scorer = PrefixScorer(spacing, insertion_bonus=0.3, hot=hot, hot_lists=[1, 0])
    both = beam_search(Table(), STEPS, END, options, CTCPrefixes(EMISSIONS) if share else None, scorer)
    prefixes = CTCPrefixes(EMISSIONS.chosen([0])) if share else None
    alone = beam_search(Table(rows=1), STEPS[:1], END, options, prefixes, replace(scorer, hot_lists=[1]))
    assert alone[0] == both[0]
    second = Table(rows=1)
    second.numbers = [1]
    shorter = CTCPrefixes(PaddedSequence(EMISSIONS.values[1:, :3], EMISSIONS.lengths[1:])) if share else None
    alone = beam_search(second, STEPS[1:], END, options, shorter, replace(scorer, hot_lists=[0]))
    assert alone[0] == both[1]
    neutral = beam_search(Table(), STEPS, END, options, CTCPrefixes(EMISSIONS) if share else None, PrefixScorer())
    assert neutral == beam_search(Table(), STEPS, END, options, CTCPrefixes(EMISSIONS) if share else None)
    assert [row[0].score for row in neutral] != [row[0].score for row in both]


def test_a_beam_of_one_without_normalization_is_greedy() -> None:
    options = GenerationDecoding(beam=1, length_normalization="none", max_length=8)
    greedy = GenerationDecoding(method="greedy", length_normalization="none", max_length=8)
    found, followed = beam_search(Table(), STEPS, END, options), write_on(Table(), STEPS, END, greedy)
    for best, likely in zip(found, followed, strict=True):
        assert best[0].log_probability >= likely[0].log_probability - 1e-12


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
@pytest.mark.parametrize(("least", "most"), [(0, 1), (3, 3), (4, 6)])
def test_lengths_are_kept(method: Any, least: int, most: int) -> None:
    options = GenerationDecoding(method=method, min_length=least, max_length=most, n_best=4)
    search = beam_search if method == "beam" else write_on
    found = search(Table(), STEPS, END, options)
    assert all(least <= len(item.labels) <= most for row in found for item in row)
    assert all(row for row in found)


def test_length_follows_the_input_where_no_other_limit_is_set() -> None:
    options = GenerationDecoding(max_ratio=1.5)
    assert options.length_limits(torch.tensor([1, 10])).tolist() == [11, 25]
    alone = GenerationDecoding(max_ratio=0.5, max_extra=0)
    assert alone.length_limits(torch.tensor([1, 10])).tolist() == [1, 5]
    assert all(len(item.labels) <= 2 for row in beam_search(Table(sharpness=0.1), STEPS, END, alone) for item in row)


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_comes_twice(method: Any, size: int) -> None:
    options = GenerationDecoding(method=method, min_length=5, max_length=12, no_repeat_ngram=size, n_best=3)
    search = beam_search if method == "beam" else write_on
    for row in search(Table(), STEPS, END, options):
        for item in row:
            grams = Counter(tuple(item.labels[at : at + size]) for at in range(len(item.labels) - size + 1))
            assert max(grams.values(), default=1) == 1


def test_samples_are_drawn_with_their_probabilities() -> None:
    options = GenerationDecoding(method="sample", n_best=1000, max_length=1)
    for row, found in enumerate(write_on(Table(), STEPS, END, options)):
        counts = Counter(tuple(item.labels) for item in found)
        first = Table().probabilities(row, []).exp()
        for label in range(2):
            spread = 4 * math.sqrt(float(first[label]) * 1000)
            assert abs(counts[(label,)] - 1000 * float(first[label])) < spread
        assert all(item.log_probability < 0 for item in found)


def test_draws_are_the_seed_s_and_no_neighbour_s() -> None:
    options = GenerationDecoding(method="sample", n_best=3, max_length=6, seed=5)
    found = write_on(Table(), STEPS, END, options)
    assert write_on(Table(rows=1), STEPS[:1], END, options)[0] == found[0]
    assert write_on(Table(), STEPS, END, options.model_copy(update={"seed": 6})) != found
    keyed = write_on(Table(), STEPS, END, options, [7, 2**64 - 1])
    assert write_on(Table(rows=1), STEPS[:1], END, options, [7])[0] == keyed[0] != found[0]


class Twins(Table):
    """Rows that all have the same probabilities."""

    def probabilities(self, row: int, written: list[int]) -> Tensor:
        return super().probabilities(0, written)


def test_rows_are_drawn_independently_of_each_other() -> None:
    options = GenerationDecoding(method="sample", max_length=1)
    rows = 1000
    found = write_on(Twins(rows=rows), STEPS[:1].expand(rows), END, options, range(rows))
    counts = Counter(tuple(item.labels) for (item,) in found)
    first = Table().probabilities(0, []).exp()
    for label in range(2):
        assert abs(counts[(label,)] - rows * float(first[label])) < 4 * math.sqrt(float(first[label]) * rows)
    alike = write_on(Twins(rows=9), STEPS[:1].expand(9), END, options, [3] * 9)
    assert all(each == alike[0] for each in alike)


def test_no_number_draws_what_is_impossible() -> None:
    values = torch.tensor([[float("-inf"), 0.3, 0.7, float("-inf")]], dtype=torch.float64).log_softmax(dim=1)
    least, most = 0.0, 1 - 2.0**-53
    found = [int(drawn(values, torch.tensor([number], dtype=torch.float64))) for number in (least, 0.4, 0.41, most)]
    split = float(values[0, 1].exp())
    assert 0.4 < split < 0.41
    assert found == [1, 1, 2, 2]


def test_the_key_of_a_row_is_its_content_s() -> None:
    values = torch.arange(12).view(4, 3)
    assert key_of(values) == key_of(values.clone()) == key_of(torch.arange(24).view(8, 3)[:4])
    others = [values + 1, values.view(3, 4), values.int(), values[:3], values.float()]
    assert len({key_of(each) for each in [values, *others]}) == 6


@pytest.mark.parametrize("given", [{"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-6}])
def test_the_narrowest_sampling_is_greedy(given: dict[str, Any]) -> None:
    sampled = write_on(Table(), STEPS, END, GenerationDecoding(method="sample", max_length=6, **given))
    assert sampled == write_on(Table(), STEPS, END, GenerationDecoding(method="greedy", max_length=6))


def test_top_k_and_top_p_leave_the_likeliest() -> None:
    for given in ({"top_k": 2}, {"top_p": 0.7}):
        options = GenerationDecoding(method="sample", n_best=300, max_length=1, **given)
        for row, found in enumerate(write_on(Table(), STEPS, END, options)):
            falling, order = Table().probabilities(row, []).exp().sort(descending=True)
            kept = 2 if "top_k" in given else int((falling.cumsum(0) - falling < 0.7).sum())
            drawn = {item.labels[0] if item.labels else END for item in found}
            assert drawn == set(order[:kept].tolist())


EMISSIONS = PaddedSequence(
    torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64).log_softmax(dim=-1),
    torch.tensor([4, 3]),
)
"""By CTC, of a blank and the two labels."""


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("normalization", ["none", "average"])
def test_a_wide_beam_finds_the_best_by_both(share: float, normalization: str) -> None:
    options = GenerationDecoding.model_validate(
        {"beam": 64, "n_best": 3, "max_length": 4, "ctc_weight": share, "length_normalization": normalization}
    )
    found = beam_search(Table(), STEPS, END, options, CTCPrefixes(EMISSIONS))
    for row, items in enumerate(found):
        expected = []
        for text in (t for length in range(5) for t in itertools.product((1, 2), repeat=length)):
            path = [*(label - 1 for label in text), END]
            own = sum(float(Table().probabilities(row, path[:at])[label]) for at, label in enumerate(path))
            by_ctc = -float(ctc_losses(EMISSIONS.values[row : row + 1], EMISSIONS.lengths[row : row + 1], [text]))
            if by_ctc > -math.inf:
                both = torch.tensor((1 - share) * own + share * by_ctc, dtype=torch.float64)
                expected.append((float(options.normalized(both, len(path))), path[:-1], own))
        expected.sort(reverse=True)
        assert [item.labels for item in items] == [labels for _, labels, _ in expected[:3]]
        assert [item.score for item in items] == pytest.approx([score for score, _, _ in expected[:3]])
        assert [item.log_probability for item in items] == pytest.approx([own for _, _, own in expected[:3]])
