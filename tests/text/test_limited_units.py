"""Units of two languages of which one is written: the texts come back, and nothing else is used."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.errors import RunError
from seqpipe.text.limited_units import LimitedUnits
from seqpipe.text.units import SentencePieceUnits
from seqpipe.text.vocabulary import UNKNOWN

SOURCES = ["a small child climbs up", "two young men running by", "young women and men climb", "a child runs by"] * 3
TARGETS = ["ein kleines Kind klettert", "zwei Männer rennen", "Frauen und Männer klettern", "ein Kind rennt los"] * 3


def learnt(kind: Any = "unigram", size: int = 36, **options: Any) -> SentencePieceUnits:
    return SentencePieceUnits.learn([*SOURCES, *TARGETS], size, kind, **options)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("threshold", [1, 4, 1000])
def test_texts_come_back_in_fewer_units(kind: Any, threshold: int) -> None:
    units = learnt(kind)
    limited = LimitedUnits.learn(units, TARGETS, threshold)
    assert len(limited) < len(units)
    for text in TARGETS:
        numbers = limited.encode(text)
        assert UNKNOWN not in numbers
        assert limited.decode(numbers) == text
        assert "".join(map(limited.piece, numbers)).strip() == text
        if threshold == 1:  # nothing had to be spelt anew
            assert [limited.kept[number] for number in numbers] == units.encode(text)
    assert [limited.number(limited.piece(number)) for number in range(1, len(limited))] == [*range(1, len(limited))]


def test_a_rare_unit_is_spelt_in_the_likeliest_shorter_ones() -> None:
    units = learnt(size=40)
    rare = max(range(len(units)), key=lambda number: len(units.piece(number)))
    piece = units.piece(rare)
    limited = LimitedUnits(units, set(range(len(units))) - {rare})
    numbers = limited.encode(piece.strip())
    assert limited.number(piece) is None
    assert limited.decode(numbers) == piece.strip()
    scores = units.scores()
    total = sum(scores[limited.piece(number)] for number in numbers)
    spelt = [each for each in units.likeliest(piece.strip(), 50) if rare not in each]
    best = max(sum(scores[units.piece(number)] for number in each) for each in spelt)
    assert total == pytest.approx(best)


@given(st.text(max_size=20))
def test_what_is_never_written_is_unknown_and_all_else_is_kept(text: str) -> None:
    limited = LIMITED
    numbers = limited.encode(text)
    assert all(0 <= number < len(limited) for number in numbers)
    known = {character for target in TARGETS for character in target} | {" "}
    if set(text) <= known:
        assert UNKNOWN not in numbers
        assert limited.decode(numbers).split() == text.split()


LIMITED = LimitedUnits.learn(learnt(), TARGETS, 1)


def test_characters_of_the_source_alone_are_unknown() -> None:
    assert UNKNOWN in LIMITED.encode("Baby")  # its letters are of English
    assert LIMITED.number("y") is None


def test_bytes_stay_and_spell_what_no_unit_has() -> None:
    limited = LimitedUnits.learn(learnt(size=290, byte_fallback=True), TARGETS, 1)
    assert limited.decode(limited.encode("los 東")) == "los 東"


def test_they_survive_saving(tmp_path: Path) -> None:
    units = learnt()
    limited = LimitedUnits.learn(units, TARGETS, 2)
    limited.save(tmp_path)
    again = LimitedUnits.load(units, tmp_path)
    assert again.kept == limited.kept
    assert [again.encode(text) for text in TARGETS] == [limited.encode(text) for text in TARGETS]
    with pytest.raises(RunError, match=r"written_units\.json: '.+' is no unit of the features"):
        LimitedUnits.load(learnt("bpe", 30), tmp_path)
    with pytest.raises(RunError, match=r"written_units\.json: is missing"):
        LimitedUnits.load(units, tmp_path / "elsewhere")
