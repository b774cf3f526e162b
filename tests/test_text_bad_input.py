"""Odd and broken texts, targets and vector files, from training to the answer; each is named, nothing else falls."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqpipe import cli
from seqpipe.inference.predictor import Predictor
from seqpipe.pipeline import Pipeline

RECIPE = """
data: {{train: train.jsonl, dev: dev.jsonl, input: text, target: y}}
pipeline:
  features:
    - {{stage: Tokens, characters: 8}}
    - stage: Concatenation
      stages: [{{stage: Embedding, size: 6}}, {{stage: CharacterFeatures, size: 4, filters: [4], kernels: [3]}}]
  encoder: {{stage: RecurrentEncoder, hidden_size: 5, layers: 1}}
  head: {head}
training: {{epochs: 2, batch_rows: 8, learning_rate: 0.03, workers: 0, threads: 1, device: cpu, report: false}}
"""
HEADS = {"classes": "{stage: ClassifierHead}", "spans": "{stage: TaggerHead, scheme: bio}"}
GOOD: dict[str, list[tuple[Any, Any]]] = {
    "classes": [("a good film", "yes"), ("so bad", "no")],
    "spans": [("Anna met Bo", "B-PER O B-PER"), ("they left", "O O")],
}
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
Rows = list[tuple[Any, Any]]
Say = Callable[..., tuple[int, str, str]]


def write(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps({"text": text, "y": target}) + "\n" for text, target in rows))


def make(folder: Path, kind: str, *, train: Rows | None = None, dev: Rows | None = None) -> None:
    """A recipe and its rows: good ones, and before them those given."""
    (folder / "recipe.yaml").write_text(RECIPE.format(head=HEADS[kind]))
    write(folder / "train.jsonl", [*(train or []), *GOOD[kind] * 12])
    write(folder / "dev.jsonl", [*(dev or []), *GOOD[kind]])


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """The command in this process, in the test's folder: status, standard output and error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each head."""
    found = {}
    for kind in HEADS:
        folder = tmp_path_factory.mktemp(kind)
        make(folder, kind)
        assert cli.main(["train", str(folder / "recipe.yaml"), "--out", str(folder / "run")]) == 0
        found[kind] = folder / "run"
    return found


@pytest.mark.parametrize("kind", HEADS)
class TestInputs:
    def test_odd_texts_are_answered_in_place(self, kind: str, runs: dict[str, Path]) -> None:
        texts = [
            *(
                "x" * 100_000,
                "so bad " * 5_000,
                FAMILY,
                f"Anna{FAMILY}met \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd Bo",
            ),
            *(
                "e\u0301",
                "\u0301",
                "cafe\u0301 \u0939\u093f\u0928\u094d\u0926\u0940",
                "\u202eabc\u200f",
                "a" + "\u0301" * 500,
            ),
        ]
        for text, answer in zip(texts, Predictor(Pipeline.load(runs[kind])).predict(texts), strict=True):
            record = answer.to_json()
            assert 0 <= record["confidence"] <= 1  # of ten thousand words together it is no more than 0
            if kind == "spans":
                assert [word["text"] for word in record["words"]] == text.split()
                for part in (*record["words"], *record["spans"]):
                    assert text[part["start"] : part["end"]] == part["text"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "empty"),
            (" \t\u3000\n ", "the text holds no words"),
            ("a\0b", "holds a null character"),
            ("a\ud83d", "half a surrogate pair"),
            (7, "7"),
            ([], "empty"),
            (["a", " "], "word 2 of 2 is empty"),
        ],
    )
    def test_a_row_that_holds_no_text_costs_itself_alone(
        self, kind: str, text: Any, said: str, runs: dict[str, Path], say: Say, tmp_path: Path
    ) -> None:
        good, target = GOOD[kind][0]
        write(tmp_path / "odd.jsonl", [(good, target), (text, target), (good, target)])
        status, out, err = say("infer", runs[kind], "odd.jsonl", "--output", "-")
        assert status == 3
        first, odd, last = (json.loads(line) for line in out.splitlines())
        assert "error" not in first
        assert {**first, "id": ""} == {**last, "id": ""}
        assert odd["error"]
        assert said in odd["message"]
        assert "row 2" in err

        make(tmp_path, kind, train=[(text, target)])
        status, _, err = say("train", "recipe.yaml", "--out", "strict")
        assert status == 1
        assert "train.jsonl" in err
        assert "row 1" in err
        assert said in err
        status, _, err = say("train", "recipe.yaml", "--out", "lenient", "data.max_bad_share=0.1")
        assert status == 0
        assert "left out of training" in err
        assert "row 1" in err

    def test_training_takes_odd_texts_too(self, kind: str, say: Say, tmp_path: Path) -> None:
        texts = ["x" * 100_000, FAMILY, "e\u0301", "\u202eabc\u200f"]
        target = GOOD[kind][1][1].split()[0]
        make(tmp_path, kind, train=[(text, target) for text in texts])
        status, _, err = say("train", "recipe.yaml", "--out", "run", "training.epochs=1")
        assert status == 0, err

    def test_a_file_that_is_no_utf8_is_named(self, kind: str, say: Say, tmp_path: Path) -> None:
        make(tmp_path, kind)
        content = (tmp_path / "train.jsonl").read_bytes()
        (tmp_path / "train.jsonl").write_bytes(content.replace(b"a", b"\xff", 1))
        status, _, err = say("train", "recipe.yaml", "--out", "run")
        assert status == 1
        assert "train.jsonl" in err
        assert "UTF-8" in err


