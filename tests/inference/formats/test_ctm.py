from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data

from seqpipe.answers.transcript import Token, Transcript, group_words
from seqpipe.inference.formats.ctm import ctm_text


def test_a_word_has_its_time_and_the_product_of_its_tokens() -> None:
    tokens = (
        Token("go", 0.5, 0.6, 0.5),
        Token("od d", 0.7, 0.8, 0.25),
        Token("ay", 1.0, 1.1, 0.5),
        Token(" ", 1.2, 1.3, 0.1),
        Token("x", 61.23456, 61.3, 1.0),
    )
    record = Transcript("id", "good day x", 0.9, group_words(tokens), tokens).to_json()
    assert ctm_text(record, "a/b").splitlines() == [
        "a/b 1 0.500 0.300 good 0.1250",
        "a/b 1 0.700 0.400 day 0.1250",
        "a/b 1 61.235 0.065 x 1.0000",
    ]


def test_words_without_tokens_have_no_confidence_and_no_words_no_line() -> None:
    words = [{"text": "a", "start": 0.0, "end": 1.0}]
    assert ctm_text({"words": words}, "n") == "n 1 0.000 1.000 a\n"
    assert ctm_text({"words": words, "tokens": [{"text": "a"}]}, "n") == "n 1 0.000 1.000 a\n"
    assert ctm_text({"words": [], "tokens": []}, "n") == ""
    assert ctm_text({"words": None}, "n") == ""


def test_a_name_is_never_taken_for_a_comment() -> None:
    assert not ctm_text({"words": [{"text": ";;", "start": 0.0, "end": 1.0}]}, ";;a").startswith(";;")


@given(drawn=data())
@settings(max_examples=100, deadline=None)
def test_every_word_is_a_line_of_six_fields(drawn: DataObject, odd_texts: Any, spoken: Any) -> None:
    transcript = spoken("id", drawn.draw(odd_texts))
    lines = ctm_text(transcript.to_json(), "n").splitlines()
    assert len(lines) == len(transcript.words)
    for line, word in zip(lines, transcript.words, strict=True):
        name, channel, start, duration, text, confidence = line.split()
        assert (name, channel, len(text)) == ("n", "1", len(word.text))
        assert float(start) == pytest.approx(word.start, abs=6e-4)
        assert float(start) + float(duration) == pytest.approx(word.end, abs=6e-4)
        assert float(confidence) == pytest.approx(0.5 ** len(word.text), abs=6e-5)
