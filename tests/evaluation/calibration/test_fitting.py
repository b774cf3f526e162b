"""What is fitted: temperatures and maps, on confidences that are known to be off."""

from itertools import pairwise

import numpy as np
import pytest

from seqpipe.core.answer import Confidences
from seqpipe.evaluation.calibration.mapping import fit_map
from seqpipe.evaluation.calibration.temperature import TRIED, best_temperature
from seqpipe.evaluation.scores.parts import Parts
from seqpipe.metrics import calibration


def planted(count: int = 4000, *, steepness: float = 3.0, seed: int = 1) -> tuple[Parts, np.ndarray]:
    """Parts whose log-odds are so many times too great, and of which longer ones are right more often; the truth."""
    generator = np.random.default_rng(seed)
    lengths = generator.uniform(0, 2, count)
    said = generator.normal(0.5, 1.0, count)
    truth = 1 / (1 + np.exp(-(said + lengths - 1)))
    right = generator.random(count) < truth
    confidences = 1 / (1 + np.exp(-steepness * said))
    return Parts(np.arange(count), confidences, right, {"log_length": lengths}), truth


def test_a_map_finds_what_was_planted() -> None:
    parts, truth = planted()
    mapped = fit_map(parts)
    assert mapped.log_p == pytest.approx(1 / 3, abs=0.08)
    assert mapped.log_rest == pytest.approx(1 / 3, abs=0.08)
    assert mapped.features["log_length"][0] == pytest.approx(1.0, abs=0.15)
    others, truth = planted(40_000, seed=2)
    assert np.abs(np.array(mapped(others.given())) - truth).mean() < 0.02
    assert calibration.score(calibration.counts(others.confidences, others.right))["ece"] > 15
    assert calibration.score(calibration.counts(np.array(mapped(others.given())), others.right))["ece"] < 3


def test_fitting_is_deterministic() -> None:
    assert fit_map(planted()[0]) == fit_map(planted()[0])


@pytest.mark.parametrize("right", [True, False])
def test_parts_that_are_all_right_or_all_wrong_move_a_map_by_a_bounded_amount(right: bool) -> None:
    parts = Parts(np.arange(40), np.linspace(0.5, 0.99, 40), np.full(40, right), {})
    mapped = fit_map(parts)
    assert abs(mapped.intercept) < 5
    assert min(mapped.log_p, mapped.log_rest) >= 0


def test_confidences_that_point_the_wrong_way_are_not_turned_around() -> None:
    confidences = np.linspace(0.01, 0.99, 400)
    parts = Parts(np.arange(400), confidences, np.arange(400) % 400 < 200, {})
    changed = fit_map(parts)(Confidences(sorted(confidences.tolist())))
    assert all(one <= other for one, other in pairwise(changed))
    assert changed[-1] == pytest.approx(0.5, abs=0.05), "they say nothing"


def test_confidences_of_0_and_1_do_no_harm() -> None:
    parts = Parts(np.arange(60), np.tile([0.0, 1.0, 1.0], 20), np.tile([False, True, False], 20), {})
    changed = fit_map(parts)(Confidences([0.0, 1.0]))
    assert 0 <= changed[0] < changed[1] <= 1


def test_the_best_temperature_is_found_between_those_that_were_tried() -> None:
    """Logits that are three times too great: to divide them by three is best."""
    generator = np.random.default_rng(0)
    true = generator.normal(size=(20_000, 3))
    shares = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    labels = (generator.random((len(true), 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=2)
    likelihoods = []
    for temperature in TRIED:
        logits = 3 * true / temperature
        likelihoods.append(logits[np.arange(len(true)), labels] - np.log(np.exp(logits).sum(axis=1)))
    assert best_temperature(np.stack(likelihoods, axis=1)) == pytest.approx(3.0, rel=0.05)


def test_rows_that_say_nothing_leave_the_temperature_at_1() -> None:
    assert 1.0 in TRIED
    assert best_temperature(np.full((3, len(TRIED)), np.nan)) == 1.0
    assert best_temperature(np.full((3, len(TRIED)), -np.inf)) == 1.0
    assert best_temperature(np.zeros((0, len(TRIED)))) == 1.0


def test_the_calibration_error_of_parts_is_what_a_direct_computation_says() -> None:
    parts, _ = planted(200)
    rows = Parts(np.repeat(np.arange(50), 4), parts.confidences, parts.right, {})
    counts = rows.counts(rows.confidences, 51)  # the last row has none
    assert counts.shape == (51, 45)
    assert counts[50].sum() == 0
    expected = 0.0
    for number in range(15):
        inside = (parts.confidences > number / 15) & (parts.confidences <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(parts.confidences[inside].mean() - parts.right[inside].mean())
    assert calibration.score(counts.sum(axis=0))["ece"] == pytest.approx(100 * expected, abs=1e-4)
