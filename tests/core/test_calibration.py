import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.answers.classification import Classification, ClassProbability
from seqpipe.answers.transcript import Token, Transcript, group_words
from seqpipe.core.answer import Confidences
from seqpipe.core.calibration import Calibration, ConfidenceMap

CHANCES = st.floats(0, 1)
WEIGHTS = st.floats(0, 5)


def transcript() -> Transcript:
    tokens = tuple(Token(text, place, place + 1.0, 0.6 + 0.05 * place) for place, text in enumerate("go on"))
    return Transcript("a", "go on", 0.3, group_words(tokens), tokens)


@given(st.lists(CHANCES))
def test_the_identity_changes_nothing_to_the_bit(values: list[float]) -> None:
    assert ConfidenceMap()(Confidences(values)) == values
    assert ConfidenceMap(features={"log_length": (0.0, 2.0)})(Confidences(values)) == values


@given(st.lists(CHANCES), WEIGHTS, WEIGHTS, st.floats(-5, 5))
def test_the_order_of_confidences_is_kept(values: list[float], log_p: float, log_rest: float, intercept: float) -> None:
    changed = ConfidenceMap(log_p, log_rest, intercept)(Confidences(sorted(values)))
    assert all(one <= other for one, other in pairwise(changed))
    assert all(0 <= value <= 1 for value in changed)


@given(st.lists(CHANCES, min_size=1), WEIGHTS, WEIGHTS)
def test_a_part_does_not_depend_on_the_others(values: list[float], log_p: float, log_rest: float) -> None:
    mapped = ConfidenceMap(log_p, log_rest, 0.3)
    assert mapped(Confidences(values)) == [mapped(Confidences([value]))[0] for value in values]


def test_it_is_a_logistic_regression_over_both_logarithms_and_features() -> None:
    found = ConfidenceMap(0.8, 0.4, -0.2, {"log_length": (0.5, 1.0)})(Confidences([0.9], {"log_length": [3.0]}))
    log_odds = 0.8 * math.log(0.9) - 0.4 * math.log(0.1) - 0.2 + 0.5 * (3.0 - 1.0)
    assert found == [pytest.approx(1 / (1 + math.exp(-log_odds)))]


def test_a_feature_that_a_part_lacks_counts_as_its_mean() -> None:
    mapped = ConfidenceMap(intercept=0.5, features={"language_score": (0.7, -3.0)})
    lacking, average = Confidences([0.4]), Confidences([0.4], {"language_score": [-3.0]})
    assert mapped(lacking) == mapped(average) != mapped(Confidences([0.4], {"language_score": [-1.0]}))


@pytest.mark.parametrize("wrong", [{"log_p": -0.1}, {"log_rest": -1.0}, {"intercept": math.nan}, {"log_p": math.inf}])
def test_a_map_that_would_turn_confidences_around_is_none(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="should be 0 or more, and all numbers finite"):
        ConfidenceMap(**wrong)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_is_a_positive_number(temperature: float) -> None:
    with pytest.raises(ValueError, match="should be above 0 and finite"):
        Calibration(temperature)


def test_only_confidences_change_and_only_those_with_a_map() -> None:
    before = transcript()
    after = Calibration(maps={"words": ConfidenceMap(intercept=-1.0), "answers": ConfidenceMap(0.5, 0.5)}).apply(before)
    assert [(word.text, word.start, word.end) for word in after.words] == [
        (word.text, word.start, word.end) for word in before.words
    ]
    assert all(one.confidence < other.confidence for one, other in zip(after.words, before.words, strict=True))
    assert after.confidence > before.confidence
    assert (after.id, after.text, after.tokens) == (before.id, before.text, before.tokens)
    for nothing in (Calibration(), Calibration(maps={"words": ConfidenceMap()})):
        assert nothing.apply(before) is before


def test_shares_of_one_distribution_stay_what_they_are() -> None:
    assert Classification.mapped == ()
    answer = Classification("a", "x", 0.7, (ClassProbability("x", 0.7), ClassProbability("y", 0.3)))
    assert answer.confidences == {"answers": Confidences([0.7])}
    assert answer.with_confidences({}) is answer
