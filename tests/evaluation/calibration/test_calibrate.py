"""``seqpipe calibrate`` as a user runs it, over models whose weights are set by hand or drawn: nothing is trained."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqpipe
from seqpipe.cli import main
from seqpipe.config.recipe import load_recipe
from seqpipe.data.source import training_rows
from seqpipe.errors import ConfigError, DataError, RunError
from seqpipe.evaluation.calibration.calibrate import calibrate
from seqpipe.evaluation.report.write import write_report
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.evaluation.scores.parts import gather, verdicts
from seqpipe.inference.calibration_file import read_calibration
from seqpipe.language.kneser_ney import estimate
from seqpipe.metrics import calibration
from seqpipe.pipeline import Pipeline

WORDS = [f"w{number}" for number in range(21)]
TOO_SURE = 3.0
"""By what the classifier's log-odds are too great."""


def write_rows(path: Path, count: int, seed: int) -> None:
    """Texts of a word, which says how probable "good" is; twelve speakers."""
    generator = np.random.default_rng(seed)
    lines = ["text\tmood\tspeaker"]
    for number in range(count):
        place = int(generator.integers(len(WORDS)))
        good = generator.random() < 1 / (1 + np.exp(-(place - 10) / 3))
        lines.append(f"{WORDS[place]}\t{'good' if good else 'bad'}\ts{number % 12}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A classifier that is three times too sure."""
    write_rows(tmp_path / "dev.tsv", 600, seed=1)
    write_rows(tmp_path / "test.tsv", 600, seed=2)
    (tmp_path / "train.tsv").write_text(
        "text\tmood\n" + "".join(f"{word}\t{mood}\n" for word in WORDS for mood in ("good", "bad"))
    )
    (tmp_path / "moods.yaml").write_text(
        f"data: {{root: {tmp_path}, train: train.tsv, dev: dev.tsv, test: elsewhere.tsv, input: text, target: mood}}\n"
        "pipeline:\n  features: [{stage: Tokens}, {stage: OneHot}]\n  head: {stage: ClassifierHead, pooling: [mean]}\n"
    )
    recipe = load_recipe(tmp_path / "moods.yaml")
    pipeline = Pipeline(recipe)
    pipeline.fit(list(training_rows(recipe.data, suffixes=frozenset())))
    set_weights(pipeline, TOO_SURE)
    pipeline.save(tmp_path / "run")
    return tmp_path / "run"


def set_weights(pipeline: Pipeline, sureness: float) -> None:
    layer, words = pipeline.head.pooled[0].mlp.output, pipeline.features.reader.vocabulary
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        for place, word in enumerate(WORDS):
            layer.weight[pipeline.head.classes.number("good"), words.index(word)] = sureness * (place - 10) / 3


def answers(run: Path, **options: Any) -> list[Any]:
    return list(seqpipe.load(run, device="cpu", **options).predict(WORDS))


def test_the_command_writes_what_makes_confidences_right(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = answers(run)
    assert main(["calibrate", str(run), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    figures = re.search(r"answers +600 +[\d.]+ % +([\d.]+) %  [\d.]+ to [\d.]+ +([\d.]+) %", said)
    assert figures is not None, said
    assert float(figures[1]) > 8 > 5 > float(figures[2])
    after = answers(run)
    assert [answer.label for answer in after] == [answer.label for answer in before]
    for place, answer in enumerate(after):
        assert answer.confidence == answer.probabilities[0].probability
        assert sum(item.probability for item in answer.probabilities) == pytest.approx(1)
        assert answer.confidence == pytest.approx(1 / (1 + np.exp(-abs(place - 10) / 3)), abs=0.05)
    assert answers(run, calibrated=False) == before


def test_evaluate_infer_and_report_use_it_unless_told_not_to(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = calibrate(run, device="cpu")
    data = ["--data", str(tmp_path / "test.tsv"), "--json", "--device", "cpu"]
    errors = []
    for options in ([], ["--no-calibration"]):
        assert main(["evaluate", str(run), *data, *options]) == 0
        scores = json.loads(capsys.readouterr().out)
        errors.append(scores["ece"])
    assert errors[0] < 5 < 8 < errors[1]
    assert fit.figures["answers"].before == pytest.approx(evaluate(run, calibrated=False, device="cpu").scores["ece"])

    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n")
    found = []
    for number, options in enumerate(([], ["--no-calibration"])):
        output = tmp_path / f"{number}.jsonl"
        asked = ["infer", str(run), str(tmp_path / "words.txt"), "--output", str(output), "--quiet", "--device", "cpu"]
        assert main([*asked, "--workers", "0", *options]) == 0
        found.append([json.loads(line) for line in output.read_text().splitlines()])
    assert [record["confidence"] for record in found[0]] == [round(item.confidence, 6) for item in answers(run)]
    assert found[0][-1]["confidence"] < found[1][-1]["confidence"] - 0.03
    assert [record["label"] for record in found[0]] == [record["label"] for record in found[1]]
    # A run that was begun otherwise is not gone on with.
    again = [*asked[:4], str(tmp_path / "1.jsonl"), "--resume", "--quiet", "--device", "cpu", "--workers", "0"]
    assert main(again) == 2
    assert "calibration" in capsys.readouterr().err

    page = write_report(run, device="cpu").read_text()
    assert "Before and after calibration" in page
    assert f"{fit.figures['answers'].after:.2f} %" in page
    assert "Before and after calibration" not in write_report(run, calibrated=False, device="cpu").read_text()


def test_fitting_is_deterministic_and_figures_are_of_rows_that_the_fit_has_not_seen(run: Path) -> None:
    one = calibrate(run, device="cpu")
    first = (run / "calibration.json").read_bytes()
    assert calibrate(run, device="cpu") == one
    assert (run / "calibration.json").read_bytes() == first
    assert (one.rows, one.folds, one.group) == (600, 5, "speaker"), "twelve speakers are kept together by themselves"
    assert one.calibration.temperature == pytest.approx(TOO_SURE, rel=0.15)
    assert one.calibration.maps == {}, "classes share one distribution"


def test_other_options_of_decoding_have_a_calibration_of_their_own(run: Path) -> None:
    calibrate(run, device="cpu")
    found = read_calibration(run)
    assert found is not None
    assert found.fit_for({"top": 3, "among": None}) is not None, "how many classes are shown is no matter"
    assert found.fit_for({"method": "beam"}) is None


def test_weights_that_changed_are_told(run: Path) -> None:
    calibrate(run, device="cpu")
    kept = (run / "calibration.json").read_bytes()
    pipeline = Pipeline.load(run)
    set_weights(pipeline, 1.0)
    pipeline.save(run)
    assert not (run / "calibration.json").exists(), "that of the weights before goes with them"
    assert answers(run) == answers(run, calibrated=False)
    (run / "calibration.json").write_bytes(kept)
    with pytest.raises(
        RunError, match=r"calibration.json: was fitted to another model .* run `seqpipe calibrate .*--no-calib"
    ):
        seqpipe.load(run)
    assert len(answers(run, calibrated=False)) == len(WORDS)
    calibrate(run, device="cpu")
    assert len(answers(run)) == len(WORDS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ('{"format": 2}', "is of format 2, and this seqpipe reads 1"),
        ('{"format": 1, "model": 3, "fits": []}', "is damaged: model"),
    ],
)
def test_a_damaged_file_is_named(run: Path, content: str, message: str) -> None:
    (run / "calibration.json").write_text(content)
    with pytest.raises(RunError, match=f"calibration.json: {message}"):
        seqpipe.load(run)


def test_a_temperature_of_0_in_the_file_is_damage(run: Path) -> None:
    calibrate(run, device="cpu")
    content = json.loads((run / "calibration.json").read_text())
    content["fits"][0]["calibration"]["temperature"] = 0.0
    (run / "calibration.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"is damaged: fits\.0\.calibration: .*above 0 and finite"):
        seqpipe.load(run)


def test_too_few_rows_are_refused_with_numbers(run: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "few.tsv", 29, seed=3)
    with pytest.raises(
        DataError, match=r"few.tsv: there is too little .*\n29 answers, \d+ of them right: at least 30 are needed"
    ):
        calibrate(run, str(tmp_path / "few.tsv"), device="cpu")
    assert not (run / "calibration.json").exists()
    for mood, right in (("good", 40), ("bad", 0)):
        (tmp_path / "alike.tsv").write_text("text\tmood\n" + f"w20\t{mood}\n" * 40)
        with pytest.raises(DataError, match=f"40 answers, {right} of them right: .* right and wrong ones among them"):
            calibrate(run, str(tmp_path / "alike.tsv"), device="cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "dve"], r"the recipe of \S+ names no such part to fit to \(it names dev and test\)"),
        (["--part", "test"], r"--part test: elsewhere.tsv of the recipe of \S+ isn't there; or give --data SOURCE"),
        (["--part", "train"], "--part train: of rows that it was trained on a model is surer"),
        (["--folds", "1"], "--folds should be at least 2; received 1"),
        (["--group", "speeker"], "has no column speeker to group by; did you mean speaker"),
        (["decoding.topp=3"], "decoding.topp is not known; did you mean top"),
    ],
)
def test_wrong_options_are_named(
    run: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(run), "--device", "cpu", *options]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_head_without_a_temperature_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text(
        "text\tstars\n" + "".join(f"{word}\t{place}\n" for place, word in enumerate(WORDS))
    )
    (tmp_path / "stars.yaml").write_text(
        f"data: {{root: {tmp_path}, train: rows.tsv, dev: rows.tsv, input: text, target: stars}}\n"
        "pipeline:\n  features: [{stage: Tokens}, {stage: OneHot}]\n  head: {stage: RegressionHead, pooling: [mean]}\n"
    )
    recipe = load_recipe(tmp_path / "stars.yaml")
    pipeline = Pipeline(recipe)
    pipeline.fit(list(training_rows(recipe.data, suffixes=frozenset())))
    pipeline.save(tmp_path / "run")
    with pytest.raises(ConfigError, match="a RegressionHead has no temperature, so there is nothing to calibrate"):
        calibrate(tmp_path / "run", device="cpu")


@pytest.fixture
def transcriber(tone_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run that writes what its drawn weights say, and rows of which it has two thirds right."""
    recipe = load_recipe(tone_data / "tones.yaml")
    recipe.data.root = str(tone_data)
    pipeline = Pipeline(recipe)
    rows = list(training_rows(recipe.data, suffixes=pipeline.features.reader.suffixes))
    pipeline.fit(rows)
    with torch.no_grad():
        pipeline.head.output.weight.mul_(30.0)
        pipeline.head.output.bias[0] -= 2.0  # of the blank
    pipeline.save(tmp_path / "tones")
    lines = ["path\tname\ttext"]
    for number, answer in enumerate(seqpipe.load(tmp_path / "tones", device="cpu").predict(rows)):
        text = answer.text.strip() or "a"
        lines.append(f"{rows[number].input.path}\t{number}\t{text if number % 3 else 'b ' + text[1:] + 'c'}")
    (tmp_path / "rows.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "tones", tmp_path / "rows.tsv"


def test_transcripts_have_maps_of_words_tokens_and_whole_texts(transcriber: tuple[Path, Path]) -> None:
    run, data = transcriber
    before = evaluate(run, str(data), device="cpu")
    fit = calibrate(run, str(data), device="cpu")
    assert set(fit.figures) >= {"answers", "tokens"}
    assert set(fit.calibration.maps) == {kind for kind, own in fit.figures.items() if own.mapped}
    parts = gather(before.predictions, verdicts(before))
    for kind, own in fit.figures.items():
        direct = calibration.score(calibration.counts(parts[kind].confidences, parts[kind].right))["ece"]
        assert own.before == pytest.approx(direct)
        assert (own.count, own.right) == (len(parts[kind]), parts[kind].right.sum())
    after = evaluate(run, str(data), device="cpu")
    assert after.scores == before.scores
    assert [(one.text, [(word.text, word.start) for word in one.words]) for one in after.predictions] == [
        (one.text, [(word.text, word.start) for word in one.words]) for one in before.predictions
    ]
    predictor = seqpipe.load(run, device="cpu")
    for row, together in list(zip(after.rows, after.predictions, strict=True))[:3]:
        (alone,) = predictor.predict([row])
        assert alone.confidence == pytest.approx(together.confidence, abs=1e-5)
        assert [item.confidence for item in alone.tokens] == pytest.approx(
            [item.confidence for item in together.tokens], abs=1e-5
        )


def test_with_a_language_model_its_score_speaks_for_words(transcriber: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = transcriber
    targets = [line.split("\t")[2] for line in data.read_text().splitlines()[1:]]
    estimate((list(text.replace(" ", "▁")) for text in targets), tmp_path / "units.arpa", order=2)
    decoding = {"method": "beam", "lm": str(tmp_path / "units.arpa"), "lm_weight": 0.1}
    before = evaluate(run, str(data), decoding=decoding, device="cpu")
    fit = calibrate(run, str(data), decoding=decoding, device="cpu")
    assert set(fit.calibration.maps["words"].features) == {"log_length", "language_score"}
    parts = gather(before.predictions, verdicts(before))["words"]
    assert (parts.features["language_score"] < 0).all()
    after = evaluate(run, str(data), decoding=decoding, device="cpu")
    assert [one.text for one in after.predictions] == [one.text for one in before.predictions]
    sure = gather(after.predictions, verdicts(after))["words"].confidences
    given = fit.calibration.maps["words"]
    tempered = gather(_at(run, data, decoding, fit.calibration.temperature), verdicts(before))["words"]
    assert sure.tolist() == pytest.approx(given(tempered.given()))


def _at(run: Path, data: Path, decoding: dict[str, Any], temperature: float) -> list[Any]:
    """Answers at a temperature, without maps."""
    predictor = seqpipe.load(run, calibrated=False, decoding=decoding, device="cpu")
    predictor.pipeline.head.temperature = temperature
    return list(predictor.predict(evaluate(run, str(data), decoding=decoding, device="cpu").rows, unbind=False))


def test_a_copy_of_a_run_takes_its_calibration_along(run: Path, tmp_path: Path) -> None:
    calibrate(run, device="cpu")
    shutil.copytree(run, tmp_path / "copy")
    assert answers(tmp_path / "copy") == answers(run)
