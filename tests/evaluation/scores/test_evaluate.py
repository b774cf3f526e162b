import json
from collections.abc import Callable
from pathlib import Path

import jiwer
import pytest

import seqpipe
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.scores.evaluate import Evaluation, evaluate
from seqpipe.evaluation.scores.item_errors import item_errors
from seqpipe.evaluation.scores.table import render
from seqpipe.inference.predictor import Predictor

Relabel = Callable[[Callable[[int, str], str]], Path]


def test_without_data_the_recipes_dev_part_is_scored_where_there_is_no_test(
    predictor: Predictor, tone_data: Path
) -> None:
    found = evaluate(predictor)
    assert found.source == str(tone_data / "dev.tsv")
    assert found.scores == {"wer": 0.0, "cer": 0.0, "accuracy": 100.0}
    assert found.counts["rows"] == 16
    assert found.worst() == item_errors(found, "words").every == []


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
    right = [said == heard for said, heard in zip(found.references, found.hypotheses, strict=True)]
    assert found.scores["accuracy"] == pytest.approx(100 * sum(right) / 16)
    assert [error == 0 for error in found.errors] == right


def swapped(index: int, text: str) -> str:
    """Row 4 has two words too many at its end, rows 0 and 1 another last word each."""
    if index == 4:
        return text + " bb bb"
    return text.rpartition(" ")[0] + " " * (" " in text) + "cac" if index < 2 else text


def test_errors_are_shown_where_they_were_made(predictor: Predictor, relabel: Relabel) -> None:
    found = evaluate(predictor, str(relabel(swapped)))
    worst = found.worst()
    assert worst[0] == 4
    assert set(worst) == {0, 1, 4}
    assert found.aligned["words"][4][-2:] == [("bb", ""), ("bb", "")]
    assert found.worst(most=1) == [4]
    words = item_errors(found, "words")
    assert (words.every[0].said, words.every[0].heard, words.every[0].count) == ("bb", "", 2)
    assert {error.said for error in words.every[1:]} == {"cac"}
    assert words.total == found.counts["word_errors"] == 4
    assert item_errors(found, "characters").total == found.counts["character_errors"]


def test_among_rows_that_are_as_wrong_the_surest_answer_comes_first(predictor: Predictor, relabel: Relabel) -> None:
    found = evaluate(predictor, str(relabel(lambda _, text: text + " b")))
    chosen = [index for index in found.worst(16) if found.errors[index] == found.errors.max()]
    confidences = [found.predictions[index].confidence for index in chosen]
    assert len(chosen) > 5
    assert confidences == sorted(confidences, reverse=True)


def test_the_table_says_what_the_evaluation_holds(predictor: Predictor, relabel: Relabel) -> None:
    found = evaluate(predictor, str(relabel(swapped)))
    lines = render(found).splitlines()
    low, high = found.intervals["wer"]
    wer = f"WER      {found.scores['wer']:6.2f} %  [{low:.2f}, {high:.2f}]  (4 of {found.counts['words']} words)"
    assert wer in lines
    assert any(line.startswith("CER ") for line in lines)
    assert any(line.startswith("accuracy") and line.endswith("(13 of 16 rows)") for line in lines)
    rate = 100 * 2 / sum(text.split().count("bb") for text in found.references)
    assert f"     2  bb -> (nothing)  ({rate:.3g} % of bb)" in lines
    assert "most frequent errors, words (reference -> hypothesis; 2 substitutions, 2 deletions, 0 insertions):" in lines
    assert "compared as: text as it stands" in lines
    assert "[95 % intervals: bootstrap over 16 rows]" in lines
    assert "  dev-004" in lines
    assert lines[lines.index("  dev-004") + 3].split() == ["D", "D"]
    perfect = render(evaluate(predictor))
    assert "most frequent errors" not in perfect
    assert "most errors" not in perfect


def test_the_json_is_one_flat_object(predictor: Predictor, relabel: Relabel) -> None:
    record = evaluate(predictor, str(relabel(swapped))).to_json()
    again = json.loads(json.dumps(record))
    assert again == record
    assert {"wer", "cer", "accuracy", "rows", "words", "word_errors", "source", "scoring"} <= record.keys()
    for name in ("wer", "cer", "accuracy"):
        low, high = record.pop(f"{name}_interval")
        assert low <= record[name] <= high
        assert low < high
    assert all(isinstance(value, (int, float, str)) for value in record.values())


def test_rows_are_drawn_in_groups_where_there_is_a_column_for_it(predictor: Predictor, relabel: Relabel) -> None:
    path = relabel(swapped)
    header, *rows = path.read_text().splitlines()

    def with_column(name: str, values: int) -> Evaluation:
        lines = [f"{row}\t{index % values}" for index, row in enumerate(rows)]
        path.write_text("\n".join([f"{header}\t{name}", *lines]) + "\n")
        return evaluate(predictor, str(path))

    assert with_column("speaker", 12).group == "speaker"
    assert with_column("speaker", 12).to_json()["intervals"] == "95 %, bootstrap over 12 values of speaker"
    assert with_column("speaker", 4).group is None  # too few to say anything
    assert with_column("house", 12).group is None
    assert evaluate(predictor, str(path), group="house").group == "house"
    by_row = evaluate(predictor, str(path))
    assert evaluate(predictor, str(path), group="name").intervals == by_row.intervals  # every row a group of its own
    with pytest.raises(ConfigError, match=r"has no column hose to group by; did you mean house\?"):
        evaluate(predictor, str(path), group="hose")
    with_column("house", 1)
    with pytest.raises(ConfigError, match=r"column house has one value only"):
        evaluate(predictor, str(path), group="house")


def test_text_rules_of_the_recipe_hold_on_both_sides(trained_run: Path, relabel: Relabel, tmp_path: Path) -> None:
    pipeline = seqpipe.Pipeline.load(trained_run)
    path = relabel(lambda _, text: text.upper().replace(" ", "  ") + "!")
    assert evaluate(Predictor(pipeline, device="cpu"), str(path)).scores["wer"] == 100.0
    head = pipeline.recipe.pipeline.head.options
    head["text"] = ["lowercase", "no_punctuation", "collapse_spaces"]
    pipeline.save(tmp_path / "run")
    found = evaluate(tmp_path / "run", str(path), device="cpu")
    assert found.scores == {"wer": 0.0, "cer": 0.0, "accuracy": 100.0}
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
    path.write_text("path\tname\ttext\n" + "".join(f"gone{number}.wav\t{number}\tab\n" for number in range(7)))
    with pytest.raises(
        DataError, match=r"7 of 7 inputs can't be used:\n(  .*gone\d\.wav: no such file\n){5}  and 2 more$"
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
