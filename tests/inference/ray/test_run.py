"""On a real cluster, all of it on this machine: two nodes with a core each, and a head that claims to have a GPU."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import seqpipe
from seqpipe.answers.failure import Failure
from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError
from seqpipe.inference.engine import Engine
from seqpipe.inference.infer import infer
from seqpipe.inference.predictor import Predictor
from seqpipe.inference.ray.run import AHEAD, RayEngine
from seqpipe.inference.reading import Reader
from seqpipe.inference.slot import IDLE, PAUSE
from seqpipe.inference.window import Window
from seqpipe.inference.workers import Workers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two nodes for actors; this process is connected to them."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    soon = {"health_check_period_ms": 1000, "health_check_timeout_ms": 3000, "health_check_failure_threshold": 3}
    nodes = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "num_gpus": 1, "include_dashboard": False, "_system_config": soon},
    )
    try:
        for _ in range(2):
            nodes.add_node(num_cpus=1)
        ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
        yield
    finally:
        ray.shutdown()
        nodes.shutdown()


@pytest.fixture(scope="module")
def predictor(trained_run: Path) -> Predictor:
    return seqpipe.load(trained_run, device="cpu", window=4, threads=1)


@pytest.fixture(scope="module")
def rows(predictor: Predictor, tone_data: Path) -> list[Any]:
    """70 inputs in 18 windows, some of them broken."""
    found = list(read_rows("dev.tsv", predictor.pipeline.recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data))
    broken = [Row("gone", FileSpan(Path("gone.wav"))), Failure("line 7", "bad value", "line 7: is not JSON")]
    return (found * 5)[:68] + broken


def on_one_machine(predictor: Predictor, rows: list[Any]) -> list[Window]:
    engine = Engine(predictor.pipeline, predictor.settings, predictor.compute)
    with closing(Workers(predictor.preparation, count=1)) as workers:
        return [item for item in engine.windows(Reader(predictor.preparation, workers), rows) if item is not PAUSE]


def test_a_cluster_gives_the_windows_of_one_machine_to_the_bit(
    cluster: None, trained_run: Path, predictor: Predictor, rows: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    expected = on_one_machine(predictor, rows)
    asked = 0

    def live() -> Iterator[Any]:
        nonlocal asked
        for asked, row in enumerate(rows, 1):  # noqa: B007
            yield row

    with closing(RayEngine(trained_run, predictor.settings)) as engine:
        assert engine.pool.actors == 2
        for number, window in enumerate(engine.windows(live(), 0)):
            assert window == expected[number]
            assert asked <= 4 * (number + AHEAD * engine.pool.actors)  # however many inputs there are
        assert number + 1 == len(expected) == 18
        assert [answer.kind for answer in window.answers] == ["missing", "bad value"]
        assert set(engine.spent()) == {"reading", "features", "model", "decoding"}

        # Taken up in the middle, and left there: the actors go, for those that come next to have the nodes.
        rest = engine.windows(rows[4 * 3 :], 3)
        assert next(rest) == expected[3]
        rest.close()
    assert capfd.readouterr().out == ""


def test_rows_of_a_cluster_have_their_own_hot_words(cluster: None, trained_run: Path, rows: list[Any]) -> None:
    decoding = {"method": "beam", "beam": 5, "hot_words_column": "names", "hot_word_weight": 30.0}
    told = [replace(row, columns={"names": "cc" if number % 2 else "bb a"}) for number, row in enumerate(rows[:8])]
    with closing(seqpipe.load(trained_run, device="cpu", window=4, threads=1, decoding=decoding)) as predictor:
        expected = [answer for window in on_one_machine(predictor, told) for answer in window.answers]
        assert expected != [answer for window in on_one_machine(predictor, rows[:8]) for answer in window.answers]
        columns = predictor.columns
        with closing(RayEngine(trained_run, predictor.settings, decoding=decoding, columns=columns)) as engine:
            found = [answer for window in engine.windows(told, 0) for answer in window.answers]
    assert found == expected


def test_what_comes_before_a_pause_is_answered_before_more_is_asked_for(
    cluster: None, trained_run: Path, predictor: Predictor, rows: list[Any]
) -> None:
    asked: list[str] = []

    def live() -> Iterator[Any]:
        for number in (0, 1, 2):
            asked.extend(row.id for row in rows[2 * number : 2 * number + 2])
            yield from rows[2 * number : 2 * number + 2]
            yield PAUSE
        yield from rows[6:8]
        yield IDLE  # closes no window
        yield from rows[8:10]

    with closing(RayEngine(trained_run, predictor.settings)) as engine:
        stream = engine.windows(live(), 0)
        for number in (0, 1, 2):
            window = next(item for item in stream if isinstance(item, Window))
            assert [answer.id for answer in window.answers] == asked[2 * number :]
        shape = [len(item.answers) if isinstance(item, Window) else item for item in stream]
        assert shape == [PAUSE, IDLE, 4]


DEADLY = """
import os, signal
from pathlib import Path

class DeadlyPath(type(Path())):
    '''Kills the first process that receives it, and its node if asked for.'''
    def __reduce__(self):
        return receive, (str(self), str(Path(__file__).parent), NODE)

NODE = False

