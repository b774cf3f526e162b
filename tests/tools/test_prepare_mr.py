"""tools/prepare_mr.py, on made-up downloads of the public layout."""

import hashlib
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_mr.py"
SIZES = {"train": 8541, "dev": 1101, "test": 2210}  # of SST
Run = Callable[..., subprocess.CompletedProcess[str]]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def real_folder(name: str) -> Path | None:
    """A prepared data set of this machine, where there is one."""
    folder = Path(os.environ.get("SEQPIPE_DATA", "")) / name
    return folder if "SEQPIPE_DATA" in os.environ and (folder / "train.tsv").is_file() else None


def write_download(folder: Path, positive: list[str], negative: list[str]) -> Path:
    """A checkout with these snippets, each with a blank at its end as the public files have it, and as many more."""
    (folder / "data" / "rt-polaritydata").mkdir(parents=True)
    for ending, snippets in (("pos", positive), ("neg", negative)):
        more = [f"filler {ending} {number} of no interest at all" for number in range(5331 - len(snippets))]
        text = "".join(f"{snippet} \n" for snippet in [*snippets, *more])
        (folder / "data" / "rt-polaritydata" / f"rt-polarity.{ending}").write_bytes(text.encode())
    return folder


def write_sst(folder: Path, **sentences: list[str]) -> Path:
    """The tables of a prepared SST with these sentences, and as many more as there should be."""
    folder.mkdir(parents=True)
    for split, count in SIZES.items():
        own = sentences.get(split, [])
        more = [f"unlike all others {split} {number}" for number in range(count - len(own))]
        lines = ["label\ttext", *(f"3\t{text}" for text in [*own, *more])]
        (folder / f"{split}.fine.tsv").write_bytes("".join(f"{line}\n" for line in lines).encode())
    return folder


def bucket(text: str) -> int:
    key = re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKD", text).lower())
    return int(hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest(), 16) % 10


def read(folder: Path) -> dict[str, list[str]]:
    rows = {}
    for split in SIZES:
        header, *rows[split] = (folder / f"{split}.tsv").read_bytes().decode().split("\n")[:-1]
        assert header == "label\ttext"
    return rows


def hashing_to(split: str, *, start: str = "") -> str:
    """A snippet that no sentence equals, and that its hash sends to the split."""
    wanted = {"test": {0}, "dev": {1}, "train": set(range(2, 10))}[split]
    return next(text for n in range(1000) if bucket(text := f"{start} freely made snippet {n}".strip()) in wanted)


def test_every_rule_of_the_splits(prepare: Run, tmp_path: Path) -> None:
    long = "a sentence of the test part that has more letters than thirty"
    sst = write_sst(
        tmp_path / "sst",
        train=["It 's a Séance , 100 % !", "Seen twice .", "A quite ordinary sentence to train on ."],
        dev=["Dev has this one , of more than twenty letters .", "Short of dev ."],
        test=["Tested .", "Seen twice .", long],
    )
    contains_train = next(
        text for n in range(1000) if bucket(text := f"{n} . a quite ordinary sentence to train on .") == 1
    )
    contains_short = next(text for n in range(1000) if bucket(text := f"{n} short of dev .") > 1)
    where = {
        "it's a seance , 100% !": "train",
        "tested .": "test",
        "dev has this one , of more than twenty letters . and so on .": "dev",
        f"dev has this one , of more than twenty letters . {long} .": "test",
        contains_train: "dev",
        contains_short: "train",
        hashing_to("test"): "test",
        hashing_to("dev"): "dev",
        hashing_to("train"): "train",
        hashing_to("train", start=long[:50].strip()): "test",
        "seen twice .": None,
    }
    snippets = list(where)
    download = write_download(tmp_path / "download", snippets[:6], snippets[6:])
    result = prepare(download, sst, tmp_path / "mr")
    assert result.returncode == 0, result.stderr
    rows = read(tmp_path / "mr")
    labelled = {text: f"{int(place < 6)}\t{text}" for place, text in enumerate(snippets)}
    for text, split in where.items():
        assert [name for name in rows if labelled[text] in rows[name]] == ([split] if split else []), text
    assert sum(map(len, rows.values())) == 2 * 5331 - 1
    assert all(
        [row[0] for row in of_split] == sorted((row[0] for row in of_split), reverse=True) for of_split in rows.values()
    )
    assert "note: the splits that figures were published for have" in result.stderr


def test_other_downloads_are_refused(prepare: Run, tmp_path: Path) -> None:
    download, sst = write_download(tmp_path / "download", [], []), write_sst(tmp_path / "sst")
    assert "test.fine.tsv: no such file" not in prepare(download, sst, tmp_path / "mr").stderr
    (sst / "test.fine.tsv").write_text("label\ttext\n1\tone\n")
    result = prepare(download, sst, tmp_path / "again")
    assert result.returncode == 1
    assert (
        "test.fine.tsv: should have the columns label, text and 2210 rows; found 'label\\ttext' and 1" in result.stderr
    )
    (sst / "test.fine.tsv").unlink()
    assert "give the folder that tools/prepare_sst.py wrote" in prepare(download, sst, tmp_path / "again").stderr
    path = download / "data" / "rt-polaritydata" / "rt-polarity.neg"
    path.write_bytes(path.read_bytes() + b"one more\n")
    result = prepare(download, sst, tmp_path / "again")
    assert "rt-polarity.neg: holds 5332 snippets, where there should be 5331; check out commit 18762b4" in result.stderr
    path.write_bytes(b"gr\xfcn\n")
    assert "rt-polarity.neg: is not UTF-8 text" in prepare(download, sst, tmp_path / "again").stderr
    path.unlink()
    assert "rt-polarity.neg: no such file; give the checkout" in prepare(download, sst, tmp_path / "again").stderr
    assert not (tmp_path / "again").exists()


def test_help_says_what_to_download() -> None:
    result = in_a_process("-h")
    for expected in ("dennybritz/cnn-text-classification-tf", "Attribution 4.0", "checkout 18762b4"):
        assert expected in result.stdout
    assert in_a_process().returncode == 2


def test_the_rules_give_the_real_train_and_dev(prepare: Run, tmp_path: Path) -> None:
    real = real_folder("mr")
    sst = Path(os.environ.get("SEQPIPE_DATA", "")) / "sst"
    if not real or not (sst / "train.fine.tsv").is_file():
        pytest.skip("SEQPIPE_DATA names no folder with mr/train.tsv and sst: no prepared data set to compare with")
    rows = [row for part in ("train", "dev") for row in (real / f"{part}.tsv").read_bytes().decode().split("\n")[1:-1]]
    by_label = {label: [row[2:] for row in rows if row[0] == label] for label in "10"}
    # What stands in for the test part, which is not here: the fillers of the download are its sentences.
    fillers = [f"filler {ending} {n} of no interest at all" for ending, label in (("pos", "1"), ("neg", "0"))
               for n in range(5331 - len(by_label[label]))]  # fmt: skip
    sentences = {
        split: [row[2:] for row in (sst / f"{split}.fine.tsv").read_bytes().decode().split("\n")[1:-1]]
        for split in ("train", "dev")
    }
    prepared = write_sst(tmp_path / "sst", test=fillers, **sentences)
    download = write_download(tmp_path / "download", by_label["1"], by_label["0"])
    result = prepare(download, prepared, tmp_path / "mr")
    assert result.returncode == 0, result.stderr
    for part in ("train", "dev"):
        assert (tmp_path / "mr" / f"{part}.tsv").read_bytes() == (real / f"{part}.tsv").read_bytes()
