import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from seqpipe.decoding import histories
from seqpipe.decoding.hot_words import HotWords
from seqpipe.decoding.prefix_scorer import PrefixScorer, WordList
from seqpipe.decoding.prefix_search import SearchLimits, prefix_search
from seqpipe.decoding.unit_trie import UnitTrie
from seqpipe.decoding.word_spacing import WordSpacing

Emissions = NDArray[np.float32]
PIECES = [" ", "a", "b"]
SPACING = WordSpacing(PIECES)
EVERYTHING = SearchLimits(beam=2000, n_best=2000, min_probability=0.0, max_labels=99, beam_threshold=600.0)


def log_softmax(logits: NDArray[np.float64]) -> Emissions:
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def emissions_of(lengths: Sequence[int], size: int = 4, seed: int = 0, peaks: float = 1.5) -> list[Emissions]:
    generator = np.random.default_rng(seed)
    return [log_softmax(peaks * generator.standard_normal((length, size))) for length in lengths]


def peaked(lengths: Sequence[int], size: int, seed: int) -> list[Emissions]:
    """As a trained model emits: blanks, and between them labels that it is more or less sure of."""
    rows = []
    for row in emissions_of(lengths, size, seed):
        generator = np.random.default_rng(seed + len(row))
        added = np.zeros(row.shape)
        is_label = generator.random(len(row)) < 0.4
        added[~is_label, 0] = 14.0
        added[is_label, generator.integers(1, size, is_label.sum())] = 6.0
        rows.append(log_softmax(row + added))
    return rows


def enumerated(emissions: Emissions) -> dict[tuple[int, ...], float]:
    """The log-probability of every label sequence that is possible, over all of its alignments."""
    found: dict[tuple[int, ...], float] = {}
    table = np.exp(emissions.astype(np.float64)).tolist()
    for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        found[labels] = found.get(labels, 0.0) + math.prod(row[label] for row, label in zip(table, path, strict=True))
    return {labels: math.log(chance) for labels, chance in found.items() if chance}


def text_of(labels: Sequence[int]) -> str:
    return "".join(PIECES[label - 1] for label in labels)


def agrees(emissions: Sequence[Emissions], scorer: PrefixScorer | None, added: Callable[[str], float]) -> None:
    """What a search without limits gives is all that enumeration does, in its order and with its scores."""
    for row, found in zip(emissions, prefix_search(emissions, EVERYTHING, scorer), strict=True):
        wanted = {labels: (chance, chance + added(text_of(labels))) for labels, chance in enumerated(row).items()}
        wanted = {labels: scores for labels, scores in wanted.items() if scores[1] > -math.inf}
        assert {item.labels for item in found} == wanted.keys()
        for item in found:
            assert (item.log_probability, item.score) == pytest.approx(wanted[item.labels], abs=1e-5)
        scores = [item.score for item in found]
        assert scores == sorted(scores, reverse=True)


def test_a_wide_search_is_enumeration() -> None:
    agrees(emissions_of([5, 1, 3]), None, lambda text: 0.0)


def test_a_language_model_over_units_is_added(either: Callable) -> None:
    model = either(["b", "▁", "a"])
    scorer = PrefixScorer(SPACING, model=model, units=np.array([-1, 1, 2, 0]), lm_weight=0.7, insertion_bonus=0.3)
    agrees(emissions_of([5, 2]), scorer, lambda text: 0.7 * model.of(text.replace(" ", "▁")) + 0.3 * len(text.split()))


WORDS = ["a", "ab", "bb"]


def word_list(units: NDArray[np.int64] | None, unlisted: float) -> WordList:
    trie = UnitTrie([[1 + PIECES.index(sign) for sign in word] for word in WORDS], range(3), 4)
    return WordList(trie, units, np.ones(3, bool), unlisted)


@pytest.mark.parametrize("unlisted", [-math.inf, -2.5, 0.0])
def test_words_of_a_lexicon_and_a_language_model_over_words(either: Callable, unlisted: float) -> None:
    model = either(["bb", "a", "c"])  # without ab
    scorer = PrefixScorer(SPACING, word_list(np.array([1, -1, 0]), unlisted), model, lm_weight=0.5, insertion_bonus=1.0)

    def added(text: str) -> float:
        words = text.split()
        if math.isinf(unlisted) and (text.startswith(" ") or "  " in text):
            return -math.inf
        outside = unlisted * sum(word not in WORDS for word in words) if set(words) - set(WORDS) else 0.0
        return outside + 0.5 * model.of(words) + 1.0 * len(words)

    agrees(emissions_of([5, 3]), scorer, added)


def test_hot_words_count_as_whole_words() -> None:
    phrases = ["ab", "b a", "bb"]
    labels = [[1 + PIECES.index(sign) for sign in phrase] for phrase in phrases]
    scorer = PrefixScorer(SPACING, hot=HotWords([labels], [0.0, 0.0, 1.0, 1.0], SPACING, 1.5))

    def added(text: str) -> float:
        words = text.split(" ")
        single = sum(1.5 * 2 for word in words if word in ("ab", "bb"))
        return single + sum(1.5 * 2 for pair in itertools.pairwise(words) if pair == ("b", "a"))

    agrees(emissions_of([5, 4]), scorer, added)


