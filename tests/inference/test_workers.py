import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import InputError
from seqpipe.inference.reading import Preparation, Reader
from seqpipe.inference.workers import Workers
from seqpipe.pipeline import Pipeline

DEADLY = """
import os, pathlib
import seqpipe.inference.reading as reading

class Deadly(reading.Preparation):
    '''Dies of an input called deadly.wav each time, of one called unlucky.wav once.'''

    def _prepare(self, raw):
        path = pathlib.Path(str(raw))
        if path.name == "deadly.wav" or (path.name == "unlucky.wav" and not path.with_suffix(".met").exists()):
            path.with_suffix(".met").touch()
            os._exit(9)
        return super()._prepare(raw)
"""


@pytest.fixture(scope="module")
def pipeline(trained_run: Path) -> Pipeline:
    return Pipeline.load(trained_run)


@pytest.fixture(scope="module")
def rows(pipeline: Pipeline, tone_data: Path) -> list[Row]:
    return list(read_rows("dev.tsv", pipeline.recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data))


@pytest.fixture
def preparation(pipeline: Pipeline) -> Preparation:
    return Preparation(pipeline.features, max_segment=1.0, max_length=100)


def read(preparation: Preparation, inputs: list[Any], **options: Any) -> list[tuple[str, Any]]:
    with closing(Workers(preparation, count=2, **options)) as workers:
        return [
            (slot.id, slot.failure if unit is None else unit.prepared)
            for slot, unit, _ in Reader(preparation, workers).read(inputs)  # type: ignore[misc]
        ]


def equal(one: list[tuple[str, Any]], other: list[tuple[str, Any]]) -> bool:
    return len(one) == len(other) and all(
        name == second and (torch.equal(item, thing) if isinstance(item, torch.Tensor) else item == thing)
        for (name, item), (second, thing) in zip(one, other, strict=True)
    )


def test_processes_read_what_threads_read_pieces_and_failures_too(preparation: Preparation, rows: list[Row]) -> None:
    samples = np.tile(preparation.features.prepare(rows[0].input, None).numpy(), 5)
    inputs: list[Any] = [*rows, "gone.wav", {"array": samples, "sampling_rate": 8000}, 5, *rows[:3]]
    by_threads = read(preparation, inputs)
    assert len(by_threads) > len(inputs)  # some were cut
    assert equal(read(preparation, inputs, processes=True), by_threads)


def test_a_process_that_dies_is_replaced_and_only_what_kills_twice_fails(
    pipeline: Pipeline, rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    import deadly

    preparation = deadly.Deadly(pipeline.features, max_segment=None, max_length=100)
    for name in ("deadly.wav", "unlucky.wav"):
        (tmp_path / name).write_bytes(rows[0].input.source.read_bytes())
    notices: list[str] = []
    inputs = [*rows[:10], str(tmp_path / "unlucky.wav"), *rows[10:12], str(tmp_path / "deadly.wav"), *rows]
    found = read(preparation, inputs, processes=True, modules=["deadly"], notice=notices.append)
    assert [name for name, _ in found] == [row.id if isinstance(row, Row) else row for row in inputs]
    failed = [item for _, item in found if not isinstance(item, torch.Tensor)]
    assert [(failure.id, failure.kind) for failure in failed] == [(str(tmp_path / "deadly.wav"), "crashed")]
    assert "died, twice" in failed[0].message
    assert torch.equal(found[10][1], preparation.features.prepare(rows[0].input, None))
    assert notices
    assert all("a process that reads inputs died" in notice for notice in notices)


def test_a_process_killed_from_outside_is_replaced(preparation: Preparation, rows: list[Row]) -> None:
    notices: list[str] = []
    with closing(Workers(preparation, count=1, processes=True, notice=notices.append)) as workers:

        def inputs() -> Iterator[Row]:
            for number, row in enumerate(rows * 8):
                if number == 60:
                    os.kill(workers.submit_call(os.getpid).result(), signal.SIGKILL)
                yield row

        found = [slot.id for slot, _, last in Reader(preparation, workers).read(inputs()) if last]  # type: ignore[misc]
    assert found == [row.id for row in rows * 8]
    assert len(notices) == 1


def test_errors_that_are_no_inputs_fault_come_through(preparation: Preparation) -> None:
    def wrong(raw: Any) -> Any:
        raise ZeroDivisionError("a mistake in a stage")

    preparation._prepare = wrong  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError, match="a mistake in a stage"):
        read(preparation, ["a.wav"])


def test_an_input_error_travels_between_processes() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(InputError("empty", "a.wav: is empty")))
    assert (error.kind, str(error)) == ("empty", "a.wav: is empty")


def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    """A pool's processes wait for work for ever; nobody would end them."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from seqpipe.inference.workers import Workers\n"
        "if __name__ == '__main__':\n"
        "    workers = Workers(print, count=1, processes=True)\n"
        "    print(workers.submit_call(os.getpid).result(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.kill()
    parent.wait()
    for _ in range(600):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{worker}/stat").exists() and ") Z" in Path(f"/proc/{worker}/stat").read_text():
            return
        time.sleep(0.1)
    pytest.fail("the process is still there after a minute")


@pytest.mark.parametrize("victim", [0, 1])
def test_a_pool_in_which_a_waiting_process_was_killed_lets_its_owner_end(victim: int, tmp_path: Path) -> None:
    """Who is killed while it waits for work keeps the queue's lock; those that wait behind it would wait for ever."""
    script = tmp_path / "owner.py"
    script.write_text(
        "import multiprocessing, os, signal, sys, time\n"
        "from seqpipe.inference.workers import Workers\n"
        "def prepare(raws):\n"
        "    time.sleep(0.2)\n"
        "    return raws, 0.0\n"
        "if __name__ == '__main__':\n"
        "    workers = Workers(prepare, count=2, processes=True)\n"
        "    for future in [workers.submit([1]) for _ in range(4)]:\n"
        "        future.result()\n"
        "    children = sorted(multiprocessing.active_children(), key=lambda child: child.pid)\n"
        "    time.sleep(0.5)\n"
        "    os.kill(children[int(sys.argv[1]) % len(children)].pid, signal.SIGKILL)\n"
        "    time.sleep(0.5)\n"
        "    workers.close()\n"
    )
    done = subprocess.run([sys.executable, str(script), str(victim)], timeout=60, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
