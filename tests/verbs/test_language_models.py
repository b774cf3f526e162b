"""``seqpipe estimate-ngram`` and ``seqpipe perplexity``, as a user runs them."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from seqpipe import cli
from seqpipe.language.ngram import NGramModel
from seqpipe.text.units import Characters, SentencePieceUnits

TEXTS = ["turn left now", "turn right", "go left", "go right now", "turn around", "go on", "stop", "stop now"] * 3


def command(line: str) -> int:
    return cli.main(shlex.split(line))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    return tmp_path


def test_a_model_is_estimated_and_foretells(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("estimate-ngram texts.txt --order 3 --out words.arpa") == 0
    said = capsys.readouterr()
    assert said.out.startswith("words.arpa: 11 1-grams, ")
    assert said.out.endswith("from 24 texts\n")
    assert "to estimate discounts: 0.5, 1, 1.5" in said.err
    assert command("perplexity words.arpa texts.txt") == 0
    assert "24 texts, 75 units with their ends" in capsys.readouterr().out.replace("  ", " ")
    (desk / "other.txt").write_text("turn left\nup\n")
    assert command("perplexity words.arpa other.txt --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["texts"], found["units"], found["unknown_units"]) == (2, 5, 1)
    assert found["known_perplexity"] < found["perplexity"]
    assert found["unknown_share"] == pytest.approx(1 / 3)


def test_the_command_reads_standard_input(desk: Path, seqpipe_command: Callable) -> None:
    done = seqpipe_command("estimate-ngram", "-", "--order", 2, "--out", "a.arpa.gz", cwd=desk, input="\n".join(TEXTS))
    assert done.returncode == 0, done.stderr
    assert NGramModel.load(desk / "a.arpa.gz").counts[0] == 11
    done = seqpipe_command("perplexity", "a.arpa.gz", "-", "--json", cwd=desk, input="go left\n")
    assert json.loads(done.stdout)["texts"] == 1, done.stderr


def test_characters_and_manifests(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "rows.tsv").write_text("id\ttext\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(TEXTS)))
    assert command("estimate-ngram rows.tsv --column text --units characters --out a.arpa") == 0
    assert command("estimate-ngram texts.txt --units characters --out b.arpa") == 0
    assert (desk / "a.arpa").read_bytes() == (desk / "b.arpa").read_bytes()
    assert "▁" in NGramModel.load(desk / "a.arpa").vocabulary
    capsys.readouterr()
    assert command("perplexity a.arpa texts.txt --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["units"] == found["characters"] == sum(len(text) + 1 for text in TEXTS)


def test_units_of_a_file_and_of_a_run(desk: Path, trained_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SentencePieceUnits.learn(TEXTS, 22, "unigram").save(desk)
    assert command("estimate-ngram texts.txt --units sentencepiece.model --out a.arpa") == 0
    assert any(len(unit) > 1 for unit in NGramModel.load(desk / "a.arpa").vocabulary)
    assert command("perplexity a.arpa texts.txt") == 2
    assert "give the run that has them (--units RUN)" in capsys.readouterr().err
    assert command("perplexity a.arpa texts.txt --units sentencepiece.model") == 0
    (desk / "abc.txt").write_text("ab c\ncab\nx\n")
    Characters.load(trained_run / "assets" / "head").save(desk)
    for units in (str(trained_run), "characters.json"):
        assert cli.main(["estimate-ngram", "abc.txt", "--order", "2", "--units", units, "--out", "b.arpa"]) == 0
        assert sorted(NGramModel.load(desk / "b.arpa").vocabulary) == ["a", "b", "c", "▁"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("estimate-ngram texts.txt --out model.txt", 2, "--out model.txt: should end with .arpa or .arpa.gz"),
        ("estimate-ngram texts.txt --out a.arpa --prune 0,x", 2, "--prune 0,x: should be whole numbers"),
        ("estimate-ngram texts.txt --out a.arpa --order 9", 2, "--order should be 1 to 6; received 9"),
        ("estimate-ngram texts.txt --out a.arpa --units letters", 2, "--units letters: should be words, characters"),
        ("estimate-ngram text.txt --out a.arpa", 2, "text.txt: no such file; did you mean texts.txt?"),
        ("estimate-ngram own.arpa --out own.arpa", 2, "--out own.arpa: is own.arpa, which this command reads"),
        ("estimate-ngram empty.txt --out a.arpa", 1, "there are no texts"),
        ("perplexity words.arpa texts.txt", 2, "words.arpa: no such file or folder"),
        (
            "perplexity texts.txt texts.txt",
            2,
            "texts.txt: should be a run directory of the language task or an ARPA file",
        ),
        ("perplexity own.arpa texts.txt", 1, "own.arpa, line 1: is no ARPA file"),
    ],
)
def test_bad_input_is_named(
    desk: Path, capsys: pytest.CaptureFixture[str], arguments: str, status: int, message: str
) -> None:
    (desk / "own.arpa").write_text("a\n")
    (desk / "empty.txt").write_text("")
    before = {path.name for path in desk.iterdir()}
    assert command(arguments) == status
    assert message in capsys.readouterr().err
    assert {path.name for path in desk.iterdir()} == before
