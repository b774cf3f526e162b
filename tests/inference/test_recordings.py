"""Recordings as people have them, through the verb: foreign files, channels, pipes, samples beyond any scale."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import seqpipe
from seqpipe import ConfigError, Failure, Waveform, cli
from seqpipe.inference.infer import infer
from seqpipe.inference.job import Summary

RATE = 8000


@pytest.fixture
def folder(tone_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands, with two recordings."""
    (tmp_path / "in").mkdir()
    for name in ("000.wav", "001.wav"):
        shutil.copy(tone_data / "dev" / name, tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def answer(trained_run: Path, folder: Path) -> Callable[..., tuple[list[dict[str, Any]], Summary]]:
    """Lines that `infer` gives for inputs, and its summary."""

    def run(*inputs: str, **options: Any) -> tuple[list[dict[str, Any]], Summary]:
        summary = infer(
            trained_run, inputs, "out.jsonl", device="cpu", threads=2, overwrite=True, **{"workers": 0, **options}
        )
        return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()], summary

    return run


def test_foreign_files_beside_good_ones(trained_run: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("in/002.raw").write_bytes(np.zeros(800, dtype=np.int16).tobytes())
    soundfile.write("in/003.caf", soundfile.read("in/000.wav")[0], RATE)
    shutil.copy("in/001.wav", "in/004")
    for number, ending in enumerate([".m4a", ".m4a", ".WMA"]):
        Path(f"in/x{number}{ending}").write_bytes(b"not read")
    Path("list.txt").write_text("")
    options = ["--output", "out.jsonl", "--threads", "1", "--workers", "0"]
    assert cli.main(["infer", str(trained_run), "in", "in/002.raw", "in/004", *options]) == 3
    shown = capfd.readouterr().err
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in found] == ["in/000.wav", "in/001.wav", "in/003.caf", "in/002.raw", "in/004"]
    assert [line.get("error") for line in found] == [None, None, None, "undecodable", None]
    assert "state no rate" in found[3]["message"]
    assert (found[2]["text"], found[4]["text"]) == (found[0]["text"], found[1]["text"])
    said = "passed over 5 files: 2 .m4a, 1 .raw, 1 .wma, 1 without an ending"
    assert sorted(said.split(": ")[1].split(", ")) == sorted(
        shown.split("in: passed over 5 files: ")[1].splitlines()[0].split(", ")
    )
    assert "5 files in folders passed over: 2 .m4a, " in shown
    assert "Traceback" not in shown


