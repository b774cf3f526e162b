import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.config.recipe import DataConfig, load_recipe
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.data.fingerprint import fingerprint
from seqpipe.data.formats import column_file
from seqpipe.data.formats.column_file import count_column_file, read_column_file
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError, DataError

TAGGING: dict[str, Any] = {"format": "columns", "columns": ["form", "upos"], "input": "form", "target": "upos"}


def rows_of(path: Path, text: str | bytes, *, needs_target: bool = True, **config: Any) -> list[Row]:
    """What a column file with this content gives."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_rows(str(path), DataConfig(**config), suffixes=frozenset(), needs_target=needs_target))


def test_a_sentence_is_a_row_with_all_its_columns(tmp_path: Path) -> None:
    text = "It\tPRON\tPRP\nworks\tVERB\tVBZ\n\n\t \n\nNo\tINTJ\tUH\n"
    config = {**TAGGING, "columns": ["form", "upos", "xpos"]}
    first, second = rows_of(tmp_path / "a.tsv", text, **config)
    assert (first.input, first.target) == (["It", "works"], ["PRON", "VERB"])
    assert first.columns == {"form": ["It", "works"], "upos": ["PRON", "VERB"], "xpos": ["PRP", "VBZ"]}
    assert (first.id, first.number, first.where) == ("1", 1, f"{tmp_path}/a.tsv, row 1 (1)")
    assert (second.id, second.input, second.problem) == ("2", ["No"], None)


@pytest.mark.parametrize(("asked", "target"), [("1", "4"), (1, 4)])
def test_columns_without_names_go_by_their_numbers(asked: Any, target: Any, tmp_path: Path) -> None:
    text = "-DOCSTART- -X- -X- O\n\nEU NNP  I-NP B-ORG\nrejects VBZ\tI-VP O\n\n-DOCSTART- -X- O O\nNo DT I-NP O\n"
    text = text.replace("\t", " ")
    rows = rows_of(tmp_path / "eng.train", text, format="columns", input=asked, target=target)
    assert [(row.input, row.target) for row in rows] == [(["EU", "rejects"], ["B-ORG", "O"]), (["No"], ["O"])]
    assert list(rows[0].columns) == ["1", "2", "3", "4"]


def test_tabs_divide_where_the_first_token_has_one_so_words_may_hold_blanks(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "a.tsv", "10 000\tNUM\n\u00a0x\tX\n", **TAGGING)
    assert row.input == ["10 000", "\u00a0x"]
    (row,) = rows_of(tmp_path / "a.tsv", "ten\u00a0000 NUM\nx \t X \n", **TAGGING)
    assert row.input == ["ten\u00a0000", "x"]


CONLLU = """\
# newdoc id = weblog
# sent_id = weblog-0001
# text = They can't.

