"""What README and the pages of docs/ show must run as it stands there, and name what is there."""

import ast
import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
import yaml
from pydantic import ValidationError

import seqpipe
from seqpipe import cli
from seqpipe.config.overrides import apply_override
from seqpipe.config.recipe import DataConfig, TrainingConfig, find_recipe, load_recipe, parse_recipe
from seqpipe.core.head import Head, find_head
from seqpipe.core.stage import StageConfig, find_stage
from seqpipe.errors import ConfigError
from seqpipe.evaluation.experiments.space import SearchSpace
from seqpipe.export.export import export
from seqpipe.runtime import cli as runtime
from seqpipe.runtime.infer import parse_settings
from seqpipe.verbs import VERBS

ROOT = Path(__file__).parents[1]
DOCS = sorted(ROOT.glob("docs/*.md"))
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS, *sorted(ROOT.glob("recipes/*/README.md"))]
PAGES = [*GUIDES, ROOT / "CHANGELOG.md"]
README_LINES = 110
"""A screen and a half."""
ELSEWHERE = {"own_stage.md"}
"""Pages whose code and recipe another test runs: tests/test_own_stage.py."""
DECODING = [find_head(name).decoding for name in seqpipe.STAGES if issubclass(find_stage(name), Head)]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(language: str, page: Path = ROOT / "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), flags=re.DOTALL)


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)
every_guide = pytest.mark.parametrize("page", GUIDES, ids=name_of)


# Python


@pytest.fixture
def tones(tmp_path: Path) -> tuple[list[str], list[str]]:
    """Two recordings with a text each."""
    seconds = np.arange(16_000) / 16_000
    paths = []
    for name, hertz in (("low", 300), ("high", 1200)):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * seconds), 16_000)
        paths.append(str(path))
    return paths, ["ab", "cd"]


def test_the_chain_by_hand_and_a_loop_over_it_learn(tones, capsys):
    paths, texts = tones
    chain, loop = (code for code in blocks("python", ROOT / "docs/python.md") if "head" in code)
    names: dict = {"paths": paths, "texts": texts}
    exec(chain, names)
    first = float(names["loss"].detach() / names["labels"])
    exec(loop, names)
    assert float(names["loss"].detach() / names["labels"]) < first / 2
    assert len(capsys.readouterr().out.splitlines()) == len(paths)


def test_the_chain_by_hand_takes_ten_lines():
    chain = next(code for code in blocks("python") if "FeatureChain(" in code)
    assert len(chain.strip().splitlines()) <= 12  # ten and the imports
    assert chain in blocks("python", ROOT / "docs/python.md")  # where it is run


def test_a_stage_of_ones_own_in_a_recipe(tmp_path: Path):
    page = ROOT / "docs/python.md"
    stage = next(code for code in blocks("python", page) if "class Clip" in code)
    shown = next(lines for lines in blocks("yaml", page) if "Clip" in lines)
    (tmp_path / "my_stages.py").write_text(stage, encoding="utf-8")
    recipe = (ROOT / "recipes/speech/starter.yaml").read_text(encoding="utf-8")
    lines = re.search(r"^    - stage: Normalization\n(      .*\n)*", recipe, flags=re.MULTILINE)
    assert lines is not None
    (tmp_path / "my.yaml").write_text(recipe.replace(lines[0], shown))
    read = "import sys, seqpipe.config.recipe as r; print(r.load_recipe('my.yaml').dump())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    arguments = {"cwd": tmp_path, "capture_output": True, "text": True, "env": environment}
    with_it = subprocess.run([sys.executable, "-c", f"import my_stages; {read}"], **arguments)
    assert "limit: 2.5" in with_it.stdout
    without = subprocess.run([sys.executable, "-c", read], **arguments)
    assert without.returncode != 0
    assert "--import" in without.stderr


