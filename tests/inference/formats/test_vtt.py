from seqpipe.inference.formats.srt import srt_text
from seqpipe.inference.formats.vtt import vtt_text

WORDS = [
    {"text": "a<b>", "start": 0.5, "end": 0.9},
    {"text": "&", "start": 1.0, "end": 1.2},
    {"text": "later", "start": 3661.0, "end": 3662.5},
]


def test_cues_are_those_of_srt() -> None:
    assert vtt_text({"words": WORDS}) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\na&lt;b&gt; &amp;\n\n01:01:01.000 --> 01:01:02.500\nlater\n"
    )
    assert srt_text({"words": WORDS}).startswith("1\n00:00:00,500 --> 00:00:01,500\na<b> &\n\n2\n01:01:01,000")


def test_cues_that_were_given_keep_their_lines() -> None:
    lines = [{"text": "Go\nnow", "start": 0.5, "end": 0.9}, {"text": "Stop " * 30, "start": 5.0, "end": 6.0}]
    record = {"words": WORDS, "lines": lines, "subtitles": True}
    assert srt_text(record).startswith("1\n00:00:00,500 --> 00:00:01,500\nGo\nnow\n\n2\n00:00:05,000 --> ")
    assert srt_text(record).count("\n") == 2 + 2 + 1 + 3
    assert vtt_text({**record, "subtitles": False}) == vtt_text({"words": WORDS})
