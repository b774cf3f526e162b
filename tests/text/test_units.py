import functools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.errors import DataError, InputError, RunError
from seqpipe.text.units import Characters, SentencePieceUnits, load_units

TEXTS = ["turn left now", "turn right now", "left or right", "stop turning", "right now"] * 3


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6))
def test_characters_spell_every_text_that_they_were_learnt_from(texts: list[str]) -> None:
    units = Characters.learn(texts)
    assert units.characters == sorted(set("".join(texts)))
    assert [units.number(units.piece(number)) for number in range(len(units))] == list(range(len(units)))
    assert units.number("no character") is None
    for text in texts:
        numbers = units.encode(text)
        assert all(0 <= number < len(units) for number in numbers)
        assert units.decode(numbers) == text == "".join(units.piece(number) for number in numbers)


def test_characters_survive_saving(tmp_path: Path) -> None:
    units = Characters.learn(["né 東京", 'quote " and \\'])
    units.save(tmp_path)
    assert load_units(tmp_path).encode("né") == units.encode("né")
    assert json.loads((tmp_path / "characters.json").read_text(encoding="utf-8")) == units.characters


def test_unknown_characters_are_all_named() -> None:
    with pytest.raises(
        InputError, match=r"'abxcy' holds 'x', 'y', which the vocabulary of 3 characters lacks"
    ) as caught:
        Characters.learn(["abc"]).encode("abxcy")
    assert caught.value.kind == "unknown character"


@pytest.mark.parametrize("texts", [[], [""]])
def test_nothing_can_be_learnt_from_nothing(texts: list[str]) -> None:
    with pytest.raises(DataError, match="no text"):
        Characters.learn(texts)


@functools.cache
def _learnt(kind: Any) -> list[SentencePieceUnits]:
    """With bytes and without."""
    return [
        SentencePieceUnits.learn(TEXTS, 19, kind),
        SentencePieceUnits.learn(TEXTS, 275, kind, byte_fallback=True),
    ]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
class TestSentencePiece:
    def test_round_trip(self, kind: Any, tmp_path: Path) -> None:
        units = SentencePieceUnits.learn(TEXTS, 19, kind)
        assert len(units) == 19
        assert [units.number(units.piece(number)) for number in range(19)] == list(range(19))
        assert units.number("no unit") is None
        units.save(tmp_path)
        again = load_units(tmp_path)
        for text in [*TEXTS, "torn pin", ""]:
            numbers = units.encode(text)
            assert units.decode(numbers) == text
            assert again.encode(text) == numbers
            assert again.decode(numbers) == text
            assert "".join(units.piece(number) for number in numbers).lstrip() == text
        assert max(len(units.piece(number)) for number in units.encode("turn right now")) > 1, "subwords, not letters"

    def test_learning_is_repeatable(self, kind: Any) -> None:
        first, second = (SentencePieceUnits.learn(iter(TEXTS), 19, kind) for _ in range(2))
        assert first.model == second.model

    def test_unknown_characters_are_refused(self, kind: Any) -> None:
        with pytest.raises(InputError, match="'turn é' holds characters that the SentencePiece units lack") as caught:
            SentencePieceUnits.learn(TEXTS, 19, kind).encode("turn é")
        assert caught.value.kind == "unknown character"

    def test_case_and_forms_are_left_to_the_recipes_rules(self, kind: Any) -> None:
        units = SentencePieceUnits.learn(["Ｆｕｌｌ width", "full ﬁ"] * 3, 15, kind)
        for text in ("Ｆｕｌｌ", "full ﬁ"):
            assert units.decode(units.encode(text)) == text

    def test_unknown_characters_may_have_a_number_instead(self, kind: Any) -> None:
        units = SentencePieceUnits.learn(TEXTS, 19, kind)
        numbers = units.encode_with_unknown("turn é left")
        assert numbers.count(0) == 1
        assert units.encode_with_unknown("turn left") == units.encode("turn left")

    def test_byte_fallback_spells_every_text(self, kind: Any, tmp_path: Path) -> None:
        units = SentencePieceUnits.learn(TEXTS, 275, kind, byte_fallback=True)
        units.save(tmp_path)
        for text in ("turn é 東京", "\U0001f468\u200d\U0001f469", "\u05e9\u0301"):
            assert 0 not in units.encode_with_unknown(text)
            assert units.decode(units.encode(text)) == text
            assert SentencePieceUnits.load(tmp_path).encode(text) == units.encode(text)

    @given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"])))
    def test_places_are_in_order_and_cover_the_text(self, kind: Any, text: str) -> None:
        for units in _learnt(kind):
            places = units.offsets(text)
            assert len(places) == len(units.encode_with_unknown(text))
            borders = [0, *(border for place in places for border in place)]
            assert borders == sorted(borders)
            assert borders[-1] <= len(text)
            covered = {sign for start, end in places for sign in range(start, end)}
            assert all(sign in covered for sign, character in enumerate(text) if not character.isspace())

    def test_places_of_whole_units(self, kind: Any) -> None:
        units = SentencePieceUnits.learn(TEXTS, 19, kind)
        for text in TEXTS:
            pieces = [text[start:end] for start, end in units.offsets(text)]
            assert "".join(pieces) == text
            # The first one begins with a space of SentencePiece's own.
            assert [" " + pieces[0], *pieces[1:]] == [units.piece(number) for number in units.encode(text)]

    def test_places_of_characters_in_bytes(self, kind: Any) -> None:
        units = SentencePieceUnits.learn(TEXTS, 275, kind, byte_fallback=True)
        places = units.offsets("turn 東")
        assert places[-3:] == [(5, 5), (5, 5), (5, 6)]

    def test_too_many_units_give_the_reason(self, kind: Any) -> None:
        with pytest.raises(DataError, match=r"can't learn 5000 units \(vocabulary_size\): .*too high"):
            SentencePieceUnits.learn(TEXTS, 5000, kind)


