"""Shared by the tests of tools: runs one in this process, which costs no start of another one."""

import contextlib
import io
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
Run = Callable[..., subprocess.CompletedProcess[str]]


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    output, error = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(TOOLS / name), *map(str, arguments)])
        patch.syspath_prepend(TOOLS)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOLS / name), run_name="__main__")
    signal.signal(signal.SIGTERM, before)
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess([name], ended.value.code, output.getvalue(), error.getvalue())


@pytest.fixture(scope="session")
def run_tool() -> Run:
    """``run_tool("demo.py", ...)``: exit status, standard output and error of ``python tools/demo.py ...``."""
    return run


@pytest.fixture(scope="module")
def prepare(request: pytest.FixtureRequest) -> Run:
    """``prepare(download, output)``: the same of the tool that the module tests."""
    return partial(run, Path(request.module.__file__ or "").name.removeprefix("test_"))
