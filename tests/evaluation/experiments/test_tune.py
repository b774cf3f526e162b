import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna
import pytest

from seqpipe import cli
from seqpipe.config.recipe import Recipe, load_recipe
from seqpipe.core.metric import ScoreKind
from seqpipe.errors import ConfigError, DataError, RunError, SeqpipeError
from seqpipe.evaluation.experiments.crossval import crossval
from seqpipe.evaluation.experiments.search_report import VALUES, SearchReport
from seqpipe.evaluation.experiments.tune import _pruner, tune
from seqpipe.heads.ctc import CTCHead
from seqpipe.metrics.transcription import TranscriptionMetric

SPACES = """
search:   # what may be tried
  training.learning_rate: {low: 0.003, high: 0.1, log: true}
  pipeline.encoder.dropout: {low: 0.0, high: 0.4, step: 0.1}
  pipeline.features.SpecAugment.time_masks: {low: 0, high: 2}
  pipeline.frontend.channels: [[24], [16]]
"""
SHORT = ["data.train=few.tsv", "training.epochs=2", "training.evaluate_every=1", "training.batch_steps=400"]
SHORT += ["training.report=false"]


@pytest.fixture(scope="module")
def folder(tone_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones with a recipe that can be searched."""
    copy = Path(shutil.copytree(tone_data, tmp_path_factory.mktemp("search") / "tones"))
    (copy / "search.yaml").write_text("# My own recipe\n" + (copy / "tones.yaml").read_text() + SPACES)
    return copy


def command(folder: Path, out: Path, trials: int, *more: str) -> list[str]:
    return ["tune", str(folder / "search.yaml"), *SHORT, "--out", str(out), "--trials", str(trials), *more]


def outcomes(out: Path) -> list[Any]:
    """What was tried in a folder, and what came of it."""
    trials = json.loads((out / "tune.json").read_text())["trials"]
    return [(trial["values"], trial["outcome"], trial["scores"], trial["epochs"]) for trial in trials]


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three trials that nothing has stopped. Read only: tests share it."""
    out = tmp_path_factory.mktemp("tune") / "out"
    assert cli.main(command(folder, out, 3, "--quiet")) == 0
    return out


def small(folder: Path, *overrides: str) -> Recipe:
    """One epoch, and one value to search."""
    space = "search={training.learning_rate: {low: 0.003, high: 0.1, log: true}}"
    return load_recipe(folder / "search.yaml", [*SHORT, "training.epochs=1", space, *overrides])


def search(recipe: Recipe, out: Path, trials: int, **options: Any) -> SearchReport:
    return tune(recipe, out, trials=trials, quiet=True, **{"notice": lambda _: None, **options})


def test_the_recipes_own_values_are_tried_first_and_every_trial_is_a_run(finished: Path, folder: Path) -> None:
    tried = [values for values, *_ in outcomes(finished)]
    assert tried[0] == {
        "training.learning_rate": 0.03,
        "pipeline.encoder.dropout": 0.0,
        "pipeline.features.SpecAugment.time_masks": 2,
        "pipeline.frontend.channels": [24],
    }
    assert len({json.dumps(values) for values in tried}) == 3
    for number, (values, outcome, scores, _) in enumerate(outcomes(finished)):
        run = finished / f"trial-{number}"
        assert outcome == "done"
        assert json.loads((run / "metrics.json").read_text())["dev"] == scores
        assert load_recipe(run).training.learning_rate == values["training.learning_rate"]


def test_the_best_values_are_a_recipe_with_its_comments_that_trains_anywhere(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads((finished / "tune.json").read_text())
    best = found["best"]
    assert best["score"] == min(trial["score"] for trial in found["trials"])
    text = (finished / "best.yaml").read_text()
    assert "# My own recipe" in text
    assert "# what may be tried" in text
    assert load_recipe(finished / "best.yaml") == load_recipe(finished / f"trial-{best['trial']}")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", str(finished / "best.yaml"), "--out", "run", "--quiet"]) == 0
    assert json.loads(Path("run/metrics.json").read_text())["dev"] == best["scores"]


def test_pictures_are_drawn(finished: Path) -> None:
    for name in ("history.png", "slices.png"):
        assert (finished / name).read_bytes().startswith(b"\x89PNG")


def test_a_trial_of_several_seeds_is_their_mean(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stopped = ["trial 1:"]

    def stop(line: str) -> None:
        if line.startswith(stopped[0]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(small(folder), out, 2, seeds=2, notice=stop)  # as the second trial begins
    shutil.rmtree(out / "trial-0-seed-2")  # what was found before is known, and not asked for again
    report = search(small(folder), out, 2, seeds=2)
    assert {path.name for path in out.glob("trial-*")} == {"trial-0", "trial-2", "trial-2-seed-2"}
    runs = [json.loads((out / name / "metrics.json").read_text()) for name in ("trial-2", "trial-2-seed-2")]
    assert [run["seed"] for run in runs] == [1, 2]
    assert report.trials[1]["scores"] == {
        name: pytest.approx(sum(run["dev"][name] for run in runs) / 2) for name in runs[0]["dev"]
    }
    assert report.trials[1]["score"] == report.trials[1]["scores"][report.main_score]
    with pytest.raises(RunError, match="begun with --seeds 2"):
        search(small(folder), out, 3)
    with pytest.raises(ConfigError, match="--seeds should be at least 1"):
        search(small(folder), tmp_path / "none", 1, seeds=0)
    search(small(folder), out, 2, seeds=2, keep="best")
    assert len({path.name.split("-")[1] for path in out.glob("trial-*")}) == 2  # nothing ran, so nothing goes


@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_nothing_had_been(
    finished: Path, folder: Path, tmp_path: Path, command_environment: dict[str, str], capsys: Any
) -> None:
    out = tmp_path / "out"
    program = [str(Path(sys.executable).with_name("seqpipe")), *command(folder, out, 3)]
    process = subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env=command_environment)
    assert process.stderr is not None
    second = False
    for line in process.stderr:
        second = second or line.startswith("trial 1:")
        if second and line.startswith("epoch 1/2"):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(timeout=100) == -signal.SIGKILL
    process.stderr.close()
    assert (out / "trial-1").is_dir()
    assert not (out / "trial-1" / "metrics.json").exists()

    assert cli.main(command(folder, out, 3, "--quiet")) == 0
    assert outcomes(out) == outcomes(finished)
    assert {path.name for path in out.glob("trial-*")} == {"trial-0", "trial-2", "trial-3"}
    shown = capsys.readouterr()
    assert "trial 2: goes on where trial 1 was stopped" in shown.err
    table = shown.out.splitlines()
    assert [line.split()[0] for line in table[1:-1]] == ["0", "2", "3"]
    # What is there already is enough, so nothing more is tried.
    assert cli.main(command(folder, out, 2, "--quiet")) == 0
    assert len(outcomes(out)) == 3


@pytest.mark.parametrize(("epochs", "earliest"), [(1, None), (2, None), (3, 2), (4, 3), (5, 3), (8, 5), (30, 16)])
def test_a_trial_is_given_up_at_the_end_of_an_epoch_of_the_second_half(
    epochs: int, earliest: int | None, folder: Path
) -> None:
    study = optuna.create_study(pruner=_pruner(small(folder, f"training.epochs={epochs}")))
    for _ in range(4):  # better ones
        values = dict.fromkeys(range(1, epochs + 1), 0.0)
        study.add_trial(optuna.create_trial(value=0.0, intermediate_values=values))
    trial = study.ask()
    given_up = None
    for epoch in range(1, epochs):  # at the last one nothing is left to save
        trial.report(1.0, epoch)
        if given_up is None and trial.should_prune():
            given_up = epoch
    assert given_up == earliest


@pytest.mark.slow
def test_a_hopeless_trial_is_given_up_in_the_second_half_of_its_epochs(folder: Path, tmp_path: Path) -> None:
    recipe = small(folder, "training.epochs=4")
    search(recipe, tmp_path, 1)
    study = optuna.load_study(study_name="seqpipe", storage=f"sqlite:///{tmp_path}/study.db")
    space = {"training.learning_rate": optuna.distributions.FloatDistribution(0.003, 0.1, log=True)}
    for _ in range(4):  # better ones
        study.add_trial(
            optuna.create_trial(
                value=0.0,
                params={"training.learning_rate": 0.03},
                distributions=space,
                intermediate_values=dict.fromkeys(range(1, 5), 0.0),
                user_attrs={VALUES: {"training.learning_rate": 0.03}},
            )
        )
    found = search(recipe, tmp_path, 6)
    assert [trial["outcome"] for trial in found.trials] == ["done"] * 5 + ["given up"]
    assert found.trials[-1]["epochs"] == 3
    assert not (tmp_path / "trial-5" / "metrics.json").exists()
    assert [trial["outcome"] for trial in search(recipe, tmp_path, 7, prune=False).trials][-1] == "done"


@pytest.mark.slow
def test_trials_that_fail_are_noted_and_the_search_goes_on(folder: Path, tmp_path: Path) -> None:
    space = "search={pipeline.frontend.channels: [[24], [8, 8]]}"  # kernels and strides are of one layer
    found = search(small(folder, space), tmp_path / "out", 3, keep="best")
    failed = [trial for trial in found.trials if trial["outcome"] == "failed"]
    assert found.trials[0]["outcome"] == "done"
    assert failed
    assert all("need one entry a layer" in trial["failure"] for trial in failed)
    assert any(line.startswith(f"trial {failed[0]['trial']} failed: ") for line in found.lines())
    assert found.best is not None
    assert [path.name for path in (tmp_path / "out").glob("trial-*")] == [f"trial-{found.best['trial']}"]

    with pytest.raises(SeqpipeError, match=r"no trial has given a score\ntrial 0: .*need one entry a layer"):
        search(small(folder, "search={pipeline.frontend.channels: [[8, 8]]}"), tmp_path / "hopeless", trials=1)


def test_rows_that_can_not_be_read_end_a_search_at_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.tsv: there is no such file"):
        search(small(folder, "data.train=gone.tsv"), tmp_path, 3)


def test_values_outside_what_is_searched_are_told(folder: Path, tmp_path: Path) -> None:
    notices: list[str] = []
    found = search(small(folder, "training.learning_rate=0.5"), tmp_path, 1, notice=notices.append)
    assert any(
        "outside what is searched, the first trial draws others: training.learning_rate 0.5" in n for n in notices
    )
    assert 0.003 <= found.trials[0]["values"]["training.learning_rate"] <= 0.1


def test_a_search_ends_when_its_time_is_over(finished: Path, folder: Path, tmp_path: Path) -> None:
    notices: list[str] = []
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    recipe = load_recipe(folder / "search.yaml", SHORT)
    assert len(search(recipe, out, 5, timeout=0.0, notice=notices.append).trials) == 3
    assert notices == ["0 minutes are over: 3 of 5 trials; the same command goes on"]


def test_another_recipe_or_folder_is_refused(finished: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"begun with another recipe \(training\.seed\), so it can't go on"):
        search(load_recipe(folder / "search.yaml", [*SHORT, "training.seed=5"]), finished, 4)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"is not empty, and holds no search that could go on"):
        search(small(folder), tmp_path, 1)
    (tmp_path / "notes.txt").rename(tmp_path / "study.db")
    with pytest.raises(RunError, match=r"study\.db: can't be used"):
        search(small(folder), tmp_path, 1)


LOCKED = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_two_searches_in_one_folder_are_kept_apart(finished: Path, folder: Path) -> None:
    program = [sys.executable, "-c", LOCKED, str(finished / ".lock")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(RunError, match=r"another process searches here"):
            search(load_recipe(folder / "search.yaml", SHORT), finished, 4)
        other.communicate()


def test_without_optuna_the_extra_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqpipe\[tune\]'"):
        search(small(folder), tmp_path / "out", 1)


def test_mistakes_are_told_before_anything_is_made(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match=r"pipeline\.encoder has no layrs; did you mean layers\?"):
        search(small(folder, "search={pipeline.encoder.layrs: [1]}"), out, 1)
    with pytest.raises(ConfigError, match=r"data\.dev is required"):
        search(small(folder, "data.dev=null"), out, 1)
    with pytest.raises(ConfigError, match=r"--trials should be at least 1; received 0"):
        search(small(folder), out, 0)
    assert not out.exists()


class AccurateMetric(TranscriptionMetric):
    main = "accuracy"
    kinds: ClassVar[dict[str, ScoreKind]] = {"accuracy": TranscriptionMetric.kinds["accuracy"]}
    accuracy = 0.0

    def scores(self, total: np.ndarray) -> dict[str, float]:
        return {"accuracy": self.accuracy}


class AccurateHead(CTCHead):
    """A head whose score is the better the higher it is."""

    @classmethod
    def unfitted_metric(cls, options: Mapping[str, Any]) -> TranscriptionMetric:
        return AccurateMetric()

    @property
    def metric(self) -> AccurateMetric:
        metric = AccurateMetric(self.rules)
        metric.accuracy = float(self.output.weight.detach().abs().sum())  # another one for every trial
        return metric


@pytest.mark.slow
def test_a_head_may_want_its_score_high(folder: Path, tmp_path: Path) -> None:
    recipe = small(folder, "pipeline.head={stage: AccurateHead}")
    found = search(recipe, tmp_path / "tune", 3)
    assert found.best is not None
    scores = [trial["score"] for trial in found.trials]
    assert found.best["score"] == max(scores) > min(scores)
    assert (tmp_path / "tune" / "importances.png").is_file()
    assert found.lines()[0].split()[2:4] == ["dev", "accuracy"]
    shown = crossval(recipe, tmp_path / "folds", folds=2, quiet=True, notice=lambda _: None).lines()
    assert shown[0].split() == ["fold", "rows", "accuracy", "loss", "seconds"]
