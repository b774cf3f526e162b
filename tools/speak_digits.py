"""Speak isolated digits with espeak-ng, as further training rows for a recipe of spoken digits.

Five people's recordings say little about a sixth one. A synthesiser's voices are no people, but they differ in accent,
in the length of the vocal tract, in pitch and speed, which is what a model of few speakers has not heard enough of.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from preparing import PreparationError, finished_folder, run

from seqpipe.data.espeak import ACCENTS, Espeak
from seqpipe.data.espeak import SAMPLE_RATE as SPOKEN_RATE
from seqpipe.data.starter_speech import SPEAKERS
from seqpipe.features.waveform import resample

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLUMNS = ("path", "digit", "text", "speaker", "samples")
SILENCE = 0.01  # of the peak: what is quieter at both ends is cut off, as in FSDD

DESCRIPTION = """\
Speak isolated digits with espeak-ng (package espeakng-loader, GPL-3.0-or-later), as further training rows.

Each recording draws accent, voice, speed and pitch; the same number gives the same recording. Nothing is added to
it: noise, loudness and room are the matter of a recipe's features.
output   OUTPUT_DIR/digits/{number}_{digit}.flac (16 bits, peak at -6 dB of full scale),
         OUTPUT_DIR/digits.tsv (path, digit, text, speaker, samples)
"""

EXAMPLE = """\
example:
  python tools/speak_digits.py data/fsdd_spoken --count 2000 --sample-rate 8000
"""


def speak(number: int, sample_rate: int, espeak: Espeak) -> tuple[str, str, NDArray[np.int16]]:
    """One recording: word, voice and samples ``[S]``; a function of its number and the rate."""
    import torch

    # Raw Philox output stays the same from one numpy release to the next, unlike its Generator (NEP 19).
    raw = np.random.Philox(key=np.array([7, number], dtype=np.uint64)).random_raw(6)
    draws = iter((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53)
    accent, high, variant, speed, pitch, pitch_range = draws
    word = WORDS[number % len(WORDS)]
    # High voices are few, so a third of the recordings is drawn from them.
    variants = sorted(name for part in SPEAKERS.values() for name in part["high" if high < 1 / 3 else "low"])
    voice = f"{sorted(ACCENTS)[int(accent * len(ACCENTS))]}+{variants[int(variant * len(variants))]}"
    spoken = espeak.speak(
        word,
        voice,
        words_per_minute=int(110 + 120 * speed),
        pitch=int(25 + 60 * pitch),
        pitch_range=int(20 + 70 * pitch_range),
    )
    samples = resample(torch.from_numpy(spoken / np.float32(32768.0)), SPOKEN_RATE, sample_rate).numpy()
    level = np.abs(samples)
    loud = np.flatnonzero(level > SILENCE * level.max())
    kept = samples[loud[0] : loud[-1] + 1]
    return word, voice, np.rint(kept / np.abs(kept).max() * 16384).astype(np.int16)


def prepare(output: Path, count: int, sample_rate: int) -> None:
    """Write ``count`` recordings and their table; see DESCRIPTION."""
    if count < 1 or not 4000 <= sample_rate <= SPOKEN_RATE:
        raise PreparationError(f"--count is at least 1, --sample-rate 4000 to {SPOKEN_RATE} Hz")
    lines = ["\t".join(COLUMNS)]
    with finished_folder(output) as folder, Espeak() as espeak:
        (folder / "digits").mkdir()
        for number in range(count):
            word, voice, samples = speak(number, sample_rate, espeak)
            digit = WORDS.index(word)
            path = f"digits/{number:05d}_{digit}.flac"
            soundfile.write(folder / path, samples, sample_rate, format="FLAC", subtype="PCM_16")
            lines.append("\t".join((path, str(digit), word, voice, str(len(samples)))))
        (folder / "digits.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    print(f"written to {output}: {count} recordings", file=sys.stderr)


def main() -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="the folder to make; if it exists, empty")
    parser.add_argument("--count", type=int, default=2000, help="recordings, a tenth of them each digit (default 2000)")
    parser.add_argument("--sample-rate", type=int, default=8000, help="hertz (default 8000)")
    arguments = parser.parse_args()
    try:
        return run("speak_digits", lambda: prepare(arguments.output, arguments.count, arguments.sample_rate))
    except ImportError as error:
        print(f"speak_digits: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
