"""tools/results.py: trainings of seconds, their records, and the tables that come of them."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "results.py"
Run = Callable[..., subprocess.CompletedProcess[str]]
TABLES = """
toy/tones:
  what: tones
  dev: 16 rows
  seeds: 2
  main: WER {wer} %
  further: CER {cer:.1f} %
  parts:
    few: {part: test, main: "WER {wer} %"}
    only b: {where: text=b, main: "all right {accuracy} %"}
toy/after:
  main: WER {wer} %
  after: toy/tones
  overrides: ["training.init_from={run}"]
toy/folds:
  main: all right {accuracy:.1f} %
  folds: {group: third, folds: 3}
"""
PAGE = """# Toy

<!-- results: toy -->
<!-- end of results -->

Words that stay.

<!-- ablations: toy/tones -->
<!-- end of ablations -->
"""
WIDER = ("--name", "wider", "pipeline.encoder.hidden_size=12")


class Toy:
    """A folder like a checkout's, with recipes that train in seconds."""

    def __init__(self, folder: Path, data: Path, environment: dict[str, str], run_tool: Run) -> None:
        self.folder, self.data, self.environment, self.run_tool = folder, data, environment, run_tool
        self.readme, self.recipes = folder / "recipes/toy/README.md", folder / "recipes/toy"
        self.recipes.mkdir(parents=True)
        self.readme.write_text(PAGE)
        (folder / "README.md").write_text("<!-- results: all -->\n<!-- end of results -->\n")
        (folder / "tables.yaml").write_text(TABLES)
        recipe = yaml.safe_load((data / "tones.yaml").read_text())
        recipe["data"] |= {"root": "data/tones", "train": "few.tsv", "test": "few.tsv"}
        recipe["training"] |= {"epochs": 1}
        recipe["pipeline"]["encoder"]["hidden_size"] = 8
        for name in ("tones", "after", "folds"):
            (self.recipes / f"{name}.yaml").write_text(yaml.safe_dump(recipe))

    def options(self) -> list[object]:
        return ["--recipes", self.folder / "recipes", "--tables", self.folder / "tables.yaml"]

    def command(self, *words: object) -> list[str]:
        return [sys.executable, str(SCRIPT), *map(str, [*words, *self.options()])]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        with contextlib.chdir(self.folder):
            return self.run_tool("results.py", *words, *self.options())

    def train(self, recipe: str, *words: object) -> subprocess.CompletedProcess[str]:
        return self.run(recipe, f"data.root={self.data}", *words)

    def write(self) -> None:
        done = self.run("--write")
        assert done.returncode == 0, done.stderr

    def rows(self, recipe: str = "tones") -> list[dict[str, Any]]:
        return json.loads((self.recipes / f"results/{recipe}.json").read_text())["rows"]

    def change(self, old: str, new: str) -> None:
        path = self.recipes / "tones.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def toy(tmp_path: Path, tone_data: Path, command_environment: dict[str, str], run_tool: Run) -> Toy:
    return Toy(tmp_path, tone_data, command_environment, run_tool)


