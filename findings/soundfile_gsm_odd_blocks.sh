#!/usr/bin/env bash
# A GSM 6.10 WAV of an odd number of blocks is read with 320 samples too many, and they are noise.
#
# Expected: a data chunk of k blocks of 65 bytes is 320 k samples; for an odd k the chunk is followed by one pad byte,
#   which is no part of it.
# Instead:  libsndfile rounds the odd size up, finds it to be no multiple of 65 and counts a block more, without an
#   error. That block is made of the pad byte and whatever fills the other 64: the last block's bytes, or the chunk that
#   comes next (LIST: a title, a comment). It is decoded and comes back as noise of 40 ms (at 8 kHz): after a tone of
#   0.1 with peaks of 0.2 to 1.0, after silence of 0.07. `frames` counts it. Every second number of blocks is hit, in
#   files that libsndfile wrote too. The fact chunk, which has the right number, isn't used. FFmpeg reads the right one.
# Versions: soundfile 0.14.0 (its wheel holds libsndfile 1.2.2), numpy 2.4.6.
# Documentation: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), ckData: "The ckSize value does not
#   include the pad byte". python-soundfile, SoundFile.frames: "The number of frames in the sound file."
# Instead do: cut what was read to the number in the fact chunk, or to 320 * (size of the data chunk // 65).
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import io
import struct
import sys

import numpy as np
import soundfile

rate = 8000
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)


def chunks(content):
    place, found = 12, {}
    while place + 8 <= len(content):
        name, size = struct.unpack("<4sI", content[place : place + 8])
        found[name] = content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    return found


def wav(parts):
    body = b"".join(struct.pack("<4sI", k, len(v)) + v + bytes(len(v) % 2) for k, v in parts.items())
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def read(content):
    return soundfile.read(io.BytesIO(content))[0]


changed = []
for kind, level in (("a tone", 0.1), ("silence", 0.0)):
    peaks = []
    for blocks in range(1, 51):
        n = 320 * blocks
        x = level * np.sin(2 * np.pi * 440 * np.arange(n) / rate)
        soundfile.write("gsm.wav", x, rate, subtype="GSM610")
        found = chunks(open("gsm.wav", "rb").read())
        assert len(found[b"data"]) == 65 * blocks and struct.unpack("<I", found[b"fact"]) == (n,)
        y, _ = soundfile.read("gsm.wav")
        if not len(y) == soundfile.info("gsm.wav").frames == n + 320 * (blocks % 2):
            changed.append(f"{kind} of {blocks} blocks is read as {len(y)} samples")
        if blocks % 2:
            peaks.append(float(np.abs(y[n:]).max(initial=0)))
    right = np.abs(y[:n]).max()
    print(f"{kind} of {level}, peak {right:.4f}: odd numbers of blocks to 49 are read with 320 samples more,", end=" ")
    print(f"whose peaks are {min(peaks):.3f} to {max(peaks):.3f} (median {np.median(peaks):.3f})")
    if max(peaks) < (0.9 if level else 0.05):
        changed.append(f"the level of the samples too many after {kind}")

# what the block too many is made of
x = 0.1 * np.sin(2 * np.pi * 440 * np.arange(1600) / rate)
soundfile.write("five.wav", x, rate, subtype="GSM610")
whole = open("five.wav", "rb").read()
found = chunks(whole)
assert wav(found) == whole
five = found[b"data"]
six = read(wav(found | {b"data": five + b"\0" + five[-64:]}))
text = b"INFOICMT" + struct.pack("<I", 100) + b"recorded in the second room.".ljust(100, b"\0")
titled = read(wav(found | {b"LIST": text}))
taken = read(wav(found | {b"data": five + (b"\0" + struct.pack("<4sI", b"LIST", len(text)) + text)[:65]}))
same, same_titled = np.array_equal(read(whole), six), np.array_equal(titled, taken)
print(f"five blocks: {len(read(whole))} samples, those of the pad byte and the last other 64: {same};", end=" ")
print(f"with a comment after them {len(titled)}, those of its bytes: {same_titled},", end=" ")
print(f"peak {np.abs(titled[1600:]).max():.3f}")
if not (same and same_titled):
    changed.append("what the block too many is made of")
if changed:
    sys.exit("changed: " + "; ".join(changed))
print("as stated")
EOF