TAGGER = """
data: {train: tagged.conll, format: columns, columns: [token, tag], input: token, target: tag}
pipeline:
  features: [Tokens, {stage: Embedding, size: 8}]
  encoder: {stage: RecurrentEncoder, hidden_size: 8, layers: 1}
  head: {stage: TaggerHead, decoder: crf, scheme: bio}
training: {epochs: 2, workers: 0, threads: 1, report: false, device: cpu}
"""
TRANSLATOR = """
data: {train: pairs, dev: pairs, format: parallel, input: en, target: de}
pipeline:
  features: [{stage: Tokens, units: characters}, {stage: Embedding, size: 8}]
  encoder: {stage: RecurrentEncoder, hidden_size: 8, layers: 1}
  head: {stage: AttentionHead, units: characters, embedding_size: 8, hidden_size: 8}
training: {epochs: 2, workers: 0, threads: 1, report: false, device: cpu}
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, trained_run: Path, speak: Callable[..., Any]) -> Path:
    """A folder in which there is what the code of the pages takes for given: runs, recordings, answers of parts."""
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path_factory.mktemp("desk")
    (folder / "runs").mkdir()
    (folder / "runs/starter").symlink_to(trained_run)
    export(trained_run, folder / "exported/starter")
    for name, text in (("a.wav", "ab c"), ("b.wav", "ba")):
        soundfile.write(folder / name, speak(text, 1), 8000)
    (folder / "tagged.conll").write_text(
        "Off O\nto O\nChicago B-location\n\nOff O\nto O\nNew B-location\nYork I-location\n\n" * 4
    )
    (folder / "pairs.en").write_text("A man sleeps.\nA man eats.\n" * 4)
    (folder / "pairs.de").write_text("Ein Mann schläft.\nEin Mann isst.\n" * 4)
    for name, recipe in (("wnut", TAGGER), ("en_de", TRANSLATOR)):
        (folder / f"{name}.yaml").write_text(recipe)
        seqpipe.train(load_recipe(folder / f"{name}.yaml"), folder / "runs" / name, quiet=True)
    (folder / "answers").mkdir()
    for part in range(2):
        table = pyarrow.table({"id": [f"{part}-0", f"{part}-1"], "text": ["ab", "c"]})
        pyarrow.parquet.write_table(table, folder / f"answers/part-{part:03d}.parquet")
    return folder


def run_code(code: str, folder: Path, names: dict[str, Any]) -> list[str]:
    """What a block prints that is run in a folder; names are those before and after it."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        exec(code.replace("/shared/", f"{folder}/"), names)
    return said.getvalue().splitlines()


RUN = {
    "inference.md": lambda names, said: [line.split()[0] for line in said] == ["a.wav", "b.wav"],
    "deployment.md": lambda names, said: [line.split()[0] for line in said] == ["a.wav", "b.wav"],
    "text.md": lambda names, said: [line.split()[0] for line in said] == ["1", "2"],
    "translation.md": lambda names, said: len(said) == 1 and len(names["answer"].alternatives) == 2,
    "cluster.md": lambda names, said: names["table"].num_rows == 4,
    "decoding.md": lambda names, said: len(said) == 1,
    "alignment.md": lambda names, said: [line.split()[:2] for line in said] == [["a.wav", "True"], ["b.wav", "True"]],
}
"""Pages with code that takes runs and recordings for given, and what there is to see when it has run."""


@pytest.mark.parametrize("name", RUN)
def test_the_code_of_the_pages_runs(name: str, desk: Path) -> None:
    names: dict[str, Any] = {}
    found = blocks("python", ROOT / "docs" / name)
    assert found
    said = [line for code in found for line in run_code(code, desk, names)]
    assert RUN[name](names, said), said


def test_no_code_is_left_out() -> None:
    with_code = {page.name for page in DOCS if "```python" in text_of(page)}
    assert with_code == {*RUN, *ELSEWHERE, "python.md"}
    assert len(blocks("python")) == 1
    assert not any("```python" in text_of(page) for page in PAGES if page not in DOCS and page != ROOT / "README.md")


