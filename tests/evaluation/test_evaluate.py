"""Scores of a run against counting by hand, and where it errs."""

import json
from pathlib import Path

import jiwer
import pytest

import seqpipe
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.table import render


@pytest.fixture(scope="module")
def evaluation(trained_run: Path, tone_data: Path):
    return seqpipe.evaluate(trained_run, str(tone_data / "dev.tsv"), device="cpu")


@pytest.fixture
def harder(tone_data: Path, tmp_path: Path) -> Path:
    """dev with one text changed and one that the vocabulary can't spell: errors for sure."""
    lines = (tone_data / "dev.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    for row in rows[1:]:
        row[0] = str(tone_data / row[0])
    rows[1][2] = "ccc ccc ccc ccc"
    rows[2][2] = "xyz"
    path = tmp_path / "harder.tsv"
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return path


def test_scores_are_those_of_the_corpus(evaluation):
    references = [row.target for row in evaluation.rows]
    hypotheses = [prediction.text for prediction in evaluation.predictions]
    assert evaluation.scores["wer"] == pytest.approx(100 * jiwer.wer(references, hypotheses))
    assert evaluation.scores["cer"] == pytest.approx(100 * jiwer.cer(references, hypotheses))
    assert evaluation.counts["words"] == sum(len(text.split()) for text in references)
    assert evaluation.scores["cer"] < 20  # the model has learnt the tones


def test_without_a_source_the_recipes_dev_is_scored_where_there_is_no_test(trained_run, tone_data, evaluation):
    again = seqpipe.evaluate(trained_run)
    assert Path(again.source) == tone_data / "dev.tsv"
    assert again.scores == evaluation.scores


def test_an_unknown_character_is_an_error_of_the_model_and_a_notice(trained_run, harder, evaluation):
    scored = seqpipe.evaluate(trained_run, str(harder))
    assert any("'x'" in notice and "row 2" in notice for notice in scored.notices)
    assert scored.scores["wer"] > evaluation.scores["wer"]
    assert scored.counts["rows"] == evaluation.counts["rows"]


def test_the_worst_utterances_come_first_with_their_alignment(trained_run, harder):
    scored = seqpipe.evaluate(trained_run, str(harder))
    worst = scored.worst(2)
    assert worst[0][0].target == "ccc ccc ccc ccc"
    assert "REF:" in worst[0][1]
    assert "HYP:" in worst[0][1]
    assert any(said == "xyz" for said, _, _ in scored.confusions(50))
    shown = render(scored)
    assert f"WER {scored.scores['wer']:6.2f} %" in shown
    assert scored.scoring in shown


def test_a_broken_input_ends_an_evaluation_with_its_row(trained_run, harder, tmp_path):
    lines = harder.read_text().splitlines()
    lines[3] = "gone.wav\tdev-002\tab"
    broken = tmp_path / "broken.tsv"
    broken.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"1 of 16.*\n.*row 3.*gone\.wav"):
        seqpipe.evaluate(trained_run, str(broken))


def test_an_empty_source_is_an_error(trained_run, tmp_path):
    (tmp_path / "none.tsv").write_text("path\tname\ttext\n")
    with pytest.raises(DataError, match="no rows"):
        seqpipe.evaluate(trained_run, str(tmp_path / "none.tsv"))


def test_decoding_options_are_checked(trained_run, tone_data):
    with pytest.raises(ConfigError, match=r"decoding\.metod.*did you mean method"):
        seqpipe.evaluate(trained_run, str(tone_data / "dev.tsv"), decoding={"metod": "greedy"})


def test_the_json_object_can_be_written(evaluation):
    assert json.loads(json.dumps(evaluation.to_json()))["wer"] == pytest.approx(evaluation.scores["wer"], abs=1e-4)
