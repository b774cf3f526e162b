import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqpipe.answers.failure import Failure
from seqpipe.answers.transcript import Transcript
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.formats.choose import ENDINGS, PAGES
from seqpipe.inference.formats.output import write_output

OF_TRANSCRIPTS = [kind for kind in ENDINGS if kind != "columns" and kind not in PAGES]
ODD = b"caf\xe9.wav".decode("utf-8", "surrogateescape")


@pytest.fixture
def store(tmp_path: Path, save_answers: Callable[..., Any], spoken: Callable[..., Transcript]) -> Path:
    """Three transcripts, one of them empty, and two failures."""
    answers = [
        spoken("a/b.flac", "go on now"),
        Failure("a/c.flac", "missing", "a/c.flac: no such file"),
        spoken("a/b.wav", ""),
        Failure(ODD, "missing", f"{ODD}: no such file"),
        spoken(ODD, "ünd 😀"),
    ]
    save_answers(tmp_path / "out.partial", answers)
    return tmp_path / "out.partial"


def contents(output: Path) -> dict[str, bytes]:
    if output.is_file():
        return {"": output.read_bytes()}
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", OF_TRANSCRIPTS)
def test_the_same_store_gives_the_same_bytes_and_nothing_else_is_left(kind: str, store: Path, tmp_path: Path) -> None:
    kept = store.read_bytes()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store.write_bytes(kept)
        write_output(store, kind, tmp_path / name / "new" / "out", Transcript)
        assert [path.name for path in (tmp_path / name / "new").iterdir()] == ["out"]
        assert store.exists() is (kind != "jsonl")
    one, two = (contents(tmp_path / name / "new" / "out") for name in ("one", "two"))
    assert one == two
    assert all(one) if kind in ("srt", "vtt", "textgrid", "ctm") else list(one) == [""]


def test_json_lines_are_the_store_itself(store: Path, tmp_path: Path) -> None:
    kept = store.read_bytes()
    (tmp_path / "out.jsonl").write_text("an older list")
    write_output(store, "jsonl", tmp_path / "out.jsonl", Transcript)
    assert (tmp_path / "out.jsonl").read_bytes() == kept


@pytest.mark.parametrize("kind", ["srt", "ctm"])
def test_a_file_per_recording_and_the_failures(kind: str, store: Path, tmp_path: Path) -> None:
    lines = store.read_bytes().splitlines(keepends=True)
    (tmp_path / "out").mkdir()
    (tmp_path / ".out.draft").mkdir()
    (tmp_path / ".out.draft" / "left").touch()  # by a process that was killed
    (tmp_path / "link").symlink_to("out")
    write_output(store, kind, tmp_path / "link", Transcript)
    files = contents(tmp_path / "out")
    assert set(files) == {f"a/b.{kind}", f"a/b.wav.{kind}", f"caf_udce9.{kind}", "failures.jsonl"}
    assert files[f"a/b.wav.{kind}"] == b""
    assert files["failures.jsonl"] == lines[1] + lines[3]
    assert json.loads(lines[3])["id"] == ODD
    words = files[f"a/b.{kind}"].decode().split()
    if kind == "ctm":
        assert files["a/b.ctm"].startswith(b"b 1 0.000 0.060 go 0.2500\n")
        words = words[4::6]
    assert [word for word in words if word.isalpha()] == ["go", "on", "now"]
    assert not (tmp_path / ".out.draft").exists()


@pytest.mark.parametrize("kind", ["csv", "parquet", "srt", "ctm"])
def test_what_goes_wrong_leaves_store_and_earlier_output_as_they_were(kind: str, store: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    if kind in ("csv", "parquet"):
        output.write_text("an older list")
    else:
        output.mkdir()
    torn = store.read_bytes() + b'{"id": "x", "te'
    store.write_bytes(torn)
    before = contents(output)
    with pytest.raises(DataError, match=r"out\.partial, row 6: is not JSON"):
        write_output(store, kind, output, Transcript)
    store.write_bytes(b"[1]\n")
    with pytest.raises(DataError, match=r"out\.partial, row 1: is no JSON object; received \[1\]"):
        write_output(store, kind, output, Transcript)
    assert contents(output) == before
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.partial"}


def test_a_folder_that_has_come_to_hold_something_is_not_touched(store: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    for kind in ENDINGS:
        with pytest.raises(ConfigError, match=r"is not empty|is a folder"):
            write_output(store, kind, tmp_path / "out", Transcript)
    assert contents(tmp_path / "out") == {"mine": b"kept"}
    assert store.exists()
