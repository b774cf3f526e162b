"""tools/prepare_sst.py, on made-up downloads of the public layout."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_sst.py"
SHARED = [f"(3 (2 Shared) (3 sentence{number}))" for number in range(3)]  # of train, and in lower case of test
Run = Callable[..., subprocess.CompletedProcess[str]]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def real_folder() -> Path | None:
    """The prepared data set of this machine, where there is one."""
    folder = Path(os.environ.get("SEQPIPE_DATA", "")) / "sst"
    return folder if "SEQPIPE_DATA" in os.environ and (folder / "train.trees.txt").is_file() else None


def trees(name: str, count: int) -> list[str]:
    return [f"({number % 5} (2 {name}{number}) (2 -LRB-))" for number in range(count)]


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A mirror: its train.txt holds the trees of dev as well, one of which train has too."""
    parts = {"train": trees("train", 8541), "dev": [*trees("dev", 1100), "(2 (2 train2) (2 -LRB-))"]}
    if real := real_folder():
        parts = {part: (real / f"{part}.trees.txt").read_bytes().decode().split("\n")[:-1] for part in parts}
    (tmp_path / "download" / "trees").mkdir(parents=True)
    test = [*trees("test", 2207), *(tree.lower() for tree in SHARED)]
    lines = {"train": [*parts["train"], *SHARED, *parts["dev"]], "dev": parts["dev"], "test": test}
    for part, of_part in lines.items():
        (tmp_path / "download" / "trees" / f"{part}.txt").write_bytes("".join(f"{line}\n" for line in of_part).encode())
    return tmp_path / "download"


def test_dev_is_taken_out_of_train_and_so_is_what_test_has(prepare: Run, download: Path, tmp_path: Path) -> None:
    result = prepare(download, tmp_path / "sst")
    assert result.returncode == 0, result.stderr
    made = {path.name: path.read_bytes().decode().split("\n")[:-1] for path in (tmp_path / "sst").iterdir()}
    names = {f"{part}.{kind}" for part in ("train", "dev", "test") for kind in ("trees.txt", "fine.tsv", "binary.tsv")}
    assert made.keys() == names
    for part, count in {"train": 8541, "dev": 1101, "test": 2210}.items():
        fine = [line.split("\t") for line in made[f"{part}.fine.tsv"]]
        assert len(made[f"{part}.trees.txt"]) == len(fine) - 1 == count
        binary = [["0" if label < "2" else "1", text] for label, text in fine[1:] if label != "2"]
        assert [line.split("\t") for line in made[f"{part}.binary.tsv"]] == [["label", "text"], *binary]
    assert made["test.fine.tsv"][:3] == ["label\ttext", "0\ttest0 (", "1\ttest1 ("]
    assert made["test.fine.tsv"][-1] == "3\tshared sentence2"
    if not real_folder():  # where there are real trees, they are compared as a whole
        assert "2\ttrain2 (" in made["train.fine.tsv"]
        assert "2\ttrain2 (" in made["dev.fine.tsv"]


def test_another_download_is_refused(prepare: Run, download: Path, tmp_path: Path) -> None:
    path = download / "trees" / "train.txt"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[whole.index("\n") + 1 :], encoding="utf-8")
    result = prepare(download, tmp_path / "sst")
    assert result.returncode == 1
    assert "train.txt: holds 9644 trees, where there should be 9645; check out commit 12bb731" in result.stderr
    path.write_text(whole.replace("(3 (2 Shared) (3 sentence1))", "(3 (2 Shared) (3 sentence1)"), encoding="utf-8")
    assert "1 trees can't be read; download it again: tree 8543 is no" in prepare(download, tmp_path / "sst").stderr
    path.write_text(whole.replace("sentence1", "other"), encoding="utf-8")
    assert "2 training sentences are also in test.txt, where 3 should be" in prepare(download, tmp_path / "sst").stderr
    path.unlink()
    assert "train.txt: no such file; give the checkout" in prepare(download, tmp_path / "sst").stderr
    assert not (tmp_path / "sst").exists()


def test_a_train_file_without_all_of_dev_is_refused(prepare: Run, download: Path, tmp_path: Path) -> None:
    path = download / "trees" / "dev.txt"
    _, rest = path.read_text(encoding="utf-8").split("\n", 1)
    path.write_text("(1 (1 Not) (2 there))\n" + rest, encoding="utf-8")
    result = prepare(download, tmp_path / "sst")
    assert "8545 trees are left without those of dev.txt, where there should be 8544" in result.stderr


def test_help_says_what_to_download() -> None:
    result = in_a_process("-h")
    for expected in ("https://github.com/munikarmanish/RNTN", "none is stated", "checkout 12bb731"):
        assert expected in result.stdout
    assert in_a_process().returncode == 2


def test_of_the_real_trees_the_real_files_are_made(prepare: Run, download: Path, tmp_path: Path) -> None:
    if not (real := real_folder()):
        pytest.skip("SEQPIPE_DATA names no folder with sst/train.trees.txt: no prepared data set to compare with")
    assert prepare(download, tmp_path / "sst").returncode == 0
    for name in (f"{part}.{kind}" for part in ("train", "dev") for kind in ("trees.txt", "fine.tsv", "binary.tsv")):
        assert (tmp_path / "sst" / name).read_bytes() == (real / name).read_bytes()