# sent_id = weblog-0002
# text = They can't # say.
1\tThey\tthey\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_
2\tca\tcan\tAUX\tMD\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\t#\t#\tSYM\tSYM\t_\t2\tdep\t_\t_
"""


@pytest.mark.parametrize("columns", [None, ["form", "upos", "xpos"], list(column_file.CONLLU)])
def test_of_conllu_the_syntactic_words_are_read(columns: list[str] | None, tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "a.conllu", CONLLU, **{**TAGGING, "columns": columns})
    assert (row.input, row.target) == (["They", "ca", "n't", "#"], ["PRON", "AUX", "PART", "SYM"])
    assert row.id == row.columns["sent_id"] == "weblog-0002"
    assert row.columns["head"] == ["2", "0", "2", "2"]


def test_the_number_of_a_column_holds_for_conllu_too(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "a.conllu", CONLLU, format="columns", input=2, target=4)
    assert (row.input[:3], row.target[:3]) == (["They", "can't", "ca"], ["PRON", "_", "AUX"])


def test_a_word_that_begins_with_a_number_sign_is_no_comment(tmp_path: Path) -> None:
    text = "#\tO\n# \tO\n\n#fail\tO\n\n# a note\n#tag\tX\n# more\tX\n"
    rows = rows_of(tmp_path / "a.tsv", text, **TAGGING)
    assert [row.input for row in rows] == [["#", "# "], ["#fail"], ["#tag", "# more"]]
    text = "# a longer note\n# O\nx O\n\n# sent_id = s2\n# O\n"
    rows = rows_of(tmp_path / "a.txt", text, **TAGGING)
    assert [(row.id, row.input) for row in rows] == [("1", ["#", "x"]), ("s2", ["#"])]
    rows = rows_of(tmp_path / "a.txt", "#\nb\n\n#c\n# two words\n", needs_target=False, **TAGGING)
    assert rows[0].input == ["#", "b"]
    assert rows[1].problem is not None  # a comment stands before a sentence, so this is a line of two fields


WORD_TAG, FOUR, GERMEVAL = ["word", "tag"], ["word", "a", "b", "tag"], ["number", "word", "tag", "inner"]


@pytest.mark.parametrize(
    ("columns", "text", "words", "tags"),
    [
        (WORD_TAG, "# newdoc\nhe\tO\nAnn\tB-PER\n\n# newpar\nshe\tO\n", ["he Ann", "she"], ["O B-PER", "O"]),
        (WORD_TAG, "# newdoc\nhe O\nAnn B-PER\n\n# newpar\nshe O\n", ["he Ann", "she"], ["O B-PER", "O"]),
        (WORD_TAG, "# newdoc\n\nhe O\n", ["he"], ["O"]),
        (WORD_TAG, "#\ta.org/1 [2009]\nhe\tO\n\n#\ta.org/2 [2009]\n# x\ty\n#\tO\n", ["he", "#"], ["O", "O"]),
        (FOUR, "# id 1 d=train\nhe _ _ O\nal _ _ B\n\n# id 2 d=train\nhi _ _ O\n", ["he al", "hi"], ["O B", "O"]),
        (FOUR, "he _ _ O\n\n# id 2 d=train\n# _ _ O\n# id 2 d=train\n", ["he", "# #"], ["O", "O d=train"]),
        (GERMEVAL, "#\ta.org [2009]\n1\tIn\tO\tO\n\n#\tb.org\n1\tAuf\tO\tO\n\n#\tc.org\n", ["In", "Auf"], ["O", "O"]),
        (GERMEVAL, "#\ta.org\tO\tO\n1\tIn\tO\tO\n2\t#\tO\tO\n", ["In #"], ["O O"]),
        ([*FOUR[:3], "c", "tag"], "# newdoc id = x\n# newdoc id = x\nhe _ _ _ O\n", ["he"], ["O"]),
        (FOUR, "#begin document (a); 0\nhe _ _ O\n\n#end document a b\n", ["he"], ["O"]),
    ],
)  # fmt: skip
def test_comments_stand_before_a_sentence_with_any_number_of_fields(
    columns: list[str], text: str, words: list[str], tags: list[str], tmp_path: Path
) -> None:
    config = {"format": "columns", "input": "word", "target": "tag"}
    rows = rows_of(tmp_path / "a.conll", text, columns=columns, **config)
    assert [(" ".join(row.input), " ".join(row.target)) for row in rows] == list(zip(words, tags, strict=True))
    assert count_column_file(tmp_path / "a.conll", DataConfig(columns=columns, **config)) == len(rows)
    numbered = {"input": str(1 + columns.index("word")), "target": str(1 + columns.index("tag"))}
    rows = rows_of(tmp_path / "a.conll", text, format="columns", **numbered)
    assert [" ".join(row.input) for row in rows] == words


@given(
    comments=st.lists(st.lists(st.text("abO_=", min_size=1), min_size=1), max_size=3),
    separator=st.sampled_from("\t "),
    columns=st.integers(2, 5),
)
def test_no_comment_is_a_word_and_no_word_a_comment(
    comments: list[list[str]], separator: str, columns: int, tmp_path_factory: Any
) -> None:
    names = ["word", *(f"c{number}" for number in range(columns - 2)), "tag"]
    words = "".join(separator.join([word, *["_"] * (columns - 2), "X"]) + "\n" for word in ("a", "#", "b"))
    said = "".join(f"# {' '.join(comment)}\n" for comment in comments)
    config = {"format": "columns", "columns": names, "input": "word", "target": "tag"}
    path = tmp_path_factory.getbasetemp() / "commented.conll"
    rows = rows_of(path, f"{said}{words}\n{said}\n{said}{words[words.index('#') :]}", **config)
    assert [row.input for row in rows] == [["a", "#", "b"], ["#", "b"]]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"lost", r"has 1 fields \(by tabs\) where there should be 2 \(form, upos\); received 'lost'"),
        (b"a\tb\tc", r"has 3 fields \(by tabs\) where there should be 2"),
        (b"gr\xfcn\tADJ", r"is not UTF-8 text \(byte 0xfc\)"),
        (b"nu\0ll\tADJ", "holds a null character"),
        (b"\tADJ", r"has nothing in the column form; received '\\tADJ'"),
        (b"word\t", "has nothing in the column upos"),
    ],
)
def test_a_bad_line_costs_its_own_sentence_and_is_named(line: bytes, what: str, tmp_path: Path) -> None:
    text = b"a\tX\n\n# sent_id = bad\nb\tX\n" + line + b"\nc\tX\n\n\nd\tX\n"
    first, bad, last = rows_of(tmp_path / "a.tsv", text, **TAGGING)
    assert (first.input, last.input, last.number) == (["a"], ["d"], 3)
    assert (bad.input, bad.id, bad.number) == (None, "bad", 2)
    with pytest.raises(Exception, match=rf"^{tmp_path}/a\.tsv, line 5 \(sentence 2\): {what}") as caught:
        raise bad.problem or AssertionError
    assert bad.problem is not None
    assert (caught.value, bad.problem.kind) == (bad.problem, "bad value")


def test_a_file_without_blank_lines_is_not_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_file, "MAX_WORDS", 3)
    rows = rows_of(tmp_path / "a.tsv", "a\tX\n" * 3 + "\n" + "b\tX\n" * 9 + "\nc\tX\n", **TAGGING)
    assert [row.input for row in rows] == [["a"] * 3, None, ["c"]]
    assert "line 8 (sentence 2): has more than 3 words; a blank line should end each" in str(rows[1].problem)


def test_sentences_come_one_at_a_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    held = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(held, b"a\tX\n\nb" + b"x" * 9000 + b"\tX\n")  # more than a reader's buffer, and no end
    sentences = read_column_file(tmp_path / "pipe", DataConfig(**TAGGING), needs_target=True)
    assert next(sentences)[1] == {"form": ["a"], "upos": ["X"]}
    sentences.close()
    os.close(held)


def test_words_alone_are_enough_where_no_targets_are_needed(tmp_path: Path) -> None:
    config = {**TAGGING, "columns": ["number", "form", "upos"]}
    (row,) = rows_of(tmp_path / "a.tsv", "It\nworks\n", needs_target=False, **config)
    assert (row.input, row.target) == (["It", "works"], None)
    (row,) = rows_of(tmp_path / "a.tsv", "1\tIt\n2\tworks\n", needs_target=False, **config)
    assert row.input == ["It", "works"]
    (row,) = rows_of(tmp_path / "a.tsv", "It\n", **config)
    assert "has 1 fields (by white space) where there should be 3 (number, form, upos)" in str(row.problem)


def test_a_column_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column upso \(data\.target\); did you mean upos\?"):
        rows_of(tmp_path / "a.tsv", "a\tX\n", **{**TAGGING, "target": "upso"})
    with pytest.raises(DataError, match=r"has no column form \(data\.input\); known: 1, 2"):
        rows_of(tmp_path / "a.tsv", "a\tX\n", **{**TAGGING, "columns": None})
    with pytest.raises(DataError, match="is a folder; format: columns reads a file"):
        list(read_rows(str(tmp_path), DataConfig(**TAGGING), suffixes=frozenset()))


def test_names_of_columns_are_checked_with_the_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    recipe.write_text("pipeline: {features: LogMel, head: CTCHead}\ndata: {columns: [form, form]}\n")
    with pytest.raises(ConfigError, match="columns names one twice: form, form"):
        load_recipe(recipe)
    recipe.write_text("pipeline: {features: LogMel, head: CTCHead}\ndata: {columns: [a, b], format: columns}\n")
    assert load_recipe(recipe, ["data.input=1"]).data.input == "1"


def test_a_fingerprint_tells_words_and_tags_apart(tmp_path: Path) -> None:
    texts = ["a\tX\nb\tX\n", "a\tX\n\nb\tX\n", "a b\tX\n", "a\tX\nb\tY\n"]
    prints = [fingerprint(rows_of(tmp_path / "a.tsv", text, **TAGGING)) for text in texts]
    assert len(set(prints)) == len(prints)
    assert fingerprint(rows_of(tmp_path / "b.tsv", texts[0], **TAGGING)) == prints[0]


WORDS = st.text(st.characters(exclude_characters="\t\n\r\0", exclude_categories=("Cs",)), min_size=1).filter(str.strip)
TOKENS = st.tuples(WORDS, WORDS).filter(lambda token: token[0] != "-DOCSTART-" and token[0][0] not in "#\ufeff-")


@given(sentences=st.lists(st.lists(TOKENS, min_size=1)))
def test_what_was_written_is_read(sentences: list[list[tuple[str, str]]], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "written.tsv"
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    rows = rows_of(path, text, **TAGGING)
    assert [list(zip(row.input, row.target, strict=True)) for row in rows] == sentences
    assert count_column_file(path, DataConfig(**TAGGING)) == len(sentences)


@pytest.mark.parametrize(
    ("name", "sentences", "words"),
    [("ud_english_ewt/train", 12544, 204577), ("ud_english_ewt/dev", 2001, 25147), ("wnut17/dev", 1009, 15733)],
)
def test_public_sets_have_the_sentences_and_words_that_they_say(name: str, sentences: int, words: int) -> None:
    path = Path(os.environ.get("SEQPIPE_DATA", "")) / f"{name}.tsv"
    if "SEQPIPE_DATA" not in os.environ or not path.is_file():
        pytest.skip(f"SEQPIPE_DATA names no folder with {name}.tsv")
    rows = list(read_rows(str(path), DataConfig(format="columns", input="1", target="2"), suffixes=frozenset()))
    assert len(rows) == sentences
    assert all(row.problem is None for row in rows)
    assert sum(len(row.input) for row in rows) == words


@pytest.mark.parametrize("before", ["", "x X\n", "# sent_id = s\nx X\n"])
def test_a_line_that_is_too_long_costs_its_sentence_alone(before: str, tmp_path: Path) -> None:
    text = f"a A\n\n{before}{'b' * MAX_LINE_BYTES} B\ny Y\n\nc C\n"
    rows = rows_of(tmp_path / "a.col", text, **TAGGING)
    assert count_column_file(tmp_path / "a.col", DataConfig(**TAGGING)) == len(rows) == 3
    assert [row.input for row in rows] == [["a"], None, ["c"]]
    problem = rows[1].problem
    assert problem is not None
    assert problem.kind == "too long"
    assert f"line {3 + before.count(chr(10))} (sentence 2): has more than 4,194,304 bytes" in str(problem)
