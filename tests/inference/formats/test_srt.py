import re
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.answers.transcript import Token, Transcript, group_words
from seqpipe.inference.formats.srt import srt_text

Words = list[dict[str, Any]]
BLOCK = re.compile(r"(\d+)\n(\d\d+):(\d\d):(\d\d),(\d{3}) --> (\d\d+):(\d\d):(\d\d),(\d{3})\n(.+(?:\n.+)?)\n")


def parse(text: str) -> list[tuple[int, int, list[str]]]:
    """Start and end in milliseconds and lines of each cue; nothing may be left over."""
    cues = []
    for number, block in enumerate(text.split("\n\n") if text else [], 1):
        match = BLOCK.fullmatch(block.rstrip("\n") + "\n")
        assert match is not None, block
        assert int(match[1]) == number
        start, end = (
            ((int(match[at]) * 60 + int(match[at + 1])) * 60 + int(match[at + 2])) * 1000 + int(match[at + 3])
            for at in (2, 6)
        )
        cues.append((start, end, match[10].split("\n")))
    return cues


def record(*words: tuple[str, float, float]) -> dict[str, Any]:
    return {"words": [{"text": text, "start": start, "end": end} for text, start, end in words]}


def talk(texts: list[str], *, gap: float = 0.1, length: float = 0.2) -> dict[str, Any]:
    return record(*((text, at * (gap + length), at * (gap + length) + length) for at, text in enumerate(texts)))


@st.composite
def any_words(draw: st.DrawFn) -> Words:
    """Words in the order of their beginnings; they may overlap and last no time."""
    words = []
    start = draw(st.floats(0, 400_000))
    for _ in range(draw(st.integers(0, 40))):
        start = round(start + draw(st.floats(0, 3)), 4)
        text = draw(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=50))
        words.append({"text": text, "start": start, "end": round(start + draw(st.floats(0, 2)), 4)})
    return words


@given(words=any_words())
@settings(max_examples=60, deadline=None)
def test_cues_follow_each_other_and_hold_every_word_once_in_order(words: Words) -> None:
    cues = parse(srt_text({"words": words}))
    assert [text for *_, lines in cues for line in lines for text in line.split(" ")] == [
        word["text"] for word in words
    ]
    for start, end, lines in cues:
        assert start < end
        assert len(lines) <= 2
        assert all(len(line) <= 42 or " " not in line for line in lines)
    for (_, end, _), (start, _, _) in pairwise(cues):
        assert end <= start


@given(words=any_words())
@settings(max_examples=30, deadline=None)
def test_a_cue_can_be_read_where_the_next_one_leaves_time(words: Words) -> None:
    cues = parse(srt_text({"words": words}))
    for place, (start, end, lines) in enumerate(cues):
        after = cues[place + 1][0] if place + 1 < len(cues) else None
        assert end == after or end - start >= max(1000, 50 * len(" ".join(lines)) - 1)


def test_a_cue_ends_at_a_pause_a_sentence_and_after_seven_seconds() -> None:
    paused = record(("a", 0.0, 0.1), ("b", 0.9, 1.0), ("c", 1.9, 2.0))
    assert [lines for *_, lines in parse(srt_text(paused))] == [["a b"], ["c"]]
    sentences = talk(["Go", 'on."', "Now?", "3.5", "it", "is"])
    assert [lines for *_, lines in parse(srt_text(sentences))] == [['Go on."'], ["Now?"], ["3.5 it is"]]
    slow = talk(["a"] * 30, gap=0.5, length=0.5)
    cues = parse(srt_text(slow))
    assert len(cues) == 5
    assert all(end - start <= 7000 for start, end, _ in cues)


def test_two_lines_are_as_even_as_can_be() -> None:
    cues = parse(srt_text(talk(["four"] * 12, gap=0.01, length=0.05)))
    assert [lines for *_, lines in cues] == [[" ".join(["four"] * 6)] * 2]


def test_parts_that_overlap_are_both_shown_as_long_as_they_are_spoken() -> None:
    one = record(("one", 1.0, 1.3), ("more", 1.9, 2.3), ("word", 3.5, 3.6))
    other = record(("on", 1.7, 1.8), ("top", 1.9, 2.6))
    cues = parse(srt_text(one, other))
    assert cues == [
        (1000, 2300, ["one more"]),
        (1700, 2700, ["on top"]),
        (3500, 4500, ["word"]),
    ]
    same = parse(srt_text(record(("left", 0.0, 0.4)), record(("right", 0.0, 0.4)), record(("next", 0.8, 1.0))))
    assert same == [(0, 1000, ["left"]), (1, 800, ["right"]), (800, 1800, ["next"])]


def test_a_narrow_word_is_shown_for_a_second_unless_another_follows() -> None:
    alone, first, second = parse(srt_text(record(("a", 1.0, 1.02), ("b.", 5.0, 5.02), ("c", 5.5, 5.52))))
    assert alone[:2] == (1000, 2000)
    assert first[:2] == (5000, 5500)
    assert second[:2] == (5500, 6500)


def test_odd_records() -> None:
    assert srt_text({"words": []}) == ""
    assert srt_text({"words": None}) == ""
    late = srt_text(record(("a", 360_000.0, 360_001.5)))
    assert late == "1\n100:00:00,000 --> 100:00:01,500\na\n"
    broken = srt_text(record(("a\n\nb", 0.0, 1.0), ("\u2028", 1.0, 1.1), ("-->", 1.1, 1.2)))
    assert [lines for *_, lines in parse(broken)] == [["a b -->"]]  # an empty line would end the cue


def test_a_no_break_space_parts_the_words_of_a_cue() -> None:
    tokens = tuple(Token(text, at, at + 0.1, 0.9) for at, text in enumerate(["go", "\u00a0", "on"]))
    found = Transcript("a", "go\u00a0on", 0.9, group_words(tokens), tokens).to_json()
    assert [word["text"] for word in found["words"]] == ["go", "on"]
    assert [lines for *_, lines in parse(srt_text(found))] == [["go"], ["on"]]  # a pause of 1.9 s