# Commands


def code_lines(page: Path) -> Iterator[str]:
    """Lines of code that isn't Python or the like: indented ones outside of fences, and those in fences of bash."""
    fence: str | None = None
    blank = True
    for line in text_of(page).splitlines():
        if line.startswith("```"):
            fence = None if fence is not None else line[3:].strip()
        elif fence == "bash":
            yield line
        elif fence is None and line.startswith("    ") and blank:
            yield line.strip()
            continue
        blank = fence is None and not line.strip()


def commands(page: Path) -> list[list[str]]:
    """The words of every command, comments left out; one may go over several lines."""
    found, open_line = [], ""
    for line in code_lines(page):
        whole = f"{open_line} {line}".strip()
        if whole.endswith("\\"):
            open_line = whole[:-1]
            continue
        try:
            words = shlex.split(whole, comments=True)
        except ValueError:  # a quotation that goes on in the next line; if it was none, of a line that is no command
            open_line = whole if "seqpipe " in whole else ""
            continue
        open_line = ""
        for number, word in enumerate(words):
            if word == "|" or number == 0:
                rest = words[number + (word == "|") :]
                found.append(rest[: rest.index("|")] if "|" in rest else rest)
    return found


def seqpipe_commands(page: Path) -> list[list[str]]:
    """Arguments of the commands that are ours, however they are started."""
    found = []
    for words in commands(page):
        for number, word in enumerate(words[:-1]):
            if word in ("seqpipe", "seqpipe.cli") and words[number + 1] in VERBS:
                found.append(words[number + 1 :])
                break
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for span in re.findall(r"`seqpipe ([^`]+)`", text):  # whole commands inside of sentences
        words = shlex.split(span)
        if words[0] in VERBS and len(words) > 1 and not words[1].startswith("-"):
            found.append(words)
    return found


def check_for_a_run(override: str) -> None:
    """An option of the answer, which some head must know, with a value that it takes."""
    tree: dict[str, Any] = {}
    apply_override(tree, override)
    assert tree.keys() <= {"decoding", "data"}, override
    assert set(tree.get("data", {})) <= {"input", "id", "start", "end", "format"}, override
    DataConfig.model_validate(tree.get("data", {}))
    if options := tree.get("decoding"):
        known = [model for model in DECODING if options.keys() <= model.model_fields.keys()]
        assert known, f"no head has decoding options {', '.join(options)}"
        known[0].model_validate(options)


def check_command(words: list[str]) -> None:
    """The parser takes it, the recipe is there or stands for the reader's own, and its keys and values are right."""
    try:
        options = cli._parse([re.sub(r"\$\w+", "1", word) for word in words])  # variables of a shell
    except SystemExit:
        pytest.fail(f"seqpipe {shlex.join(words)}: is no command")
    overrides = list(getattr(options, "overrides", []))
    if options.verb in ("evaluate", "report", "infer", "align", "calibrate", "tune-decoding", "export", "serve"):
        for override in [*overrides, *getattr(options, "set", [])]:
            check_for_a_run(override)
        return
    if options.verb in ("compare", "estimate-ngram", "fit-borders", "generate", "perplexity", "push", "reply"):
        return
    recipe = getattr(options, "recipe", None) or options.target
    own = recipe.startswith(("my", "runs/", "spikes", "RECIPE"))  # the reader's
    load_recipe("speech/an4" if own else find_recipe(recipe), overrides)


