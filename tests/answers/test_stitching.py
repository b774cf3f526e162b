import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import CTCHead, FileSpan, Segment, Transcript, load
from seqpipe.answers.transcript import Token, group_words
from seqpipe.text.units import Characters, SentencePieceUnits, Units

STEP, OVERLAP = 0.04, 1.0
LETTERS = Characters([" ", "a", "b", "c"])
NO_SPACE = Characters(["a", "b", "c"])


def head_with(units: Units) -> CTCHead:
    head = CTCHead(input_size=4)
    head._build(units)
    return head


def transcript(units: Units, tokens: list[Token], confidence: float = 0.5) -> Transcript:
    numbers = [units.number(token.text) for token in tokens]
    text = units.decode([number for number in numbers if number is not None])
    return Transcript("part", text, confidence, group_words(tuple(tokens)), tuple(tokens))


def spelt(units: Units, text: str, begin: float, pace: float = 0.1) -> list[Token]:
    """A token every ``pace`` seconds."""
    texts = [units.piece(number) for number in units.encode(text)]
    return [Token(item, begin + pace * at, begin + pace * at + STEP, 0.9) for at, item in enumerate(texts)]


def heard(tokens: list[Token], piece: Segment) -> list[Token]:
    return [token for token in tokens if piece.start - OVERLAP <= token.start and token.end <= piece.end + OVERLAP]


def pieces_at(*borders: float) -> list[Segment]:
    return [Segment(None, start, end, OVERLAP) for start, end in itertools.pairwise(borders)]


def check(units: Units, joined: Transcript, end: float) -> None:
    """What holds of any answer: text, words and tokens say the same, in an order, within the file."""
    assert joined.words == group_words(joined.tokens)
    assert joined.text == transcript(units, list(joined.tokens)).text
    assert joined.text.split() == [word.text for word in joined.words]
    places = [place for token in joined.tokens for place in (token.start, token.end)]
    assert places == sorted(places)
    assert all(0 <= place <= end for place in places)


@given(
    text=st.text("abc ", max_size=120).map(lambda text: " ".join(text.split())),
    borders=st.lists(st.floats(2.5, 4.0), max_size=4).map(lambda lengths: list(itertools.accumulate([0.0, *lengths]))),
    shifts=st.lists(st.sampled_from([-STEP, 0.0, STEP]), min_size=6, max_size=6),
    spaced=st.booleans(),
)
def test_the_text_is_that_of_the_whole(text: str, borders: list[float], shifts: list[float], spaced: bool) -> None:
    """Without any pause, in words or in one long word, each piece placing its tokens a step earlier or later."""
    units, text = (LETTERS, text) if spaced else (NO_SPACE, text.replace(" ", ""))
    segments = pieces_at(*borders, 13.0 + borders[-1])
    said = spelt(units, text, 0.1)
    parts = []
    for piece, shift in zip(segments, shifts, strict=False):
        moved = [Token(item.text, item.start + shift, item.end + shift, 0.9) for item in heard(said, piece)]
        parts.append((piece, transcript(units, moved)))
    joined = head_with(units).join("row", parts)
    check(units, joined, segments[-1].end)
    assert (joined.id, joined.text) == ("row", text)
    for token, true in zip(joined.tokens, said, strict=True):
        assert abs(token.start - true.start) <= 2 * STEP + 1e-9
        assert abs(token.end - true.end) <= 2 * STEP + 1e-9
    assert joined.confidence == math.prod(part.confidence for _, part in parts)


def test_words_parted_by_silence_get_a_space_between_them() -> None:
    """Which no piece has heard: each began and ended with a word."""
    segments = pieces_at(0.0, 5.0, 10.0, 15.0)
    heard_in = [spelt(LETTERS, "ab", 3.0), [], spelt(LETTERS, "c a", 12.0)]
    joined = head_with(LETTERS).join(
        "row", [(piece, transcript(LETTERS, tokens)) for piece, tokens in zip(segments, heard_in, strict=True)]
    )
    check(LETTERS, joined, 15.0)
    assert joined.text == "ab c a"
    assert [(word.text, word.start) for word in joined.words] == [("ab", 3.0), ("c", 12.0), ("a", 12.2)]
    assert (joined.tokens[2].start, joined.tokens[2].end) == (joined.tokens[1].end, 12.0)