def test_any_exception_of_a_reader_is_the_failure_of_one_input(
    trained_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one of a stage of the user's own."""
    prepare = Waveform.prepare

    def fail(self: Waveform, raw: Any, key: Any) -> torch.Tensor:
        if "001" in str(raw):
            raise ZeroDivisionError("of a user's own")
        return prepare(self, raw, key)

    monkeypatch.setattr(Waveform, "prepare", fail)
    one, two = seqpipe.load(trained_run, device="cpu").predict(["in/000.wav", "in/001.wav"])
    assert not isinstance(one, Failure)
    assert isinstance(two, Failure)
    assert (two.kind, "in/001.wav" in two.message, "ZeroDivisionError: of a user's own" in two.message) == (
        "undecodable",
        True,
        True,
    )


def stereo(name: str) -> None:
    left, right = (soundfile.read(f"in/{number}.wav", dtype="float32")[0] for number in ("000", "001"))
    length = max(len(left), len(right))
    both = np.stack([np.pad(side, (0, length - len(side))) for side in (left, right)], axis=1)
    soundfile.write(name, both, RATE, subtype="FLOAT")


def test_each_channel_has_an_answer(answer: Callable[..., Any]) -> None:
    stereo("call.wav")
    Path("list.tsv").write_text("path\tname\nin/000.wav\tmono\ncall.wav\tcall\n")
    alone = {line["id"]: line["text"] for line in answer("in")[0]}
    found, summary = answer("call.wav", "list.tsv", channels="each", data={"id": "name"})
    assert [line["id"] for line in found] == ["call.wav#1", "call.wav#2", "mono", "call#1", "call#2"]
    assert [line["text"] for line in found[:2]] == [alone["in/000.wav"], alone["in/001.wav"]]
    assert [line["text"] for line in found[3:]] == [line["text"] for line in found[:2]]
    assert summary.inputs == 5
    resumed, _ = answer("call.wav", "list.tsv", channels="each", data={"id": "name"}, workers=1)
    assert resumed == found
    assert answer("call.wav", channels="loudest")[0][0]["text"] in alone.values()


def test_a_column_names_the_channel(answer: Callable[..., Any]) -> None:
    stereo("call.wav")
    Path("list.tsv").write_text("path\tside\ncall.wav\tA\ncall.wav\t2\ncall.wav\t3\ncall.wav\tC\n")
    alone = [line["text"] for line in answer("in")[0]]
    found, _ = answer("list.tsv", data={"channel": "side"})
    assert [line["text"] for line in found[:2]] == alone
    assert [line["id"] for line in found[:3]] == ["call.wav#1", "call.wav#2", "call.wav#3"]
    assert ["there are channels 1 to 2" in found[2]["message"], found[3]["error"]] == [True, "bad value"]


def test_channels_are_those_of_recordings(trained_run: Path) -> None:
    with pytest.raises(ConfigError, match="mix, first, loudest, each; received 'both'"):
        seqpipe.load(trained_run, channels="both")


def test_cancelling_channels_are_told(answer: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    samples = soundfile.read("in/000.wav", dtype="float32")[0]
    soundfile.write("anti.wav", np.stack([samples, -samples], axis=1), RATE, subtype="FLOAT")
    (plain, mended), summary = answer("in/000.wav", "anti.wav")
    assert mended["text"] == plain["text"]
    assert summary.warnings == {"cancelling channels": 1}
    said = capsys.readouterr().err
    assert "warning: anti.wav: its 2 channels cancel when they are mixed" in said
    assert "1 warnings: 1 cancelling channels" in said


def test_no_answer_holds_what_is_no_number(trained_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = seqpipe.load(trained_run, device="cpu")
    (good,) = predictor.predict(["in/000.wav"])
    for parameter in predictor.pipeline.head.parameters():
        parameter.data.fill_(float("nan"))
    (bad,) = predictor.predict(["in/000.wav"])
    assert not isinstance(good, Failure)
    assert isinstance(bad, Failure)
    assert bad.kind == "non-finite"


def test_pipes_are_read(trained_run: Path, folder: Path, command_environment: dict[str, str]) -> None:
    os.mkfifo("in/pipe.wav")
    program = Path(sys.executable).with_name("seqpipe")
    command = (
        f"cat in/000.wav > in/pipe.wav & {program} infer {trained_run} in in/pipe.wav <(cat in/001.wav) /dev/stdin "
        "--output out.jsonl --threads 1 --workers 0 < in/001.wav"
    )
    done = subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, text=True, env=command_environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in found][:3] == ["in/000.wav", "in/001.wav", "in/pipe.wav"]  # a folder gives no pipes
    assert found[4]["id"] == "/dev/stdin"
    texts = [line["text"] for line in found]
    assert texts == [texts[0], texts[1], texts[0], texts[1], texts[1]]


def test_a_pipe_that_nobody_writes_ends(folder: Path) -> None:
    from seqpipe import InputError
    from seqpipe.inference.pipe import read_pipe

    os.mkfifo("pipe")
    with pytest.raises(InputError, match=r"nobody has opened this pipe for writing for 0\.2 seconds"):
        read_pipe(Path("pipe"), patience=0.2)

    def write(content: bytes) -> None:
        Path("pipe").write_bytes(content)

    for content, limit, said in [(b"", 9, "nothing came out"), (b"x" * 70_000, 65_000, "over 65,000 bytes")]:
        writer = threading.Thread(target=write, args=(content,), daemon=True)
        writer.start()
        with pytest.raises(InputError, match=said):
            read_pipe(Path("pipe"), max_bytes=limit)
    writer = threading.Thread(target=write, args=(b"y" * 200_000,), daemon=True)
    writer.start()
    assert read_pipe(Path("pipe")) == b"y" * 200_000


SPANS = ((0.0, 4.0), (4.0, 8.0), (7.0, 11.0), (11.0, None))


@pytest.fixture
def long_recording(tone_data: Path, folder: Path) -> Path:
    """``long/a.wav`` of two channels, of which a manifest has spans: with and without ids, not in their order."""
    (folder / "long").mkdir()
    sides = []
    for numbers in (range(8), range(8, 16)):
        side = np.concatenate([soundfile.read(tone_data / "dev" / f"{number:03}.wav")[0] for number in numbers])
        sides.append(np.resize(side, 14 * RATE))
    soundfile.write("long/a.wav", np.stack(sides, axis=1), RATE)
    rows = [(1, start, end) for start, end in SPANS] + [(2, start, end) for start, end in SPANS[::-1]]
    rows = [rows[at] for at in (2, 0, 5, 7, 1, 4, 3, 6)]
    lines = [
        f"utt{number}\tlong/a.wav\t{start}\t{'' if end is None else end}\t{channel}\n"
        for number, (channel, start, end) in enumerate(rows)
    ]
    lines.insert(3, "whole\tin/000.wav\t\t\t\n")
    lines.append("gone\tlong/a.wav\t99\t100\t1\n")
    Path("list.tsv").write_text("id\tpath\tstart\tend\tside\n" + "".join(lines))
    return folder


COLUMNS = {"start": "start", "end": "end", "channel": "side"}


@pytest.mark.parametrize("named", [True, False], ids=["ids", "paths"])
@pytest.mark.parametrize("kind", ["ctm", "srt"])
def test_spans_of_a_recording_are_one_file_in_the_order_of_time(
    kind: str, named: bool, trained_run: Path, long_recording: Path
) -> None:
    data = COLUMNS | ({"id": "id"} if named else {})
    options: dict[str, Any] = {"device": "cpu", "threads": 1, "workers": 0, "quiet": True, "data": data}
    infer(trained_run, ["list.tsv"], "all.jsonl", **options)
    infer(trained_run, ["list.tsv"], "out/", kind=kind, **options)
    answers = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    found = {path.name: path.read_text() for path in Path("out").rglob("*") if path.is_file()}
    whole = f"{'whole' if named else '000'}.{kind}"
    assert set(found) == {f"a.{kind}", whole, "failures.jsonl"}
    (failure,) = [answer for answer in answers if "error" in answer]
    assert [json.loads(line) for line in found["failures.jsonl"].splitlines()] == [failure]
    words = [
        word for answer in answers if answer["id"] not in ("whole", "in/000.wav") for word in answer.get("words", [])
    ]
    assert len(words) > 20
    if kind == "ctm":
        lines = [line.split() for line in found["a.ctm"].splitlines()]
        assert {(line[0], line[1]) for line in lines} == {("a", "1"), ("a", "2")}
        places = [(line[1], float(line[2])) for line in lines]
        assert places == sorted(places)
        assert sorted((line[2], line[4]) for line in lines) == sorted(
            (f"{word['start']:.3f}", word["text"]) for word in words
        )
        assert {line.split()[0] for line in found[whole].splitlines()} == {whole.removesuffix(".ctm")}
    else:
        cues = [block.splitlines() for block in found["a.srt"].split("\n\n")]
        assert [cue[0] for cue in cues] == [str(number) for number in range(1, len(cues) + 1)]
        times = [cue[1].split(" --> ") for cue in cues]
        assert all(start < end for start, end in times)
        assert all(one < following for (one, _), (following, _) in pairwise(times))  # channels speak at the same time
        shown = " ".join(line for cue in cues for line in cue[2:]).split()
        assert sorted(shown) == sorted(word["text"] for word in words)


@pytest.mark.parametrize("kind", ["ctm", "srt"])
def test_a_resumed_run_and_shards_know_recordings_too(kind: str, trained_run: Path, long_recording: Path) -> None:
    options: dict[str, Any] = {"device": "cpu", "threads": 1, "workers": 0, "quiet": True, "kind": kind}
    options["data"] = COLUMNS | {"id": "id"}
    infer(trained_run, ["list.tsv"], "out/", window=3, **options)
    expected = {path.name: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    kill = pytest.MonkeyPatch()
    kill.setattr("seqpipe.inference.job.Job._finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        infer(trained_run, ["list.tsv"], "again/", window=3, **options)
    kill.undo()
    journal = Path("again.journal").read_bytes().splitlines(keepends=True)
    Path("again.journal").write_bytes(b"".join(journal[:3]))  # two windows were safe
    infer(trained_run, ["list.tsv"], "again/", window=3, resume=True, **options)
    assert {path.name: path.read_bytes() for path in Path("again").rglob("*") if path.is_file()} == expected
    lines = Path("list.tsv").read_text().splitlines(keepends=True)
    Path("list.tsv").write_text("".join(lines[:1] + sorted(lines[1:])[:-1]))  # spans follow one another
    for part in ("1/2", "2/2"):
        infer(trained_run, ["list.tsv"], f"part{part[0]}/", part=part, **options)
    parts = [path for number in (1, 2) for path in Path(f"part{number}").rglob(f"a.{kind}")]
    assert [path.read_bytes() for path in parts] == [expected[f"a.{kind}"]]


def test_recordings_that_state_no_length_are_answered_whole(answer: Callable[..., Any]) -> None:
    """In a folder: an MP3 without a first frame that tells, a WAV whose writer couldn't know its size."""
    samples = soundfile.read("in/000.wav")[0]
    soundfile.write("in/002.mp3", samples, RATE, bitrate_mode="VARIABLE")
    soundfile.write("in/004.wav", samples, RATE, subtype="GSM610")
    content = Path("in/002.mp3").read_bytes()
    place = content.index(b"\xff", max(content.find(b"Xing"), content.find(b"Info")) + 150)
    Path("in/003.mp3").write_bytes(content[place:])
    wav = Path("in/000.wav").read_bytes()
    place = wav.index(b"data") + 4
    for number, size in enumerate((b"\0\0\0\0", b"\xff\xff\xff\xff", (2 * 10**9).to_bytes(4, "little")), 5):
        Path(f"in/{number:03}.wav").write_bytes(wav[:place] + size + wav[place + 4 :])
    found, _ = answer("in")
    assert [line.get("error") for line in found] == [None] * 8
    assert {line["text"] for line in found[:1] + found[2:]} == {found[0]["text"]}
