import itertools
import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.answers.transcript import Token, Transcript, Word, group_words


def tokens_of(*texts: str) -> tuple[Token, ...]:
    """A token a second."""
    return tuple(Token(text, float(number), number + 0.5, 0.9) for number, text in enumerate(texts))


def test_characters_become_words_at_spaces() -> None:
    assert group_words(tokens_of(*"go  on")) == (Word("go", 0.0, 1.5, 0.9 * 0.9), Word("on", 4.0, 5.5, 0.9 * 0.9))


def test_spaces_inside_tokens_part_words_too() -> None:
    """As SentencePiece units have them."""
    words = group_words(tokens_of(" tur", "n", " left", " r", "ight ", "on"))
    assert [word.text for word in words] == ["turn", "left", "right", "on"]
    assert [(word.start, word.end) for word in words] == [(0.0, 1.5), (2.0, 2.5), (3.0, 4.5), (5.0, 5.5)]
    assert [word.text for word in group_words(tokens_of("a b", "c d"))] == ["a", "bc", "d"]


@pytest.mark.parametrize("texts", [(), (" ",), (" ", " ")])
def test_no_words(texts: tuple[str, ...]) -> None:
    assert group_words(tokens_of(*texts)) == ()


@given(st.lists(st.text(alphabet="ab \u00a0\t\n\x1c\x85\u2028\u3000", min_size=1, max_size=4), max_size=10))
def test_words_are_those_of_the_text_in_its_order(texts: list[str]) -> None:
    words = group_words(tokens_of(*texts))
    assert [word.text for word in words] == "".join(texts).split()
    for word in words:
        assert word.start < word.end
    for before, after in itertools.pairwise(words):
        assert before.start <= after.start


def test_a_no_break_space_parts_words() -> None:
    words = group_words(tokens_of(*"a\u00a0b"))
    assert words == (Word("a", 0.0, 0.5, 0.9), Word("b", 2.0, 2.5, 0.9))
    assert [mark.item for mark in Transcript("a", "a\u00a0b", 1.0, words, tokens_of(*"a\u00a0b")).marks] == [0, None, 1]


def test_the_language_model_speaks_for_words_where_it_has_spoken() -> None:
    scores = [-1.0, -2.0, -0.5, -3.0, -4.0]
    tokens = tuple(
        Token(sign, place, place + 1.0, 0.9, score)
        for place, (sign, score) in enumerate(zip("go on", scores, strict=True))
    )
    words = group_words(tokens)
    assert [word.language_score for word in words] == [-3.0, -7.0]
    features = Transcript("a", "go on", 0.5, words, tokens).confidences["words"].features
    assert features["language_score"] == [-3.0, -7.0]
    words = group_words((*tokens[:4], Token("n", 4.0, 5.0, 0.9)))
    assert [word.language_score for word in words] == [-3.0, None]
    assert "language_score" not in Transcript("a", "go on", 0.5, words, tokens).confidences["words"].features


def test_json_holds_everything_rounded() -> None:
    token = Token("a", 0.123456, 1 / 3, 2 / 3)
    transcript = Transcript("row 1", "a", 1 / 3, (Word("a", 0.123456, 1 / 3, 2 / 3),), (token,))
    record = transcript.to_json()
    assert json.loads(json.dumps(record)) == record
    assert record == {
        "id": "row 1",
        "text": "a",
        "confidence": 0.333333,
        "words": [{"text": "a", "start": 0.1235, "end": 0.3333, "confidence": 0.666667}],
        "tokens": [{"text": "a", "start": 0.1235, "end": 0.3333, "confidence": 0.666667}],
    }
    assert transcript.tokens == (token,), "the transcript itself stays as exact as it was"


def test_an_answer_cannot_be_changed() -> None:
    transcript = Transcript("row 1", "", 1.0, (), ())
    with pytest.raises(FrozenInstanceError):
        transcript.text = "other"  # type: ignore[misc]


def test_marks_say_which_word_a_token_is_part_of() -> None:
    tokens = tokens_of(*"go on")
    answer = Transcript("a", "go on", 1.0, group_words(tokens), tokens)
    marks = answer.marks
    assert [(mark.text, mark.item) for mark in marks] == [("g", 0), ("o", 0), (" ", None), ("o", 1), ("n", 1)]
    assert [(mark.start, mark.end) for mark in marks] == [(token.start, token.end) for token in answer.tokens]
