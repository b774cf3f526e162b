import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data

from seqpipe.answers.transcript import Token, Transcript, group_words
from seqpipe.inference.formats.ctm import ctm_text
from seqpipe.inference.formats.output import write_output
from seqpipe.inference.infer import infer

SCLITE = ["sctk", "sclite"] if shutil.which("sctk") else ["sclite"]  # Debian's package sctk hides it
needs_sclite = pytest.mark.skipif(shutil.which(SCLITE[0]) is None, reason="there is no sclite (Debian: package sctk)")


def sclite(folder: Path, reference: list[str]) -> dict[str, tuple[int, ...]]:
    """For each speaker words and correct, substituted, deleted, inserted ones, as the documentation tells to ask."""
    (folder / "reference.stm").write_text("".join(f"{line}\n" for line in sorted(reference)), encoding="utf-8")
    script = "find answers -name '*.ctm' -exec cat {} + | LC_ALL=C sort -k1,1 -k2,2 -k3,3n > answers.ctm"
    subprocess.run(["sh", "-c", script], cwd=folder, check=True)
    asked = [*SCLITE, "-r", "reference.stm", "stm", "-h", "answers.ctm", "ctm", "-e", "utf-8", "-o", "rsum", "stdout"]
    said = subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    assert "rror" not in said.stderr  # that a recording has no words at all is told, and does no harm
    row = re.compile(r"\| *(\S+) *\| +\d+ +(\d+) *\| +(\d+) +(\d+) +(\d+) +(\d+) ")
    return {found[1]: tuple(map(int, found.groups()[1:])) for found in row.finditer(said.stdout)}


@needs_sclite
def test_sclite_scores_recordings_of_folders_words_of_all_kinds_and_parts(
    spoken: Callable[..., Transcript], save_answers: Callable[..., Any], tmp_path: Path
) -> None:
    odd = ["!", '"', "#", "$", "%", "&", "'", "(a)", "*", "+", "a-b", "a.b", "a/b", "a:b", "<b>", "<ALT>", "<alt_end>"]
    odd += ["[a]", "^", "_", "`", "|", "}", "~", "été", "日本", "a\x00b"]
    said = {
        "dev/one.wav": ("go on now", "go on now", (3, 3, 0, 0, 0)),
        "dev/two.wav": ("go now", "go on now", (3, 2, 0, 1, 0)),
        "test/two.flac": ("no so on", "so no on on", (4, 2, 1, 1, 0)),
        "dev/odd.wav": (
            " ".join(odd),
            " ".join(word.replace("\x00", "_") for word in odd),
            None,
        ),
    }
    names = dict(zip(said, ("one", "two", "test_two", "odd"), strict=True))
    answers: list[Any] = [spoken(row_id, text) for row_id, (text, _, _) in said.items()]
    later = spoken("dev/one.wav@60", "a part")  # words of a part have the file's times
    words = tuple(replace(word, start=word.start + 60, end=word.end + 60) for word in later.words)
    answers.append(replace(later, words=words))
    save_answers(tmp_path / "store", answers)
    write_output(tmp_path / "store", "ctm", tmp_path / "answers", Transcript)
    reference = [f"{names[row_id]} 1 {names[row_id]} 0.00 50.00 {text}" for row_id, (_, text, _) in said.items()]
    scores = sclite(tmp_path, [*reference, "one 1 part 55.00 70.00 a whole part"])
    for row_id, (_, _, expected) in said.items():
        assert scores[names[row_id]] == (expected or (len(odd), len(odd), 0, 0, 0))
    assert scores["part"] == (3, 2, 0, 1, 0)


def test_a_word_has_its_time_and_the_product_of_its_tokens() -> None:
    tokens = (
        Token("go", 0.5, 0.6, 0.5),
        Token("od d", 0.7, 0.8, 0.25),
        Token("ay", 1.0, 1.1, 0.5),
        Token("\u00a0", 1.2, 1.3, 0.1),
        Token("x", 61.23456, 61.3, 1.0),
    )
    record = Transcript("id", "good day\u00a0x", 0.9, group_words(tokens), tokens).to_json()
    assert ctm_text(record, "a/b").splitlines() == [
        "a/b 1 0.500 0.300 good 0.1250",
        "a/b 1 0.700 0.400 day 0.1250",
        "a/b 1 61.235 0.065 x 1.0000",
    ]


