import pytest

from seqpipe.data.formats.subtitles import read_cues
from seqpipe.errors import InputError

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Turn on</i>
the  light

2
00:00:03,000 --> 00:00:04,000
{\\an8}- Now.

3
00:00:05,000 --> 00:00:06,000

"""
VTT = """WEBVTT - of a film

STYLE
::cue { color: red }

NOTE nobody says this

first
00:01.000 --> 00:02.500 align:start
<v Anna>Turn on
the light

00:03.000 --> 00:04.000
- Now.
"""


@pytest.mark.parametrize("content", [SRT, VTT, SRT.replace("\n", "\r\n"), SRT.rstrip()])
def test_cues_are_texts_without_tags(content: str) -> None:
    assert read_cues(content, "a.srt") == ["Turn on\nthe light", "- Now."]


@pytest.mark.parametrize("content", ["", "Turn on the light.\n", "1\n00:00:01,000 --> 00:00:02,500\n\n"])
def test_what_holds_no_cue_is_named(content: str) -> None:
    with pytest.raises(InputError, match=r"film\.srt: holds no cue"):
        read_cues(content, "film.srt")


def test_references_are_signs_in_vtt_and_text_in_srt() -> None:
    times = "00:00:01.000 --> 00:00:02.000"
    assert read_cues(f"WEBVTT\n\n{times}\n3 &lt; 4 &amp; <b>5</b> <00:01.500>now\n", "a.vtt") == ["3 < 4 & 5 now"]
    assert read_cues(f"1\n{times.replace('.', ',')}\nAT&amp;T\n", "a.srt") == ["AT&amp;T"]


def test_what_stands_between_two_comparisons_is_no_tag() -> None:
    assert read_cues("1\n00:00:01,000 --> 00:00:02,000\n3 < 4 and <i>5</i> > 2\n", "a.srt") == ["3 < 4 and 5 > 2"]
