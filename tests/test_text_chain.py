"""Text from end to end, with the command as a user runs it: training, scores, answers in every format, odd input."""

import csv
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from seqpipe import cli

Command = Callable[..., subprocess.CompletedProcess[str]]

RECIPE = """
data: {{train: {train}, dev: {dev}, input: {input}, target: {target}, {more}}}
pipeline:
  features: [{{stage: Tokens, text: [lowercase]}}, {{stage: Embedding, size: 16}}]
  encoder: {{stage: RecurrentEncoder, hidden_size: 12, layers: 1}}
  head: {head}
training:
  {{epochs: {epochs}, batch_steps: 120, learning_rate: 0.02, workers: 0, threads: 1, device: cpu, report: false}}
"""
FILLING = ["the", "film", "was", "a", "story", "with", "actors", "and", "music"]
OPINIONS = {"good": ["great", "lovely", "superb"], "bad": ["awful", "dull", "poor"]}
NAMES = {"PER": ["Anna", "Boris Lee", "Carla"], "LOC": ["Paris", "New York", "Rio Grande do Sul"]}
PLANS = ["PER met PER in LOC", "in LOC lives PER", "they went to LOC", "PER laughed ."]


def review(label: str, draw: random.Random) -> str:
    words = [*draw.choices(FILLING, k=5), draw.choice(OPINIONS[label])]
    return " ".join(draw.sample(words, len(words)))


def sentence(draw: random.Random) -> str:
    """Lines of a column file: a word and its tag."""
    lines = []
    for part in draw.choice(PLANS).split():
        words = draw.choice(NAMES[part]).split() if part in NAMES else [part]
        prefixes = ["B", *"I" * (len(words) - 1)]
        lines += [
            f"{word}\t{f'{prefix}-{part}' if part in NAMES else 'O'}"
            for word, prefix in zip(words, prefixes, strict=True)
        ]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reviews of two classes as TSV, sentences with names as a column file, and a recipe of each."""
    folder, draw = tmp_path_factory.mktemp("text"), random.Random(0)
    for part, count in (("train", 120), ("dev", 20)):
        lines = [f"{review(label, draw)}\t{label}" for label in ["good", "bad"] * (count // 2)]
        (folder / f"{part}.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")
        (folder / f"{part}.conll").write_text("\n\n".join(sentence(draw) for _ in range(count)) + "\n")
    recipes = {
        "classes": ("tsv", "text", "label", "id: null", "{stage: ClassifierHead}", 5),
        "spans": (
            *("conll", "word", "tag", "format: columns, columns: [word, tag]"),
            *("{stage: TaggerHead, scheme: bioes, decoder: crf}", 12),
        ),
    }
    for name, (kind, source, target, more, head, epochs) in recipes.items():
        names = {"train": f"train.{kind}", "dev": f"dev.{kind}", "input": source, "target": target}
        (folder / f"{name}.yaml").write_text(RECIPE.format(**names, more=more, head=head, epochs=epochs))
    return folder


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in this process, which costs no start of another one."""

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capfd.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        return subprocess.CompletedProcess([], status, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Path]:
    """Trained by the command, in this process."""
    for name in ("classes", "spans"):
        assert cli.main(["train", str(folder / f"{name}.yaml"), "--out", str(folder / name)]) == 0
    return {name: folder / name for name in ("classes", "spans")}


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_was_learnt_is_scored(runs: dict[str, Path], command: Command) -> None:
    for name, main in (("classes", "accuracy"), ("spans", "f1")):
        done = command("evaluate", runs[name], "--json")
        assert done.returncode == 0, done.stderr
        scores = json.loads(done.stdout)
        assert scores[main] > 90
        assert scores["rows"] == 20


def assert_in_place(record: dict[str, Any], text: str) -> None:
    """Words and spans of an answer stand in the text where it says, and all words are there."""
    for part in (*record["words"], *record["spans"]):
        assert text[part["start"] : part["end"]] == part["text"]
    assert [word["text"] for word in record["words"]] == text.split()


