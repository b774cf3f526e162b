"""Shared by the tests of shipped recipes: trains the short form of one, as `short_forms.yaml` writes it."""

import gzip
import math
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqpipe.config.recipe import Recipe, load_recipe
from seqpipe.data.starter.digits import starter_digits
from seqpipe.data.starter.handwriting import starter_handwriting
from seqpipe.data.starter.language import starter_language
from seqpipe.data.starter.sentiment import starter_sentiment
from seqpipe.data.starter.speech import starter_speech
from seqpipe.data.starter.translation import starter_translation
from seqpipe.errors import ConfigError
from seqpipe.export.export import export
from seqpipe.training.train import train

FORMS: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("short_forms.yaml").read_text("utf-8"))

# Of every short form. One process and one thread: a training of seconds gains nothing from more, and varies less.
ALL = [
    *("training.seed=1", "training.precision=fp32", "training.device=cpu", "training.threads=1", "training.workers=0"),
    *("training.dry_run=false", "training.report=false", "training.loggers=[csv]"),
]

# What the starters' forms train on: of what takes long to make, a part.
STARTERS: dict[str, Callable[[Path], Path]] = {
    "digits": lambda cache: starter_digits(cache, count=400),
    "handwriting": lambda cache: starter_handwriting(cache, sizes={"train": 800, "dev": 100, "test": 10}),
    "language": starter_language,
    "sentiment": starter_sentiment,
    "speech": lambda cache: starter_speech(cache, sizes={"train": 600, "dev": 60, "test": 10}),
    "translation": starter_translation,
}


def thin(source: str, root: Path, config: Any, every: int, longest: int, folder: Path) -> str:
    """Write each ``every``-th row of a source, of those whose last column has ``longest`` characters at most.

    Returns:
        The source of these rows, as ``data.train`` takes it.
    """
    scheme, _, rest = source.rpartition(":")
    name, _, part = rest.partition("@")
    if config.format == "parallel":
        for language in (config.input, config.target):
            lines = (root / f"{name}.{language}").read_text("utf-8").splitlines(keepends=True)
            (folder / f"{name}.{language}").write_text("".join(lines[::every]), "utf-8")
        return str(folder / name)
    path = root / name
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    out = folder / path.name.removesuffix(".gz")
    header = []
    if config.format == "columns":
        rows = [f"{sentence}\n\n" for sentence in text.strip("\n").split("\n\n")]
    else:
        rows = text.splitlines(keepends=True)
        if path.suffix == ".tsv":
            header, rows = rows[:1], [row for row in rows[1:] if len(row.rstrip("\n").rpartition("\t")[2]) <= longest]
            if header[0].startswith("path\t"):
                rows = [f"{root}/{row}" for row in rows]
    out.write_text("".join([*header, *rows[::every]]), "utf-8")
    return f"{scheme}:{out}@{part}" if scheme else str(out)


def short_recipe(name: str, data: Path | None, folder: Path) -> Recipe:
    """The short form of a recipe, its rows written into ``folder``; ``data`` holds the public data sets."""
    form = FORMS[name]
    recipe = load_recipe(name, [*ALL, *form["overrides"], *shlex.split(os.environ.get("SHORT_FORM", ""))])
    config = recipe.data
    if data is not None:
        root = data / form["data"]
        config.root = str(root)

        def fewer(source: str, part: str) -> str:
            return thin(source, root, config, form.get(f"{part}_every", 1), form.get("longest", 10_000), folder / part)

        (folder / "train").mkdir(parents=True)
        (folder / "dev").mkdir()
        config.train, config.dev = fewer(config.train, "train"), fewer(config.dev, "dev")
        further = config.train_also
        config.train_also = [name if name.startswith("starter:") else fewer(name, "train") for name in further]
    config.test = None
    recipe.training.evaluate_every = recipe.training.epochs
    return recipe


MakeOnce = Callable[[str, Callable[[Path], Path]], Path]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``test_TASK.py`` gets the recipes of ``recipes/TASK``, one at a time."""
    if "recipe" in metafunc.fixturenames:
        task = Path(metafunc.module.__file__ or "").stem.removeprefix("test_")
        metafunc.parametrize("recipe", [name for name in FORMS if name.startswith(f"{task}/")])


@pytest.fixture
def short_form(made_once: MakeOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``short_form("speech/an4")`` trains it, asserts the bound on its score, and that what is exported answers so."""

    def run(name: str) -> None:
        form, data = FORMS[name], None
        bounded = bool({"at_least", "at_most"} & set(form))
        if not bounded and "SHORT_FORM" not in os.environ:
            pytest.skip("no bound was measured yet; SHORT_FORM=training.seed=1 trains it, and prints its scores")
        if "data" in form:
            folder = os.environ.get("SEQPIPE_DATA")
            if folder is None or not (Path(folder) / form["data"]).is_dir():
                pytest.skip(f"SEQPIPE_DATA names no folder with {form['data']} in it")
            data = Path(folder).resolve()
        if "starter" in form:
            fill = STARTERS[form["starter"]]
            monkeypatch.setenv("SEQPIPE_CACHE", str(made_once(f"starter-{form['starter']}", fill)))
        metrics = train(short_recipe(name, data, tmp_path / "rows"), tmp_path / "run", quiet=True)
        scores = {key: round(value, 3) for key, value in metrics["dev"].items() if isinstance(value, float)}
        print(f"\n{name}: {scores} after {metrics['seconds']} s")
        score = scores[form["score"]]
        if not bounded:
            return
        assert form.get("at_least", -math.inf) <= score <= form.get("at_most", math.inf), (
            f"dev {form['score']} {score}; measured before: {form['measured']}"
        )
        check_export(name, tmp_path / "run", tmp_path / "exported")

    return run


def check_export(name: str, run: Path, folder: Path) -> None:
    """The trained model is exported, which refuses what answers otherwise; or it is said why it can't be."""
    if name.startswith("language/"):
        with pytest.raises(ConfigError, match="LanguageModelHead can't be exported"):
            export(run, folder)
        return
    verification = export(run, folder).verification
    assert verification is not None
    print(f"{name}, exported: {'; '.join(verification.lines())}")
