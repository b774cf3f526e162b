import json
from collections.abc import Callable
from pathlib import Path

import jiwer
import pytest

import seqpipe
from seqpipe.errors import DataError
from seqpipe.evaluation.evaluate import Evaluation, evaluate
from seqpipe.evaluation.table import render
from seqpipe.inference.predictor import Predictor

Relabel = Callable[[Callable[[int, str], str]], Path]


@pytest.fixture(scope="module")
def predictor(trained_run: Path) -> Predictor:
    return seqpipe.load(trained_run, device="cpu")


@pytest.fixture
def relabel(tone_data: Path, tmp_path: Path) -> Relabel:
    """Writes the dev manifest with other texts: the model, which knows the tones, then errs where we say."""

    def write(change: Callable[[int, str], str]) -> Path:
        header, *rows = (tone_data / "dev.tsv").read_text().splitlines()
        fields = [row.split("\t") for row in rows]
        lines = [
            "\t".join([str(tone_data / path), name, change(index, text)])
            for index, (path, name, text) in enumerate(fields)
        ]
        (tmp_path / "dev.tsv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path / "dev.tsv"

    return write


def test_without_data_the_recipes_dev_part_is_scored_where_there_is_no_test(
    predictor: Predictor, tone_data: Path
) -> None:
    found = evaluate(predictor)
    assert found.source == str(tone_data / "dev.tsv")
    assert found.scores == {"wer": 0.0, "cer": 0.0}
    assert found.counts["rows"] == 16
    assert found.worst() == found.confusions() == []


def test_the_test_part_is_scored_where_it_is_there(trained_run: Path, tone_data: Path) -> None:
    pipeline = seqpipe.Pipeline.load(trained_run)
    for part, scored in (("few.tsv", "few.tsv"), ("kept_elsewhere.tsv", "dev.tsv")):
        pipeline.recipe.data.test = part
        assert evaluate(Predictor(pipeline, device="cpu")).source == str(tone_data / scored)


def test_scores_are_those_of_jiwer_over_the_corpus(predictor: Predictor, relabel: Relabel) -> None:
    path = relabel(lambda index, text: text.replace("a", "c") if index % 3 == 0 else text + " b" * (index % 2))
    found = evaluate(predictor, str(path))
    assert found.scores["wer"] == pytest.approx(100 * jiwer.wer(list(found.references), list(found.hypotheses)))
    assert found.scores["cer"] == pytest.approx(100 * jiwer.cer(list(found.references), list(found.hypotheses)))
    assert 0 < found.scores["wer"] < 100
    counts = found.counts
    assert counts["words"] == sum(len(text.split()) for text in found.references)
    assert found.scores["wer"] == pytest.approx(100 * counts["word_errors"] / counts["words"])
    assert found.scores["cer"] == pytest.approx(100 * counts["character_errors"] / counts["characters"])


def swapped(index: int, text: str) -> str:
    """Row 4 has two words too many at its end, rows 0 and 1 another last word each."""
    if index == 4:
        return text + " bb bb"
    return text.rpartition(" ")[0] + " " * (" " in text) + "cac" if index < 2 else text


def test_errors_are_shown_where_they_were_made(predictor: Predictor, relabel: Relabel) -> None:
    found = evaluate(predictor, str(relabel(swapped)))
    assert [row.id for row, _ in found.worst()] == ["dev-004", "dev-000", "dev-001"]
    row, alignment = found.worst()[0]
    assert str(row.target).endswith(" bb bb")
    assert alignment.splitlines()[-1].split() == ["D", "D"]
    words = found.confusions()
    assert words[0] == ("bb", "", 2)
    assert {said for said, _, _ in words[1:]} == {"cac"}
    assert sum(count for _, _, count in words) == found.counts["word_errors"] == 4
    characters = found.confusions(100, characters=True)
    assert sum(count for _, _, count in characters) == found.counts["character_errors"]
    assert len(found.worst(most=1)) == 1


def test_the_table_says_what_the_evaluation_holds(predictor: Predictor, relabel: Relabel) -> None:
    found = evaluate(predictor, str(relabel(swapped)))
    table = render(found)
    assert f"WER {found.scores['wer']:6.2f} %  (4 of {found.counts['words']} words)" in table
    assert f"CER {found.scores['cer']:6.2f} %" in table
    assert "2  bb -> (nothing)" in table
    assert "compared as: text as it stands" in table
    assert "dev-004" in table
    perfect = render(evaluate(predictor))
    assert "most frequent errors" not in perfect
    assert "most word errors" not in perfect


def test_the_json_is_one_flat_object(predictor: Predictor, relabel: Relabel) -> None:
    record = evaluate(predictor, str(relabel(swapped))).to_json()
    again = json.loads(json.dumps(record))
    assert again == record
    assert {"wer", "cer", "rows", "words", "word_errors", "source", "scoring"} <= record.keys()
    assert all(isinstance(value, (int, float, str)) for value in record.values())


def test_text_rules_of_the_recipe_hold_on_both_sides(trained_run: Path, relabel: Relabel, tmp_path: Path) -> None:
    pipeline = seqpipe.Pipeline.load(trained_run)
    path = relabel(lambda _, text: text.upper().replace(" ", "  ") + "!")
    assert evaluate(Predictor(pipeline, device="cpu"), str(path)).scores["wer"] == 100.0
    head = pipeline.recipe.pipeline.head.options
    head["text"] = ["lowercase", "no_punctuation", "collapse_spaces"]
    pipeline.save(tmp_path / "run")
    found = evaluate(tmp_path / "run", str(path), device="cpu")
    assert found.scores == {"wer": 0.0, "cer": 0.0}
    assert found.scoring == "lower case, punctuation removed, runs of white space as one space"
    assert found.notices == []


def test_a_reference_that_can_not_be_spelt_is_counted_and_told(predictor: Predictor, relabel: Relabel) -> None:
    found = evaluate(predictor, str(relabel(lambda index, text: "xyz" if index == 7 else text)))
    assert found.scores["wer"] > 0
    (notice,) = found.notices
    assert "row 8 (dev-007): 'xyz' holds 'x', 'y', 'z'" in notice
    assert "counted as an error" in notice


def test_columns_of_spans_that_the_run_does_not_read_are_told(
    predictor: Predictor, relabel: Relabel, tone_data: Path
) -> None:
    path = relabel(lambda _, text: text)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{header}\tend", *(f"{line}\t0.1" for line in lines)]) + "\n")
    (notice,) = evaluate(predictor, str(path)).notices
    assert f"{path}: has a column end" in notice


def test_a_part_that_can_not_be_read_is_an_error_and_no_score(
    predictor: Predictor, relabel: Relabel, tmp_path: Path
) -> None:
    path = relabel(lambda _, text: text)
    path.write_text(path.read_text() + "gone.wav\tlast\tab\n")
    with pytest.raises(
        DataError, match=r"1 of 17 inputs can't be used:\n  .*row 17 \(last\): .*gone\.wav: no such file"
    ):
        evaluate(predictor, str(path))
    path.write_text("path\tname\ttext\n")
    with pytest.raises(DataError, match=r"holds no rows"):
        evaluate(predictor, str(path))


def test_a_folder_with_texts_beside_is_scored_too(predictor: Predictor, tone_data: Path, tmp_path: Path) -> None:
    for line in (tone_data / "dev.tsv").read_text().splitlines()[1:6]:
        path, name, text = line.split("\t")
        (tmp_path / f"{name}.wav").write_bytes((tone_data / path).read_bytes())
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    found: Evaluation = evaluate(predictor, str(tmp_path))
    assert [row.id for row in found.rows] == [f"dev-00{index}" for index in range(5)]
    assert found.scores["wer"] == 0.0
