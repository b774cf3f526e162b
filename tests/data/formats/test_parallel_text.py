"""Two files of lines that are each other's translations."""

from pathlib import Path

import pytest

from seqpipe import DataError, InputError, read_rows
from seqpipe.config.recipe import DataConfig
from seqpipe.core.lines import MAX_LINE_BYTES

CONFIG = DataConfig(format="parallel", input="en", target="de")


def write(folder: Path, english: bytes, german: bytes | None) -> None:
    (folder / "train.en").write_bytes(english)
    if german is not None:
        (folder / "train.de").write_bytes(german)


def test_lines_are_pairs(tmp_path: Path) -> None:
    write(tmp_path, "A dog.\r\nTwo\u2028men \u201d\n".encode(), "Ein Hund.\nZwei M\u00e4nner".encode())
    rows = list(read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path))
    assert [(row.number, row.input, row.target) for row in rows] == [
        (1, "A dog.", "Ein Hund."),
        (2, "Two\u2028men \u201d", "Zwei M\u00e4nner"),
    ]


@pytest.mark.parametrize(("english", "german", "ended"), [(b"a\nb\nc\n", b"x\ny\n", "de"), (b"a\n", b"x\ny\nz", "en")])
def test_the_line_at_which_lengths_differ_is_named(tmp_path: Path, english: bytes, german: bytes, ended: str) -> None:
    write(tmp_path, english, german)
    last = {"de": 2, "en": 1}[ended]
    with pytest.raises(
        DataError, match=rf"train\.{ended}: ends after line {last}, and .* goes on with line {last + 1}"
    ):
        list(read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path))
    *whole, alone = read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path, strict=False)
    assert len(whole) == last
    assert isinstance(alone.problem, InputError)


def test_lines_that_cannot_be_read_are_named_and_harm_no_others(tmp_path: Path) -> None:
    write(tmp_path, b"a\n\xff\nc\n", b"x\ny\nz\0\n")
    rows = list(read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path))
    assert [row.problem is None for row in rows] == [True, False, False]
    assert "train.en, line 2" in str(rows[1].problem)
    assert "train.de, line 3" in str(rows[2].problem)


def test_a_missing_side_is_named_unless_no_target_is_needed(tmp_path: Path) -> None:
    write(tmp_path, b"a\n", None)
    with pytest.raises(DataError, match=r"train\.de: there is no such file \(format: parallel reads train\.en and"):
        list(read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path))
    (row,) = read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path, needs_target=False)
    assert (row.input, row.target) == ("a", None)


def test_a_manifest_may_stand_beside(tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("en\tde\na\tx\n")
    (row,) = read_rows("more.tsv", CONFIG, suffixes=frozenset(), root=tmp_path)
    assert (row.input, row.target) == ("a", "x")


def test_one_side_in_the_place_of_both_is_told(tmp_path: Path) -> None:
    write(tmp_path, b"A dog.\n", b"Ein Hund.\n")
    for name in ("train.en", "train.de"):
        with pytest.raises(DataError, match=rf"{name}: is one side alone; .* in common: .*train$"):
            list(read_rows(name, CONFIG, suffixes=frozenset(), root=tmp_path))


def test_a_line_that_is_too_long_costs_its_pair_alone(tmp_path: Path) -> None:
    write(tmp_path, b"a\n" + b"b" * (MAX_LINE_BYTES + 1) + b"\nc\n", b"x\ny\nz\n")
    rows = list(read_rows("train", CONFIG, suffixes=frozenset(), root=tmp_path))
    assert [(row.input, row.target) for row in rows if row.problem is None] == [("a", "x"), ("c", "z")]
    assert isinstance(rows[1].problem, InputError)
    assert rows[1].problem.kind == "too long"
    assert "train.en, line 2: has more than 4,194,304 bytes" in str(rows[1].problem)
