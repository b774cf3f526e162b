import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from seqpipe.evaluation.scores.breakdown import by_column, by_length, calibration_error, reliability, wilson_interval
from seqpipe.evaluation.scores.evaluate import Evaluation, evaluate
from seqpipe.inference.predictor import Predictor

Relabel = Callable[[Callable[[int, str], str]], Path]
COLUMNS = {
    "speaker": lambda index: ["anna", "", "otto"][index % 3],
    "take": lambda index: str(index % 4),
    "snr": lambda index: f"{20 - index * 0.7:.1f}",
    "note": lambda index: f"note {index}",
    "same": lambda index: "x",
}


@pytest.fixture
def evaluation(predictor: Predictor, relabel: Relabel) -> Evaluation:
    """Rows of Otto (2, 5, 8, ...) have a word too many; further columns as above."""
    path = relabel(lambda index, text: text + " b" if index % 3 == 2 else text)
    header, *rows = path.read_text().splitlines()
    lines = ["\t".join([row, *(value(index) for value in COLUMNS.values())]) for index, row in enumerate(rows)]
    path.write_text("\n".join(["\t".join([header, *COLUMNS]), *lines]) + "\n")
    return evaluate(predictor, str(path))


def test_columns_with_few_values_and_numbers_are_broken_down(evaluation: Evaluation) -> None:
    found = by_column(evaluation)
    assert set(found) == {"speaker", "take", "snr"}
    assert found["speaker"][0].label == "otto"  # the worst first
    assert {item.label for item in found["speaker"]} == {"otto", "anna", "(none)"}
    assert [item.label for item in found["take"]] == ["0", "1", "2", "3"]
    assert len(found["snr"]) == 2  # ranges of eight rows each
    for slices in found.values():
        assert sum(item.rows for item in slices) == len(evaluation.rows)
    otto = found["speaker"][0]
    assert otto.scores["accuracy"] == 0.0
    assert all(item.scores["wer"] == 0.0 for item in found["speaker"][1:])
    for item in found["take"]:
        for name, (low, high) in item.intervals.items():
            assert low <= item.scores[name] <= high


def test_lengths_go_from_short_to_long_and_hold_every_row(evaluation: Evaluation) -> None:
    slices = by_length(evaluation)
    assert sum(item.rows for item in slices) == len(evaluation.rows)
    assert len(slices) == 2
    starts = [float(item.label.split(" to ")[0]) for item in slices]
    assert starts == sorted(starts)
    assert all(item.label.endswith(" s") for item in slices)


def test_large_numbers_are_written_out(predictor: Predictor, relabel: Relabel) -> None:
    path = relabel(lambda _, text: text)
    header, *rows = path.read_text().splitlines()
    lines = [f"{row}\t{991 + 20 * index}" for index, row in enumerate(rows)]
    path.write_text("\n".join([f"{header}\twidth", *lines]) + "\n")
    labels = [item.label for item in by_column(evaluate(predictor, str(path)))["width"]]
    assert labels == ["991 to 1141", "1141 to 1291"]


def test_a_column_of_lists_is_passed_over(predictor: Predictor, relabel: Relabel) -> None:
    path = relabel(lambda _, text: text)
    header, *lines = (line.split("\t") for line in path.read_text().splitlines())
    records = [dict(zip(header, line, strict=True)) for line in lines]
    listed = [{**record, "tags": [str(place % 2)], "tag": str(place % 2)} for place, record in enumerate(records)]
    path.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, listed)))
    found = by_column(evaluate(predictor, str(path.with_suffix(".jsonl"))))
    assert "tag" in found
    assert "tags" not in found


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilsons_interval_is_that_of_scipy(hits_of: tuple[int, int]) -> None:
    hits, count = hits_of
    wanted = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson_interval(hits / count, count) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_a_confidence_that_is_a_probability_is_found_to_be_one() -> None:
    generator = np.random.default_rng(1)
    confidences = generator.uniform(0, 1, 8000)
    honest = generator.uniform(0, 1, 8000) < confidences
    bins = reliability(confidences.tolist(), honest.tolist())
    assert sum(item.rows for item in bins) == 8000
    assert [item.confidence for item in bins] == sorted(item.confidence for item in bins)
    assert calibration_error(confidences.tolist(), honest.tolist()) < 3.0
    boastful = generator.uniform(0, 1, 8000) < confidences**3
    assert calibration_error(confidences.tolist(), boastful.tolist()) > 20.0
    assert calibration_error([1.0, 1.0], [True, False]) == 50.0
