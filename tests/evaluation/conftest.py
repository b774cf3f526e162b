"""Shared by the tests of evaluation: the model that knows the tones, and texts that make it err."""

from collections.abc import Callable
from pathlib import Path

import pytest

import seqpipe
from seqpipe.inference.predictor import Predictor

Relabel = Callable[[Callable[[int, str], str]], Path]


@pytest.fixture(scope="session")
def predictor(trained_run: Path) -> Predictor:
    """The trained run, loaded."""
    return seqpipe.load(trained_run, device="cpu")


@pytest.fixture
def relabel(tone_data: Path, tmp_path: Path) -> Relabel:
    """Writes the dev manifest with other texts: the model, which knows the tones, then errs where we say."""

    def write(change: Callable[[int, str], str]) -> Path:
        header, *rows = (tone_data / "dev.tsv").read_text().splitlines()
        fields = [row.split("\t") for row in rows]
        lines = [
            "\t".join([str(tone_data / path), name, change(index, text)])
            for index, (path, name, text) in enumerate(fields)
        ]
        (tmp_path / "dev.tsv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path / "dev.tsv"

    return write
