"""Isolated digits spoken by espeak-ng: further training rows for a recipe of spoken digits.

A handful of people say little about the next one. A synthesiser's voices are no people, but they differ in accent, in
the length of the vocal tract, in pitch and in speed, which is what a model of few speakers has heard too little of.
They are as clean as they come: noise, loudness and room are the matter of a recipe's features.

A recording is a function of its number alone (and of espeak-ng 1.52), so every machine makes the same samples.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.starter.build_once import Progress, build_once, write_table
from seqpipe.data.starter.espeak import ACCENTS, Espeak
from seqpipe.data.starter.espeak import SAMPLE_RATE as SPOKEN_RATE
from seqpipe.data.starter.random_stream import Draws
from seqpipe.data.starter.speech import DIGITS, SPEAKERS

STARTER_DIGITS_VERSION: int = 1
"""Part of the folder's name and of every draw: raise it with any change to what is generated."""

SAMPLE_RATE = 8000  # hertz, that of FSDD
COUNT = 2000  # recordings, a tenth of them of each digit
TABLE = "digits.tsv"
VOICES = {part: sorted(name for split in SPEAKERS.values() for name in split[part]) for part in ("high", "low")}
SILENCE = 0.01  # of the peak: what is quieter at both ends is cut off, as in FSDD
PEAK = 0.5


def speak_digit(number: int, espeak: Espeak) -> tuple[str, str, NDArray[np.int16]]:
    """One recording: the word, the voice, and 16 bit samples ``[S]`` at ``SAMPLE_RATE``.

    Accent, voice, speed (110 to 230 words a minute), pitch and its range are drawn.

    Args:
        number: at least 0; its last decimal is the digit.
        espeak: says the word; what it said before doesn't matter.
    """
    from scipy.signal import resample_poly

    draws = Draws(2**32 + STARTER_DIGITS_VERSION, number)
    accent, high, variant, speed, pitch, pitch_range = draws.uniforms(6)
    word = DIGITS[number % 10]
    variants = VOICES["high" if high < 1 / 3 else "low"]  # the high ones are few
    voice = f"{sorted(ACCENTS)[int(accent * len(ACCENTS))]}+{variants[int(variant * len(variants))]}"
    spoken = espeak.speak(
        word,
        voice,
        words_per_minute=110 + int(121 * speed),
        pitch=25 + int(61 * pitch),
        pitch_range=20 + int(71 * pitch_range),
    )
    common = math.gcd(SAMPLE_RATE, SPOKEN_RATE)
    samples = resample_poly(spoken / 32768.0, SAMPLE_RATE // common, SPOKEN_RATE // common)
    level = np.abs(samples)
    loud = np.flatnonzero(level > SILENCE * level.max())
    return word, voice, np.rint(samples[loud[0] : loud[-1] + 1] * (PEAK * 32767 / level.max())).astype(np.int16)


def write_digits(folder: Path, count: int = COUNT, *, progress: Progress | None = None) -> None:
    """Write ``digits/{number}_{digit}.flac`` and ``digits.tsv`` (path, text, voice), in half a minute.

    Args:
        folder: made if missing; the table is written last.
        count: recordings.
        progress: called after each recording, with how many are done and how many there are.

    Raises:
        ImportError: espeakng-loader isn't installed (extra ``demo``).
        RuntimeError: espeak-ng failed.
        OSError: the folder can't be written.
    """
    import soundfile

    (folder / "digits").mkdir(parents=True, exist_ok=True)
    lines = ["path\ttext\tvoice"]
    with Espeak() as espeak:
        for number in range(count):
            word, voice, samples = speak_digit(number, espeak)
            path = f"digits/{number:04d}_{number % 10}.flac"
            soundfile.write(folder / path, samples, SAMPLE_RATE, subtype="PCM_16")
            lines.append(f"{path}\t{word}\t{voice}")
            if progress is not None:
                progress(number + 1, count)
    write_table(folder / TABLE, lines)


def starter_digits(cache: Path | None = None, *, count: int = COUNT, progress: Progress | None = None) -> Path:
    """The table of the spoken digits in the cache; they are made the first time.

    Args:
        cache: where they are kept; see `cache_folder`.
        count: recordings, if they are to be made.
        progress: as for `write_digits`; not called where they are there already.
    """
    name = f"starter-digits-v{STARTER_DIGITS_VERSION}"
    return build_once(name, [TABLE], lambda part: write_digits(part, count, progress=progress), cache) / TABLE
