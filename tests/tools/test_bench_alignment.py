"""The benchmark of alignment, small."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import bench_alignment


def test_the_search_is_timed_on_emissions_that_were_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqpipe.decoding.ctc_band.EXACT_CELLS", 0)
    found = bench_alignment.search(0.02)
    assert (found["steps"], found["labels"]) == (2400, 1080)
    assert found["labels_in_place_per_cent"] > 95


def test_borders_and_verdicts_of_a_model_that_knows_three_letters(trained_run: Path) -> None:
    """It says little of speech, but every figure is there, and what can't be spelt is counted."""
    pytest.importorskip("espeakng_loader")
    made = bench_alignment.utterances("test", 6)
    found = bench_alignment.borders(str(trained_run), made, 1)
    assert found["borders"] > 0
    assert found["mean_ms"] >= abs(found["bias_ms"])
    verdicts = bench_alignment.verdicts(str(trained_run), made, 1)
    assert verdicts["texts"] == 6
    assert 0 <= verdicts["wrong_texts_told"] <= 100
