"""Trains recipes with several seeds, keeps what came out, and writes the tables of results in the READMEs from it.

    python tools/results.py speech/an4 data.root=data/an4 --seeds 5        # the recipe's own row
    python tools/results.py speech/an4 data.root=data/an4 --seeds 3 --name "one layer" pipeline.encoder.layers=1
    python tools/results.py speech/an4 --compare                           # p-values of the rows that have names
    python tools/results.py --write                                        # all tables, from the records alone

A seed that is finished is in recipes/TASK/results/RECIPE.json and isn't trained again, on whatever machine; one that
was interrupted goes on. Records of other values than the recipe has now are replaced. Which scores are shown, and what
else is evaluated, says tools/results.yaml. `seqpipe compare` is the test of --compare: a paired randomisation test on
dev, on each row's counts added up over the seeds.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from result_records import INCIDENTAL, Record, Results, recipe_sha256
from result_tables import compared_seeds, named_scores, readmes, rewritten

from seqpipe.config.recipe import Recipe, load_recipe, parse_recipe
from seqpipe.core.files import write_json, write_text
from seqpipe.core.metric import headline_scores
from seqpipe.data.source import data_root
from seqpipe.errors import ConfigError, RunError, SeqpipeError
from seqpipe.run_directory import read_metrics
from seqpipe.training.resume import HARMLESS, differences

ROOT = Path(__file__).resolve().parents[1]
QUIET = ["training.report=false", "training.loggers=[csv]"]
DECIMALS, MOST_SCORES = 4, 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", help="a shipped recipe, e.g. speech/an4")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    parser.add_argument("--seeds", type=seed_numbers, metavar="N", help="1 to N, or A-B (default: tools/results.yaml)")
    parser.add_argument("--name", help="of a row that something else is tried for, by overrides")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), metavar="DIR", help="default: runs/results")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings side by side")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each training")
    parser.add_argument("--again", action="store_true", help="train finished seeds anew")
    parser.add_argument("--compare", action="store_true", help="test rows with names against the recipe's; no training")
    parser.add_argument("--write", action="store_true", help="write all tables into the READMEs; no training")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a README isn't what the records say")
    parser.add_argument("--recipes", type=Path, default=ROOT / "recipes", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--tables", type=Path, default=ROOT / "tools/results.yaml", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    if (options.recipe is None) != (options.write or options.check):
        parser.error("give a recipe to train, or --write or --check alone")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = Results(options.recipes, options.tables)
        if options.write or options.check:
            return write_tables(results, check=options.check)
        if options.compare:
            return compare_rows(results, options)
        return Trainings(results, options).run()
    except SeqpipeError as error:
        print(f"results: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("results: interrupted; the same command goes on", file=sys.stderr)
        return 1


def seed_numbers(text: str) -> list[int]:
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)", text)
    if found is None or int(found[2]) < int(found[1] or 1):
        raise argparse.ArgumentTypeError(f"{text}: should be N, for seeds 1 to N, or A-B")
    return list(range(int(found[1] or 1), int(found[2]) + 1))


def say(text: str) -> None:
    print(text, flush=True)


def write_tables(results: Results, *, check: bool) -> int:
    changed = 0
    for path in readmes(results):
        text = path.read_text(encoding="utf-8")
        if (new := rewritten(text, results)) != text:
            changed += 1
            say(f"{path}: {'is not what the records say; run python tools/results.py --write' if check else 'written'}")
            if not check:
                write_text(path, new)
    return 1 if check and changed else 0


@dataclass
class Job:
    """What is still to be run for a seed: each step a command, and where its output goes."""

    seed: int
    folder: Path
    steps: deque[tuple[list[str], Path | None]]
    process: subprocess.Popen[bytes] | None = None
    open_step: tuple[Path, Path] | None = field(default=None, repr=False)

    def begin(self) -> None:
        """Start the next step; its output becomes a file when it has ended well."""
        command, output = self.steps.popleft()
        self.open_step = None
        with self.folder.with_name(f"{self.folder.name}.log").open("ab") as log:
            log.write(f"$ {shlex.join(command)}\n".encode())
            log.flush()
            stdout: Any = log
            if output is not None:
                self.open_step = output.with_suffix(".part"), output
                stdout = self.open_step[0].open("wb")
            # A session of its own: Ctrl-C is for us, and we pass it on once.
            self.process = subprocess.Popen(command, stdout=stdout, stderr=log, start_new_session=True)
            if output is not None:
                stdout.close()

    def ended(self) -> int | None:
        """The exit status of the step, once it has ended."""
        code = self.process.poll() if self.process is not None else 0
        if code == 0 and self.open_step is not None:
            self.open_step[0].replace(self.open_step[1])
        return code


class Trainings:
    """The trainings of one row."""

    def __init__(self, results: Results, options: argparse.Namespace) -> None:
        self.results, self.options, self.name = results, options, options.recipe
        self.entry = results.entry(self.name)
        self.overrides = [given for given in options.overrides if given.partition("=")[0] not in INCIDENTAL]
        if "training.seed" in (given.partition("=")[0] for given in options.overrides):
            raise ConfigError("training.seed: the seeds are those of --seeds")
        if self.overrides and options.name is None:
            raise ConfigError(f"{' '.join(self.overrides)}: another training than the recipe's; give the row a --name")
        self.folder = run_folder(options.runs, self.name, options.name)
        self.sha256 = results.sha256(self.name, self.overrides)
        self.recipe = results.load(self.name, options.overrides)
        self.parts = self.entry.parts if options.name is None else {}  # tables show them of the recipe's own row alone

    def run(self) -> int:
        options, row = self.options, self.results.row(self.name, self.options.name)
        if row is not None and row["recipe_sha256"] != self.sha256:
            say(f"{self.title}: the record is of other values; it is replaced by the first seed that is finished")
        kept = row["seeds"] if row is not None and row["recipe_sha256"] == self.sha256 and not options.again else []
        have = {seed["seed"]: seed for seed in kept}
        jobs = []
        for seed in options.seeds or range(1, self.entry.seeds + 1):
            if seed in have and self._is_complete(have[seed], self.folder / f"seed-{seed}"):
                say(f"{self.title}, seed {seed}: is in the record")
            else:
                jobs.append(self._job(seed))
        failed = self._work(jobs)
        if failed:
            print(f"results: failed: {', '.join(failed)}", file=sys.stderr)
        say("python tools/results.py --write puts the records into the READMEs")
        return 1 if failed else 0

    @property
    def title(self) -> str:
        return self.name + (f" ({self.options.name})" if self.options.name else "")

    def _is_complete(self, record: Record, folder: Path) -> bool:
        """Whether a record has all parts, or the run that could be evaluated for them isn't here."""
        missing = self.parts.keys() - record.get("parts", {}).keys()
        return not missing or run_sha256(folder) != self.sha256

    def _job(self, seed: int) -> Job:
        folder = self.folder / f"seed-{seed}"
        sha256 = run_sha256(folder)
        if (sha256 is not None and sha256 != self.sha256) or (self.options.again and is_finished(folder)):
            put_aside(folder)
            sha256 = None
        folder.parent.mkdir(parents=True, exist_ok=True)
        steps: deque[tuple[list[str], Path | None]] = deque()
        if not is_finished(folder):
            self._note_commit(folder, resumed=sha256 is not None)
            steps.append((self._training(seed, folder, resumed=sha256 is not None), None))
        for name in self.parts:
            if not (output := part_output(folder, name)).is_file():
                steps.append((self._evaluation(folder, name), output))
        return Job(seed, folder, steps)

    def _training(self, seed: int, folder: Path, *, resumed: bool) -> list[str]:
        parent = None
        if self.entry.after:
            parent = run_folder(self.options.runs, self.entry.after, None) / f"seed-{seed}"
            if not is_finished(parent) or run_sha256(parent) != self.results.sha256(self.entry.after):
                raise RunError(f"{parent}: is needed first: python tools/results.py {self.entry.after} --seeds {seed}")
        needed = [override.replace("{run}", str(parent)) for override in self.entry.overrides]
        own = [*needed, *QUIET, *self.options.overrides,
               f"training.seed={seed}", f"training.threads={self.options.threads}"]  # fmt: skip
        verb, more = ["train"], []
        if folds := self.entry.folds:
            verb, more = ["crossval"], ["--group", folds.group, "--folds", str(folds.folds)]
        elif resumed:
            now = load_recipe(self.results.recipe_file(self.name), own)
            changed = [key for key, _, _ in differences(load_recipe(folder), now) if key in INCIDENTAL - HARMLESS]
            more = [word for key in changed for word in ("--accept", key)]
        recipe = str(self.results.recipe_file(self.name))
        return [*seqpipe_command(), *verb, recipe, "--out", str(folder), "--resume", "--quiet", *more, *own]

    def _evaluation(self, folder: Path, name: str) -> list[str]:
        part = self.parts[name]
        source = getattr(self.recipe.data, part.part)
        if source is None:
            raise ConfigError(f"{self.results.tables}: {self.name}: {name}: the recipe has no data.{part.part}")
        where = ["--where", part.where] if part.where else []
        data = ["--data", str(data_root(self.recipe.data) / source)]
        return [*seqpipe_command(), "evaluate", str(folder), "--json", *data, *where, *part.decoding]

    def _note_commit(self, folder: Path, *, resumed: bool) -> None:
        """Of the code that trains, beside the run; one that goes on with other code isn't that commit's alone."""
        path = folder.with_name(f"{folder.name}.commit.json")
        now = commit([ROOT / "seqpipe", self.results.recipe_file(self.name)])
        if resumed and path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))["commit"]
            now = before if before == now or before is None else f"{before.rstrip('+')}+"
        write_json(path, {"commit": now})

    def _work(self, jobs: Sequence[Job]) -> list[str]:
        """Run jobs, some at a time; the names of those that failed."""
        waiting, running, failed = deque(jobs), list[Job](), list[str]()
        try:
            while waiting or running:
                while waiting and len(running) < self.options.jobs:
                    running.append(waiting.popleft())
                    say(f"{self.title}, seed {running[-1].seed}: {running[-1].folder}")
                for job in list(running):
                    code = job.ended()
                    if code is None:
                        continue
                    job.process = None
                    if code == 0 and job.steps:
                        job.begin()
                        continue
                    running.remove(job)
                    error = f"exit status {code}" if code else self._keep(job)
                    if error:
                        failed.append(f"seed {job.seed} ({error}; {job.folder}.log)")
                time.sleep(0.1)
        except BaseException:
            for process in (job.process for job in running if job.process is not None):
                process.terminate()
            for process in (job.process for job in running if job.process is not None):
                process.wait()  # until its checkpoint is written
            raise
        return failed

    def _keep(self, job: Job) -> str | None:
        """Put a finished seed into the record; what is wrong with it, if something is."""
        try:
            record = self._record(job)
        except (SeqpipeError, OSError, ValueError, KeyError) as error:
            return f"{type(error).__name__}: {error}"
        row = self.results.row(self.name, self.options.name)
        kept = [] if row is None or row["recipe_sha256"] != self.sha256 else row["seeds"]
        new = {"name": self.options.name, "overrides": self.overrides, "recipe_sha256": self.sha256}
        if row is not None and "compared" in row and kept:
            new["compared"] = row["compared"]
        self.results.put(self.name, {**new, "seeds": [*(seed for seed in kept if seed["seed"] != job.seed), record]})
        score = named_scores(self.entry.main)[0]
        say(f"{self.title}, seed {job.seed}: {score} {record['scores'].get(score)}, {record['minutes']} minutes")
        return None

    def _record(self, job: Job) -> Record:
        """What is kept of a finished run."""
        folder, entry = job.folder, self.entry
        parts: dict[str, dict[str, float]] = {}
        if entry.folds:
            found = json.loads((folder / "crossval.json").read_text(encoding="utf-8"))
            first = folder / found["results"][0]["run"]
            metrics = {**read_metrics(first), "seconds": found["seconds"], "dev": found["scores"]}
            for fold in found["results"]:
                parts[", ".join(fold["groups"])] = rounded(fold["scores"], named_scores(entry.main, entry.further))
        else:
            metrics, first = read_metrics(folder), folder
            for name, part in self.parts.items():
                scores = json.loads(part_output(folder, name).read_text(encoding="utf-8"))
                parts[name] = rounded(scores, named_scores(part.main, part.further))
        recipe, machine = load_recipe(first), metrics["machine"]
        shown = named_scores(entry.main, entry.further)
        names = [*shown, *headline_scores(metrics["dev"], shown[0], MOST_SCORES)]
        finished = (folder / ("crossval.json" if entry.folds else "metrics.json")).stat().st_mtime
        noted = folder.with_name(f"{folder.name}.commit.json")
        on_gpu = machine["gpu"] and recipe.training.device != "cpu"
        return {
            "seed": job.seed,
            "scores": rounded(metrics["dev"], names),
            **({"parts": parts} if parts else {}),
            "epochs": metrics["epochs"],
            "minutes": round(metrics["seconds"] / 60, 2),
            "threads": machine["threads"],
            "parameters": metrics["parameters"],
            "commit": json.loads(noted.read_text(encoding="utf-8"))["commit"] if noted.is_file() else None,
            "date": datetime.fromtimestamp(finished, UTC).date().isoformat(),
            "processor": machine["gpu"] if on_gpu else machine["processor"],
            "precision": recipe.training.precision,
        }


