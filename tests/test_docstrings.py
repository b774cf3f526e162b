"""The examples in docstrings, run as they stand."""

import doctest
import importlib
from pathlib import Path

import pytest
import torch

import seqpipe

ROOT = Path(seqpipe.__file__).parent
FILES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if any(">>>" in line and "+SKIP" not in line for line in path.read_text(encoding="utf-8").splitlines())
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_give_what_they_show(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(".".join(["seqpipe", *path.relative_to(ROOT).with_suffix("").parts]))
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    tried = 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        source = "".join(example.source for example in test.examples)
        # What a user has after `from seqpipe import ...`.
        test.globs.update({name: getattr(seqpipe, name) for name in seqpipe.EXPORTS if name in source}, torch=torch)
        tried += runner.run(test).attempted
    assert tried > 0
    assert runner.summarize(verbose=False).failed == 0


def test_there_are_examples() -> None:
    assert len(FILES) >= 6
