"""Evaluation, report and comparison of the heads that classify texts and tag their words."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seqpipe import cli
from seqpipe.config.recipe import load_recipe
from seqpipe.core.metric import headline_scores
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.experiments.main_score import main_score
from seqpipe.evaluation.report.compare_page import write_comparison
from seqpipe.evaluation.report.write import write_report
from seqpipe.evaluation.scores.compare import compare
from seqpipe.evaluation.scores.compare_table import render_comparison
from seqpipe.evaluation.scores.confusion import UNKNOWN, confusion_matrix
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.evaluation.scores.table import render
from seqpipe.inference.predictor import Predictor
from seqpipe.pipeline import Pipeline


def add_rows(run: Path, name: str, text: str) -> str:
    """A dev part of the run with further rows."""
    old = run.parent / f"dev{Path(name).suffix}"
    (run.parent / name).write_text(old.read_text() + text)
    return str(run.parent / name)


def test_confident_mistakes_come_first_with_their_text_and_both_probabilities(mood_run: Path) -> None:
    found = evaluate(mood_run, device="cpu")
    assert found.scores["accuracy"] == 40.0
    worst = [found.rows[index].input for index in found.worst()]
    assert worst[:2] == ["good good", "not a bad film"]
    confidences = [found.predictions[index].confidence for index in found.worst()]
    assert confidences == sorted(confidences, reverse=True)
    table = render(found)
    assert "most confident mistakes:" in table
    assert "expected bad, answered good (good 0.9975, bad 0.0025)\n    good good" in table


def test_json_holds_only_counts_that_scores_name(mood_run: Path, tag_run: Path) -> None:
    assert evaluate(mood_run, device="cpu").counts == {"rows": 5, "correct_rows": 2}
    record = evaluate(tag_run, device="cpu").to_json()
    counts = {name for name, value in record.items() if isinstance(value, int)}
    assert counts == {"rows", "correct_rows", "words", "correct_words", "right_spans", "wanted_spans", "answered_spans"}
    assert (record["right_spans"], record["wanted_spans"], record["answered_spans"]) == (3, 6, 6)
    assert record["f1"] == 50.0
    json.dumps(record)


def test_words_stand_above_their_tags(tag_run: Path) -> None:
    table = render(evaluate(tag_run, device="cpu"))
    assert "(3 of 6 answered spans)" in table
    lines = table.splitlines()
    counts = next(line for line in lines if line.startswith("wrong spans: "))
    assert set(counts.removeprefix("wrong spans: ").split(", ")) == {
        "1 missed",
        "1 wrong type",
        "1 wrong border",
        "1 false",
    }
    above = next(index for index, line in enumerate(lines) if "Bob" in line)
    for name, kind in (("Bob", "B-PER"), ("City", "I-LOC")):
        assert lines[above].index(name) == lines[above + 1].index(kind, lines[above].index(name))


def test_wrong_spans_are_named_with_their_rows(tag_run: Path) -> None:
    found = evaluate(tag_run, device="cpu")
    assert [(index, error.kind, error.text, error.answered_text) for index, error in found.span_errors] == [
        (1, "wrong type", "Paris", "Paris"),
        (2, "missed", "Bob", ""),
        (2, "wrong border", "New York City", "New York"),
        (3, "false", "", "New"),
    ]


def test_calibration_over_words_is_that_of_the_score(tag_run: Path, mood_run: Path) -> None:
    for run, items in ((tag_run, "words"), (mood_run, "rows")):
        page = write_report(run, device="cpu").read_text(encoding="utf-8")
        ece = evaluate(run, device="cpu").scores["ece"]
        assert f"expected calibration error over {items}</dt><dd>{ece:.2f} %</dd>" in page
        assert page.count("expected calibration error over rows</dt>") == 1
    assert "share of words that are right" not in page


def test_a_report_of_classes_has_their_matrix_and_the_words_that_count(mood_run: Path) -> None:
    long = " ".join(["so"] * 600)
    source = add_rows(mood_run, "more.tsv", f"{long}\tbad\n<b>so</b> good\tmeh\n")
    page = write_report(mood_run, source, device="cpu").read_text(encoding="utf-8")
    assert 'aria-label="Reference by answer, classes"' in page
    assert UNKNOWN in page
    assert "The most confident mistakes" in page
    assert "What the answers rest on" in page
    assert '<span style="--s:1.00">bad</span>' in page
    assert "<b>so" not in page
    assert "(1,799 characters)</summary>" in page
    assert f"{long}</details>" in page
    assert "counted as an error" in page
    assert page.count('class="tile') <= 6 + 1


def test_a_report_of_tags_has_words_over_tags_and_scores_by_type_in_a_table(tag_run: Path) -> None:
    page = write_report(tag_run, device="cpu").read_text(encoding="utf-8")
    assert '<b>Paris</b><i>B-PER</i><i class="heard">B-LOC</i>' in page
    assert '<span class="plain"><b>saw</b><i>O</i></span>' in page
    assert "What is wrong with the spans" in page
    tiles, rest = page.split('id="scores"')
    assert "F1 of LOC spans" not in tiles
    assert "F1 of LOC spans" in rest
    assert "What the answers rest on" not in page


def test_a_matrix_counts_every_item_and_keeps_the_classes_with_most_errors(tag_run: Path) -> None:
    found = evaluate(tag_run, device="cpu")
    matrix = confusion_matrix(found)
    assert matrix is not None
    assert matrix.answers == matrix.references == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
    assert matrix.counts.sum() == matrix.totals.sum() == found.counts["words"]
    assert np.trace(matrix.counts) == found.counts["correct_words"]
    assert matrix.shares.sum(axis=1) == pytest.approx(1.0)
    few = confusion_matrix(found, most=2)
    assert few is not None
    assert few.left_out == 3
    assert set(few.answers) <= {"B-PER", "B-LOC", "O"}
    assert (few.counts.sum(axis=1) <= few.totals).all()


def test_another_number_of_tags_than_of_words_is_told_before_anything_is_predicted(
    tag_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"token": ["in", "Paris"], "tag": ["O", "B-LOC"]}, {"token": ["in", "Paris"], "tag": ["O"]}]
    source = tag_run.parent / "wrong.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)) + "\n")
    pipeline = Pipeline.load(tag_run)
    pipeline.recipe.data.format, pipeline.recipe.data.columns = "auto", []
    predictor = Predictor(pipeline, device="cpu")
    monkeypatch.setattr(predictor, "predict", lambda rows: pytest.fail("it has predicted"))
    with pytest.raises(DataError, match=r"wrong\.jsonl, row 2 .*: 1 tags for 2 words") as error:
        evaluate(predictor, str(source))
    assert "1 of 2 rows can't be scored" in str(error.value)


def test_labels_that_were_not_learnt_are_errors_with_a_notice(mood_run: Path, tag_run: Path) -> None:
    for run, more, row in ((mood_run, "more.tsv", "a good film\tmeh\n"), (tag_run, "more.txt", "\nParis\tB-MISC\n")):
        before, after = evaluate(run, device="cpu"), evaluate(run, add_rows(run, more, row), device="cpu")
        assert len(after.rows) == len(before.rows) + 1
        assert after.errors[-1] > 0
        assert len(after.notices) == len(before.notices) + 1
        assert "counted as an error" in after.notices[-1]
        assert "row" in after.notices[-1]
        main = after.metric.main
        assert after.scores[main] < before.scores[main]


def test_runs_of_both_heads_are_compared(mood_run: Path, tag_run: Path, tmp_path: Path) -> None:
    other = Pipeline.load(mood_run)
    with torch.no_grad():
        other.head.pooled[0].mlp.output.weight.neg_()
    other.save(tmp_path / "contrary")
    found = compare([mood_run, tmp_path / "contrary"], device="cpu")
    shown = render_comparison(found)
    assert "good good" in shown
    assert "macro F1 %" in shown
    assert "good good" in write_comparison(found, tmp_path / "page.html").read_text(encoding="utf-8")
    nothing = Pipeline.load(tag_run)
    with torch.no_grad():
        nothing.head.mlp.output.weight.zero_()
        nothing.head.mlp.output.bias[nothing.head.classes.number("O")] = 9.0
    nothing.save(tmp_path / "nothing")
    found = compare([tag_run, tmp_path / "nothing"], device="cpu")
    assert found.differences[0]["f1"].second == 0.0
    lines = render_comparison(found).splitlines()
    row = next(index for index, line in enumerate(lines) if line.split() == ["Ann", "Lee", "Paris"])
    assert [line.split() for line in lines[row + 1 : row + 4]] == [
        ["reference", "B-PER", "I-PER", "B-LOC"],
        ["tags", "B-PER", "I-PER", "B-LOC"],
        ["nothing", "O", "O", "O"],
    ]
    assert "Paris<sub>" in write_comparison(found, tmp_path / "page.html").read_text(encoding="utf-8")


def test_runs_with_other_classes_are_refused_in_a_few_words(mood_run: Path, tmp_path: Path) -> None:
    rows = evaluate(mood_run, device="cpu").rows
    pipeline = Pipeline(Pipeline.load(mood_run).recipe)
    pipeline.fit([replace(rows[0], target=f"mood {number}") for number in range(40)])
    pipeline.save(tmp_path / "others")
    with pytest.raises(ConfigError, match="others can't be compared with moods: they don't count the same") as error:
        compare([mood_run, tmp_path / "others"], device="cpu")
    assert len(str(error.value)) < 500


def test_runs_that_write_the_same_tags_in_other_schemes_are_compared(tag_run: Path, tmp_path: Path) -> None:
    text = (tag_run.parent / "tags.yaml").read_text()
    (tag_run.parent / "other.yaml").write_text(text.replace("scheme: bio", "scheme: bioes"))
    recipe = load_recipe(tag_run.parent / "other.yaml")
    pipeline = Pipeline(recipe)
    pipeline.fit(evaluate(tag_run, str(tag_run.parent / "train.txt"), device="cpu").rows)
    pipeline.save(tmp_path / "bioes")
    assert compare([tag_run, tmp_path / "bioes"], device="cpu").names == ["tags", "bioes"]


def test_the_main_score_is_known_before_anything_is_fitted(mood_run: Path, tag_run: Path) -> None:
    assert main_score(load_recipe(mood_run.parent / "moods.yaml")) == ("accuracy", False)
    tags = tag_run.parent / "tags.yaml"
    assert main_score(load_recipe(tags)) == ("f1", False)
    assert main_score(load_recipe(tags, ["pipeline.head.scheme=none"])) == ("accuracy", False)


def test_training_says_the_chief_scores_alone(tag_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = tag_run.parent / "tags.yaml", tag_run.parent / "trained"
    more = ["training.epochs=2", "training.workers=0", "training.device=cpu", "training.stop_after=2"]
    assert cli.main(["train", str(recipe), "--out", str(out), *more]) == 0
    printed = capsys.readouterr()
    names = ["f1", "precision", "recall", "accuracy", "loss"]
    assert [line.split()[1] for line in printed.out.splitlines() if line.startswith("dev ")] == names
    line = next(line for line in printed.err.splitlines() if line.startswith("epoch 2/2"))
    assert [word for word in line.split() if word.startswith("dev_")] == [f"dev_{name}" for name in names]
    assert "f1_LOC" in json.loads((out / "metrics.json").read_text())["dev"]
    assert "Scores of dev, higher is better (%)" in (out / "report.html").read_text()
    shutil.rmtree(out)


def test_chief_scores_begin_with_the_main_one() -> None:
    scores = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "loss": 0.5}
    assert list(headline_scores(scores, "d", most=3)) == ["d", "a", "b", "loss"]
    assert headline_scores({}, "d") == {}
