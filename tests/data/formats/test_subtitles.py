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
