"""The command as a user runs it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

import seqpipe
from seqpipe import cli
from seqpipe.verbs import VERBS

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inputs(tone_data: Path, tmp_path: Path) -> Path:
    """Where the user stands: two good recordings and two broken ones."""
    for name, number in (("first", "000"), ("last", "001")):
        shutil.copy(tone_data / "dev" / f"{number}.wav", tmp_path / f"{name}.wav")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "silent.wav", [], 8000)
    return tmp_path


def texts(tone_data: Path) -> list[str]:
    return [line.split("\t")[2] for line in (tone_data / "dev.tsv").read_text().splitlines()[1:]]


# In a process of its own: what stands on which stream, and the exit status


def test_train_prints_results_alone_to_standard_output(
    training_command: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    run, done = training_command
    scores, last = done.stdout.splitlines()[:-1], done.stdout.splitlines()[-1]
    assert scores[:2] == ["dev wer 0.00", "dev cer 0.00"]
    assert re.fullmatch(rf"run {re.escape(str(run))} \(\d+ s, 0\.01 M parameters\)", last)
    assert "epoch 10/10" in done.stderr
    assert "Warning" not in done.stderr


def test_evaluate_as_json_is_one_object_and_nothing_else(trained_run: Path, seqpipe_command: Command) -> None:
    done = seqpipe_command("evaluate", trained_run, "--json", "decoding.method=greedy")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    record = json.loads(done.stdout)
    assert (record["wer"], record["cer"], record["rows"]) == (0.0, 0.0, 16)


def test_infer_goes_past_broken_files_and_says_so_with_its_status(
    trained_run: Path, inputs: Path, tone_data: Path, seqpipe_command: Command
) -> None:
    given = ["first.wav", "gone.wav", "broken.wav", "silent.wav", "last.wav"]
    done = seqpipe_command("infer", trained_run, *given[:2], "--output", "-", *given[2:], cwd=inputs)
    assert done.returncode == 3, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["id"] for record in records] == given
    assert [record.get("error") for record in records] == [None, "missing", "undecodable", "empty", None]
    assert [records[0]["text"], records[-1]["text"]] == texts(tone_data)[:2]
    for name in given[1:-1]:
        assert f"failed: {name}: " in done.stderr
    assert re.search(r"^5 inputs, 0:02 of audio, in \d+\.\d s: \d+ times real time", done.stderr, re.M), done.stderr
    assert re.search(r"^3 failed: .*1 missing", done.stderr, re.M)


def test_the_package_runs_as_the_command(command_environment: dict[str, str]) -> None:
    said = [
        subprocess.run([*program, "--version"], env=command_environment, check=True, capture_output=True, text=True)
        for program in ([sys.executable, "-m", "seqpipe"], [str(Path(sys.executable).with_name("seqpipe"))])
    ]
    assert said[0].stdout == said[1].stdout == f"seqpipe {seqpipe.__version__}\n"


def test_a_reader_that_has_seen_enough_is_no_error(
    trained_run: Path, inputs: Path, command_environment: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = [str(Path(sys.executable).with_name("seqpipe")), "infer", str(trained_run), "first.wav", "--output", "-"]
    program += ["--workers", "0"]
    settings = {"stderr": subprocess.PIPE, "text": True, "cwd": inputs, "env": command_environment}
    done = subprocess.run(program, stdout=writer, check=False, **settings)
    os.close(writer)
    assert (done.returncode, "Traceback" in done.stderr, "Exception" in done.stderr) == (0, False, False), done.stderr


OWN_STAGE = """
from typing import Annotated
from pydantic import Field
from seqpipe import Feature, InputSize, PaddedSequence

class Louder(Feature):
    '''Multiply every feature.'''
    def __init__(self, *, input_size: InputSize, factor: Annotated[float, Field(gt=0)] = 2.0) -> None:
        super().__init__()
        self.output_size, self.factor = input_size, factor
    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        return PaddedSequence(sequence.values * self.factor, sequence.lengths)
