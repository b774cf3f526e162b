"""A run whose head writes texts by attention, asked with a language model and hot words in every way there is."""

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import seqpipe
from seqpipe import ConfigError, cli
from seqpipe.config.recipe import Recipe
from seqpipe.data.rows import Row
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.evaluation.scores.tune_decoding import tune_decoding
from seqpipe.generation.run_model import load_text_model
from seqpipe.inference import job
from seqpipe.inference.ray.run import _portable
from seqpipe.inference.slot import make_slot
from seqpipe.language.kneser_ney import estimate
from seqpipe.pipeline import Pipeline

TEXTS = ["ab", "ba b", "a b ab", "b b"]
STRONG = {"hot_word_weight": 30.0, "max_length": 8}


def made(folder: Path, decoding: dict[str, Any]) -> Path:
    """A run that has learnt what texts are written in, and no more."""
    stages = {
        "features": [{"stage": "Tokens", "units": "characters"}, {"stage": "Embedding", "size": 4}],
        "encoder": {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1},
        "head": {
            **{"stage": "AttentionHead", "units": "characters", "scores": "transcription"},
            **{"embedding_size": 6, "hidden_size": 8},
        },
    }
    rows = ["id\ttext\tnames", *(f"{number}\t{text}\tba a" for number, text in enumerate(TEXTS))]
    (folder / "dev.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = {"train": "", "dev": str(folder / "dev.tsv"), "input": "text", "target": "text", "id": "id"}
    torch.manual_seed(3)
    pipeline = Pipeline(Recipe.model_validate({"data": data, "pipeline": stages, "decoding": decoding}))
    pipeline.fit([Row(text, text, text) for text in TEXTS])
    pipeline.save(folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("fused"), {})


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("lm") / "words.arpa"
    estimate((text.split() for text in TEXTS * 3), path, order=2)
    return str(path)


def texts(run: Path, rows: list[Any], **decoding: Any) -> list[str]:
    predictor = seqpipe.load(run, device="cpu", threads=1, decoding=decoding)
    try:
        return [answer.text for answer in predictor.predict(rows)]
    finally:
        predictor.close()


def test_python_the_command_the_recipe_and_scores_go_by_the_same(run: Path, lm: str, tmp_path: Path) -> None:
    options = {**STRONG, "hot_words": ["a ba"], "lm": lm, "lm_weight": 0.4}
    found = texts(run, TEXTS, **options)
    assert all("a ba" in text for text in found)
    assert found != texts(run, TEXTS, max_length=8)
    given = [
        argument for name, value in options.items() for argument in ("--set", f"decoding.{name}={json.dumps(value)}")
    ]
    out = tmp_path / "out.jsonl"
    source = str(run.parent / "dev.tsv")
    assert cli.main(["infer", str(run), source, "--output", str(out), "--quiet", "--workers", "0", *given]) == 0
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == found
    assert texts(made(tmp_path, options), TEXTS) == found  # saved with the recipe
    scored = evaluate(run, decoding=options, device="cpu")
    assert [prediction.text for prediction in scored.predictions] == found


def test_rows_of_a_manifest_have_their_own(run: Path) -> None:
    rows = [Row("1", "ab", columns={"names": "a ba; b a"}), Row("2", "ab", columns={"names": "xyz"}), Row("3", "ab")]
    one, other, third = texts(run, rows, hot_words_column="names", **STRONG)
    assert "a ba" in one or "b a" in one
    assert other == third == texts(run, ["ab"], max_length=8)[0]


def test_greedy_is_refused_with_what_to_set(run: Path, lm: str) -> None:
    for chosen in ({"lm": lm}, {"hot_words": ["a"]}, {"hot_words_column": "names"}):
        with pytest.raises(ConfigError, match=r"is for method beam, not greedy: set decoding\.method too"):
            seqpipe.load(run, device="cpu", decoding={"method": "greedy", **chosen})


def test_weights_are_searched_on_dev(run: Path, lm: str, tmp_path: Path) -> None:
    out = tmp_path / "best.yaml"
    command = ["tune-decoding", str(run), "--trials", "5", "--device", "cpu", "--out", str(out), "--hot-word-weight"]
    assert cli.main([*command, f"decoding.lm={lm}", "decoding.hot_words=[ab]", "decoding.max_length=6"]) == 0
    written = yaml.safe_load(out.read_text())["decoding"]
    assert {"lm_weight", "length_power", "hot_word_weight"} < written.keys()
    assert "insertion_bonus" not in written
    found = tune_decoding(run, decoding={"lm": lm, "length_normalization": "none"}, trials=3, device="cpu")
    assert found.best.weights.keys() == {"lm_weight", "insertion_bonus"}
    assert found.best.scores["wer"] == min(trial.scores["wer"] for trial in found.trials)
    scored = evaluate(run, decoding=found.options, device="cpu")
    assert scored.scores["wer"] == pytest.approx(found.best.scores["wer"])


@pytest.mark.parametrize("units", ["characters", "words"])
def test_a_run_of_the_language_task_is_a_language_model(run: Path, units: str, tmp_path: Path) -> None:
    stages = {
        "features": [{"stage": "Tokens", "units": units}, {"stage": "Embedding", "size": 6}],
        "encoder": {"stage": "RecurrentEncoder", "bidirectional": False, "hidden_size": 10, "layers": 1},
        "head": {"stage": "LanguageModelHead"},
    }
    torch.manual_seed(5)
    language = Pipeline(Recipe.model_validate({"data": {"train": "", "input": "text"}, "pipeline": stages}))
    language.fit([Row(text, text, text) for text in TEXTS])
    language.save(tmp_path / "language")
    model = load_text_model(tmp_path / "language")
    decoding = {"lm": str(tmp_path / "language"), "lm_weight": 0.7, "max_length": 5, "length_normalization": "none"}
    predictor = seqpipe.load(run, device="cpu", threads=1, decoding={**decoding, "n_best": 4})
    for answer in predictor.predict(["ab", "b b a"]):
        spelt = [model.units_of(each.text) for each in answer.alternatives]
        own = [math.log(each.probability) for each in answer.alternatives]
        fused = zip(own, model.log_probabilities(spelt, model.initial_state(1)), strict=True)
        expected = [one + 0.7 * other for one, other in fused]
        assert [each.score for each in answer.alternatives] == pytest.approx(expected, abs=1e-4)
    predictor.close()


# Going on


Infer = Callable[..., tuple[int, str]]


@pytest.fixture
def infer(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Infer:
    """``seqpipe infer`` over standard input, an object a line with these names; status, and standard error."""
    monkeypatch.chdir(tmp_path)

    def command(names: list[str], *more: str) -> tuple[int, str]:
        rows = [{"id": str(number), "text": "ab", "names": each, "remark": more} for number, each in enumerate(names)]
        given = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        fixed = ["infer", str(run), "-", "--output", "out.csv", "--workers", "0", "--threads", "1"]
        chosen = ["--set", "decoding.hot_words_column=names", "--set", "decoding.max_length=6"]
        return cli.main([*fixed, *chosen, *more]), capfd.readouterr().err

    return command


def stop(*_: Any) -> None:
    raise OSError("stopped")


def test_a_run_whose_rows_have_other_hot_words_is_not_gone_on_with(
    infer: Infer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ab", "ba; b", "", "b"]
    with monkeypatch.context() as patch:
        patch.setattr(job, "write_output", stop)
        assert infer(names)[0] == 1
    status, said = infer(["ab", "ba; a", "", "b"], "--resume")
    assert status == 2
    assert "the inputs are not those that the run was begun with" in said
    assert not Path("out.csv").exists()
    assert infer(names, "--resume")[0] == 0  # other columns may be what they like
    assert Path("out.csv").exists()


def test_a_run_whose_files_of_decoding_have_changed_is_not_gone_on_with(
    infer: Infer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("hot.txt").write_text("ab\n")
    hot = ["--set", "decoding.hot_words=hot.txt"]
    with monkeypatch.context() as patch:
        patch.setattr(job, "write_output", stop)
        assert infer(["b"], *hot)[0] == 1
    Path("hot.txt").write_text("ba\n")
    status, said = infer(["b"], *hot, "--resume")
    assert status == 2
    assert "files of decoding: " in said
    Path("hot.txt").write_text("ab\n")
    assert infer(["b"], *hot, "--resume")[0] == 0


def test_rows_travel_with_the_columns_that_their_answers_depend_on() -> None:
    row = Row("1", "ab", "target", columns={"names": "ab", "remark": "long"})
    assert _portable(row, make_slot(row, 1), ("names", "other")) == Row("1", "ab", columns={"names": "ab"})
    keys = {
        make_slot(Row("1", "ab", columns=said), 1, columns=["names"]).key for said in ({}, {"names": None}, {"x": 1})
    }
    assert len(keys) == 1
    assert make_slot(row, 1, columns=["names"]).key not in keys