@every_guide
def test_commands_are_right(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for words in seqpipe_commands(page):
        check_command(words)


@pytest.mark.parametrize("page", [ROOT / "docs/deployment.md", ROOT / "packages/runtime/README.md"], ids=name_of)
def test_commands_of_the_runtime_are_right(page: Path) -> None:
    found = [words[1:] for words in commands(page) if words[0] == "seqpipe-run"]
    assert found
    for words in found:
        options = runtime._parser().parse_intermixed_args(words)
        parse_settings(options.set)


def test_commands_are_found() -> None:
    found = {name_of(page): len(seqpipe_commands(page)) for page in GUIDES}
    assert sum(found.values()) > 60
    for name in ("README.md", "docs/train.md", "docs/inference.md", "docs/cluster.md", "docs/distributed.md"):
        assert found[name] >= 2, name
    assert {words[0] for page in GUIDES for words in seqpipe_commands(page)} == set(VERBS)


def test_a_command_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for wrong in (
        "train speech/an4 training.epoch=3",
        "train speech/an5",
        "train speech/an4 --outt runs",
        "infer runs/an4 a.wav --output b.jsonl --piece-seconds 3",
        "infer runs/an4 a.wav --output b.jsonl --set decoding.bean=3",
        "evaluate runs/an4 decoding.beam=0",
    ):
        with pytest.raises((AssertionError, ConfigError, ValidationError, pytest.fail.Exception)):
            check_command(wrong.split())


def flags(words: str) -> list[str]:
    return re.findall(r"(?<![\w-])--[a-z][\w-]*", words)


@cache
def verb_flags() -> dict[str, set[str]]:
    """The options of each verb, by what it says of itself."""
    found = {}
    for verb in VERBS:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            cli._parse([verb, "-h"])
        found[verb] = set(flags(said.getvalue()))
    return found


@cache
def tool_flags() -> set[str]:
    return {flag for path in ROOT.glob("tools/*.py") for flag in flags(path.read_text())}


@every_guide
def test_options_in_the_text_are_there(page: Path) -> None:
    ours, tools = verb_flags(), tool_flags()
    anywhere = set().union(*ours.values()) | tools | {"--array"}  # of Slurm
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for span in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text):
        words = span.split()
        verb = words[1] if words[0] == "seqpipe" and len(words) > 1 else words[0]
        for flag in flags(span):
            assert flag in ours.get(verb, anywhere), f"{span}: there is no {flag}"


def test_options_of_tools_are_there() -> None:
    for page in GUIDES:
        for words in commands(page):
            for number, word in enumerate(words):
                if re.fullmatch(r"tools/\w+\.py", word):
                    source = (ROOT / word).read_text(encoding="utf-8")
                    assert all(f'"{flag}"' in source for flag in flags(" ".join(words[number:]))), words


@every_guide
def test_targets_of_make_are_there(page: Path) -> None:
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for span in [*re.findall(r"`(make [^`]+)`", text_of(page)), *code_lines(page)]:
        words = span.split()
        assert words[:1] != ["make"] or words[1] in known, span


@every_guide
def test_keys_in_the_text_are_there(page: Path) -> None:
    known = {
        "data": set(DataConfig.model_fields),
        "training": set(TrainingConfig.model_fields),
        "decoding": {name for model in DECODING for name in model.model_fields},
    }
    for section, key in re.findall(
        r"(?<![\w./-])(data|training|decoding)\.(?!md\b)([a-z]\w*)(?!\w*\.(?:py|md))", text_of(page)
    ):
        assert key in known[section], f"{section}.{key}"


@every_guide
def test_what_is_named_is_there(page: Path) -> None:
    text = text_of(page)
    for name in re.findall(r"(?<![\w/])(?:\.\./)*((?:recipes|tools|docs|seqpipe|tests|findings)/[\w/.]+)", text):
        if not re.search(r"/[A-Z]+[/.]|NAME|/recipes/", name):  # what stands for a name
            assert (ROOT / name.rstrip(".")).exists(), f"{page} names {name}"
    for name in re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", text):
        assert any((ROOT / above / name).exists() for above in ("", "seqpipe")), f"{page} names {name}"