def test_raw_text_from_a_file_and_from_standard_input(
    runs: dict[str, Path], command: Command, seqpipe_command: Command, tmp_path: Path
) -> None:
    texts = ["  They met\tAnna in  New York .", "Boris Lee laughed .", "\U0001f600 in Paris lives Carla \u00e9"]
    (tmp_path / "raw.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    done = command("infer", runs["spans"], "raw.txt", "--output", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    piped = seqpipe_command("infer", runs["spans"], "-", "--output", "-", input="\n".join(texts) + "\n")
    assert piped.returncode == 0, piped.stderr
    for record, other, text in zip(records(done.stdout), records(piped.stdout), texts, strict=True):
        assert_in_place(record, text)
        assert {**other, "id": ""} == {**record, "id": ""}
    found = [(span["type"], span["text"]) for record in records(done.stdout) for span in record["spans"]]
    assert {("PER", "Boris Lee"), ("LOC", "Paris"), ("PER", "Carla")} <= set(found)

    (tmp_path / "films.txt").write_text("a lovely film\nwhat an awful story\n")
    done = command("infer", runs["classes"], "films.txt", "--output", "-")
    assert [record["label"] for record in records(done.stdout)] == ["good", "bad"]


def test_a_column_file_is_answered_sentence_by_sentence(runs: dict[str, Path], folder: Path, command: Command) -> None:
    done = command("infer", runs["spans"], "dev.conll", "--output", "-", cwd=folder)
    assert done.returncode == 0, done.stderr
    sentences = (folder / "dev.conll").read_text().strip().split("\n\n")
    right = 0
    for record, lines in zip(records(done.stdout), sentences, strict=True):
        words, tags = zip(*(line.split("\t") for line in lines.splitlines()), strict=True)
        assert_in_place(record, " ".join(words))
        right += [word["tag"] for word in record["words"]] == list(tags)
    assert right >= 14


def test_a_manifest_goes_into_every_format_in_its_order(
    runs: dict[str, Path], command: Command, tmp_path: Path
) -> None:
    """Columns start and end, which are spans of recordings elsewhere, are nothing to a text."""
    rows = [{"name": "b", "word": "in New York", "start": 1, "end": 2}, {"name": "a", "word": ["Anna", "laughed", "."]}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"start": 0, "end": 9, **row}) + "\n" for row in rows))
    for kind in ("jsonl", "csv", "parquet"):
        done = command(
            *("infer", runs["spans"], "rows.jsonl", "--set", "data.id=name", "--output", f"out.{kind}"), cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    answers = records((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert [answer["id"] for answer in answers] == ["b", "a"]
    for answer, text in zip(answers, ("in New York", "Anna laughed ."), strict=True):
        assert_in_place(answer, text)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [json.loads(row["words"]) for row in table] == [answer["words"] for answer in answers]
    assert [json.loads(row["spans"]) for row in table] == [answer["spans"] for answer in answers]
    columns = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    for row, answer in zip(columns, answers, strict=True):
        assert (row["id"], row["words"], row["spans"]) == (answer["id"], answer["words"], answer["spans"])
        assert row["error"] is None


def test_bad_lines_are_named_and_the_others_answered(runs: dict[str, Path], command: Command, tmp_path: Path) -> None:
    lines = [
        *(b"a lovely film", b"", b"  \t ", b"no \xff text", b"nul \0 here"),
        *("\U0001f468\u200d\U0001f469\u200d\U0001f467 superb".encode(), b"x" * 100_000, b"dull " * 20_000, b"poor"),
    ]
    (tmp_path / "odd.txt").write_bytes(b"\n".join(lines) + b"\n")
    for name in runs:
        done = command("infer", runs[name], "odd.txt", "--output", "-", cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        answers = {record["id"]: record for record in records(done.stdout)}
        failed = {place: record["message"] for place, record in answers.items() if "error" in record}
        assert set(failed) == {"odd.txt:4", "odd.txt:5"}
        assert "is not UTF-8 text (byte 0xff)" in failed["odd.txt:4"]
        assert "holds a null character" in failed["odd.txt:5"]
        for message in failed.values():
            assert message in done.stderr
        assert set(answers) - set(failed) == {f"odd.txt:{number}" for number in (1, 6, 7, 8, 9)}
        if name == "classes":
            assert [answers[f"odd.txt:{number}"]["label"] for number in (1, 6, 8, 9)] == ["good", "good", "bad", "bad"]
        else:
            for number in (1, 6, 7, 8, 9):
                assert_in_place(answers[f"odd.txt:{number}"], lines[number - 1].decode())
                assert 0 <= answers[f"odd.txt:{number}"]["confidence"] <= 1


@pytest.mark.parametrize(("tags", "said"), [("B-PER", "1 tags for 2 words"), ("", "the target is empty")])
def test_tags_that_do_not_fit_the_words_of_dev_end_training_before_it_begins(
    tags: str, said: str, folder: Path, command: Command, tmp_path: Path
) -> None:
    rows = [{"word": "Anna laughed", "tag": "B-PER O"}] * 5
    for name, last in (("train", []), ("dev", [{"word": "Anna laughed", "tag": tags}])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, *last]))
    changes = ["data.train=train.jsonl", "data.dev=dev.jsonl", "data.format=auto", f"data.root={tmp_path}"]
    done = command("train", folder / "spans.yaml", "--out", tmp_path / "run", *changes, "data.columns=null")
    assert done.returncode == 1
    assert said in done.stderr
    assert "row 6" in done.stderr
    assert not (tmp_path / "run" / "model.safetensors").exists()


HEADS = {
    "labels": ("{stage: MultiLabelHead}", ["cat|dog", "", "dog", "cat"], "micro_f1"),
    "numbers": ("{stage: RegressionHead, loss: huber}", [2, 0.5, "1.5", 1e0], "mae"),
}


@pytest.mark.parametrize("name", HEADS)
def test_labels_and_numbers_are_learnt_from_a_manifest(name: str, command: Command, tmp_path: Path) -> None:
    head, targets, main = HEADS[name]
    rows = [{"text": text, "y": y} for text, y in zip(("cat dog", "cow", "dog", "cat"), targets, strict=True)] * 10
    for part in ("train", "dev"):
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = {"train": "train.jsonl", "dev": "dev.jsonl", "input": "text", "target": "y", "more": "id: null"}
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(**names, head=head, epochs=20))
    done = command("train", "recipe.yaml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())["dev"]
    assert scores[main] > 90 if main == "micro_f1" else scores[main] < 0.2
    (tmp_path / "new.txt").write_text("cow\ncat dog\n")
    done = command("infer", "run", "new.txt", "--output", "-", cwd=tmp_path)
    none, both = records(done.stdout)
    if name == "labels":
        assert (none["labels"], set(both["labels"])) == ([], {"cat", "dog"})
    else:
        assert none["values"][0] == pytest.approx(0.5, abs=0.4)
        assert both["values"][0] == pytest.approx(2, abs=0.4)
