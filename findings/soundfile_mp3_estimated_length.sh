#!/usr/bin/env bash
# An MP3 of variable bit rate without a Xing frame is cut at an estimated length: its end is lost without an error.
#
# Expected: soundfile.read() returns all there is, and `frames` says how many. The Xing (or Info) frame is an addition
#   of encoders that no standard has; one that writes to a pipe (soundfile's own too) can't put it in front.
# Instead:  without it the number of frames is taken to be the file's size over that of its first frame, and nothing
#   beyond that is read. Where quiet is followed by loud the loud end is missing whole: 10 s come back as 2.4 s. Two
#   files without it, joined by cat, are cut likewise. With a constant bit rate all is read, but at 44.1 kHz `frames`
#   promises some 0.1% that isn't there (half a second in ten minutes), as the padding bytes are left out. Nothing is
#   raised. miniaudio reads all of these. Of joined files that have a Xing frame both read the first alone, which is
#   what that frame counts.
# Versions: soundfile 0.14.0 (its wheel holds libsndfile 1.2.2), numpy 2.4.6; against miniaudio 1.71.
# Documentation: python-soundfile, SoundFile.frames: "The number of frames in the sound file." SoundFile.read(): "By
#   default, all frames from the current read/write position to the end of the file are returned." That of libmpg123,
#   which libsndfile asks, has mpg123_length() guess where there is neither such a frame nor a scan before.
# Instead do: decode such files with miniaudio or FFmpeg, which go through them to the end.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6 miniaudio==1.71
venv/bin/python - 2>decoder.log <<'EOF' || { grep -v libmpg123 decoder.log >&2; exit 1; }
import subprocess
import sys
from pathlib import Path

import miniaudio
import numpy as np
import soundfile

rate = 44100
kilobits = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # MPEG 1, layer III
quiet = 0.01 * np.sin(2 * np.pi * 440 * np.arange(8 * rate) / rate)
loud = 0.3 * np.random.default_rng(0).standard_normal(2 * rate).clip(-2, 2)
x = np.concatenate([quiet, loud])
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__, "miniaudio", miniaudio.__version__)


def sizes(content):  # of the frames, in bytes: each header is followed by as many as it says, to the last byte
    found, place = [], 0
    while place < len(content):
        head = content[place : place + 4]
        assert head[:2] == b"\xff\xfb" and head[2] & 0x0C == 0, (place, head)  # layer III of 44.1 kHz
        found.append(144000 * kilobits[head[2] >> 4] // rate + (head[2] >> 1 & 1))
        place += found[-1]
    assert place == len(content)
    return found


def write(sink, mode):
    with soundfile.SoundFile(
        sink, "w", rate, 1, "MPEG_LAYER_III", format="MP3", bitrate_mode=mode, compression_level=0.5, closefd=False
    ) as file:
        file.write(x)


def compare(name, content, count):
    Path(name).write_bytes(content)
    stated = soundfile.info(name).frames
    y, _ = soundfile.read(name)
    other = miniaudio.decode_file(name, output_format=miniaudio.SampleFormat.FLOAT32, nchannels=1, sample_rate=rate)
    z = np.array(other.samples)
    print(f"{name}: {count} samples by its headers; soundfile: frames {stated}, read {len(y)}, peak", end=" ")
    print(f"{np.abs(y).max():.3f}; miniaudio: read {len(z)}, peak {np.abs(z).max():.3f}")
    return stated, len(y), np.abs(y).max(), len(z)


changed = []
for mode in ("VARIABLE", "AVERAGE", "CONSTANT"):
    write("written.mp3", mode)
    whole = Path("written.mp3").read_bytes()
    with open("piped.mp3", "wb") as target, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=target) as cat:
        write(cat.stdin.fileno(), mode)
    bare = Path("piped.mp3").read_bytes()
    first = sizes(whole)[0]
    assert whole[:first].count(b"Info" if mode == "CONSTANT" else b"Xing") == 1
    assert bare == whole[first:]  # the frame with the count is all that the pipe lacks
    count = 1152 * len(sizes(bare))
    name = mode.lower()

    stated, got, peak, other = compare(f"{name}_to_file.mp3", whole, count)
    if not stated == got == other == len(x) or peak < 0.5:
        changed.append(f"{mode} with its first frame")

    stated, got, peak, other = compare(f"{name}_to_pipe.mp3", bare, count)
    if other != count:
        changed.append(f"miniaudio doesn't read all of {mode}")
    if abs(stated - 1152 * len(bare) / sizes(bare)[0]) > 1152:
        changed.append(f"the estimate for {mode}")
    if mode == "CONSTANT":
        if not stated > count == got:
            changed.append("CONSTANT promises no more than there is")
    elif not (stated == got < 0.6 * count and peak < 0.05):
        changed.append(f"{mode} without its first frame is no longer cut")

    if mode == "VARIABLE":
        stated, got, peak, other = compare(f"{name}_to_pipe_joined.mp3", bare + bare, 2 * count)
        if not (stated == got < 0.6 * count and peak < 0.05 and other == 2 * count):
            changed.append("two joined files without first frames")
        stated, got, peak, other = compare(f"{name}_to_file_joined.mp3", whole + whole, 2 * count)
        if not stated == got == other == len(x):
            changed.append("two joined files with first frames")
if changed:
    sys.exit("changed: " + "; ".join(changed))
print("as stated")
EOF
