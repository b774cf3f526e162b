#!/usr/bin/env bash
# Reading an MP3 in blocks, or from a position, gives other samples than reading it whole.
#
# Expected: the blocks of soundfile.blocks(), one after the other, are soundfile.read(), and
#   read(start=k) is read()[k:]. For FLAC and for Vorbis they are.
# Instead:  soundfile ends every read with a seek to the place where the file already is. An MP3 frame may keep its bits
#   in the frames before it (the bit reservoir of ISO/IEC 11172-3 and 13818-3), and what comes right after a seek is
#   decoded without them. Files with few bits a frame (quiet, tonal or sparse sound) lose tenths of a second after each
#   seek: mostly they are silent there. The count of samples is right, nothing is raised; libmpg123 writes to stderr.
#   Whatever reads by soundfile.blocks() (librosa.stream does) or by start= (random crops of a data set) is concerned.
# Versions: soundfile 0.14.0 (its wheel holds libsndfile 1.2.2), numpy 2.4.6.
# Documentation: python-soundfile, read(), parameter start ("Where to start reading"), and SoundFile.blocks().
# Instead do: read an MP3 whole and slice the array, or convert it to FLAC or WAV first.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6
venv/bin/python - 2>decoder.log <<'EOF' || { grep -v libmpg123 decoder.log >&2; exit 1; }
import sys

import numpy as np
import soundfile

rate, seconds = 16000, 6
x = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate * seconds) / rate)
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)


def compare(name):
    soundfile.write(name, x, rate)
    whole, _ = soundfile.read(name)
    blocks = np.concatenate(list(soundfile.blocks(name, blocksize=4096)))
    late, _ = soundfile.read(name, start=40000)
    assert len(whole) == len(x) == len(blocks) and len(late) == len(x) - 40000
    assert np.abs(whole - x).max() < 0.1  # read whole, every format is right
    wrong_blocks = int((np.abs(blocks - whole) > 0.05).sum())
    wrong_late = np.flatnonzero(np.abs(late - whole[40000:]) > 0.05)
    last = int(wrong_late[-1]) / rate if len(wrong_late) else 0.0
    print(f"{name}: of {len(x)} samples read in blocks {wrong_blocks} are wrong by more than 0.05;", end=" ")
    print(f"read from sample 40000 on, {len(wrong_late)} are (up to {last:.3f} s after it)")
    return wrong_blocks, len(wrong_late)


flac = compare("tone.flac")
vorbis = compare("tone.ogg")
mp3 = compare("tone.mp3")
if {flac, vorbis} != {(0, 0)}:
    sys.exit("changed: FLAC or Vorbis read in parts no longer equals the whole")
if not (mp3[0] > len(x) // 4 and mp3[1] > 1000):
    sys.exit("changed: an MP3 read in blocks or from a position is (nearly) what it is when read whole")
print("as stated")
EOF
