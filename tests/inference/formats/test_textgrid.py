import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from seqpipe.inference.formats.textgrid import textgrid_text

HEAD = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
INTERVAL = re.compile(
    r"        intervals \[(\d+)\]:\n            xmin = ([\d.]+)\n            xmax = ([\d.]+)\n"
    r'            text = "((?:[^"]|"")*)"\n'
)


def parse(text: str) -> tuple[float, dict[str, list[tuple[float, float, str]]]]:
    """The end and the tiers, as Praat's long form has them; nothing may be left over."""
    assert text.startswith(HEAD)
    end = re.match(r"xmin = 0\nxmax = ([\d.]+)\ntiers\? <exists>\nsize = (\d+)\nitem \[\]:\n", text[len(HEAD) :])
    assert end is not None
    tiers = {}
    rest = text[len(HEAD) + end.end() :]
    for number in range(1, int(end[2]) + 1):
        head = re.match(
            rf'    item \[{number}\]:\n        class = "IntervalTier"\n        name = "(\w+)"\n'
            rf"        xmin = 0\n        xmax = {re.escape(end[1])}\n        intervals: size = (\d+)\n",
            rest,
        )
        assert head is not None, rest
        rest, found = rest[head.end() :], []
        for index in range(1, int(head[2]) + 1):
            match = INTERVAL.match(rest)
            assert match is not None
            assert int(match[1]) == index
            found.append((float(match[2]), float(match[3]), match[4].replace('""', '"')))
            rest = rest[match.end() :]
        tiers[head[1]] = found
    assert rest == ""
    return float(end[1]), tiers


def item(text: str, start: float, end: float) -> dict[str, object]:
    return {"text": text, "start": start, "end": end}


def test_words_and_units_are_tiers_without_gaps() -> None:
    words = [item("go", 0.5, 1.0), item('"on"', 1.0, 1.25)]
    record = {"words": words, "tokens": [item("go", 0.6, 0.9), item(" ", 0.9, 1.0), item("on", 1.0, 1.2)], "length": 2}
    assert parse(textgrid_text(record)) == (
        2.0,
        {
            "words": [(0, 0.5, ""), (0.5, 1.0, "go"), (1.0, 1.25, '"on"'), (1.25, 2.0, "")],
            "units": [(0, 0.6, ""), (0.6, 0.9, "go"), (0.9, 1.0, ""), (1.0, 1.2, "on"), (1.2, 2.0, "")],
        },
    )


def test_lines_are_a_tier_of_a_text_that_has_several() -> None:
    record = {"words": [], "tokens": [], "lines": [item("go\non", 0.0, 1.0)], "length": 1.0}
    assert parse(textgrid_text(record))[1]["lines"] == [(0, 1, "go on")]


@given(
    st.lists(st.tuples(st.floats(0, 9), st.floats(0, 3), st.sampled_from(["a", "b c", 'd"', " "])), max_size=8),
    st.sampled_from([None, 20.0]),
)
def test_whatever_overlaps_or_has_no_length_tiers_stay_whole(
    words: list[tuple[float, float, str]], length: float | None
) -> None:
    records = [{"words": [item(text, start, start + more)], "length": length} for start, more, text in words]
    end, tiers = parse(textgrid_text(*(records or [{"words": []}])))
    for found in tiers.values():
        assert found[0][0] == 0
        assert found[-1][1] == end
        assert all(start < stop for start, stop, _ in found)
        assert all(first[1] == second[0] for first, second in pairwise(found))


def test_transcripts_without_tokens_have_an_empty_tier_of_units() -> None:
    assert parse(textgrid_text({"words": [item("a", 0, 1)]}))[1]["units"] == [(0, 1, "")]
