"""Aligning by the command and from Python, with a model that knows tones."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import seqpipe
from seqpipe import ConfigError, Failure, cli
from seqpipe.decoding import ctc_band
from seqpipe.errors import DataError
from seqpipe.inference import aligning
from seqpipe.inference.align import align
from seqpipe.inference.aligning import Spool

RATE = 8000
Command = Callable[..., subprocess.CompletedProcess[str]]
Speak = Callable[[str, int], np.ndarray]


@pytest.fixture
def folder(tone_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands, with the dev recordings."""
    shutil.copytree(tone_data / "dev", tmp_path / "dev")
    shutil.copy(tone_data / "dev.tsv", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def aligned(trained_run: Path, folder: Path) -> Callable[..., list[dict[str, Any]]]:
    """Lines that `align` gives for rows of (file, text)."""

    def run(*rows: tuple[str, str], **options: Any) -> list[dict[str, Any]]:
        Path("rows.jsonl").write_text("".join(json.dumps({"path": p, "name": p, "text": t}) + "\n" for p, t in rows))
        align(
            trained_run,
            ["rows.jsonl"],
            "out.jsonl",
            **{"device": "cpu", "threads": 1, "workers": 0, "quiet": True, "overwrite": True, **options},
        )
        return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]

    return run


def long_recording(speak: Speak, texts: list[str], name: str) -> list[tuple[float, float]]:
    """Texts one after another with pauses, as one file; where each begins and ends."""
    pieces, spans, at = [], [], 0
    for number, text in enumerate(texts):
        samples = speak(text, number)
        spans.append((at / RATE, (at + len(samples)) / RATE))
        pieces += [samples, np.zeros(RATE // 4, dtype=np.float32)]
        at += len(samples) + RATE // 4
    soundfile.write(name, np.concatenate(pieces), RATE)
    return spans


def test_the_command_writes_every_format(trained_run: Path, folder: Path, seqpipe_command: Command) -> None:
    done = seqpipe_command(
        "align", trained_run, "dev.tsv", "--format", "json", "--out", "out.jsonl", "--workers", 0, "--threads", 1
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in Path("dev.tsv").read_text().splitlines()[1:]]
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [(line["id"], line["text"]) for line in found] == [(name, text) for _, name, text in rows]
    for line in found:
        assert [word["text"] for word in line["words"]] == line["text"].split()
        places = [place for word in line["words"] for place in (word["start"], word["end"])]
        assert places == sorted(places)
        assert 0 <= places[0] < places[-1] <= line["length"]
        assert line["found"]
    options = {"device": "cpu", "threads": 1, "workers": 0, "quiet": True}
    for kind, ending in (("textgrid", "TextGrid"), ("ctm", "ctm"), ("srt", "srt"), ("vtt", "vtt")):
        align(trained_run, ["dev.tsv"], kind, kind=kind, **options)
        assert sorted(path.name for path in Path(kind).iterdir()) == sorted(f"{row[1]}.{ending}" for row in rows)


def test_borders_are_those_of_the_tones(aligned: Callable[..., Any], speak: Speak) -> None:
    """A space is a tone too, so the border between words lies within it."""
    speak_gap, texts = 0.04, ["ab ca", "c b a", "bb ac"]
    for number, text in enumerate(texts):
        soundfile.write(f"{number}.wav", speak(text, number), RATE)
    errors = []
    for number, line in enumerate(aligned(*((f"{number}.wav", text) for number, text in enumerate(texts)))):
        generator = np.random.default_rng(number)  # as the tones were drawn
        at, places = generator.uniform(0.02, 0.1), []
        for _ in texts[number]:
            length = 0.10 * generator.uniform(0.8, 1.2)
            generator.uniform(0.97, 1.03)
            places.append((at, at + length))
            at += length + speak_gap
        spaces = [places[place] for place, sign in enumerate(texts[number]) if sign == " "]
        for (start, end), word, following in zip(spaces, line["words"], line["words"][1:], strict=False):
            errors += [abs(word["end"] - (start + end) / 2), abs(following["start"] - (start + end) / 2)]
    assert np.mean(errors) < 0.03


def test_a_text_that_was_not_said_is_told(aligned: Callable[..., Any]) -> None:
    lines = Path("dev.tsv").read_text().splitlines()[1:]
    rows = [(path, text) for path, _, text in (line.split("\t") for line in lines)]
    turned = str.maketrans("abc", "bca")
    found = aligned(*rows, *((path, text.translate(turned)) for path, text in rows))
    assert all(line["found"] for line in found[: len(rows)])
    assert not any(line.get("found") for line in found[len(rows) :])
    planted = aligned(
        *((path, f"{text.split()[0].translate(turned)}{text[len(text.split()[0]) :]}") for path, text in rows)
    )
    for line in planted:
        assert line["words"][0]["found"] is False
        assert all(word["found"] for word in line["words"][1:])


def test_numbers_and_signs_get_places(aligned: Callable[..., Any], speak: Speak) -> None:
    soundfile.write("a.wav", speak("ab cab ba", 1), RATE)
    (line,) = aligned(("a.wav", "AB, 7 ba!"))
    assert [(word["text"], word.get("bridged", False)) for word in line["words"]] == [
        ("AB,", False),
        ("7", True),
        ("ba!", False),
    ]
    (plain,) = aligned(("a.wav", "ab cab ba"))
    for word, same in zip(line["words"], plain["words"], strict=True):
        assert (word["start"], word["end"]) == pytest.approx((same["start"], same["end"]), abs=0.06)


def test_a_long_recording_is_aligned_as_its_parts_are(
    aligned: Callable[..., Any], speak: Speak, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["ab ca", "c b a", "bb ac", "cab", "a cc b"] * 6
    spans = long_recording(speak, texts, "long.wav")
    text = "\n".join(texts)
    (line,) = aligned(("long.wav", text), segment_seconds=5)
    assert line["found"]
    assert [part["text"] for part in line["lines"]] == texts
    starts, ends = np.array(spans).T
    assert np.abs(starts - [part["start"] for part in line["lines"]]).max() < 0.15
    assert np.abs(ends - [part["end"] for part in line["lines"]]).max() < 0.2
    assert all(part["found"] for part in line["lines"])
    # In a band, and with emissions on disk, it is the same.
    monkeypatch.setattr(aligning, "HELD_BYTES", 0)
    monkeypatch.setattr(ctc_band, "EXACT_CELLS", 0)
    assert aligned(("long.wav", text), segment_seconds=5) == [line]


def test_subtitles_get_new_times(aligned: Callable[..., Any], trained_run: Path, speak: Speak) -> None:
    spans = long_recording(speak, ["ab ca", "c b a", "bb ac"], "film.wav")
    Path("film.srt").write_text(
        "1\n00:10:00,000 --> 00:10:01,000\n<i>Ab</i>\nca!\n\n2\n00:10:02,000 --> 00:10:03,000\nC b a\n\n"
        "3\n00:10:04,000 --> 00:10:05,000\nbb ac\n"
    )
    (line,) = aligned(("film.wav", "film.srt"))
    assert [part["text"] for part in line["lines"]] == ["Ab\nca!", "C b a", "bb ac"]
    assert np.allclose([part["start"] for part in line["lines"]], [start for start, _ in spans], atol=0.15)
    align(trained_run, ["film.wav"], "new", text="film.srt", kind="srt", device="cpu", threads=1, workers=0, quiet=True)
    written = Path("new/film.srt").read_text().splitlines()
    assert written[0] == "1"
    assert written[1].startswith("00:00:00,")
    assert written[2:4] == ["Ab", "ca!"]


def test_what_fails_costs_itself_alone(trained_run: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [line.split("\t") for line in Path("dev.tsv").read_text().splitlines()[1:]]
    path, good = rows[0][0], rows[0][2]
    cases = [
        (path, good, None, ""),
        (path, "", "no target", "has nothing in the column text"),
        (path, "  ", "empty", "the text to align is empty"),
        (path, "7 % 日本", "unknown character", "nothing can be spelt"),
        (path, "abc " * 200, "too short for its label", "is it the text of another input?"),
        ("gone.wav", good, "missing", "gone.wav"),
        (path, "gone.srt", "missing", "gone.srt: there is no such file, which the row names as its text"),
        (path, "bad.srt", "empty", "bad.srt: holds no cue"),
        (path, good, None, ""),
    ]
    Path("bad.srt").write_text("not subtitles")
    lines = [json.dumps({"path": p, "name": str(n), "text": t or None}) for n, (p, t, *_) in enumerate(cases)]
    Path("rows.jsonl").write_text("\n".join(lines))
    options = ["--output", "out.jsonl", "--workers", "0", "--threads", "1"]
    assert cli.main(["align", str(trained_run), "rows.jsonl", *options]) == 3
    assert "Traceback" not in capfd.readouterr().err
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    for line, (_, _, kind, what) in zip(found, cases, strict=True):
        assert line.get("error") == kind
        assert what in line.get("message", "")
        assert kind is None or f"row {int(line['id']) + 1}" in line["message"]
    assert {**found[0], "id": "8"} == found[8]


def test_it_goes_on_where_it_was_stopped(trained_run: Path, folder: Path) -> None:
    options: dict[str, Any] = {"device": "cpu", "threads": 1, "workers": 0, "quiet": True, "window": 4}
    align(trained_run, ["dev.tsv"], "whole.jsonl", **options)
    align(trained_run, ["dev.tsv"], "out.jsonl", **options)
    journal = Path("out.jsonl.journal").read_bytes().splitlines(keepends=True)
    Path("out.jsonl.journal").write_bytes(b"".join(journal[:3]))  # settings and two windows
    Path("out.jsonl").rename("out.jsonl.partial")
    summary = align(trained_run, ["dev.tsv"], "out.jsonl", resume=True, **options)
    assert (summary.kept, summary.inputs) == (8, 16)
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="threshold"):
        align(trained_run, ["dev.tsv"], "out.jsonl", resume=True, threshold=-3.0, **options)


@pytest.mark.parametrize(
    ("sources", "options", "error", "what"),
    [
        (["gone.tsv"], {}, DataError, "gone.tsv: there is no such manifest or folder"),
        (["textless.tsv"], {}, DataError, "text"),
        (["empty.jsonl"], {}, DataError, "no rows"),
        (["dev/000.wav"], {}, ConfigError, "is an input, not a manifest; give its text with --text FILE"),
        (["dev.tsv"], {"kind": "parquet"}, ConfigError, "alignments are written as jsonl, textgrid, ctm, srt, vtt"),
        (["dev.tsv"], {"threshold": 0.5}, ConfigError, "--threshold should be below 0; received 0.5"),
        (["dev.tsv"], {"data": {"root": "/"}}, ConfigError, "data.root"),
        (["dev/000.wav"], {"text": "a.doc"}, ConfigError, "--text a.doc: should end with .srt, .txt or .vtt"),
        (["dev.tsv", "dev.tsv"], {"text": "a.txt"}, ConfigError, "--text is the text of one input"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    trained_run: Path, folder: Path, sources: list[str], options: dict[str, Any], error: type[Exception], what: str
) -> None:
    Path("textless.tsv").write_text("path\tname\ndev/000.wav\ta\n")
    Path("empty.jsonl").write_text("")
    output = "out.parquet" if options.get("kind") == "parquet" else "out.jsonl"
    with pytest.raises(error, match=what):
        align(trained_run, sources, output, device="cpu", threads=1, workers=0, quiet=True, **options)
    assert not list(Path().glob("out*"))


def test_a_model_without_ctc_is_refused(trained_run: Path) -> None:
    predictor = seqpipe.load(trained_run, device="cpu", threads=1)
    predictor.pipeline.head = seqpipe.ClassifierHead(input_size=48)
    with pytest.raises(ConfigError, match=r"\(CTCHead\); this model has a ClassifierHead"):
        list(predictor.align([("a.wav", "a")]))


def test_from_python_batch_is_single(trained_run: Path, tone_data: Path) -> None:
    predictor = seqpipe.load(trained_run, device="cpu", threads=1)
    rows = [line.split("\t") for line in (tone_data / "dev.tsv").read_text().splitlines()[1:]]
    pairs = [(tone_data / path, text) for path, _, text in rows]
    together = list(predictor.align([*pairs, (tone_data / "gone.wav", "a")]))
    assert isinstance(together[-1], Failure)
    assert together[0].words[0].text == rows[0][2].split()[0]
    for pair, found in zip(pairs, together, strict=False):
        (alone,) = predictor.align([pair])
        assert [(word.text, word.start, word.end) for word in alone.words] == [
            (word.text, word.start, word.end) for word in found.words
        ]
        assert alone.verdict.score == pytest.approx(found.verdict.score, abs=1e-4)
    with pytest.raises(TypeError, match="pairs"):
        list(predictor.align(["a.wav"]))


def test_what_is_too_much_for_memory_lies_in_a_file() -> None:
    spool = Spool(100)
    arrays = [np.random.default_rng(seed).random((5, 4), dtype=np.float32) for seed in range(3)]
    kept = [spool.keep(array) for array in arrays]
    assert [own.place is None for own in kept] == [True, False, False]
    for own, array in zip(kept, arrays, strict=True):
        assert np.array_equal(own.read(1, 4), array[1:4])
    del kept, own
    assert spool.keep(arrays[0]).place is None
