"""The verb as a user runs it: outputs, resuming, refusals, wrong inputs, signals."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from seqpipe import cli
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.infer import infer
from seqpipe.inference.job import Summary

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tone_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands: 16 recordings, and a list of 40 inputs of which 2 are broken."""
    shutil.copytree(tone_data / "dev", tmp_path / "dev")
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    names = [f"dev/{number:03}.wav" for number in range(16)]
    rows = [*names, "gone.wav", *names, "broken.wav", *names[:6]]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps({"path": row}) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def answer(trained_run: Path, folder: Path) -> Callable[..., Summary]:
    """`infer` of the list with threads that read, in windows of 8."""

    def run(output: str = "out.jsonl", inputs: list[str] | None = None, **options: Any) -> Summary:
        settings = {"device": "cpu", "threads": 2, "window": 8, "workers": 0, "quiet": True, **options}
        return infer(trained_run, inputs or ["list.jsonl"], output, **settings)

    return run


def lines(name: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


class Stopped(Exception):
    """What a test ends a run with."""


def stop_after(windows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run break off, as by a power cut, before its window of this number is safe."""
    from seqpipe.inference.journal import Journal

    add = Journal.add

    def failing(self: Journal, *arguments: Any) -> None:
        if self.windows == windows:
            raise Stopped
        add(self, *arguments)

    monkeypatch.setattr(Journal, "add", failing)


def test_every_format_holds_the_same_answers(answer: Callable[..., Summary], folder: Path) -> None:
    summary = answer("out.jsonl")
    assert (summary.inputs, summary.failed, summary.finished) == (40, 2, True)
    assert summary.failures == {"missing": 1, "undecodable": 1}
    expected = lines()
    for output, kind in [("out.csv", None), ("out.parquet", None), ("subtitles", "srt"), ("marked", "ctm")]:
        assert answer(output, kind=kind).inputs == 40
    with Path("out.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    columns = pyarrow.parquet.read_table("out.parquet").to_pylist()
    for record, row, cells in zip(expected, table, columns, strict=True):
        assert row["id"] == cells["id"] == record["id"]
        assert (row["text"] or None, cells["text"]) == (record.get("text"), record.get("text"))
        assert cells["error"] == record.get("error")
        assert (cells["words"] or []) == record.get("words", [])
    names = {f"dev/{number:03}" for number in range(16)}
    for name, ending in (("subtitles", ".srt"), ("marked", ".ctm")):
        found = {str(path.relative_to(name)) for path in Path(name).rglob(f"*{ending}")}
        assert {re.sub(r"[~_-]\d+$", "", found_name.removesuffix(ending)) for found_name in found} >= names
        assert len(lines(f"{name}/failures.jsonl")) == 2
    assert "-->" in Path("subtitles/dev/000.srt").read_text()
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("windows", [0, 1, 4])
def test_a_run_that_broke_off_goes_on_to_the_same_bytes(
    output: str, windows: int, answer: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer("whole/" + output)
    with monkeypatch.context() as patch:
        stop_after(windows, patch)
        with pytest.raises(Stopped):
            answer(output)
    assert not Path(output).exists()
    assert len(lines(f"{output}.partial")) == 8 * windows
    with pytest.raises(ConfigError, match=r"a run was begun here and not finished; --resume goes on"):
        answer(output)
    summary = answer(output, resume=True)
    assert (summary.kept, summary.inputs, summary.failed) == (8 * windows, 40, 2)
    assert Path(output).read_bytes() == Path("whole/" + output).read_bytes()
    assert not Path(f"{output}.partial").exists()


def test_an_output_that_is_there_is_safe(answer: Callable[..., Summary]) -> None:
    answer()
    before = Path("out.jsonl").read_bytes()
    with pytest.raises(ConfigError, match=r"out\.jsonl: is there already; choose another name, or --overwrite"):
        answer(inputs=["dev"])
    done = answer(resume=True)  # finished already: nothing is done
    assert (done.finished, done.inputs, done.kept, done.failed) == (True, 40, 40, 2)
    with pytest.raises(ConfigError, match=r"input 1: was list\.jsonl when the run began, and is dev now"):
        answer(inputs=["dev"], resume=True)
    shutil.copy("out.jsonl", "copy.jsonl")
    with pytest.raises(ConfigError, match=r"copy\.jsonl: is there already, and no copy\.jsonl\.journal says"):
        answer("copy.jsonl", resume=True)
    assert Path("out.jsonl").read_bytes() == before
    Path("out.jsonl").unlink()
    assert answer(resume=True).kept == 0  # nobody has the answers any more
    assert Path("out.jsonl").read_bytes() == before
    answer(inputs=["dev"], overwrite=True)
    assert len(lines()) == 16


@pytest.mark.parametrize("inputs", [["list.jsonl"], ["dev"], ["dev/0*.wav"]])
def test_a_recording_that_is_listed_is_not_replaced(inputs: list[str], answer: Callable[..., Summary]) -> None:
    before = Path("dev/003.wav").read_bytes()
    Path("linked.wav").hardlink_to("dev/003.wav")
    for output in ("dev/003.wav", "linked.wav", "dev/../dev/003.wav"):
        with pytest.raises(ConfigError, match=r"--output .*\.wav: is .*dev/003\.wav, which this command reads"):
            answer(output, kind="jsonl", inputs=inputs, overwrite=True)
    assert Path("dev/003.wav").read_bytes() == before
    assert not list(Path("dev").glob("*.partial"))


def test_a_recording_that_standard_input_names_is_not_replaced(
    trained_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "dev" / "003.wav").read_bytes()
    names = "".join(f"dev/{number:03}.wav\n" for number in range(5))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(names.encode())))
    options = ["--output", "dev/003.wav", "--format", "jsonl", "--overwrite", "--workers", "0"]
    assert cli.main(["infer", str(trained_run), "-", *options]) == 2
    assert "--output dev/003.wav: is dev/003.wav, which this command reads" in capfd.readouterr().err
    assert (folder / "dev" / "003.wav").read_bytes() == before


def test_an_overwritten_output_stays_till_the_new_one_is_whole(
    answer: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer()
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stopped):
            answer(inputs=["dev"], overwrite=True)
    assert len(lines()) == 40
    answer(inputs=["dev"], resume=True)
    assert len(lines()) == 16


def test_a_folder_is_overwritten_only_if_a_run_wrote_it(answer: Callable[..., Summary]) -> None:
    answer("out", kind="srt")
    Path("out/mine.txt").write_text("kept")
    with pytest.raises(ConfigError, match=r"holds mine\.txt, so --overwrite would delete more than \.srt files"):
        answer("out", kind="srt", overwrite=True)
    Path("out/mine.txt").unlink()
    Path("out/stale.srt").write_text("")
    answer("out", kind="srt", overwrite=True)
    assert not Path("out/stale.srt").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"precision": "bf16"}, r'precision: "fp32", now "bf16"'),
        ({"threads": 1}, r"threads: 2, now 1"),
        ({"batch_steps": 99}, r"batch_steps: 14000, now 99"),
        ({"window": 16}, r"window: 8, now 16"),
        ({"part": "1/2"}, r'shard: null, now "1/2"'),
        ({"data": {"id": "path"}}, r"columns: "),
        ({"inputs": ["dev"]}, r"input 1: was list\.jsonl when the run began, and is dev now"),
    ],
)
def test_a_run_with_other_settings_is_not_gone_on_with(
    changed: dict[str, Any], said: str, answer: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(2, monkeypatch)
    with pytest.raises(Stopped):
        answer()
    with pytest.raises(ConfigError, match=said):
        answer(resume=True, **changed)


def test_another_model_and_other_rows_are_told(
    answer: Callable[..., Summary], trained_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqpipe.pipeline import Pipeline

    stop_after(1, monkeypatch)
    with pytest.raises(Stopped):
        answer()
    with pytest.raises(Stopped):
        answer("folder.jsonl", inputs=["dev"])
    Path("dev/000a.wav").write_bytes(Path("dev/000.wav").read_bytes())  # a new one among those that are answered
    with pytest.raises(ConfigError, match=r"the inputs are not those .* the first difference is among 1 to 8 \(dev"):
        answer("folder.jsonl", inputs=["dev"], resume=True)
    Path("list.jsonl").write_text(Path("list.jsonl").read_text() + '{"path": "dev/000.wav"}\n')
    with pytest.raises(ConfigError, match=r"list\.jsonl: other content than when the run began"):
        answer(resume=True)
    other = Pipeline.load(trained_run)
    other.head.output.bias.data[0] += 1
    other.save(folder / "run")
    with pytest.raises(ConfigError, match=r"model: "):
        infer(folder / "run", ["list.jsonl"], "out.jsonl", resume=True, device="cpu", threads=2, window=8)


def test_strict_ends_at_the_first_failure_and_keeps_what_was_done(answer: Callable[..., Summary]) -> None:
    with pytest.raises(DataError, match=r"gone\.wav: no such file \(missing\); --strict ends here"):
        answer(strict=True)
    assert len(lines("out.jsonl.partial")) == 16
    assert answer(resume=True).kept == 16


def test_shards_are_all_rows_once(answer: Callable[..., Summary]) -> None:
    answer()
    found = []
    for part in ("1/3", "2/3", "3/3"):
        answer(f"{part[0]}.jsonl", part=part)
        found += [json.dumps(line["id"]) for line in lines(f"{part[0]}.jsonl")]
    assert sorted(found) == sorted(json.dumps(line["id"]) for line in lines())


def test_columns_of_a_list_may_be_named(answer: Callable[..., Summary]) -> None:
    rows = ["file\tfrom\tto\tname", "dev/000.wav\t0.1\t0.4\tone", "dev/001.wav\t0\t\ttwo"]
    Path("spans.tsv").write_text("\n".join(rows) + "\n")
    columns = {"input": "file", "start": "from", "end": "to", "id": "name"}
    assert answer("spans.jsonl", inputs=["spans.tsv"], data=columns).failed == 0
    one, two = lines("spans.jsonl")
    assert (one["id"], two["id"]) == ("one", "two")
    assert all(0.1 <= word["start"] < word["end"] <= 0.4 for word in one["words"])
    with pytest.raises(ConfigError, match=r"data\.train: only input, id, start, end, duration, channel, format of"):
        answer("x.jsonl", data={"train": "a.tsv"})


def test_a_disk_that_is_full_is_told_and_what_is_done_is_kept(
    small_disk: Path, trained_run: Path, folder: Path, seqpipe_command: Command
) -> None:
    space = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(bytes(space.f_bavail * space.f_frsize - 100_000))
    arguments = ["infer", trained_run, *["list.jsonl"] * 8, "--output", small_disk / "out.jsonl", "--window", 32]
    arguments += ["--threads", 1, "--workers", 0]
    done = seqpipe_command(*arguments, cwd=folder)
    assert done.returncode == 1
    assert re.search(r"No space left on device", done.stderr)
    assert "Traceback" not in done.stderr
    (small_disk / "other").unlink()
    again = seqpipe_command(*arguments, "--resume", cwd=folder)
    assert again.returncode == 3, again.stderr
    assert re.search(r"[1-9]\d* more were kept from before: 320 in all", again.stderr), again.stderr
    assert len(lines(str(small_disk / "out.jsonl"))) == 320


def test_an_output_folder_that_vanishes_is_told(
    answer: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqpipe.inference import job

    with monkeypatch.context() as patch:
        write = job.write_output
        patch.setattr(job, "write_output", lambda *given: (shutil.rmtree("new"), write(*given)))
        with pytest.raises(OSError, match="new"):
            answer("new/out.csv")
    take = job.Job._take
    monkeypatch.setattr(job.Job, "_take", lambda *given: (shutil.rmtree("other", ignore_errors=True), take(*given)))
    with pytest.raises(OSError, match=r"out\.csv\.partial: was moved, deleted or replaced while"):
        answer("other/out.csv")


# In processes of their own


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_after_the_window_in_hand_and_says_how_to_go_on(
    number: signal.Signals, trained_run: Path, folder: Path, command_environment: dict[str, str]
) -> None:
    program = [str(Path(sys.executable).with_name("seqpipe")), "infer", str(trained_run), *["list.jsonl"] * 200]
    program += ["--output", "out.jsonl", "--window", "32", "--threads", "1", "--overwrite"]
    process = subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env=command_environment)
    store = Path("out.jsonl.partial")
    while not (store.exists() and store.stat().st_size) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1, said
    assert re.search(
        r"interrupted; go on with: seqpipe infer .*list\.jsonl.* --window 32 --threads 1 --resume$", said, re.M
    )
    assert "--overwrite" not in said
    assert "Traceback" not in said
    done = len(lines(str(store)))
    assert done % 32 == 0
    assert 0 < done < 8000
    assert f"{done:,} inputs" in said


def test_answers_come_through_a_pipe_as_soon_as_it_pauses(
    trained_run: Path, folder: Path, command_environment: dict[str, str]
) -> None:
    program = [str(Path(sys.executable).with_name("seqpipe")), "infer", str(trained_run), "-", "--output", "-"]
    process = subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=command_environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for given in ("dev/000.wav", '{"path": "dev/001.wav", "name": "second"}', "gone.wav"):
        process.stdin.write(given + "\n")
        process.stdin.flush()
        record = json.loads(process.stdout.readline())  # the command waits for more, and so would this for an answer
        assert record["id"] in (given, "second")
    process.stdin.close()
    assert process.wait(60) == 3
    process.stdout.close()


@pytest.mark.parametrize("output", ["-", "out.jsonl"])
def test_a_signal_ends_waiting_for_standard_input(
    output: str, trained_run: Path, folder: Path, command_environment: dict[str, str]
) -> None:
    program = [str(Path(sys.executable).with_name("seqpipe")), "infer", str(trained_run), "-", "--output", output]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(program, text=True, env=command_environment, **pipes)  # type: ignore[call-overload]
    assert process.stdin is not None
    process.stdin.write("".join(f"dev/{number % 16:03}.wav\n" for number in range(33)))
    process.stdin.flush()
    if output == "-":
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["id"] == "dev/000.wav"
    else:
        while process.poll() is None and (
            not Path("out.jsonl.partial").exists() or len(lines("out.jsonl.partial")) < 32
        ):
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    assert process.stderr is not None
    said = process.stderr.read()
    assert ("go on with" in said) == (output != "-"), said
    assert "interrupted" in said
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_standard_output_has_no_journal_and_quiet_says_nothing(
    trained_run: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = cli.main(["infer", str(trained_run), "dev", "--output", "-", "--quiet", "--workers", "0"])
    said = capfd.readouterr()
    assert status == 0
    assert len(said.out.splitlines()) == 16
    assert said.err == ""
    assert not list(folder.glob("-*"))


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--output", "o.jsonl", "--resume", "--overwrite"], 2, "give one of them"),
        (["--output", "o.jsonl", "--shard", "3/2"], 2, r"--shard should be I/N"),
        (["--output", "o.jsonl", "--threads", "0"], 2, r"--threads should be at least 1; received 0"),
        (["--output", "o.jsonl", "--batch-steps", "0"], 2, r"batch_steps should be at least 1; received 0"),
        (["--output", "o.jsonl", "--segment-seconds", "1"], 2, r"segment_seconds should be at least 5; received 1"),
        (["--output", "o.jsonl", "--set", "training.epochs=3"], 2, r"--set training\.epochs=3: only data\.\* and dec"),
        (["--output", "o.jsonl", "--set", "decoding.method=search"], 2, r"decoding\.method .*received 'search'"),
        (["--output", "o.jsonl", "--set", "data.input=file"], 1, r"list\.jsonl, row 1: has no column file"),
        (
            ["--output", "o.jsonl", "data.start=begin"],
            2,
            r"is no input; write --set data\.start=begin",
        ),
        (["--output", "o.jsonl", "none.tsv"], 1, r"none\.tsv: there is no such file"),
        (["--output", "o.xyz"], 2, r"its ending says no format"),
        (["--output", "o.srt"], 2, r"name a folder"),
    ],
)
def test_mistakes_are_told_before_any_work(
    options: list[str], status: int, said: str, trained_run: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    assert cli.main(["infer", str(trained_run), "list.jsonl", "--workers", "0", *options]) == status
    error = capfd.readouterr().err
    assert re.search(said, error), error
    assert "Traceback" not in error
    assert sorted(folder.iterdir()) == before


def test_a_name_that_is_no_utf8_is_written_and_read_back(trained_run: Path, folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    shutil.copy("dev/000.wav", name)
    infer(trained_run, [name], "out.jsonl", device="cpu", quiet=True, workers=0)
    assert lines()[0]["id"] == name