class TestTargets:
    @pytest.mark.parametrize("tags", ["B-PER", "B-PER O O O", ["B-PER", "O"]])
    def test_another_number_of_tags_than_of_words_is_named(self, tags: Any, say: Say, tmp_path: Path) -> None:
        make(tmp_path, "spans", train=[("Anna met Bo", tags)])
        status, _, err = say("train", "recipe.yaml", "--out", "run")
        assert status == 1
        count = len(tags.split() if isinstance(tags, str) else tags)
        assert "row 1" in err
        assert f"{count} tags for 3 words" in err

    def test_a_span_that_begins_with_i_is_read_as_conlleval_does(self, say: Say, tmp_path: Path) -> None:
        """In training, in dev and in what is evaluated: the same scores as with B-."""
        scores = []
        for first in ("I", "B"):
            folder = tmp_path / first
            folder.mkdir()
            rows = [("Anna Lee met Bo", f"{first}-PER I-PER O {first}-PER"), ("they left", "O O")]
            make(folder, "spans", train=rows * 4, dev=rows)
            status, _, err = say("train", f"{first}/recipe.yaml", "--out", f"{first}/run", "training.epochs=12")
            assert status == 0, err
            status, out, err = say("evaluate", f"{first}/run", "--json")
            assert status == 0, err
            scores.append(json.loads(out))
        assert scores[0]["wanted_spans"] == scores[1]["wanted_spans"] == 4
        assert scores[0]["right_spans"] > 0
        assert {name: scores[0][name] for name in ("f1", "right_spans", "answered_spans", "correct_words")} == {
            name: scores[1][name] for name in ("f1", "right_spans", "answered_spans", "correct_words")
        }

    @pytest.mark.parametrize(("kind", "odd"), [("classes", "perhaps"), ("spans", "B-LOC O O")])
    def test_an_unknown_label_at_evaluation_is_one_that_was_not_found(
        self, kind: str, odd: str, runs: dict[str, Path], say: Say, tmp_path: Path
    ) -> None:
        text = GOOD[kind][0][0]
        write(tmp_path / "other.jsonl", [(text, odd), *GOOD[kind] * 2])
        status, out, err = say("evaluate", runs[kind], "--data", tmp_path / "other.jsonl", "--json")
        assert status == 0, err
        scores = json.loads(out)
        assert scores["rows"] == 5
        main = "accuracy" if kind == "classes" else "recall"
        assert scores[main] < 100
        assert scores["correct_rows"] < 5

        make(tmp_path, kind, dev=[(text, odd)])  # dev is scored all the same
        status, _, err = say("train", "recipe.yaml", "--out", "run")
        assert status == 0, err
        assert "scored without a loss" in err
        assert odd.split()[0] in err

    @pytest.mark.parametrize(("kind", "target"), [("classes", "yes"), ("spans", "O O O")])
    def test_a_single_class_in_training_is_nothing_to_learn(
        self, kind: str, target: str, say: Say, tmp_path: Path
    ) -> None:
        make(tmp_path, kind)
        write(tmp_path / "train.jsonl", [("a good film", target)] * 10)
        status, _, err = say("train", "recipe.yaml", "--out", "run")
        assert status == 1
        assert target.split()[0] in err
        assert not (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("good 1 2 3\nbad 1 2\n", "line 2: has 2 values after its word"),
        ("good 1 2 3\nelsewhere 1 2 3 bad 1 2 3\n", "line 2: has 8 fields, as two lines that lack the line break"),
        ("good 1 2 3 4\n", "line 1: has 4 values after its word, Embedding.size is 3"),
    ],
)
def test_vectors_of_another_dimension_are_named_with_file_and_line(
    content: str, said: str, say: Say, tmp_path: Path
) -> None:
    make(tmp_path, "classes")
    (tmp_path / "vectors.txt").write_text(content)
    features = "pipeline.features=[Tokens, {stage: Embedding, size: 3, vectors: vectors.txt}]"
    status, _, err = say("train", "recipe.yaml", "--out", "run", features)
    assert status == 1
    assert f"vectors.txt, {said}" in err or f"vectors.txt: {said}" in err
    assert not (tmp_path / "run" / "model.safetensors").exists()
