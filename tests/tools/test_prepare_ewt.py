"""tools/prepare_ewt.py, on made-up downloads of the public layout."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_ewt.py"
COUNTS = {"train": (12544, 204577), "dev": (2001, 25147), "test": (2077, 25094)}  # sentences, words
Sentence = list[tuple[str, str, str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def real_folder() -> Path | None:
    """The prepared data set of this machine, where there is one."""
    folder = Path(os.environ.get("SEQPIPE_DATA", "")) / "ud_english_ewt"
    return folder if "SEQPIPE_DATA" in os.environ and (folder / "train.tsv").is_file() else None


def made_up(sentences: int, words: int) -> list[Sentence]:
    """As many sentences and words, with the words that a reader could trip over among them."""
    odd = [("#", "SYM", "NFP"), ('"', "PUNCT", "``"), ("Zürich", "PROPN", "NNP"), ("and/or", "CCONJ", "CC")]
    lengths = [words // sentences + (place < words % sentences) for place in range(sentences)]
    return [[odd[(number + place) % 4] for place in range(length)] for number, length in enumerate(lengths)]


def column_text(sentences: list[Sentence]) -> str:
    return "\n".join("".join("\t".join(token) + "\n" for token in sentence) for sentence in sentences)


def conllu_text(sentences: list[Sentence]) -> str:
    """CoNLL-U with comments, a range around the first two words, and an empty node after the first."""
    lines = []
    for number, sentence in enumerate(sentences, 1):
        lines += [f"# sent_id = made-{number}", "# text = no matter\twhat"]
        if len(sentence) > 1:
            lines.append("1-2\tboth" + "\t_" * 8)
        for place, (form, upos, xpos) in enumerate(sentence, 1):
            lines.append(f"{place}\t{form}\tlemma\t{upos}\t{xpos}\t_\t0\troot\t_\tSpaceAfter=No")
            if place == 1:
                lines.append("1.1\tunsaid\tunsaid\tVERB\tVB" + "\t_" * 5)
        lines.append("")
    return "\n".join(lines) + "\n"


def write_download(folder: Path) -> dict[str, str]:
    """A download, and what should become of it: the real words of train and dev where they are here."""
    folder.mkdir()
    (folder / "LICENSE.txt").write_text("share alike")
    wanted = {split: column_text(made_up(*count)) for split, count in COUNTS.items()}
    if real := real_folder():
        wanted |= {split: (real / f"{split}.tsv").read_bytes().decode() for split in ("train", "dev")}
    for split, text in wanted.items():
        blocks = text.removesuffix("\n").split("\n\n")
        sentences = [[tuple(line.split("\t")) for line in block.split("\n")] for block in blocks]
        (folder / f"en_ewt-ud-{split}.conllu").write_bytes(conllu_text(sentences).encode())  # type: ignore[arg-type]
    return wanted


@pytest.fixture(scope="module")
def made(prepare: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of one run, beside what should be in it (``wanted``)."""
    folder = tmp_path_factory.mktemp("ewt")
    wanted = write_download(folder / "download")
    result = prepare(folder / "download", folder / "made" / "ewt")
    assert result.returncode == 0, result.stderr
    assert "train: 12544 sentences, 204577 words" in result.stderr
    (folder / "wanted").mkdir()
    for split, text in wanted.items():
        (folder / "wanted" / f"{split}.tsv").write_bytes(text.encode())
    return folder / "made" / "ewt"


def test_words_come_out_as_they_went_in(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {"LICENSE.txt", "train.tsv", "dev.tsv", "test.tsv"}
    assert (made / "LICENSE.txt").read_text() == "share alike"
    for path in (made.parents[1] / "wanted").iterdir():
        assert (made / path.name).read_bytes() == path.read_bytes()
    assert [path.name for path in made.parent.iterdir()] == ["ewt"]


@pytest.mark.slow
def test_what_is_missing_short_or_damaged_is_named_and_leaves_nothing(prepare: Run, tmp_path: Path) -> None:
    result = prepare(tmp_path / "download", tmp_path / "out")
    assert "LICENSE.txt: no such file; give the checkout" in result.stderr
    (tmp_path / "download").mkdir()
    (tmp_path / "download" / "LICENSE.txt").touch()
    assert "en_ewt-ud-train.conllu: no such file" in prepare(tmp_path / "download", tmp_path / "out").stderr
    train = tmp_path / "download" / "en_ewt-ud-train.conllu"
    train.write_text(conllu_text([[("a", "DET", "DT")]]))
    result = prepare(tmp_path / "download", tmp_path / "out")
    assert result.returncode == 1
    assert (
        "holds 1 sentences of 1 words, where 12544 of 204577 are published; check out commit 15d613d" in result.stderr
    )
    train.write_text("1\ta\ta\n")
    assert "train.conllu, line 1 (sentence 1): " in prepare(tmp_path / "download", tmp_path / "out").stderr
    assert [path.name for path in tmp_path.iterdir()] == ["download"]


@pytest.mark.slow
def test_help_says_what_to_download() -> None:
    result = in_a_process("-h")
    for expected in ("https://github.com/UniversalDependencies/UD_English-EWT", "ShareAlike 4.0", "checkout 15d613d"):
        assert expected in result.stdout
    assert in_a_process().returncode == 2


def test_of_the_real_sentences_the_real_files_are_made(made: Path) -> None:
    if not (real := real_folder()):
        pytest.skip("SEQPIPE_DATA names no folder with ud_english_ewt/train.tsv: no prepared data set to compare with")
    for split in ("train", "dev"):
        assert (made / f"{split}.tsv").read_bytes() == (real / f"{split}.tsv").read_bytes()
