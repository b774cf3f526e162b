import math

import numpy as np
import pytest

from seqpipe.answers.scored_text import ScoredText
from seqpipe.core.metric import score
from seqpipe.metrics.language_model import LanguageModelMetric

METRIC = LanguageModelMetric()


def answer(nats: float, units: int, characters: int, *, unknown: int = 0, spelling: float = 0.0) -> ScoredText:
    return ScoredText("a", math.exp(-nats / units), -nats, units, 1, unknown, -spelling, characters)


def test_scores_are_those_of_the_corpus_not_means_of_rows() -> None:
    answers = [answer(6.0, 3, 10), answer(1.0, 1, 30)]
    scores = score(METRIC, ["", ""], answers)
    assert scores["perplexity"] == pytest.approx(math.exp(7 / 4))
    assert scores["nats_per_character"] == pytest.approx(7 / 40)
    assert scores["bits_per_character"] == pytest.approx(7 / 40 / math.log(2))
    assert scores["accuracy"] == pytest.approx(50.0)
    assert list(scores) == list(METRIC.kinds)


def test_unknown_units_cost_their_spelling_in_bits_and_are_one_unit_in_perplexity() -> None:
    plain, spelt = (score(METRIC, [""], [answer(6.0, 3, 10, unknown=1, spelling=cost)]) for cost in (0.0, 20.0))
    assert spelt["perplexity"] == plain["perplexity"]
    assert spelt["nats_per_character"] == pytest.approx(26 / 10)
    assert spelt["unknown"] == pytest.approx(100 / 3)


def test_counts_add_up() -> None:
    answers = [answer(6.0, 3, 10, unknown=2, spelling=3.0), answer(1.0, 1, 30)]
    counts = METRIC.count(["", ""], answers)
    assert counts.shape == (2, len(METRIC.names))
    assert METRIC.errors(counts) == pytest.approx(np.array([0.9, 1 / 30]) / math.log(2))


def test_of_nothing_there_is_nothing_wrong() -> None:
    assert METRIC.count([], []).shape == (0, len(METRIC.names))
    assert METRIC.scores(np.zeros(len(METRIC.names)))["bits_per_character"] == 0.0


def test_an_impossible_text_has_a_finite_perplexity() -> None:
    assert math.isfinite(answer(1e9, 1, 1).perplexity)
