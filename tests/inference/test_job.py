"""A run over inputs whose files others change, by the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqpipe import cli
from seqpipe.config.recipe import Recipe
from seqpipe.data.rows import Row
from seqpipe.inference import job
from seqpipe.inference.journal import Journal
from seqpipe.pipeline import Pipeline

Command = Callable[..., tuple[int, str]]
FORMATS = ["jsonl", "csv", "parquet", "conll"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger that has learnt words and tags, and no more."""
    stages = {
        "features": [{"stage": "Tokens"}, {"stage": "Embedding", "size": 4}],
        "encoder": {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1},
        "head": {"stage": "TaggerHead", "scheme": "bio"},
    }
    pipeline = Pipeline(Recipe.model_validate({"data": {"train": ""}, "pipeline": stages}))
    pipeline.fit([Row("1", ["Anna", "met", "Boris", "."], ["B-PER", "O", "B-PER", "O"])])
    folder = tmp_path_factory.mktemp("job") / "run"
    pipeline.save(folder)
    return folder


@pytest.fixture
def command(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """``seqpipe infer`` over 100 lines in windows of 16: status, and standard error."""
    monkeypatch.chdir(tmp_path)
    Path("lines.txt").write_text("\n".join(f"Anna met Boris {number}" for number in range(100)), encoding="utf-8")

    def infer(output: str, *more: str) -> tuple[int, str]:
        inputs = ["infer", str(run), "lines.txt", "--output", output, "--window", "16", "--threads", "1"]
        return cli.main([*inputs, *more]), capfd.readouterr().err

    return infer


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 20)