def test_a_folder_without_units_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds neither characters\.json nor sentencepiece\.model"):
        load_units(tmp_path)


VARIED = [
    " ".join(first + middle + last for last in ("ta", "ing", "on")) for first in "rngot" for middle in ("ar", "i", "no")
]

KEPT_BY_SENTENCEPIECE = {
    "lower five eighths block": "a \u2585\u2585x b",
    "the sign for a space": "a\u2581x\u2581 b",
    "both": "\u2585 \u2581\u2585",
    "the unknown unit": "a <unk>",
    "line break at the end": "ax\n",
    "line breaks": "a\r\nx\r\n",
    "tab": "a\tx\t",
    "no-break space": "a\u00a0x",
    "line separator": "a\u2028x\u2028",
    "bytes": "<0x41> <s>",
    "longer than 4192 bytes": "日x" * 1000,
}


@pytest.mark.parametrize("bytes_too", [False, True])
@pytest.mark.parametrize("text", KEPT_BY_SENTENCEPIECE.values(), ids=KEPT_BY_SENTENCEPIECE.keys())
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_training_texts_are_spelt_whatever_they_hold(kind: Any, text: str, bytes_too: bool, tmp_path: Path) -> None:
    texts = [*VARIED, text, f"xa{text}z"]
    size = (28 if kind == "unigram" else 40) + 256 * bytes_too
    units = SentencePieceUnits.learn(texts, size, kind, byte_fallback=bytes_too)
    units.save(tmp_path)
    for learnt in (units, SentencePieceUnits.load(tmp_path)):
        for each in texts[-2:]:
            numbers = learnt.encode(each)
            assert learnt.decode(numbers) == each
            if not bytes_too:
                assert "".join(learnt.piece(number) for number in numbers).lstrip(" ") == each
            assert [learnt.number(learnt.piece(number)) for number in numbers] == numbers
            places = learnt.offsets(each)
            assert len(places) == len(numbers)
            assert places[-1][1] == len(each)


def test_the_rest_of_a_line_that_sentencepiece_leaves_out_is_learnt() -> None:
    """Not its characters alone: a unit of several stands for it."""
    units = SentencePieceUnits.learn([*TEXTS, *["zigzag \u2585 zigzag"] * 20], 40, "bpe")
    assert " zigzag" in [units.piece(number) for number in units.encode("zigzag")]
    assert "\u2585" in units.scores()


def test_what_sentencepiece_keeps_for_itself_is_unknown_where_no_training_text_has_it() -> None:
    units = SentencePieceUnits.learn(TEXTS, 19, "bpe")
    with pytest.raises(InputError, match="lack"):
        units.encode("turn \u2585")
    with pytest.raises(DataError, match=r"leaves out '\\x00', which training texts hold"):
        SentencePieceUnits.learn([*TEXTS, "a\0"], 19, "bpe")