"""


def test_a_stage_of_the_users_own_trains_and_predicts_where_it_is_imported(
    tone_data: Path, inputs: Path, seqpipe_command: Command
) -> None:
    (inputs / "my_stages.py").write_text(OWN_STAGE)
    text = (tone_data / "tones.yaml").read_text()
    own = text.replace("    - {stage: Normalization", "    - {stage: Louder, factor: 3}\n    - {stage: Normalization")
    (inputs / "own.yaml").write_text(own)
    short = [f"data.root={tone_data}", "data.train=few.tsv", "training.epochs=1", "training.report=false"]
    trained = seqpipe_command("train", "own.yaml", *short, "--import", "my_stages", "--out", "run", cwd=inputs)
    assert trained.returncode == 0, trained.stderr
    with_it = seqpipe_command("infer", "run", "first.wav", "--output", "-", "--import", "my_stages", cwd=inputs)
    assert (with_it.returncode, json.loads(with_it.stdout)["id"]) == (0, "first.wav")
    without = seqpipe_command("infer", "run", "first.wav", "--output", "-", cwd=inputs)
    assert (without.returncode, without.stdout) == (1, "")
    assert "Louder is not a known stage" in without.stderr
    assert "--import MODULE" in without.stderr
    assert "Traceback" not in without.stderr


# In this process, which saves the seconds of its start


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error of a command line."""
    capsys.readouterr()
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as error:  # argparse's own
        status = int(error.code or 0)
    shown = capsys.readouterr()
    return status, shown.out, shown.err


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example_that_can_be_typed(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, shown, _ = run(capsys, verb, "-h")
    assert status == 0
    example = " ".join(shown.partition("example: ")[2].split()).split()
    assert example[:2] == ["seqpipe", verb]
    options = cli._parse(example[1:])
    assert options.verb == verb
    assert run(capsys, "-h")[1].count(f"{verb} ") >= 1


def test_overrides_and_inputs_may_stand_behind_options() -> None:
    options = cli._parse(["train", "a.yaml", "x.y=1", "--out", "run", "x.z=2", "--quiet", "x.w=3"])
    assert (options.recipe, options.overrides) == ("a.yaml", ["x.y=1", "x.z=2", "x.w=3"])
    options = cli._parse(["infer", "run", "a.wav", "--output", "o", "b.wav", "-"])
    assert (options.run, options.inputs) == ("run", ["a.wav", "b.wav", "-"])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, r"required: \{train,evaluate,"),
        (["fly"], 2, r"invalid choice: 'fly'"),
        (["train"], 2, r"required: recipe"),
        (["train", "RECIPE", "--epochs", "3"], 2, r"unrecognized argument: --epochs"),
        (["train", "nothing.yaml"], 2, r"there is no recipe file nothing\.yaml"),
        (["train", "RECIPE", "training.epoch=1"], 2, r"training\.epoch is not known; did you mean epochs\?"),
        (["train", "RECIPE", "--import", "nothing_here"], 2, r"--import nothing_here: No module named 'nothing_here'"),
        (["train", "RECIPE", "data.train=none.tsv", "--out", "new"], 1, r"none\.tsv: there is no such file"),
        (["train", "RECIPE", "--out", "RUN"], 1, r"is not empty; give another --out, or --resume"),
        (["train", "RECIPE", "--out", "RUN", "--resume"], 1, r"this run is finished"),
        (["evaluate", "nowhere"], 1, r"nowhere: there is no such run directory"),
        (["evaluate", "RUN", "training.epochs=1"], 2, r"only decoding\.\* can be set for a trained run"),
        (["evaluate", "RUN", "decoding.method=search"], 2, r"decoding\.method .*received 'search'"),
        (["evaluate", "RUN", "--set", "decoding.method=search"], 2, r"decoding\.method .*received 'search'"),
        (["report", "RUN", "--set", "training.epochs=1"], 2, r"only decoding\.\* can be set for a trained run"),
        (["evaluate", "RUN", "--data", "none.tsv"], 1, r"none\.tsv: there is no such file"),
        (["infer", "RUN", "first.wav"], 2, r"required: --output"),
        (["infer", "RUN", "first.wav", "--output", "-", "--device", "tpu"], 2, r"invalid choice: 'tpu'"),
        (["infer", "RUN", "first.wav", "--output", "first.wav/out.csv"], 2, r"first\.wav is a file, not a folder"),
        (["check", "nothing.tsv"], 2, r"there is no recipe file nothing\.tsv"),
    ],
)
def test_mistakes_are_told_on_standard_error_with_their_status(
    arguments: list[str],
    status: int,
    message: str,
    tone_data: Path,
    trained_run: Path,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(inputs)
    names = {"RECIPE": tone_data / "tones.yaml", "RUN": trained_run}
    found, out, err = run(capsys, *(names.get(argument, argument) for argument in arguments))
    assert (found, out) == (status, "")
    assert re.search(message, err), err
    assert "Traceback" not in err


def test_evaluate_prints_a_table(trained_run: Path, tone_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "evaluate", trained_run, "--data", tone_data / "train.tsv")
    assert status == 0
    assert out.startswith(f"{tone_data}/train.tsv: 80 rows\nWER ")


def test_evaluate_scores_the_rows_that_are_asked_for(
    trained_run: Path, tone_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *lines = (tone_data / "train.tsv").read_text().splitlines()
    rows = [f"{line}\t{'even' if number % 2 == 0 else 'odd'}" for number, line in enumerate(lines)]
    manifest = tone_data / "parity.tsv"
    manifest.write_text("\n".join([f"{header}\tparity", *rows]) + "\n")
    whole = ("evaluate", trained_run, "--data", manifest, "--json")
    status, out, _ = run(capsys, *whole, "--where", "parity=even")
    assert (status, json.loads(out)["rows"]) == (0, (len(rows) + 1) // 2)
    status, out, _ = run(capsys, *whole, "--where", "parity=even,odd")
    assert (status, json.loads(out)["rows"]) == (0, len(rows))
    for wrong, message in (
        ("parity", "should be COLUMN=VALUE"),
        ("party=odd", "has no column party to choose by; did you mean parity?"),
        ("parity=prime", "no row has prime in its column parity"),
    ):
        status, out, err = run(capsys, *whole, "--where", wrong)
        assert (status, out) == (2, "")
        assert message in err


def test_infer_writes_a_file_and_is_done(
    trained_run: Path, tone_data: Path, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = inputs / "out.jsonl"
    status, out, err = run(capsys, "infer", trained_run, tone_data / "dev", "--output", output, "--workers", 0)
    assert (status, out) == (0, "")
    assert [json.loads(line)["text"] for line in output.read_text().splitlines()] == texts(tone_data)
    assert re.search(r"(?m)^16 inputs, 0:12 of audio, in \d+\.\d s", err)
    assert re.search(r"reading \d+ %, features \d+ %, model \d+ %, decoding \d+ %, writing \d+ %$", err.strip())
    assert not output.with_name("out.jsonl.partial").exists()


def test_infer_reads_standard_input(
    trained_run: Path,
    tone_data: Path,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = f'first.wav\n{{"path": "{inputs}/last.wav", "name": "second"}}\n{{"path": 1}}\n'
    monkeypatch.chdir(inputs)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    status, out, err = run(capsys, "infer", trained_run, "-", "--output", "out.jsonl", "--workers", 0)
    assert (status, out) == (3, ""), err
    records = [json.loads(line) for line in (inputs / "out.jsonl").read_text().splitlines()]
    assert [record["id"] for record in records] == ["first.wav", "second", "line 3"]
    assert [record["text"] for record in records[:2]] == texts(tone_data)[:2]


def test_check_names_planted_rows(tone_data: Path, inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inputs / "rows.tsv").write_text("path\tname\ttext\nfirst.wav\tone\tab\nbroken.wav\ttwo\tab\ngone.wav\tthree\tab\n")
    status, out, _ = run(
        capsys, "check", inputs / "rows.tsv", "--recipe", tone_data / "tones.yaml", "data.train=few.tsv"
    )
    assert status == 1
    assert f"{inputs}/rows.tsv: 1 of 3 rows can be used" in out
    assert "row 2 (two)" in out
    assert "row 3 (three)" in out
    (inputs / "rows.tsv").write_text("path\tname\ttext\nfirst.wav\tone\tab\n")
    assert run(capsys, "check", inputs / "rows.tsv", "--recipe", tone_data / "tones.yaml")[0] == 0


def test_the_run_directory_is_named_after_the_recipe(
    tone_data: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    short = ["data.train=few.tsv", "data.dev=null", "training.epochs=1", "training.report=false", "--quiet"]
    status, out, err = run(capsys, "train", tone_data / "tones.yaml", *short)
    assert (status, err) == (0, "")
    assert out.startswith("run runs/tones (")
    assert (inputs / "runs" / "tones" / "metrics.json").is_file()
