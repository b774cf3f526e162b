import csv
import os
from pathlib import Path

import pytest

from seqpipe.config.recipe import DataConfig
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.data.formats.sentiment_trees import parse_tree
from seqpipe.data.rows import Row
from seqpipe.data.source import is_there, read_rows
from seqpipe.errors import DataError, InputError

TEXT = DataConfig(input="text", target="label")


def rows_of(source: str, root: Path, *, strict: bool = True) -> list[Row]:
    return list(read_rows(source, TEXT, suffixes=frozenset(), root=root, strict=strict))


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Two sentences; ``works`` is a phrase of the first with the same label as the second, which is nothing else."""
    (tmp_path / "some.trees.txt").write_text("(3 (2 It) (4 (4 works) (2 .)))\n\n(4 works)\n(0 (2 It) (0 fails))\n")
    return tmp_path


def test_every_node_is_a_phrase_and_equal_ones_come_once(trees: Path) -> None:
    rows = rows_of("trees:some.trees.txt@fine", trees)
    assert [(row.target, row.input, row.columns["node"]) for row in rows] == [
        ("3", "It works .", "sentence"),
        ("2", "It", "phrase"),
        ("4", "works .", "phrase"),
        ("2", ".", "phrase"),
        ("4", "works", "sentence"),
        ("0", "It fails", "sentence"),
        ("0", "fails", "phrase"),
    ]
    assert [row.number for row in rows] == list(range(1, 8))
    assert is_there("trees:some.trees.txt@fine", DataConfig(root=str(trees)))
    assert not is_there("trees:none.txt@fine", DataConfig(root=str(trees)))


def test_binary_labels_leave_neutral_phrases_out(trees: Path) -> None:
    rows = rows_of("trees:some.trees.txt@binary", trees)
    assert [(row.target, row.input) for row in rows] == [
        ("1", "It works ."), ("1", "works ."), ("1", "works"), ("0", "It fails"), ("0", "fails"),
    ]  # fmt: skip


def test_brackets_and_slashes_are_unescaped() -> None:
    ((_, text), *_) = parse_tree(r"(2 (2 -LRB-) (2 (2 and\/or) (2 (2 \*\*) (2 (2 -RRB-) (2 -lcb-)))))")
    assert text == "( and/or ** ) -lcb-"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("word", "'word' stands outside of the brackets"),
        ("(2 a) (2 b)", r"'\(' stands outside of the brackets"),
        ("(2 a))", r"'\)' stands outside of the brackets"),
        ("(2 (3 a) (4 b)", "it ends before its brackets do"),
        ("(5 a)", "a label should be 0 to 4; received '5'"),
        ("((2 a))", r"a label should be 0 to 4; received '\('"),
        ("(3 (2))", "a node holds no words"),
        ("(2 a\0b)", "holds a null character"),
    ],
)
def test_what_is_no_tree_is_named_with_file_and_line(line: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text(f"(3 good)\n{line}\n(1 bad)\n")
    with pytest.raises(DataError, match=rf"{tmp_path}/bad\.txt, line 2: .*{what}"):
        rows_of("trees:bad.txt@fine", tmp_path)
    first, bad, last = rows_of("trees:bad.txt@fine", tmp_path, strict=False)
    assert (first.input, last.input) == ("good", "bad")
    assert isinstance(bad.problem, InputError)
    assert "line 2" in str(bad.problem)


def test_deep_trees_are_no_trouble() -> None:
    phrases = parse_tree("(3 " * 50_000 + "word" + ")" * 50_000)
    assert set(phrases) == {("3", "word")}


@pytest.mark.parametrize("source", ["trees:some.trees.txt", "trees:some.trees.txt@coarse", "trees:@fine"])
def test_the_labels_must_be_said(source: str, trees: Path) -> None:
    with pytest.raises(DataError, match="should end with the labels that are wanted, @fine"):
        rows_of(source, trees)


def test_a_missing_file_says_which_keys_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: there is no such file.*data\.root"):
        rows_of("trees:none.txt@fine", tmp_path)


@pytest.mark.parametrize("part", ["train", "dev"])
@pytest.mark.parametrize("labels", ["fine", "binary"])
def test_sentences_of_the_treebank_are_those_of_its_tables(part: str, labels: str) -> None:
    folder = Path(os.environ.get("SEQPIPE_DATA", "")) / "sst"
    if "SEQPIPE_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("SEQPIPE_DATA names no folder with sst: no trees to compare with the tables")
    with (folder / f"{part}.{labels}.tsv").open(encoding="utf-8", newline="") as file:
        table = [(row["label"], row["text"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    rows = rows_of(f"trees:{part}.trees.txt@{labels}", folder)
    sentences = [(row.target, row.input) for row in rows if row.columns["node"] == "sentence"]
    assert sentences == list(dict.fromkeys(table))
    assert len({(row.target, row.input) for row in rows}) == len(rows) > 5 * len(table)


def test_a_line_that_is_too_long_costs_itself_alone(trees: Path) -> None:
    with (trees / "some.trees.txt").open("a") as file:
        file.write("(4 " + "a" * MAX_LINE_BYTES + ")\n(1 fine)\n")
    rows = rows_of("trees:some.trees.txt@fine", trees, strict=False)
    assert [str(row.problem) for row in rows if row.problem] == [
        f"{trees / 'some.trees.txt'}, line 5: has more than 4,194,304 bytes, the most that a line or a text may have"
    ]
    assert rows[-1].input == "fine"
