"""``seqpipe-run`` as a user runs it: outputs, beside those of ``seqpipe infer``; resuming, refusals, wrong inputs."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from seqpipe.errors import ConfigError
from seqpipe.inference.infer import infer
from seqpipe.inference.journal import Journal
from seqpipe.runtime.cli import main
from seqpipe.runtime.infer import parse_settings
from seqpipe.runtime.model import FILES

Run = Callable[..., int]
COMMAND = [sys.executable, "-m", "seqpipe.runtime.cli"]


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
def run(exported: Path, folder: Path) -> Run:
    """The command on two threads; its exit status."""

    def call(*words: object, output: str = "out.jsonl") -> int:
        return main([str(exported), "--output", output, "--threads", "2", "--quiet", *map(str, words)])

    return call


def lines(name: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def without_confidences(value: Any) -> Any:
    """Records in which every confidence is a 0."""
    if isinstance(value, dict):
        return {key: 0 if key == "confidence" else without_confidences(each) for key, each in value.items()}
    return [without_confidences(each) for each in value] if isinstance(value, list) else value


def confidences(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [
            found for key, each in value.items() for found in ([each] if key == "confidence" else confidences(each))
        ]
    return [found for each in value for found in confidences(each)] if isinstance(value, list) else []


def test_answers_are_those_of_seqpipe_infer(run: Run, trained_run: Path) -> None:
    inputs = ["list.jsonl", "dev", "dev/00*.wav", "nothing*.wav"]
    infer(trained_run, inputs, "theirs.jsonl", device="cpu", workers=0, quiet=True)
    assert run(*inputs) == 3
    ours, theirs = lines(), lines("theirs.jsonl")
    assert len(ours) == 40 + 16 + 10 + 1
    shown = [[json.dumps(without_confidences(record)) for record in side] for side in (ours, theirs)]
    assert shown[0] == shown[1]
    np.testing.assert_allclose(confidences(ours), confidences(theirs), atol=1e-4)


@pytest.mark.parametrize("kind", ["csv", "srt", "vtt", "textgrid", "ctm"])
def test_other_formats_are_those_of_seqpipe_infer(kind: str, run: Run, trained_run: Path) -> None:
    name = "out.csv" if kind == "csv" else "out"
    infer(trained_run, ["list.jsonl"], f"theirs/{name}", kind=kind, device="cpu", workers=0, quiet=True)
    assert run("list.jsonl", "--format", kind, output=f"ours/{name}") == 3
    found = {path.relative_to("theirs") for path in Path("theirs").rglob("*") if path.suffix not in ("", ".journal")}
    assert len(found) >= (1 if kind == "csv" else 17)
    for path in found:
        sides = [(side / path).read_text(encoding="utf-8") for side in (Path("ours"), Path("theirs"))]
        if kind == "ctm":
            sides = [re.sub(r" \d\.\d{4}$", "", side, flags=re.MULTILINE) for side in sides]
        elif kind == "csv":
            tables = [list(csv.DictReader(io.StringIO(side))) for side in sides]
            sides = [json.dumps([(row["id"], row["text"], row["error"]) for row in table]) for table in tables]
        assert sides[0] == sides[1]


def test_parquet_where_pyarrow_is(run: Run) -> None:
    import pyarrow.parquet

    assert run("dev", output="out.parquet") == 0
    assert run("dev", output="out.jsonl") == 0
    table = pyarrow.parquet.read_table("out.parquet").to_pylist()
    assert [row["text"] for row in table] == [record["text"] for record in lines()]


def test_every_channel_by_itself(run: Run, folder: Path, trained_run: Path) -> None:
    samples, rate = soundfile.read("dev/000.wav")
    other, _ = soundfile.read("dev/001.wav")
    size = min(len(samples), len(other))
    soundfile.write("two.wav", np.stack([samples[:size], other[:size]], axis=1), rate)
    infer(trained_run, ["two.wav"], "theirs.jsonl", device="cpu", workers=0, quiet=True, channels="each")
    assert run("two.wav", "--channels", "each") == 0
    assert [record["id"] for record in lines()] == ["two.wav#1", "two.wav#2"]
    assert without_confidences(lines()) == without_confidences(lines("theirs.jsonl"))


def test_columns_of_a_manifest(run: Run, folder: Path) -> None:
    (folder / "list.tsv").write_text("file\tfrom\tkey\ndev/000.wav\t0.1\ta\ndev/001.wav\t0\tb\n")
    assert run("list.tsv", "--set", "data.input=file", "--set", "data.start=from", "--set", "data.id=key") == 0
    assert [record["id"] for record in lines()] == ["a", "b"]
    assert min(word["start"] for word in lines()[0]["words"]) >= 0.1


def test_options_of_decoding(run: Run) -> None:
    assert run("dev") == 0
    assert run("dev", "--set", "decoding.blank_penalty=-30.0", output="blanks.jsonl") == 0
    assert any(record["text"] for record in lines())
    assert not any(record["text"] for record in lines("blanks.jsonl"))


@pytest.mark.parametrize("windows", [0, 1])
def test_what_broke_off_goes_on_to_the_same_bytes(windows: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    add = Journal.add

    def failing(self: Journal, *arguments: Any) -> None:
        if self.windows == windows:
            raise Stopped
        add(self, *arguments)

    assert run("list.jsonl", output="whole.jsonl") == 3
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", failing)
        with pytest.raises(Stopped):
            run("list.jsonl")
    assert not Path("out.jsonl").exists()
    # A window is some whole groups of inputs, the first that come to 32 or more.
    assert 32 * windows <= len(lines("out.jsonl.partial")) < 32 * windows + FILES * windows + 1
    assert run("list.jsonl") == 2  # it was begun
    assert run("list.jsonl", "--resume") == 3
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_an_output_that_is_there_is_safe(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dev") == 0
    before = Path("out.jsonl").read_bytes()
    assert run("dev/000.wav") == 2
    assert "is there already; choose another name, or --overwrite" in capsys.readouterr().err
    assert Path("out.jsonl").read_bytes() == before
    assert run("dev/000.wav", "--overwrite") == 0
    assert len(lines()) == 1
    assert run("list.jsonl", "--overwrite", output="list.jsonl") == 2
    assert "which this command reads and would replace" in capsys.readouterr().err


def test_a_file_of_the_model_is_not_replaced(exported: Path, folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(exported, model)
    before = (model / "model.json").read_bytes()
    assert main([str(model), "dev", "--output", str(model / "model.json"), "--format", "jsonl", "--overwrite"]) == 2
    assert (model / "model.json").read_bytes() == before


def test_answers_come_while_standard_input_is_open(exported: Path, folder: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(exported), "-", "--output", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in ("dev/000.wav", "gone.wav", "dev/001.wav"):
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == name
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 3


def test_what_it_says(exported: Path, folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(exported), "list.jsonl", "--output", "out.jsonl"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert "failed: list.jsonl, row 17 (gone.wav): gone.wav: no such file" in done.stderr
    assert "40 inputs" in done.stderr
    assert "2 failed: 1 missing, 1 undecodable" in done.stderr


HEAVY = {"torch", "torchaudio", "lightning", "pydantic", "scipy", "pandas", "librosa", "pyarrow", "datasets", "yaml"}


def test_answering_imports_nothing_heavy(exported: Path, folder: Path) -> None:
    code = (
        "import sys, seqpipe.runtime.cli as cli\n"
        f"assert cli.main([{str(exported)!r}, 'dev', '--output', 'out', '--format', 'textgrid', '--quiet']) == 0\n"
        f"assert cli.main([{str(exported)!r}, 'list.jsonl', '--output', 'o.jsonl', '--resume', '--quiet']) == 3\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert {"numpy", "onnxruntime", "soundfile"} <= found
    assert not found & {*HEAVY, "rich", "PIL"}


@pytest.mark.parametrize("words", [["-h"], ["--version"], ["model", "a.wav"]])
def test_looking_around_imports_nothing(words: list[str]) -> None:
    code = f"import sys, seqpipe.runtime.cli as cli\ntry:\n    cli.main({words})\nexcept SystemExit:\n    pass\n"
    code += "print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.splitlines()[-1].split()) & {*HEAVY, "numpy", "onnxruntime"}


# Wrong usage, and what isn't installed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "decoding.blank_penalti=1"], "decoding.blank_penalti is not known; did you mean blank_penalty?"),
        (["--set", "decoding.blank_penalty=much"], "decoding.blank_penalty: should be of the kind of 0.0; received"),
        (["--set", "decoding.method=bean"], "decoding.method: should be greedy or beam; received 'bean'"),
        (["--set", "decoding.n_best=2"], "decoding.n_best: is for method beam, not greedy: set decoding.method too"),
        (["--set", "training.epochs=3"], "--set training.epochs=3: should be decoding.KEY=VALUE or data.KEY=VALUE"),
        (["--set", "data.target=text"], "data.target: only input, id, start, end, duration, channel, format"),
        (["--set", "data.format=xls"], "data.format: xls is not known"),
        (["data.input=file"], "data.input=file: is no input; write --set data.input=file"),
        (["--max-tokens", "5"], "max_tokens (--max-tokens) is for text, and this model reads"),
        (["--threads", "0"], "threads (--threads) should be at least 1; received 0"),
        (["--segment-seconds", "1"], "segment_seconds should be at least 5; received 1"),
        (["--resume", "--overwrite"], "--resume goes on with what is there"),
        (["--format", "columns"], "--format columns: needs words with tags"),
    ],
)
def test_wrong_usage(words: list[str], message: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    output = "out.txt" if "--format" in words else "out.jsonl"
    assert run("dev", *words, output=output) == 2
    assert message in capsys.readouterr().err
    assert not Path(output).exists()


def test_settings_of_the_command_line() -> None:
    decoding, data = parse_settings(["decoding.a=1.5", "decoding.b=null", "decoding.c=word", "data.input=1"])
    assert (decoding, data) == ({"a": 1.5, "b": None, "c": "word"}, {"input": "1"})
    with pytest.raises(ConfigError, match=r"--set decoding\.a: should be"):
        parse_settings(["decoding.a"])


def test_parquet_without_pyarrow(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"path": ["dev/000.wav"]}), "list.parquet")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pyarrow", "datasets")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert run("dev", output="out.parquet") == 2
    assert "needs pyarrow, which isn't installed" in capsys.readouterr().err
    assert run("list.parquet") == 1
    assert "list.parquet: Parquet needs pyarrow, which isn't installed" in capsys.readouterr().err
    assert run("hub:someone/something") == 1
    assert "needs datasets, which isn't installed" in capsys.readouterr().err


def test_without_onnxruntime(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert run("dev") == 2
    assert "needs onnxruntime: pip install 'seqpipe[runtime]'" in capsys.readouterr().err