def rounded(scores: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """The scores of these names, which must be there."""
    return {name: round(scores[name], DECIMALS) for name in names}


def seqpipe_command() -> list[str]:
    return [sys.executable, "-m", "seqpipe"]


def run_folder(runs: Path, recipe: str, name: str | None) -> Path:
    slug = "-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") if name else ""
    return runs / f"{recipe}{slug}"


def part_output(folder: Path, name: str) -> Path:
    return folder.with_name(f"{folder.name}.{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json")


def is_finished(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("metrics.json", "crossval.json"))


def run_sha256(folder: Path) -> str | None:
    """`recipe_sha256` of what a run was begun with; None where there is none, "" if it can't be read any more."""
    try:
        if (plan := folder / "plan.json").is_file():
            begun: Recipe = parse_recipe(json.loads(plan.read_text(encoding="utf-8"))["recipe"], str(plan))
        elif (folder / "recipe.yaml").is_file():
            begun = load_recipe(folder)
        else:
            return None
    except (ConfigError, ValueError, KeyError):
        return ""
    parent = begun.training.init_from
    return recipe_sha256(begun, run_sha256(Path(parent)) if parent else None)


def put_aside(folder: Path) -> None:
    """Another training takes the place of a run, which keeps all that it has."""
    number = next(
        number for number in range(1, 1000) if not folder.with_name(f"{folder.name}.before-{number}").exists()
    )
    aside = folder.with_name(f"{folder.name}.before-{number}")
    for path in beside(folder):
        path.rename(folder.with_name(aside.name + path.name.removeprefix(folder.name)))
    folder.rename(aside)
    say(f"{folder}: is of other values, or to be trained again; it is {aside.name} now")