def replace(path: Path) -> None:
    """By a copy of the same content."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")


# What is written in the course of a run is the same for all formats; what is made of it at the end isn't.
CHANGES = [("jsonl", name, change) for name in ("partial", "journal") for change in (truncate, replace, lengthen)]
CHANGES += [(kind, "partial", truncate) for kind in FORMATS[1:]]


@pytest.mark.parametrize(("kind", "name", "change"), CHANGES)
@pytest.mark.parametrize("windows", [2, 7])  # of seven: at a window, and at the end
def test_files_that_are_changed_meanwhile_end_the_run_and_nothing_whole_is_lost(
    kind: str,
    name: str,
    change: Callable[[Path], None],
    windows: int,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = Journal.add

    def add_and_change(journal: Journal, *given: Any) -> None:
        add(journal, *given)
        if journal.windows == windows:
            change(Path(f"out.{kind}.{name}"))

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", add_and_change)
        status, said = command(f"out.{kind}")
    assert status == 1
    assert f"out.{kind}.{name}: {'was moved, deleted or replaced' if change is replace else 'has '}" in said
    assert not Path(f"out.{kind}").exists()
    assert command(f"whole.{kind}", "--quiet") == (0, "")
    status, said = command(f"out.{kind}", "--resume")
    assert status == 0
    assert Path(f"out.{kind}").read_bytes() == Path(f"whole.{kind}").read_bytes()
    kept = {(2, True): 16, (2, False): 32, (7, True): 96, (7, False): 100}[windows, change is truncate]
    assert f"{kept} more were kept from before" in said


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_answers_that_are_changed_while_the_output_is_made_of_them_are_told(
    kind: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = job.write_output

    def truncate_and_write(store: Path, *given: Any) -> None:
        lines = store.read_bytes().splitlines(keepends=True)
        os.truncate(store, sum(map(len, lines[:68])))
        write(store, *given)

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_output", truncate_and_write)
        status, said = command(f"out.{kind}")
    assert status == 1
    assert f"out.{kind}.partial: has " in said
    assert command(f"whole.{kind}", "--quiet") == (0, "")
    assert command(f"out.{kind}", "--resume")[0] == 0
    assert Path(f"out.{kind}").read_bytes() == Path(f"whole.{kind}").read_bytes()


@pytest.mark.parametrize(("line", "kept"), [(2, 0), (4, 32)])
def test_damage_is_told_and_the_run_goes_on_behind_the_last_whole_window(
    line: int, kept: int, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise OSError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_output", stop)
        assert command("out.csv")[0] == 1
    lines = Path("out.csv.journal").read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1][:9] + b"\xff\x00" + lines[line - 1][11:]
    Path("out.csv.journal").write_bytes(b"".join(lines))
    status, said = command("out.csv", "--resume")
    assert status == 0
    assert f"out.csv.journal, line {line}: is damaged; going on behind the {line - 2} windows ({kept} inputs)" in said
    command("whole.csv")
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_answers_for_which_nothing_vouches_are_left_alone(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise OSError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_output", stop)
        command("out.csv")
    before = Path("out.csv.partial").read_bytes()
    Path("out.csv.journal").write_bytes(b"\xff" + Path("out.csv.journal").read_bytes()[1:])
    status, said = command("out.csv", "--resume")
    assert status == 1
    assert "out.csv.journal, line 1: is damaged; nothing else vouches for the answers in out.csv.partial" in said
    assert Path("out.csv.partial").read_bytes() == before


# Outputs that are inputs


@pytest.mark.parametrize("how", ["its name", "another name", "a hard link", "a symbolic link", "a folder", "a pattern"])
@pytest.mark.parametrize("end", ["", ".partial", ".journal"])
def test_what_is_read_is_never_replaced(how: str, end: str, run: Path, tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "texts").mkdir()
    text = tmp_path / "texts" / f"out.txt{end}"
    text.write_text("Anna met Boris\n", encoding="utf-8")
    if how == "a folder" and end:
        pytest.skip("a folder gives files that end with .txt")
    given = {
        "its name": text,
        "another name": tmp_path / "texts" / ".." / "texts" / text.name,
        "a hard link": tmp_path / "linked.txt",
        "a symbolic link": tmp_path / "linked.txt",
        "a folder": text.parent,
        "a pattern": tmp_path / "**" / "*.txt*",
    }[how]
    if "link" in how:
        (given.hardlink_to if how == "a hard link" else given.symlink_to)(text)
    output = ["--output", str(tmp_path / "texts" / "out.txt"), "--format", "jsonl", "--overwrite"]
    assert cli.main(["infer", str(run), str(given), *output]) == 2
    assert f"--output {text}: is " in capfd.readouterr().err
    assert text.read_text(encoding="utf-8") == "Anna met Boris\n"
    assert {path.name for path in text.parent.iterdir()} == {text.name}


def test_lists_standard_input_and_the_model_are_not_replaced_either(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shutil.copytree(run, tmp_path / "run").parent)
    Path("list.jsonl").write_text('{"text": "Anna met Boris"}\n')
    listed = ["--set", "data.input=text"]
    model = Path("run/recipe.yaml").read_bytes()
    assert cli.main(["infer", "run", "list.jsonl", "--output", "./list.jsonl", "--overwrite", *listed]) == 2
    assert "--output list.jsonl: is list.jsonl, which this command reads" in capfd.readouterr().err
    output = ["--output", "run/recipe.yaml", "--format", "jsonl", "--overwrite"]
    assert cli.main(["infer", "run", "list.jsonl", *output, *listed]) == 2
    assert "--output run/recipe.yaml: is run/recipe.yaml, which this command reads" in capfd.readouterr().err
    assert Path("run/recipe.yaml").read_bytes() == model
    assert Path("list.jsonl").read_text() == '{"text": "Anna met Boris"}\n'
    assert cli.main(["infer", "run", "list.jsonl", "--output", "other.jsonl", "--overwrite", *listed]) == 0


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("target", ["there", "not there", "on another file system"])
def test_an_output_that_is_a_link_stays_one(kind: str, target: str, command: Command, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere" / "answers"
    there.parent.mkdir()
    if target == "on another file system":
        memory = Path("/dev/shm")
        if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no other file system to write to")
        there = memory / f"{tmp_path.name}-{kind}"
    if target == "there":
        there.write_text("before")
    link = Path(f"out.{kind}")
    link.symlink_to(there)
    try:
        assert command(str(link), "--overwrite")[0] == 0
        assert link.is_symlink()
        assert command(f"whole.{kind}")[0] == 0
        assert there.read_bytes() == Path(f"whole.{kind}").read_bytes()
        assert not there.is_symlink()
        assert command(str(link), "--resume") == (0, f"out.{kind} is finished already\n")
        assert not Path(f"{link}.partial").exists()
    finally:
        there.unlink(missing_ok=True)


@pytest.mark.parametrize(("kind", "size"), [("jsonl", 248), ("csv", 250), ("jsonl", 255), ("jsonl", 300)])
def test_a_name_that_is_too_long_is_told_with_what_is_allowed(kind: str, size: int, command: Command) -> None:
    name = "ä" * ((size - len(kind) - 1) // 2) + f".{kind}"
    name = "x" * (size - len(name.encode())) + name
    status, said = command(name)
    assert status == 2
    assert f"{name}: the name has {size} bytes, and NAME.journal stands beside it while it is written" in said
    assert "takes names of 255 bytes, so give one of at most 247" in said
    assert [path.name for path in Path.cwd().iterdir()] == ["lines.txt"]
    status, _ = command(f"{'x' * (247 - len(kind) - 1)}.{kind}")
    assert status == 0
