#!/usr/bin/env bash
# tgt loses labels with " = " in TextGrids of the long form, also those that it wrote itself.
#
# Expected: a label comes back as it was; inside its quotation marks an equal sign is text.
# Instead:  "F0 = 120 Hz" comes back as "F": a line is split at each " = ", and the first and the last character of the second
#   part are taken for quotation marks. "a = b" comes back as an empty label, and as those are left out unless
#   include_empty_intervals is given, the interval is gone. "F0=120 Hz" stays, and so does all in the short form.
# Versions: tgt 1.5, against textgrid 1.6.1, praatio 6.2.2 and pympi-ling 1.71, which keep the label.
# Documentation: Praat manual, "TextGrid file formats": a text is what stands between quotation marks.
# Instead do: write with format="short", or read with another of these libraries.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tgt==1.5 textgrid==1.6.1 praatio==6.2.2 pympi-ling==1.71 numpy==2.3.5
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

import textgrid
import tgt
from praatio import textgrid as praatio
from pympi import Praat

print(*(f"{name} {version(name)}" for name in ("tgt", "textgrid", "praatio", "pympi-ling")))


def readers(path):
    return {
        "textgrid": [interval.mark for interval in textgrid.TextGrid.fromFile(path)[0]],
        "praatio": [entry.label for entry in praatio.openTextgrid(path, True).getTier("words").entries],
        "pympi": [text for _, _, text in Praat.TextGrid(path, codec="utf-8").get_tier("words").get_all_intervals()],
    }


seen = {}
for label in ("F0 = 120 Hz", "a = b", "F0=120 Hz"):
    grid = tgt.TextGrid()
    tier = tgt.IntervalTier(0, 2, "words")
    tier.add_interval(tgt.Interval(0, 1, label))
    tier.add_interval(tgt.Interval(1, 2, "next"))
    grid.add_tier(tier)
    for form in ("long", "short"):
        tgt.write_to_file(grid, "a.TextGrid", format=form)
        back = [interval.text for interval in tgt.read_textgrid("a.TextGrid").tiers[0]]
        print(f"{label!r}, {form} form: tgt reads {back}")
        seen[label, form] = back
        if form == "long":
            for name, labels in readers("a.TextGrid").items():
                print(f"  {name} reads {labels}")
                assert labels == [label, "next"], name
stated = {
    ("F0 = 120 Hz", "long"): ["F", "next"],
    ("F0 = 120 Hz", "short"): ["F0 = 120 Hz", "next"],
    ("a = b", "long"): ["next"],
    ("a = b", "short"): ["a = b", "next"],
    ("F0=120 Hz", "long"): ["F0=120 Hz", "next"],
    ("F0=120 Hz", "short"): ["F0=120 Hz", "next"],
}
if seen != stated:
    print(f"changed: stated {stated}, seen {seen}")
    sys.exit(1)
print("as stated")
PY