def receive(path, folder, node):
    mark = Path(folder) / "killed"
    if not mark.exists():
        mark.touch()
        parent = os.getppid()
        if node and b"raylet" in Path(f"/proc/{parent}/cmdline").read_bytes():
            os.kill(parent, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return Path(path)
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the user's own, which actors have to import."""
    (tmp_path / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("deadly")
    del sys.modules["deadly"]


def kill_in_the_middle(run: Path, predictor: Predictor, rows: list[Any], deadly: Any) -> list[str]:
    """What is said when an actor, or its node, dies with a window in hand; no answer is lost, doubled or another."""
    expected = on_one_machine(predictor, rows)
    row = rows[21]
    given = [*rows[:21], Row(row.id, FileSpan(deadly.DeadlyPath(row.input.source)), None, row.number, row.source)]
    said: list[str] = []
    with closing(RayEngine(run, predictor.settings, modules=["deadly"], notice=said.append)) as engine:
        assert list(engine.windows([*given, *rows[22:]], 0)) == expected
    assert Path(deadly.__file__).with_name("killed").exists()
    return said


def test_an_actor_that_is_killed_is_replaced_and_its_windows_are_done_again(
    cluster: None, trained_run: Path, predictor: Predictor, rows: list[Any], deadly: Any
) -> None:
    assert kill_in_the_middle(trained_run, predictor, rows, deadly) == []


def test_a_node_that_has_not_the_model_is_named(
    cluster: None, trained_run: Path, predictor: Predictor, rows: list[Any], tmp_path: Path
) -> None:
    shutil.copytree(trained_run, tmp_path / "run")
    with closing(RayEngine(tmp_path / "run", predictor.settings)) as engine:
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        with pytest.raises(ConfigError, match=r"node [\d.]+: there is no .*run/model\.safetensors; .* all nodes see"):
            next(engine.windows(rows, 0))


def test_what_no_node_has_room_for_is_refused(cluster: None, trained_run: Path, predictor: Predictor) -> None:
    with pytest.raises(ConfigError, match=r"none of the cluster's nodes \(\d\) has 64 CPUs.* lower --threads"):
        RayEngine(trained_run, replace(predictor.settings, threads=64))
    with pytest.raises(ConfigError, match=r"--workers should be at least 1 with --engine ray; received 0"):
        RayEngine(trained_run, predictor.settings, actors=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the cluster only claims to have a GPU")
def test_actors_are_where_gpus_are(cluster: None, trained_run: Path, predictor: Predictor, rows: list[Any]) -> None:
    with closing(RayEngine(trained_run, replace(predictor.settings, device="cuda"))) as engine:
        assert (engine.pool.actors, engine.pool.gpus) == (1, 1)
        with pytest.raises(ConfigError, match=r"node [\d.]+: device cuda was asked for, and torch sees no CUDA device"):
            next(engine.windows(rows, 0))


def test_ray_is_asked_for_where_it_is_missing(
    trained_run: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqpipe\[ray\]'"):
        RayEngine(trained_run, predictor.settings)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"RAY_ADDRESS=127\.0\.0\.1:1: no Ray cluster can be reached there \(.*refused\)"),
        ("ray://127.0.0.1:10001", r"RAY_ADDRESS=ray://.* start the command on a machine of the cluster"),
    ],
    ids=["nobody there", "client"],
)
def test_a_cluster_that_cannot_be_reached_leaves_no_trace(
    address: str, message: str, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=message):
        infer(trained_run, ["a.wav"], str(tmp_path / "out.jsonl"), engine="ray", device="cpu")
    assert list(tmp_path.iterdir()) == []


OWN_STAGE = """
from seqpipe import Feature, InputSize, PaddedSequence

class Louder(Feature):
    '''Multiply every feature.'''
    def __init__(self, *, input_size: InputSize, factor: float = 2.0) -> None:
        super().__init__()
        self.output_size, self.factor = input_size, factor
    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        return PaddedSequence(sequence.values * self.factor, sequence.lengths)
"""
SAVE_A_RUN = """
from pathlib import Path
import my_stages
from seqpipe import Pipeline, load_recipe, read_rows
pipeline = Pipeline(load_recipe("own.yaml"))
pipeline.fit(list(read_rows("list.tsv", pipeline.recipe.data, suffixes=pipeline.features.reader.suffixes)))
pipeline.save(Path("run"))
"""


def test_the_command_with_a_stage_of_the_users_own_prints_results_alone(
    tone_data: Path, tmp_path: Path, seqpipe_command: Any, command_environment: dict[str, str]
) -> None:
    recipe = (tone_data / "tones.yaml").read_text()
    (tmp_path / "own.yaml").write_text(recipe.replace("  frontend:", "    - {stage: Louder}\n  frontend:"))
    (tmp_path / "my_stages.py").write_text(OWN_STAGE)
    shutil.copytree(tone_data / "dev", tmp_path / "dev")
    shutil.copy(tone_data / "dev.tsv", tmp_path / "list.tsv")
    subprocess.run([sys.executable, "-c", SAVE_A_RUN], cwd=tmp_path, env=command_environment, check=True)

    given = ["infer", "run", "list.tsv", "gone.wav", "--output", "-", "--import", "my_stages", "--device", "cpu"]
    given += ["--threads", "1", "--window", "4"]
    environment = {name: value for name, value in command_environment.items() if name != "RAY_ADDRESS"}
    local = seqpipe_command(*given, cwd=tmp_path)
    spread = seqpipe_command(*given, "--engine", "ray", "--workers", "2", cwd=tmp_path, env=environment)
    assert (local.returncode, local.stdout.count("\n")) == (3, 17), local.stderr
    assert (spread.returncode, spread.stdout) == (3, local.stdout), spread.stderr
    assert "1 failed: 1 missing" in spread.stderr


def test_when_a_node_dies_the_others_go_on(
    cluster: None, trained_run: Path, predictor: Predictor, rows: list[Any], deadly: Any
) -> None:
    deadly.NODE = True
    assert kill_in_the_middle(trained_run, predictor, rows, deadly) == [
        "the cluster lost 1 node(s); going on with 1 actor(s)"
    ]
