"""Exported models that tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from seqpipe.export.export import export


@pytest.fixture(scope="session")
def exported(trained_run: Path, made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The model of `trained_run`, exported in fp32. Read only: tests share it."""
    return made_once("exported", lambda folder: export(trained_run, folder / "tones") and None) / "tones"
