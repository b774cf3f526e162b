#!/usr/bin/env bash
# webvtt-py doesn't decode the character references of WebVTT, and takes what stands between < and > in SubRip for a tag.
#
# Expected: "3 &lt; 4 &amp; 5" in a .vtt file reads 3 < 4 & 5 in Caption.text, and in the .srt that is saved from it; and
#   "3 < 4 and 5 > 2" in an .srt file, where the signs stand for themselves, stays that.
# Instead:  text keeps &lt; and &amp;, and save_as_srt writes them into SubRip, which has no such references. From SubRip,
#   text is "3  2": everything from < to > is gone. Saved as WebVTT the signs stand there bare, which the format forbids.
# Versions: webvtt-py 0.6.0.
# Documentation: W3C WebVTT, 3.3 "WebVTT cue text span" (ampersands and less-than signs are written as references) and 6.4
#   "WebVTT cue text parsing rules" (a data state, and one of references).
# Instead do: html.unescape on a caption's text from .vtt; raw_text of captions from .srt.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check webvtt-py==0.6.0
venv/bin/python - <<'PY'
import html
import sys
from importlib.metadata import version
from pathlib import Path

import webvtt

print("webvtt-py", version("webvtt-py"))
Path("a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n3 &lt; 4 &amp; 5\n")
Path("b.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n3 < 4 and 5 > 2\n")
from_vtt, from_srt = webvtt.read("a.vtt"), webvtt.from_srt("b.srt")
from_vtt.save_as_srt("a.srt")
from_srt.save("b.vtt")
seen = {
    "text of .vtt": from_vtt[0].text,
    "saved as .srt": Path("a.srt").read_text().splitlines()[2],
    "text of .srt": from_srt[0].text,
    "saved as .vtt": Path("b.vtt").read_text().splitlines()[3],
}
for name, text in seen.items():
    print(f"{name}: {text!r}")
assert html.unescape(from_vtt[0].text) == "3 < 4 & 5"  # what to do instead
assert from_srt[0].raw_text == "3 < 4 and 5 > 2"
stated = {
    "text of .vtt": "3 &lt; 4 &amp; 5",
    "saved as .srt": "3 &lt; 4 &amp; 5",
    "text of .srt": "3  2",
    "saved as .vtt": "3 < 4 and 5 > 2",
}
if seen != stated:
    print(f"changed: stated {stated}, seen {seen}")
    sys.exit(1)
print("as stated")
PY
