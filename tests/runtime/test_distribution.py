"""The small distribution: what it is made of, and that it answers where there is no torch and no seqpipe."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import seqpipe
from seqpipe.inference.infer import infer
from seqpipe.language.kneser_ney import estimate

sys.path.insert(0, str(Path(__file__).parents[2] / "packages" / "runtime"))

import package_writer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packages" / "runtime"

REQUIRED = {"numpy", "onnxruntime", "soundfile"}
LATER = {"PIL", "sentencepiece", "bidi", "pyarrow", "datasets", "rich"}
"""What a function imports that does without, or says which extra it needs."""
OF_RUNS = "core/assets.py"
"""Whose functions read files of run directories, which no runtime does, and need what these are written with."""
SIZE = 160_000_000
"""Bytes of all that is installed, without extras."""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Packages that a module imports, and whether a function does."""
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), False)]
    while waiting:
        node, inner = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0], inner
        elif isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], inner) for alias in node.names)
        inner = inner or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        waiting += [(child, inner) for child in ast.iter_child_nodes(node)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, written to a folder of its own."""
    folder = tmp_path_factory.mktemp("written") / "seqpipe_runtime"
    package_writer.write_package(ROOT, folder, "9.9.9")
    return folder


def test_it_imports_what_it_requires_and_itself(package: Path) -> None:
    known = REQUIRED | {"seqpipe_runtime"} | set(sys.stdlib_module_names)
    for path in package.rglob("*.py"):
        for name, inner in imports(path):
            is_later = inner and (name in LATER or path == package / OF_RUNS)
            assert name in known or is_later, f"{path.relative_to(package)} imports {name}"


def test_no_module_that_is_imported_is_left_out(package: Path) -> None:
    for path in package.rglob("*.py"):
        for name in re.findall(r'(?:from |^import |")(seqpipe_runtime(?:\.\w+)+)', path.read_text(encoding="utf-8")):
            place = package.parent.joinpath(*name.split("."))
            is_there = place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
            inside = "if TYPE_CHECKING" in path.read_text(encoding="utf-8")
            assert is_there or inside, f"{path.relative_to(package)} names {name}"


def test_docs_and_messages_are_as_they_were(package: Path) -> None:
    ours = (ROOT / "seqpipe/inference/settings.py").read_text(encoding="utf-8")
    theirs = (package / "inference/settings.py").read_text(encoding="utf-8")
    assert theirs == re.sub(r"^(from )seqpipe\b", r"\1seqpipe_runtime", ours, flags=re.MULTILINE)
    assert '"seqpipe_runtime.runtime.heads.ctc:CTC"' in (package / "runtime/heads/__init__.py").read_text()


def test_it_answers_without_seqpipe(package: Path, exported: Path, tone_data: Path, tmp_path: Path) -> None:
    lm = tmp_path / "words.arpa"
    texts = [line.split("\t")[2] for line in (tone_data / "train.tsv").read_text().splitlines()[1:]]
    estimate((text.split() for text in texts), lm, order=2)
    code = f"""if True:
        import sys
        import seqpipe_runtime
        assert seqpipe_runtime.__version__ == "9.9.9"
        model = seqpipe_runtime.load({str(exported)!r})
        print([answer.text for answer in model.predict([{str(tone_data / "dev/000.wav")!r}])])
        beam = seqpipe_runtime.load({str(exported)!r}, decoding={{"method": "beam", "lm": {str(lm)!r}}})
        print([answer.text for answer in beam.predict([{str(tone_data / "dev/000.wav")!r}])])
        from seqpipe_runtime.runtime.cli import main
        assert main([{str(exported)!r}, {str(tone_data / "dev")!r}, "--output", "out.jsonl", "--quiet"]) == 0
        assert "seqpipe" not in sys.modules and "torch" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *_ = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert done.stdout == f"{[first['text']]}\n" * 2


def test_an_import_that_could_not_be_rewritten_is_refused() -> None:
    with pytest.raises(ValueError, match=r"import seqpipe\.runtime: what is called so later would keep its name"):
        package_writer.rewritten("import seqpipe.runtime\n")


def bounds(dependencies: list[str]) -> dict[str, str]:
    return dict(re.fullmatch(r"([\w-]+)(.*)", each).groups() for each in dependencies)  # type: ignore[union-attr,misc]


def test_version_licence_and_bounds_are_seqpipes() -> None:
    import package_version

    assert package_version.read_version() == seqpipe.__version__
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = bounds([*project["dependencies"], *project["optional-dependencies"]["runtime"]])
    own = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    extras = own["optional-dependencies"].values()
    theirs = bounds([*own["dependencies"], *(each for extra in extras for each in extra)])
    assert theirs.items() <= ours.items()
    assert own["requires-python"] == project["requires-python"]
    assert project["version"] == seqpipe.__version__


# As a user has it


def uv(*words: object) -> None:
    program = Path(sys.executable).with_name("uv")
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def without_confidences(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_confidences(each) for key, each in value.items() if key != "confidence"}
    return [without_confidences(each) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.skipif(not Path(sys.executable).with_name("uv").is_file(), reason="uv, which `make` installs, isn't here")
def test_built_and_installed_it_answers_as_seqpipe_does(
    exported: Path, trained_run: Path, tone_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv("build", FOLDER, "--out-dir", tmp_path / "dist")  # a wheel of the sdist
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    (wheel,) = (tmp_path / "dist").glob("seqpipe_runtime-*.whl")
    uv("pip", "install", "--python", tmp_path / "venv/bin/python", wheel)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    print(f"installed: {size / 1e6:.0f} MB ({size / 2**20:.0f} MiB)")
    assert size <= SIZE
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tone_data)
    python = str(tmp_path / "venv/bin/python")
    missing = "import importlib.util as u; print([n for n in ('torch', 'seqpipe', 'pydantic') if u.find_spec(n)])"
    assert subprocess.run([python, "-c", missing], capture_output=True, text=True, check=True).stdout == "[]\n"
    command = [str(tmp_path / "venv/bin/seqpipe-run"), str(exported), "dev", "gone.wav", "--quiet"]
    done = subprocess.run([*command, "--output", str(tmp_path / "ours.jsonl")], check=False)
    assert done.returncode == 3
    infer(trained_run, ["dev", "gone.wav"], str(tmp_path / "theirs.jsonl"), device="cpu", workers=0, quiet=True)
    sides = [
        [without_confidences(json.loads(line)) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("ours.jsonl", "theirs.jsonl")
    ]
    assert sides[0] == sides[1]
    assert len(sides[0]) == 17
    command += ["--output", str(tmp_path / "answers.parquet")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "the extra parquet of seqpipe-runtime" in said.stderr