def test_units_without_a_space_get_none() -> None:
    segments = pieces_at(0.0, 5.0, 10.0)
    texts = [spelt(NO_SPACE, "ab", 3.0), spelt(NO_SPACE, "ca", 7.0)]
    joined = head_with(NO_SPACE).join(
        "row", [(piece, transcript(NO_SPACE, tokens)) for piece, tokens in zip(segments, texts, strict=True)]
    )
    assert joined.text == "abca"
    check(NO_SPACE, joined, 10.0)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("border", np.arange(3.0, 4.0, 0.1))
def test_subword_units(kind: str, border: float, subwords: dict[str, SentencePieceUnits]) -> None:
    units = subwords[kind]
    text = "turn left go on turn right stop now go left"
    said = spelt(units, text, 0.1, pace=6 / len(units.encode(text)))
    segments = pieces_at(0.0, border, 8.0)
    joined = head_with(units).join("row", [(piece, transcript(units, heard(said, piece))) for piece in segments])
    check(units, joined, 8.0)
    assert joined.text == text
    apart = [spelt(units, "turn left", 0.5), spelt(units, "go on", 6.0)]
    parts = [(piece, transcript(units, tokens)) for piece, tokens in zip(segments, apart, strict=True)]
    assert head_with(units).join("row", parts).text == "turn left go on"


@pytest.fixture(scope="module")
def subwords() -> dict[str, SentencePieceUnits]:
    texts = ["turn left", "turn right", "go on", "stop now", "go left now", "turn on"]
    return {kind: SentencePieceUnits.learn(texts, 18, kind) for kind in ("unigram", "bpe")}  # type: ignore[arg-type]


def test_nothing_in_any_piece() -> None:
    parts = [(piece, transcript(LETTERS, [], 0.5)) for piece in pieces_at(0.0, 5.0, 10.0)]
    assert head_with(LETTERS).join("row", parts) == Transcript("row", "", 0.25, (), ())


def test_one_piece_stays_what_it_is() -> None:
    tokens = spelt(LETTERS, "ab c", 1.0)
    (piece,) = pieces_at(0.0, 5.0)
    joined = head_with(LETTERS).join("row", [(piece, transcript(LETTERS, tokens, 0.3))])
    assert joined == Transcript("row", "ab c", 0.3, group_words(tuple(tokens)), tuple(tokens))


@pytest.mark.parametrize("max_length", [4.0, 7.0, 12.0])
def test_a_long_recording_is_answered_as_if_it_were_whole(
    max_length: float, trained_run: Path, speak: Callable[[str, int], np.ndarray], tmp_path: Path
) -> None:
    """Tones that follow each other without a pause (a space is one too), five seconds after the file's beginning."""
    text = " ".join("".join(letters) for letters in itertools.product("abc", repeat=3))
    soundfile.write(tmp_path / "a.wav", np.concatenate([np.zeros(5 * 8000), speak(text, 3)]), 8000)
    raw = FileSpan(tmp_path / "a.wav", 5.0)
    predictor = load(trained_run, device="cpu")
    pipeline = predictor.pipeline
    (whole,) = predictor.predict([raw])
    assert (whole.text, whole.tokens[0].start > 5) == (text, True)
    segments = pipeline.features.reader.split(raw, max_length=max_length)
    parts = list(zip(segments, predictor.predict([piece.raw for piece in segments]), strict=True))
    joined = pipeline.head.join("long", parts)
    check(pipeline.head.units, joined, segments[-1].end)
    assert joined.text == text
    for token, expected in zip(joined.tokens, whole.tokens, strict=True):
        assert abs(token.start - expected.start) <= 2 * 0.02 + 1e-6, "two frames"
        assert abs(token.end - expected.end) <= 2 * 0.02 + 1e-6


def test_words_part_at_no_break_spaces_too() -> None:
    """As at spaces: the seam lies between two words, and the sign between them stands there once."""
    units = Characters(["\u00a0", *"abc"])
    said = spelt(units, "abc\u00a0cab\u00a0bca\u00a0aab", 0.1)
    segments = pieces_at(0.0, 0.75, 2.0)
    parts = [(piece, transcript(units, heard(said, piece))) for piece in segments]
    joined = CTCHead.join(head_with(units), "whole", parts)
    check(units, joined, 2.0)
    assert joined.text == "abc\u00a0cab\u00a0bca\u00a0aab"
