#!/usr/bin/env bash
# A column of text that looks like dates stops being text on its way through JSON lines, even where string is asked for.
#
# Expected: Dataset.to_json() and load_dataset("json") are each other's inverse for a column of strings: "2021-05-01" in
#   quotes is a string in JSON.
# Instead:  read back, the column is timestamp[s]; written and read once more, it is int64 milliseconds. With
#   features={"text": string} the guess still comes first, and it is the timestamp that is cast: the text is then
#   "2021-05-01 00:00:00". Written dates as targets (text normalisation, date tagging, transcripts of forms) are
#   altered; one line that is no date in the file keeps all of them as they are, so small samples mislead.
# Versions: datasets 5.2.0, pyarrow 26.0.1, pandas 3.1.1.
# Documentation: RFC 8259, section 7 (Strings): what stands in quotes is a string. datasets.load_dataset, parameter
#   features: the types to use for the data set. (The guess is pyarrow's: "Reading JSON files", type inference.)
# Instead do: Dataset.from_list() on lines read with the json module, or keep the data in Parquet.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1
export HF_HOME="$tmp/home" HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1
venv/bin/python - <<'EOF'
import json
import sys

import datasets
import pyarrow

datasets.disable_progress_bars()
print("datasets", datasets.__version__, "pyarrow", pyarrow.__version__)
string = datasets.Features({"text": datasets.Value("string")})


def back(name, dataset, features=None):
    dataset.to_json(name)
    read = datasets.load_dataset("json", data_files=name, split="train", features=features)
    print(f"{name}: {open(name).readline().strip()} ... read as {read.features['text'].dtype}: {read['text'][0]!r}")
    return read.features["text"].dtype, read["text"][0], read


start = datasets.Dataset.from_list([{"text": "2021-05-01"}, {"text": "1999-12-31"}], features=string)
once = back("once.jsonl", start)
twice = back("twice.jsonl", once[2])
asked = back("asked.jsonl", start, string)
mixed = back("mixed.jsonl", datasets.Dataset.from_list([{"text": "2021-05-01"}, {"text": "in May"}]))
parsed = [json.loads(line) for line in open("once.jsonl")]
assert datasets.Dataset.from_list(parsed)[:] == start[:]  # what to do instead
if once[0] != "timestamp[s]" or twice[:2] != ("int64", 1619827200000):
    sys.exit("changed: the column of dates is read as " + once[0] + ", then " + twice[0])
if asked[:2] != ("string", "2021-05-01 00:00:00"):
    sys.exit("changed: with features= the text is " + repr(asked[1]))
if mixed[:2] != ("string", "2021-05-01"):
    sys.exit("changed: dates beside other text are " + repr(mixed[1]))
print("as stated")
EOF
