"""Text through the predictor and the verb: names, limits, windows, refusals."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqpipe
from seqpipe import cli
from seqpipe.answers.failure import Failure
from seqpipe.config.recipe import DataConfig, Recipe
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.core.measure import TOKENS, seconds
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError
from seqpipe.inference.engine import Engine
from seqpipe.inference.inputs import expand_inputs
from seqpipe.inference.predictor import Predictor
from seqpipe.inference.reading import Reader
from seqpipe.inference.window import Window
from seqpipe.inference.workers import Workers
from seqpipe.pipeline import Pipeline

Command = Callable[..., tuple[int, str, str]]
ROWS = [
    Row("1", ["Anna", "met", "Boris", "."], ["B-PER", "O", "B-PER", "O"]),
    Row("2", ["in", "Paris"], ["O", "B-LOC"]),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger that has learnt words and tags, and no more."""
    recipe = Recipe.model_validate(
        {
            "data": {"train": "", "format": "columns", "columns": ["form", "tag"], "input": "form", "target": "tag"},
            "pipeline": {
                "features": [{"stage": "Tokens"}, {"stage": "Embedding", "size": 4}],
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1},
                "head": {"stage": "TaggerHead", "scheme": "bio", "decoder": "crf"},
            },
        }
    )
    pipeline = Pipeline(recipe)
    pipeline.fit(ROWS)
    folder = tmp_path_factory.mktemp("text") / "run"
    pipeline.save(folder)
    return folder


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return seqpipe.load(run, device="cpu", threads=1)


@pytest.fixture
def command(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """``seqpipe infer`` with this model; status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def infer(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["infer", str(run), *arguments, "--threads", "1"])
        return status, *capfd.readouterr()

    return infer


def test_answers_in_python_are_called_after_their_number_and_lie_in_the_text(predictor: Predictor) -> None:
    given = ["  Anna met\tBoris", ["New York", "."], Row("mine", "in Paris")]
    answers = list(predictor.predict(given))
    assert [answer.id for answer in answers] == ["1", "2", "mine"]
    for answer, text in zip(answers, ["  Anna met\tBoris", "New York .", "in Paris"], strict=True):
        assert answer.words
        for word in answer.words:
            assert text[word.start : word.end] == word.text
    assert [word.text for word in answers[1].words] == ["New York", "."]


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ("", "empty", "holds no words"),
        ([], "empty", "holds no words"),
        (["a", " "], "bad value", "word 2 of 2 is empty"),
        (5, "bad value", "received int 5"),
        (None, "bad value", "received NoneType"),
        ({"text": "a"}, "bad value", "received dict"),
        (b"bytes", "bad value", "received bytes"),
        (np.zeros(3), "bad value", "received ndarray"),
        ("a\0b", "bad value", "null character, at offset 1"),
    ],
)
def test_what_is_no_text_fails_in_its_place(given: Any, kind: str, said: str, predictor: Predictor) -> None:
    first, failed, last = predictor.predict(["Anna", given, "Boris"])
    assert (first.id, last.id) == ("1", "3")
    assert isinstance(failed, Failure)
    assert (failed.id, failed.kind) == ("2", kind)
    assert said in failed.message


def test_one_text_in_the_place_of_several_is_refused(predictor: Predictor) -> None:
    with pytest.raises(TypeError, match=r"takes a list of inputs.*received one: 'Anna met'"):
        predictor.predict("Anna met")


def test_limits_are_in_the_units_of_the_input(run: Path, trained_run: Path) -> None:
    predictor = seqpipe.load(run, device="cpu", threads=1, max_tokens=3)
    short, long = predictor.predict(["a b c", "a b c d"])
    assert len(short.words) == 3
    assert (long.kind, long.message) == (
        "too long",
        "2: is 4 tokens long; 3 are allowed (--max-tokens, max_tokens)",
    )
    for folder, settings, said in (
        (run, {"max_seconds": 5}, "max_seconds .* is for recordings"),
        (run, {"segment_seconds": 10}, "segment_seconds .* is for recordings"),
        (run, {"segment_tokens": 5}, "segment_tokens .* is for models that write .* has a TaggerHead and reads text"),
        (run, {"max_tokens": 0}, "max_tokens should be above 0; received 0"),
        (trained_run, {"max_tokens": 5}, "max_tokens .* is for text"),
    ):
        with pytest.raises(ConfigError, match=said):
            seqpipe.load(folder, device="cpu", **settings)


def test_a_window_of_texts_closes_by_tokens(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after two hours, were a token a second."""
    inputs = ["a b c d e"] * 30
    assert TOKENS.window_length > seconds(16_000).window_length
    sizes = {}
    for most in (TOKENS.window_length, 50):
        monkeypatch.setattr(predictor.pipeline.features.reader, "measure", replace(TOKENS, window_length=most))
        engine = Engine(predictor.pipeline, predictor.settings, predictor.compute)
        reader = Reader(predictor.preparation, Workers(predictor.preparation, count=1))
        sizes[most] = [len(window.answers) for window in engine.windows(reader, inputs) if isinstance(window, Window)]
    assert list(sizes.values()) == [[30], [10, 10, 10]]


def test_answers_do_not_depend_on_who_reads_or_on_windows(command: Command) -> None:
    draw = np.random.default_rng(0)
    words = ["Anna", "met", "Boris", "in", "Paris", "."]
    lines = [" ".join(draw.choice(words, draw.integers(1, 30))) for _ in range(150)]
    Path("in.txt").write_text("\n".join(lines) + "\n")
    outputs = []
    for options in ([], ["--workers", "1"], ["--window", "16"]):
        status, out, error = command("in.txt", "--output", "-", *options)
        assert status == 0, error
        outputs.append([json.loads(line) for line in out.splitlines()])
    assert outputs[0] == outputs[1]
    for one, other in zip(outputs[0], outputs[2], strict=True):
        assert [word["tag"] for word in one["words"]] == [word["tag"] for word in other["words"]]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-5)


