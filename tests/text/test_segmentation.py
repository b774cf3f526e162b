"""Where long texts are parted."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import Tokens
from seqpipe.errors import InputError
from seqpipe.text.segmentation import share_out_text

TEXTS = [
    "The cat sat down. The dog ran!",
    "one, two; three four five six seven",
    "ein \u00fcberlanges Wort",
    "\u732b\u3002\u72ac\u3002",
]


def parts(text: str, max_length: int) -> list[str]:
    """With words as tokens."""
    starts = [match.start() for match in re.finditer(r"\w+|[^\w\s]", text)]
    return [text[start:end] for start, end in share_out_text(text, starts, max_length)]


@pytest.mark.parametrize(
    ("text", "max_length", "wanted"),
    [
        ("One two. Three four.", 3, ["One two. ", "Three four."]),
        ("One two. Three four. Five.", 6, ["One two. ", "Three four. ", "Five."]),
        ('He said "go now." Then he went.', 8, ['He said "go now." ', "Then he went."]),
        ("one two three, four five six", 5, ["one two three, ", "four five six"]),
        ("a, b c d e f g h", 6, ["a, b c d e ", "f g h"]),  # the comma comes too early
        ("some approx. five of them", 4, ["some approx. five ", "of them"]),  # a small letter follows
        ("So . . . what? Go.", 6, ["So . . . what? ", "Go."]),
        ("a b c d e", 2, ["a b ", "c d ", "e"]),
        ("\u732b\u3002\u72ac\u3002", 3, ["\u732b\u3002", "\u72ac\u3002"]),
    ],
)
def test_parts_end_where_a_reader_would_pause(text: str, max_length: int, wanted: list[str]) -> None:
    assert parts(text, max_length) == wanted


@given(st.text(alphabet="ab .,!\u3002\u00e9", max_size=60), st.integers(1, 9))
def test_parts_are_the_text_and_short_enough(text: str, max_length: int) -> None:
    starts = [match.start() for match in re.finditer(r"\S", text)]
    spans = share_out_text(text, starts, max_length)
    assert "".join(text[start:end] for start, end in spans) == text
    for start, end in spans:
        assert sum(start <= place < end for place in starts) <= max_length
    if len(starts) <= max_length and not set(text) & set(".!\u3002"):
        assert len(spans) == 1


KINDS: dict[str, dict[str, Any]] = {
    "words": {},
    "characters": {"units": "characters"},
    "bpe": {"units": "bpe", "vocabulary_size": 45},
    "unigram, pooled": {"units": "unigram", "vocabulary_size": 36, "word_pooling": "mean"},
}


@pytest.mark.parametrize("kind", KINDS)
@given(
    text=st.one_of(st.sampled_from(TEXTS), st.text(alphabet="abcdot. ,\u732b\u3002x", max_size=80)),
    max_length=st.integers(1, 12),
)
def test_pieces_are_the_text_and_fit(kind: str, text: str, max_length: int) -> None:
    tokens = Tokens(**KINDS[kind])
    tokens.tokenization.use(fitted(kind).known)
    if not text.strip():
        with pytest.raises(InputError):
            tokens.split(text, max_length=max_length)
        return
    try:
        pieces = tokens.split(text, max_length=max_length)
    except InputError as error:
        wanted = ("too long", "bpe")  # of which a letter and the mark of its word are two
        assert (error.kind, kind) == wanted  # noqa: PT017
        return
    whole = fitted(kind)
    if pieces is None:
        assert len(whole.items(text)) <= max_length
        return
    assert "".join("".join(piece.raw.split()) for piece in pieces) == "".join(text.split())
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    for piece in pieces:
        assert len(tokens.prepare(piece.raw, None)) == piece.end - piece.start or kind == "unigram, pooled"
        assert 0 < len(tokens.items(piece.raw)) <= max_length


def fitted(kind: str) -> Tokens:
    """With the vocabulary of `TEXTS`."""
    if kind not in MADE:
        MADE[kind] = Tokens(**KINDS[kind])
        MADE[kind].fit(TEXTS)
    return MADE[kind]


MADE: dict[str, Tokens] = {}


def test_a_list_of_words_is_parted_into_lists() -> None:
    tokens = Tokens()
    tokens.fit([["New York", "is"], ["big"]])
    pieces = tokens.split(["New York", "is", "big"], max_length=2)
    assert pieces is not None
    assert [piece.raw for piece in pieces] == [["New York", "is"], ["big"]]


def test_what_the_stage_allows_counts_too() -> None:
    tokens = Tokens(max_length=2)
    tokens.fit(["a b", "c"])
    pieces = tokens.split("a b c", max_length=50)
    assert pieces is not None
    assert [piece.raw for piece in pieces] == ["a b", "c"]