def test_recipes_of_the_readme_are_there() -> None:
    shorts = re.findall(
        r"(?<![\w/])((?:speech|sentiment|tagging|handwriting|translation|language)/\w+)", text_of(ROOT / "README.md")
    )
    assert len(set(shorts)) >= 10
    for short in shorts:
        load_recipe(short)


# Recipes


def deeper(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A recipe with the sections of a part of one in the place of its own keys."""
    return {key: {**base.get(key, {}), **more[key]} if key in more else base[key] for key in {**base, **more}}


def test_recipes_and_parts_of_them_parse() -> None:
    whole = yaml.safe_load((ROOT / "recipes/speech/an4.yaml").read_text(encoding="utf-8"))
    parsed = 0
    for page in GUIDES:
        for block in blocks("yaml", page) if page.name not in ELSEWHERE else ():
            tree = yaml.safe_load(textwrap.dedent(block))
            parsed += 1
            if isinstance(tree, list):  # of stages
                for stage in tree:
                    if stage["stage"] != "Clip":
                        StageConfig.parse(stage)
                continue
            complete = {"features", "head"} <= tree.get("pipeline", {}).keys()
            recipe = parse_recipe(tree if complete else deeper(whole, tree), str(page))
            if "search" in tree:
                SearchSpace(recipe)
    assert parsed >= 4


# Pages


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target = "".join(target)
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / unquote(path) if path else page
        assert found.exists(), f"{page}: {target}"
        assert not anchor or anchor in slugs(found), f"{page}: {target}"


def test_every_page_is_linked() -> None:
    index, readme = text_of(ROOT / "docs/README.md"), text_of(ROOT / "README.md")
    for page in DOCS:
        assert page.name == "README.md" or f"({page.name})" in index, page
        assert page.name == "README.md" or f"docs/{page.name}" in readme, page


def test_the_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= README_LINES


def section(page: Path, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text_of(page), flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def numbers(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.,])\d+(?:\.\d+)?(?![\w.]*\w)", text))


def test_figures_of_the_readme_stand_in_the_pages_that_say_how_they_came_about() -> None:
    results, speed = (section(ROOT / "README.md", title) for title in ("Results", "Speed"))
    task, seen = "", 0
    for row in re.findall(r"^\| .*\|$", results, flags=re.MULTILINE)[1:]:
        named = re.search(r"recipes/(\w+)/README", row)
        task = named[1] if named else task
        cells = " ".join(row.split("|")[2:])
        assert numbers(cells) <= numbers(text_of(ROOT / f"recipes/{task}/README.md")), row
        seen += len(numbers(cells))
    assert seen > 30
    figures = numbers(speed) - {"2"}
    assert len(figures) > 15
    assert figures <= numbers(text_of(ROOT / "docs/benchmarks.md"))


def test_the_order_of_rooms_is_that_which_is_tested() -> None:
    tree = ast.parse((ROOT / "tests/test_rooms.py").read_text(encoding="utf-8"))
    order = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ORDER"
    )
    text = text_of(ROOT / "docs/design.md")
    shown = re.search(r"^    errors ◀(.*\n)+?\n", text, flags=re.MULTILINE)
    assert shown is not None
    assert [*map(str.strip, shown[0].replace("\n", " ").split("◀"))] == [room for room in order if room != "__main__"]


@every_page
def test_tables_hold_no_blanks(page: Path) -> None:
    assert not re.search(r"^(TABLE|RESULTS)", text_of(page), flags=re.MULTILINE)


@pytest.mark.parametrize(
    "recipe", sorted(ROOT.glob("recipes/*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_the_folder_of_a_recipe_says_what_it_is_and_how_to_run_it(recipe: Path):
    readme = (recipe.parent / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\s+python recipes/{recipe.parent.name}/run\.py {recipe.stem}\b", readme, flags=re.MULTILINE)
    assert len(re.findall(rf"\b{recipe.stem}\b", readme)) > 1, "no word about its results or its data"
    assert recipe.read_text(encoding="utf-8").startswith("# ")