def test_tagged_words_as_a_column_file_that_is_read_back(command: Command, predictor: Predictor) -> None:
    Path("in.txt").write_bytes(b"Anna met  Boris\r\n\nno \xff text\n# is a sign\n")
    status, _, said = command("in.txt", "gone.txt", "--output", "out.conll")
    assert status == 3
    assert "tokens a second" in said
    assert "audio" not in said
    comments = [line for line in Path("out.conll").read_text().splitlines() if line.startswith("# ")]
    assert comments == [
        "# in.txt:3: in.txt, line 3: is not UTF-8 text (byte 0xff)",
        "# gone.txt: gone.txt: no such file",
    ]
    assert command("in.txt", "gone.txt", "--output", "out.jsonl")[0] == 3
    answers = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    rows = list(read_rows("out.conll", predictor.pipeline.recipe.data, suffixes=frozenset()))
    for row, answer in zip(rows, [answer for answer in answers if "words" in answer], strict=True):
        assert row.input == [word["text"] for word in answer["words"]]
        assert row.target == [word["tag"] for word in answer["words"]]
    status, out, _ = command("out.conll", "--output", "-")
    assert (status, len(out.splitlines())) == (0, 2)


def test_options_of_recordings_are_refused_for_text(command: Command, tmp_path: Path) -> None:
    Path("in.txt").write_text("Anna\n")
    for option in ("--max-seconds", "--segment-seconds"):
        status, _, said = command("in.txt", "--output", "out.jsonl", option, "10")
        assert status == 2
        assert "is for recordings, and this model reads text" in said
    status, _, _ = command("in.txt", "--output", "-", "--max-tokens", "1", "--segment-seconds", "0")
    assert status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_a_column_file_that_is_read_as_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("Anna\tO\nmet\tO\n\n")
    told: list[str] = []
    rows = list(
        expand_inputs([str(path)], DataConfig(train="", input="text"), suffixes=frozenset(), notice=told.append)
    )
    assert len(rows) == 2
    (line,) = told
    assert f"{path}: is read as text, a line an input" in line
    config = DataConfig(train="", input="1", format="columns")
    (row,) = expand_inputs([str(path)], config, suffixes=frozenset(), notice=told.append)
    assert isinstance(row, Row)
    assert row.input == ["Anna", "met"]
    assert len(told) == 1


@pytest.mark.parametrize("given", ["a.txt", "a.jsonl", "-"])
def test_a_line_that_is_too_long_fails_and_the_next_is_answered(
    given: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["Anna met Boris", "a b " * (MAX_LINE_BYTES // 2), "in Paris"]
    if given == "a.jsonl":
        lines = [json.dumps({"form": line}) for line in lines]
    path = tmp_path / given.replace("-", "piped")
    path.write_text("\n".join(lines) + "\n")
    with path.open() as piped:
        monkeypatch.setattr("sys.stdin", piped)
        status, _, said = command(given, "--output", "o.jsonl")
    assert status == 3, said
    records = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert ["error" in record for record in records] == [False, True, False]
    assert records[1]["error"] == "too long"
    assert re.search(r"(line|row) 2: has more than 4,194,304 bytes", records[1]["message"])
