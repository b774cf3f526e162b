"""tools/prepare_shakespeare.py, on a made-up text of the public one's length."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SIZES = {"train": 1_003_854, "dev": 55_770, "test": 55_770}
TEXT = ("First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 20_000)[: sum(SIZES.values())]
Run = Callable[..., subprocess.CompletedProcess[str]]


def write_download(folder: Path, text: str) -> Path:
    (folder / "data" / "tinyshakespeare").mkdir(parents=True)
    (folder / "data" / "tinyshakespeare" / "input.txt").write_text(text)
    return folder


def test_the_parts_are_the_text_in_its_order(prepare: Run, tmp_path: Path) -> None:
    done = prepare(write_download(tmp_path / "download", TEXT), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    parts = {part: (tmp_path / "out" / f"{part}.txt").read_text() for part in SIZES}
    assert {part: len(text) for part, text in parts.items()} == SIZES
    assert "".join(parts.values()) == TEXT


@pytest.mark.parametrize(("text", "message"), [(TEXT[:-1], "1,115,393 characters"), (None, "there is no such file")])
def test_another_download_is_refused_with_nothing_written(
    prepare: Run, text: str | None, message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "download" if text is None else write_download(tmp_path / "download", text)
    done = prepare(folder, tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
