"""What README shows must run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.config.recipe import load_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


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
    chain, loop = (code for code in blocks("python") if "head" in code)
    names: dict = {"paths": paths, "texts": texts}
    exec(chain, names)
    first = float(names["loss"].detach() / names["labels"])
    exec(loop, names)
    assert float(names["loss"].detach() / names["labels"]) < first / 2
    assert len(capsys.readouterr().out.splitlines()) == len(paths)


def test_the_chain_by_hand_takes_ten_lines():
    chain = next(code for code in blocks("python") if "FeatureChain(" in code)
    assert len(chain.strip().splitlines()) <= 12  # ten and the imports


def test_a_stage_of_ones_own_in_a_recipe(tmp_path: Path):
    stage = next(code for code in blocks("python") if "class Clip" in code)
    (tmp_path / "my_stages.py").write_text(stage, encoding="utf-8")
    recipe = (ROOT / "recipes/speech/starter.yaml").read_text(encoding="utf-8")
    line = "    - stage: SpecAugment\n"
    assert line in recipe
    (tmp_path / "my.yaml").write_text(recipe.replace(line, "    - stage: Clip\n      limit: 2.5\n" + line))
    read = "import sys, seqpipe.config.recipe as r; print(r.load_recipe('my.yaml').dump())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    arguments = {"cwd": tmp_path, "capture_output": True, "text": True, "env": environment}
    with_it = subprocess.run([sys.executable, "-c", f"import my_stages; {read}"], **arguments)
    assert "limit: 2.5" in with_it.stdout
    without = subprocess.run([sys.executable, "-c", read], **arguments)
    assert without.returncode != 0
    assert "--import" in without.stderr


def test_commands_name_what_is_there():
    for name in re.findall(r"(?:recipes|tools|docs|seqpipe|tests)/[\w/.]+", README):
        assert (ROOT / name).exists(), f"README names {name}"
    for short in re.findall(r"seqpipe train (speech/\w+)", README):
        load_recipe(short)


def test_tables_of_the_recipes_hold_no_blanks():
    for file in (ROOT / "README.md", *ROOT.glob("recipes/*/README.md")):
        assert not re.search(r"^(TABLE|RESULTS)", file.read_text(encoding="utf-8"), flags=re.MULTILINE), file


@pytest.mark.parametrize(
    "recipe", sorted(ROOT.glob("recipes/*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_the_folder_of_a_recipe_says_what_it_is_and_how_to_run_it(recipe: Path):
    readme = (recipe.parent / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\s+python recipes/{recipe.parent.name}/run\.py {recipe.stem}\b", readme, flags=re.MULTILINE)
    assert len(re.findall(rf"\b{recipe.stem}\b", readme)) > 1, "no word about its results or its data"
    assert recipe.read_text(encoding="utf-8").startswith("# ")