def beside(folder: Path) -> Iterator[Path]:
    """Log, commit and evaluations of a run."""
    for path in folder.parent.iterdir():
        rest = path.name.removeprefix(f"{folder.name}.")
        if path.is_file() and rest != path.name and not rest.startswith("before-"):
            yield path


def commit(paths: Sequence[Path]) -> str | None:
    """The commit of the checkout, short, with ``+`` where one of these differs from it; None outside of one."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        inside = [str(path) for path in paths if path.resolve().is_relative_to(ROOT)]
        return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--", *inside))
    except (OSError, subprocess.SubprocessError):
        return None


def compare_rows(results: Results, options: argparse.Namespace) -> int:
    """Test each row that has a name against the recipe's own, where the runs of both are here."""
    from seqpipe.evaluation.scores.compare import compare

    recipe, entry = options.recipe, results.entry(options.recipe)
    (score,) = named_scores(entry.main)[:1]
    own = results.row(recipe, None)
    if own is None or entry.folds:
        raise ConfigError(f"{recipe}: {'is cross-validated' if entry.folds else 'has no row yet'}; nothing to compare")
    for row in results.rows(recipe):
        if row["name"] is None or (options.name is not None and row["name"] != options.name):
            continue
        sides, seeds = [], compared_seeds(own, row)
        for each, numbers in zip((own, row), seeds, strict=True):
            folders = [run_folder(options.runs, recipe, each["name"]) / f"seed-{seed}" for seed in numbers]
            sides.append([path for path in folders if is_finished(path) and run_sha256(path) == each["recipe_sha256"]])
        if [len(side) for side in sides] != [len(numbers) for numbers in seeds]:
            say(f"{recipe} ({row['name']}): left out; not all runs of both sides are in {options.runs}")
            continue
        found = compare(sides, part="dev").differences[0][score]
        compared = {"p": round(found.p_value, 5), "with": own["recipe_sha256"], "seeds": seeds}
        results.put(recipe, {**row, "compared": compared})
        say(f"{recipe} ({row['name']}): {score} {found.second - found.first:+.2f}, p = {found.p_value:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
