from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.answers.failure import Failure
from seqpipe.answers.tagging import TaggedWord, Tagging
from seqpipe.config.recipe import DataConfig
from seqpipe.data.source import read_rows
from seqpipe.inference.formats.column_text import write_columns

CONFIG = DataConfig(train="", format="columns", columns=["form", "tag"], input="form", target="tag")
WORDS = st.text(alphabet="ab#=-: \u00a0\u00e9\U0001f600", min_size=1, max_size=8).filter(
    lambda word: word.strip() == word
)
TAGS = st.sampled_from(["O", "B-PER", "I-PER", "_"])


def tagging(row_id: str, pairs: list[tuple[str, str]]) -> Tagging:
    return Tagging(row_id, 0.5, tuple(TaggedWord(text, tag, 0, len(text), 0.5) for text, tag in pairs), ())


def read(path: Path) -> list[tuple[list[str], list[str]]]:
    return [(row.input, row.target) for row in read_rows(str(path), CONFIG, suffixes=frozenset())]


@given(answers=st.lists(st.lists(st.tuples(WORDS, TAGS), min_size=1, max_size=4), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_words_and_tags_are_read_back_and_failures_passed_over(
    answers: list[list[tuple[str, str]]], save_answers: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("columns")
    store: list[Any] = [Failure("a", "missing", "a: no such file")]
    for number, pairs in enumerate(answers):
        store += [tagging(str(number), pairs), Failure("b\tc", "bad value", "sent_id = 4\nword\tO")]
    save_answers(folder / "store", store)
    write_columns(folder / "store", folder / "out.conll")
    words = [[word.replace(" ", "_") if word.startswith("#") else word for word, _ in pairs] for pairs in answers]
    assert read(folder / "out.conll") == [
        (forms, [tag for _, tag in pairs]) for forms, pairs in zip(words, answers, strict=True)
    ]


def test_a_block_for_each_input_with_failures_as_comments(save_answers: Any, tmp_path: Path) -> None:
    odd = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    save_answers(
        tmp_path / "store",
        [
            tagging("1", [("in", "O"), ("New\tYork\u2028s", "B-LOC")]),
            Failure("x.txt:2", "bad value", "x.txt, line 2: holds\na null character"),
            Failure(odd, "missing", f"{odd}: no such file"),
        ],
    )
    write_columns(tmp_path / "store", tmp_path / "out.conll")
    assert (tmp_path / "out.conll").read_bytes().decode().split("\n\n") == [
        "in\tO\nNew_York_s\tB-LOC",
        "# x.txt:2: x.txt, line 2: holds a null character",
        "# caf\\udce9.txt: caf\\udce9.txt: no such file",
        "",
    ]