def cells(page: str, start: str) -> list[str]:
    line = next(line for line in page.splitlines() if line.startswith(f"| {start} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def trained(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return re.findall(r"seed \d+(?=: runs)", done.stdout)


def test_records_resumption_tables_and_the_check(toy: Toy) -> None:
    assert trained(toy.train("toy/tones", "--seeds", 1)) == ["seed 1"]
    assert trained(toy.train("toy/tones", "--jobs", 2)) == ["seed 2"]  # the number of tables.yaml
    assert trained(toy.train("toy/tones")) == []
    (row,) = toy.rows()
    assert (row["name"], row["overrides"]) == (None, [])
    assert [seed["seed"] for seed in row["seeds"]] == [1, 2]
    for seed in row["seeds"]:
        run = toy.folder / f"runs/results/toy/tones/seed-{seed['seed']}"
        metrics = json.loads((run / "metrics.json").read_text())
        assert seed["scores"]["wer"] == pytest.approx(metrics["dev"]["wer"], abs=1e-4)
        assert seed["parts"].keys() == {"few", "only b"}
        assert (seed["epochs"], seed["threads"], seed["precision"]) == (1, 1, "fp32")
        assert seed["parameters"] == metrics["parameters"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", seed["date"])
        assert seed["processor"] == metrics["machine"]["processor"]

    # Runs that are gone, as on another machine: records alone decide.
    (toy.folder / "runs/results").rename(toy.folder / "runs/kept")
    assert trained(toy.train("toy/tones")) == []
    (toy.folder / "runs/kept").rename(toy.folder / "runs/results")

    assert toy.run("--check").returncode == 1
    assert toy.run("--write").returncode == 0
    assert toy.run("--check").returncode == 0
    page = toy.readme.read_text()
    wer = [seed["scores"]["wer"] for seed in row["seeds"]]
    shown = f"WER {statistics.fmean(wer):.2f} ± {statistics.stdev(wer):.2f} %"
    found = cells(page, "tones")
    assert found[1:3] == ["16 rows", shown]
    assert found[4] == "1, 2"
    assert cells(page, "... few")[2].startswith("WER ")
    assert "python tools/results.py toy/tones data.root=data/tones --seeds 2" in page
    assert "Words that stay." in page
    assert "†" not in page
    assert cells((toy.folder / "README.md").read_text(), "[toy](recipes/toy/README.md)")[2].startswith(shown)
    toy.readme.write_text(page.replace(shown, "WER 0.00 %"))
    assert toy.run("--check").returncode == 1
    assert "README.md: is not what the records say" in toy.run("--check").stdout


@pytest.mark.slow
def test_a_row_with_a_name_is_compared_with_the_recipe(toy: Toy) -> None:
    trained(toy.train("toy/tones", "--seeds", 2))
    assert trained(toy.train("toy/tones", "--seeds", 2, *WIDER)) == ["seed 1", "seed 2"]
    own, row = toy.rows()
    assert (row["name"], row["overrides"]) == ("wider", ["pipeline.encoder.hidden_size=12"])
    assert row["seeds"][0]["parameters"] > own["seeds"][0]["parameters"]
    done = toy.run("toy/tones", "--compare")
    assert done.returncode == 0, done.stderr
    compared = toy.rows()[1]["compared"]
    assert 0 < compared["p"] <= 1
    assert compared["seeds"] == [[1, 2], [1, 2]]
    toy.write()
    found = cells(toy.readme.read_text(), "wider")
    means = [statistics.fmean(seed["scores"]["wer"] for seed in each["seeds"]) for each in (own, row)]
    assert found[4:] == [f"{means[1] - means[0]:+.2f}", f"{compared['p']:.3f}"]
    assert "--seeds 2 --name wider pipeline.encoder.hidden_size=12" in toy.readme.read_text()
    assert "paired randomisation test" in toy.readme.read_text()
    # A seed that one row has alone isn't compared; one that both have wasn't, so p is no longer theirs.
    for words, p in (((), found[-1]), (WIDER, "")):
        trained(toy.train("toy/tones", "--seeds", "3-3", *words))
        toy.write()
        assert cells(toy.readme.read_text(), "wider")[-1] == p


@pytest.mark.slow
def test_a_changed_recipe_is_marked_and_then_replaced(toy: Toy) -> None:
    trained(toy.train("toy/tones", "--seeds", 2))
    toy.change(
        "learning_rate: 0.03", "learning_rate: 0.03\n  max_bad_steps: 5\n  accumulate: 1\n  seed: 9\n  precision: bf16"
    )
    toy.write()
    assert "†" not in toy.readme.read_text()  # what isn't learnt differently is no change
    toy.change("learning_rate: 0.03", "learning_rate: 0.02")
    toy.write()
    assert cells(toy.readme.read_text(), "tones †")[4] == "1, 2"
    assert "\n† measured before the recipe last changed\n" in toy.readme.read_text()
    done = toy.train("toy/tones", "--seeds", 1)
    assert trained(done) == ["seed 1"]
    assert "the record is of other values; it is replaced" in done.stdout
    assert "it is seed-1.before-1 now" in done.stdout
    assert (toy.folder / "runs/results/toy/tones/seed-1.before-1/metrics.json").is_file()
    (row,) = toy.rows()
    assert [seed["seed"] for seed in row["seeds"]] == [1]
    toy.write()
    assert cells(toy.readme.read_text(), "tones")[2].endswith("% (one seed)")
    assert "†" not in toy.readme.read_text()


def test_one_that_fails_leaves_the_others_and_is_named(toy: Toy) -> None:
    folder = toy.folder / "runs/results/toy/tones"
    folder.mkdir(parents=True)
    (folder / "seed-1").write_text("a file where a folder should be")
    done = toy.train("toy/tones", "--seeds", 2)
    assert done.returncode == 1
    assert "failed: seed 1 (exit status 1" in done.stderr
    assert "seed-1.log" in done.stderr
    assert [seed["seed"] for seed in toy.rows()[0]["seeds"]] == [2]
    assert "is a file" in (folder / "seed-1.log").read_text()


@pytest.mark.slow
def test_after_an_interruption_the_same_command_goes_on(toy: Toy) -> None:
    toy.change("epochs: 1", "epochs: 100")
    command = toy.command("toy/tones", f"data.root={toy.data}", "--seeds", 1, "training.checkpoint_minutes=0.001")
    process = subprocess.Popen(command, cwd=toy.folder, env=toy.environment, stderr=subprocess.PIPE, text=True)
    checkpoint = toy.folder / "runs/results/toy/tones/seed-1/checkpoints/last.ckpt"
    until = time.monotonic() + 200
    while not checkpoint.is_file() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=100)
    assert process.returncode == 1, error
    assert "the same command goes on" in error
    assert checkpoint.is_file()
    assert not (toy.recipes / "results").exists()
    inode = os.stat(checkpoint.parents[1]).st_ino  # noqa: PTH116
    done = toy.train("toy/tones", "--seeds", 1, "--threads", 2)  # another number of threads is accepted
    assert trained(done) == ["seed 1"]
    assert "--accept training.threads" in (checkpoint.parents[2] / "seed-1.log").read_text()
    assert os.stat(checkpoint.parents[1]).st_ino == inode  # noqa: PTH116
    assert toy.rows()[0]["seeds"][0]["epochs"] == 100


@pytest.mark.slow
def test_a_recipe_that_comes_after_another_begins_with_its_run_of_the_same_seed(toy: Toy) -> None:
    done = toy.train("toy/after", "--seeds", 1)
    assert done.returncode == 1
    assert "is needed first: python tools/results.py toy/tones --seeds 1" in done.stderr
    trained(toy.train("toy/tones", "--seeds", 1))
    assert trained(toy.train("toy/after", "--seeds", 1)) == ["seed 1"]
    assert trained(toy.train("toy/after", "--seeds", 1)) == []
    run = yaml.safe_load((toy.folder / "runs/results/toy/after/seed-1/recipe.yaml").read_text())
    assert run["training"]["init_from"].endswith("runs/results/toy/tones/seed-1")
    toy.change("learning_rate: 0.03", "learning_rate: 0.02")  # of the other one: this one's weights are others now
    toy.write()
    assert "| after † |" in toy.readme.read_text()


@pytest.mark.slow
def test_a_cross_validation_is_a_seed_of_its_own(toy: Toy, tmp_path: Path) -> None:
    lines = (toy.data / "few.tsv").read_text().splitlines()
    thirds = [f"{toy.data}/{line}\t{'abc'[number % 3]}" for number, line in enumerate(lines[1:])]
    (tmp_path / "few.tsv").write_text("\n".join([f"{lines[0]}\tthird", *thirds]) + "\n")
    done = toy.run("toy/folds", f"data.root={tmp_path}", "--seeds", 1)
    assert trained(done) == ["seed 1"]
    (row,) = toy.rows("folds")
    (seed,) = row["seeds"]
    assert seed["parts"].keys() == {"a", "b", "c"}
    of_folds = [part["accuracy"] for part in seed["parts"].values()]
    assert seed["scores"]["accuracy"] == pytest.approx(statistics.fmean(of_folds), abs=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("toy/tone",), "has no toy/tone; it has toy/tones"),
        (("toy/tones", "training.seed=3"), "the seeds are those of --seeds"),
        (("toy/tones", "--seeds", "5-2"), "should be N, for seeds 1 to N, or A-B"),
        ((), "give a recipe to train"),
        (("toy/tones", "--compare"), "has no row yet"),
    ],
)
def test_wrong_commands_are_refused(toy: Toy, words: tuple[str, ...], message: str) -> None:
    done = toy.run(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_tables_of_this_repository_are_what_its_records_say() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_recipe_has_its_place_in_a_table() -> None:
    entries = yaml.safe_load((ROOT / "tools/results.yaml").read_text(encoding="utf-8"))
    assert set(entries) == {f"{path.parent.name}/{path.stem}" for path in ROOT.glob("recipes/*/*.yaml")}
    for task in {entry.partition("/")[0] for entry in entries}:
        assert f"<!-- results: {task} -->\n" in (ROOT / f"recipes/{task}/README.md").read_text(encoding="utf-8")
    for path in ROOT.glob("recipes/*/results/*.json"):
        recipe = f"{path.parents[1].name}/{path.stem}"
        named = [row["name"] for row in json.loads(path.read_text(encoding="utf-8"))["rows"] if row["name"]]
        readme = (path.parents[1] / "README.md").read_text(encoding="utf-8")
        assert not named or f"<!-- ablations: {recipe} -->\n" in readme