def test_words_without_tokens_have_no_confidence_and_no_words_no_line() -> None:
    words = [{"text": "a", "start": 0.0, "end": 1.0}]
    assert ctm_text({"words": words}, "n") == "n 1 0.000 1.000 a\n"
    assert ctm_text({"words": words, "tokens": [{"text": "a"}]}, "n") == "n 1 0.000 1.000 a\n"
    assert ctm_text({"words": [], "tokens": []}, "n") == ""
    assert ctm_text({"words": None}, "n") == ""


def test_marks_and_control_characters_are_words_like_others() -> None:
    words = [{"text": text, "start": 0.0, "end": 1.0} for text in ("<ALT>", "<Alt_begin>", "<b>", "a\x00\x07b", "\x85")]
    lines = ctm_text({"words": words}, "n").splitlines()
    assert [line.split(" ")[4] for line in lines] == ["\\<ALT>", "\\<Alt_begin>", "<b>", "a__b", "_"]


def test_a_name_is_never_taken_for_a_comment() -> None:
    assert not ctm_text({"words": [{"text": ";;", "start": 0.0, "end": 1.0}]}, ";;a").startswith(";;")


@given(drawn=data())
@settings(max_examples=100, deadline=None)
def test_every_word_is_a_line_of_six_fields(drawn: DataObject, odd_texts: Any, spoken: Any) -> None:
    transcript = spoken("id", drawn.draw(odd_texts))
    lines = ctm_text(transcript.to_json(), "n").splitlines()
    assert len(lines) == len(transcript.words)
    for line, word in zip(lines, transcript.words, strict=True):
        name, channel, start, duration, text, confidence = line.split()
        assert (name, channel, len(text)) == ("n", "1", len(word.text))
        assert float(start) == pytest.approx(word.start, abs=6e-4)
        assert float(start) + float(duration) == pytest.approx(word.end, abs=6e-4)
        assert float(confidence) == pytest.approx(0.5 ** len(word.text), abs=6e-5)


@needs_sclite
def test_sclite_scores_what_the_command_wrote_in_one_go_or_in_shards(
    tone_data: Path,
    trained_run: Path,
    seqpipe_command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for speaker, numbers in (("ann", range(8)), ("bo", range(8, 16)), ("cy", range(4))):  # cy's are called as ann's
        (tmp_path / "dev" / speaker).mkdir(parents=True)
        for number in numbers:
            shutil.copy(tone_data / "dev" / f"{number:03}.wav", tmp_path / "dev" / speaker)
    (tmp_path / "dev" / "ann" / "001.wav").write_bytes(b"fails, and is called 001 all the same")
    monkeypatch.chdir(tmp_path)
    done = seqpipe_command(
        "infer", trained_run, "dev", "--output", "answers/", "--format", "ctm", "--quiet", cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr  # one failed
    for output, part in (("one", "1/2"), ("two", "2/2")):
        infer(trained_run, ["dev"], output, kind="ctm", part=part, device="cpu", threads=1, workers=0, quiet=True)
    lines = [sorted(found) for found in (lines_of(tmp_path / "answers"), lines_of(tmp_path / "one", tmp_path / "two"))]
    assert lines[0] == lines[1]
    names = [*(f"{number:03}" for number in range(16)), *(f"dev_cy_{number:03}" for number in range(4))]
    heard = {name: [line.split()[4] for line in lines[0] if line.startswith(f"{name} ")] for name in names}
    assert [name for name, words in heard.items() if not words] == ["001"]
    expected, reference = {}, []
    for number, (name, words) in enumerate(heard.items()):
        # References that differ from what was heard in a way that can be counted: a word more, or one less.
        said = [*words, "missing"] if number % 3 == 1 else words[number % 3 // 2 :]
        expected[name] = (len(said), min(len(said), len(words)), 0, len(said) > len(words), len(words) > len(said))
        reference.append(f"{name} 1 {name} 0.00 50.00 {' '.join(said)}")
    assert sclite(tmp_path, reference).items() >= expected.items()


def lines_of(*folders: Path) -> list[str]:
    """Of all files in folders of answers."""
    files = [path for folder in folders for path in folder.rglob("*.ctm")]
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