def test_rows_have_hot_words_of_their_own() -> None:
    hot = HotWords([[[2, 3]], [[3]]], [0.0, 0.0, 1.0, 1.0], SPACING, 50.0)
    row = emissions_of([4])[0]
    found = prefix_search([row, row], SearchLimits(), PrefixScorer(SPACING, hot=hot, hot_lists=[1, 0]))
    assert [text_of(each[0].labels) for each in found] == ["b", "ab"] or "b" in text_of(found[0][0].labels).split()
    assert "ab" in text_of(found[1][0].labels).split()


def full_scorer(either: Callable, units: bool) -> PrefixScorer:
    hot = HotWords([[[2, 3], [3, 1, 2]]], [0.0, 0.0, 1.0, 1.0], SPACING, 0.8)
    if units:
        return PrefixScorer(SPACING, None, either(["▁", "a", "b"]), np.array([-1, 0, 1, 2]), 0.6, 0.4, hot)
    words = word_list(np.array([1, -1, 0]), -3.0)
    return PrefixScorer(SPACING, words, either(["bb", "a"]), None, 0.6, 0.4, hot)


@pytest.mark.parametrize("units", [True, False])
def test_a_row_is_the_same_to_the_bit_in_any_batch(either: Callable, units: bool) -> None:
    rows = peaked([40, 7, 33, 1, 40, 21], 4, seed=3)
    scorer, limits = full_scorer(either, units), SearchLimits(beam=12, n_best=5)
    whole = prefix_search(rows, limits, scorer)
    turned = prefix_search(rows[::-1], limits, scorer)[::-1]
    alone = [prefix_search([row], limits, scorer)[0] for row in rows]
    assert whole == turned == alone


def test_what_is_forgotten_is_not_missed(either: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = emissions_of([30, 12, 25], peaks=2.0)
    scorer, limits = full_scorer(either, units=True), SearchLimits(beam=10, n_best=3)
    kept = prefix_search(batch, limits, scorer)
    monkeypatch.setattr(histories, "LEAST", 4)
    assert prefix_search(batch, limits, scorer) == kept


def test_steps_of_blanks_and_labels_that_are_passed_over_cost_nothing_measurable() -> None:
    batch = peaked([30, 45, 12], 8, seed=5)
    quick = prefix_search(batch, SearchLimits(beam=50))
    whole = prefix_search(batch, SearchLimits(beam=400, min_probability=0.0, max_labels=99, beam_threshold=600.0))
    for one, other in zip(quick, whole, strict=True):
        assert one[0].labels == other[0].labels
        assert one[0].score == pytest.approx(other[0].score, abs=0.02)


def test_of_equals_the_lower_label_comes_first() -> None:
    row = np.log(np.full((1, 5), 0.2))
    (found,) = prefix_search([row], SearchLimits(beam=5, n_best=5))
    assert [item.labels for item in found] == [(), (1,), (2,), (3,), (4,)]
    (found,) = prefix_search([row], SearchLimits(beam=3, n_best=3))
    assert [item.labels for item in found] == [(), (1,), (2,)]


def test_a_text_that_may_not_end_so_is_given_where_there_is_no_other() -> None:
    row = log_softmax(np.array([[-30.0, -30.0, 0.0, -30.0], [-30.0, -30.0, -30.0, 0.0]]))
    trie = UnitTrie([[2, 3, 3]], [0], 4)
    words = WordList(trie, None, np.ones(1, bool), -math.inf)
    (found,) = prefix_search([row], SearchLimits(), PrefixScorer(SPACING, words))
    assert found[0].labels == (2, 3)


def test_a_language_model_is_asked_once_for_a_prefix(either: Callable) -> None:
    model = either(["▁", "a", "b"])
    scorer = PrefixScorer(SPACING, model=model, units=np.array([-1, 0, 1, 2]), lm_weight=0.5)
    limits = SearchLimits(beam=8)
    steps = 30
    prefix_search(emissions_of([steps]), limits, scorer)
    assert 0 < model.asked <= 1 + steps * limits.beam


def test_an_empty_row_and_one_of_blanks_have_empty_texts() -> None:
    blank = log_softmax(np.array([[30.0, 0.0, 0.0, 0.0]] * 4))
    for found in prefix_search([blank, blank[:1], blank[:0]], SearchLimits(n_best=3)):
        assert found[0].labels == ()
        assert found[0].score == pytest.approx(0.0, abs=1e-6)
    assert prefix_search([], SearchLimits()) == []


def test_what_is_impossible_is_not_written() -> None:
    with np.errstate(divide="ignore"):
        rows = [np.log([[0.0, 0.5, 0.0, 0.5], [0.0, 0.0, 1.0, 0.0]]), np.log([[0.25] * 4])]
    agrees(rows, None, lambda text: 0.0)
