import json

import numpy as np
import pytest

from seqpipe.answers.alignment import PAUSE_STEPS, Alignment, alignment, with_lines
from seqpipe.decoding.ctc_alignment import align_rows
from seqpipe.text.spelling import spell
from seqpipe.text.units import Characters

UNITS = Characters(list(" abc"))
SURE, OTHER = -0.01, -8.0


def aligned(said: str, text: str, **options: object) -> Alignment:
    """A text along steps of which each says one character, ``_`` the blank; a step is a tenth of a second."""
    rules = options.pop("rules", ())
    row = np.full((len(said), 5), OTHER)
    row[np.arange(len(said)), ["_ abc".index(sign) for sign in said]] = SURE
    spelling = spell(text, UNITS, rules)
    (path,) = align_rows([row], [spelling.labels])
    return alignment("x", spelling, path, np.arange(len(said) + 1) / 10, threshold=-1.5, **options)


def test_words_share_what_is_between_them() -> None:
    found = aligned("__ab_ __c_", "ab c")
    assert [(word.text, word.start, word.end) for word in found.words] == [("ab", 0.1, 0.6), ("c", 0.6, 0.95)]
    assert [(token.text, token.start, token.end) for token in found.tokens] == [
        ("a", 0.2, 0.3),
        ("b", 0.3, 0.4),
        (" ", 0.5, 0.6),
        ("c", 0.8, 0.9),
    ]
    assert found.length == 1.0


def test_of_a_pause_each_word_has_half_of_what_is_no_silence() -> None:
    found = aligned("a" + "_" * 40 + "b", "a b")
    pause = PAUSE_STEPS / 10
    assert found.words[0].end == pytest.approx(0.1 + pause / 2)
    assert found.words[1].start == pytest.approx(4.1 - pause / 2)


def test_what_was_said_is_found_and_what_was_not_is_not() -> None:
    right = aligned("_a_b_ _c_", "ab c")
    assert right.verdict.ratio == 0
    assert right.verdict.found
    assert right.verdict.score == pytest.approx(SURE)
    assert right.confidence == pytest.approx(np.exp(SURE))
    wrong = aligned("_a_b_ _c_", "ab a")
    assert [word.verdict.found for word in wrong.words] == [True, False]
    assert wrong.words[1].verdict.ratio == pytest.approx(OTHER - SURE)
    assert wrong.verdict.found is False
    assert wrong.verdict.ratio == pytest.approx((OTHER - SURE) / 3)


def test_words_that_cannot_be_spelt_have_places_and_no_verdict() -> None:
    found = aligned("_a_ _b_c_ _a_", "a 7 a")
    assert [word.bridged for word in found.words] == [False, True, False]
    assert found.words[1].verdict.found is None
    assert 0.3 < found.words[1].start < 0.6
    assert 0.8 <= found.words[1].end < 1.1
    removed = aligned("_a_ _c_", "a - c", rules=["no_punctuation"])
    assert [word.text for word in removed.words] == ["a", "-", "c"]
    assert removed.words[0].end <= removed.words[1].start <= removed.words[1].end <= removed.words[2].start
    assert [word.bridged for word in removed.words] == [False, True, False]


def test_lines_reach_from_their_first_word_to_their_last() -> None:
    text = "a b\n\nc"
    found = with_lines(aligned("_a_ _b_ _c_", text), [(0, 3), (4, 4), (5, 6)], -1.5)
    assert [(line.text, line.start, line.end) for line in found.lines] == [
        ("a b", found.words[0].start, found.words[1].end),
        ("c", found.words[2].start, found.words[2].end),
    ]
    assert all(line.verdict.found for line in found.lines)


def test_json_has_all_of_it() -> None:
    record = json.loads(json.dumps(with_lines(aligned("_a_ _c_", "a 7\nc"), [(0, 3), (4, 5)], -1.5).to_json()))
    assert list(record) == ["id", "text", "confidence", "length", "score", "ratio", "found", "words", "tokens", "lines"]
    assert record["words"][1]["bridged"] is True
    assert record["words"][1]["found"] is None
    assert "bridged" not in record["words"][0]
