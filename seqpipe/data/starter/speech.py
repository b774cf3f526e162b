"""The starter recordings: connected English digits and short spoken commands, made here by espeak-ng.

They are for a first run of the whole chain without a download. An error rate on them says that the chain works, and
nothing about how well it would hear people.

An utterance is a function of its split and index alone (and of espeak-ng 1.52, which the extra ``demo`` pins), so every
machine makes the same samples.

The splits share accents, templates and words, never a speaker: no espeak-ng variant is in two of them. Each split draws
its sentences anew, without a check for repetitions: of test's 61 commands 52 are said in train too, of its 59 digit
strings 2 (short ones).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.starter.build_once import Progress, build_once, write_table
from seqpipe.data.starter.espeak import ACCENTS, Espeak
from seqpipe.data.starter.espeak import SAMPLE_RATE as ESPEAK_RATE
from seqpipe.data.starter.random_stream import Draws

STARTER_SPEECH_VERSION: int = 2
"""Part of the folder's name and of every draw: raise it with any change to what is generated."""

SAMPLE_RATE = 16000  # hertz
SIZES = {"train": 1600, "dev": 100, "test": 120}  # utterances
# The espeak-ng variants that sound like a person. Left out: the Klatt and robot voices (klatt 6 draws from the C
# library's rand), whispers, croaks, clicks and strong echoes, hasty ones (20 % shorter than the rest), those that reach
# full scale, and some near copies. High voices are few, so half of the utterances are drawn from them.
SPEAKERS = {
    "train": {
        "high": ("aunty", "belinda", "f3", "f4", "f5", "shelby", "steph"),
        "low": (
            *("Alex", "Andy", "Denis", "Diogo", "Henrique", "Hugo", "Mario", "Michael", "Mike", "boris", "grandpa"),
            *("gustave", "iven4", "john", "m1", "m2", "m4", "m6", "marcelo", "max", "michel", "miguel", "norbert"),
            *("pablo", "quincy", "rob", "robert", "sandro", "victor"),
        ),
    },
    "dev": {"high": ("f1", "grandma"), "low": ("ed", "m5", "m8")},
    "test": {"high": ("Annie", "f2", "linda"), "low": ("Gene", "m3", "m7", "paul")},
}

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Few words, so that a model of five minutes hears each often enough. No homographs (close, live, record), and of the
# digits' homophones only "to".
COMMANDS = (
    "turn {on|off} the ROOM DEVICE",
    "turn {on|off} all the lights",
    "turn the {radio|music} {up|down}",
    "set the timer to COUNT {seconds|minutes|hours}",
    "stop the {timer|music|radio}",
    "{open|shut|lock} the ROOM {door|window}",
    "play some music in the ROOM",
    "wake me at COUNT {today|tomorrow}",
    "check the ROOM {door|window}",
)
SLOTS = {
    "ROOM": ("kitchen", "bedroom", "bathroom", "garage", "office"),
    "DEVICE": ("light", "lamp", "heater", "fan", "radio"),
    "COUNT": (*DIGITS[2:], "ten", "twenty"),
}

VOCABULARY = frozenset(re.findall("[a-z]+", " ".join((*DIGITS, "oh please", *COMMANDS, *sum(SLOTS.values(), ())))))
"""All words that are said, 54."""


@dataclass(frozen=True)
class Utterance:
    """One starter recording.

    Attributes:
        name: its id, ``test-0007``.
        voice: accent and speaker as espeak-ng names them, ``en-gb-scotland+m3``.
        text: what is said: words of ``VOCABULARY`` with a space between them.
        snr: decibel, power of the speech from its first to its last sound over that of the noise.
        samples: ``[S]`` 16 bit at ``SAMPLE_RATE``.
        begins: where each word begins, in seconds, by espeak-ng's own events, and so where the one before it ends. None
            of one that espeak-ng joins with the one before it ("on the").
        end: of the last word: of the last sound.
    """

    name: str
    voice: str
    text: str
    snr: float
    samples: NDArray[np.int16]
    begins: tuple[float | None, ...]
    end: float


def make_utterance(split: str, index: int, espeak: Espeak) -> Utterance:
    """Make one recording: a drawn sentence, voice, speed (130 to 210 words a minute), pitch, noise and level.

    The speech starts and ends 0.05 to 0.3 s inside the recording; noise is added 10 to 35 dB below the speech, and the
    peak of the sum is set to between -20 and -1 dB of full scale.

    Args:
        split: ``train``, ``dev`` or ``test``.
        index: at least 0; may be beyond ``SIZES``.
        espeak: says the text; what it said before doesn't matter.
    """
    from scipy.signal import resample_poly

    draws = Draws(STARTER_SPEECH_VERSION, list(SIZES).index(split) << 32 | index)
    text = draws.choice((_digit_string, _command))(draws)
    voice = f"{draws.choice(sorted(ACCENTS))}+{draws.choice(SPEAKERS[split][draws.choice(('high', 'low'))])}"
    speed, pitch, pitch_range = draws.integer(130, 210), draws.integer(35, 65), draws.integer(30, 75)
    spoken, said = espeak.speak_with_words(text, voice, words_per_minute=speed, pitch=pitch, pitch_range=pitch_range)
    sounding = _sounding(spoken)
    speech = resample_poly(spoken[sounding] / 32768.0, 320, 441)  # 22050 to 16000 Hz
    before, after = (round(draws.uniform(0.05, 0.3) * SAMPLE_RATE) for _ in range(2))
    snr = draws.uniform(10, 35)
    noise = _noise(draws, before + len(speech) + after)  # of power 1
    sound = math.sqrt(np.mean(speech**2) / 10 ** (snr / 10)) * noise
    sound[before : before + len(speech)] += speech
    sound *= 10 ** (draws.uniform(-20, -1) / 20) / np.abs(sound).max()
    samples = np.rint(sound * 32767).astype(np.int16)
    told = {word.offset: before / SAMPLE_RATE + max(0, word.start - sounding.start) / ESPEAK_RATE for word in said}
    begins = tuple(told.get(word.start()) for word in re.finditer(r"\S+", text))
    end = (before + len(speech)) / SAMPLE_RATE
    return Utterance(f"{split}-{index:04d}", voice, text, snr, samples, begins, end)


def starter_speech(
    cache: Path | None = None, *, sizes: Mapping[str, int] = SIZES, progress: Progress | None = None
) -> Path:
    """Find the folder of the starter recordings; the first time, make it.

    Args:
        cache: where it is kept; see `cache_folder`.
        sizes: utterances of each split, if they are to be made.
        progress: as for `write_recordings`; not called where the folder is there already.

    Returns:
        ``<cache>/starter-speech-v2``, laid out as `write_recordings` says.

    Raises:
        RuntimeError: something without the tables stands at that place; also as `write_recordings`.
    """
    name, tables = f"starter-speech-v{STARTER_SPEECH_VERSION}", [f"{split}.tsv" for split in sizes]
    return build_once(name, tables, lambda part: write_recordings(part, sizes, progress=progress), cache)


def write_recordings(folder: Path, sizes: Mapping[str, int] = SIZES, *, progress: Progress | None = None) -> None:
    """Make the whole set: 1,820 recordings, about an hour of sound, in about 20 s on two cores.

    Written are ``{train,dev,test}/<id>.flac`` (16 kHz, mono, 16 bit) and ``{train,dev,test}.tsv``: unquoted, a header
    and a row per recording with its path (relative to the table), id, voice, seconds and text.

    Args:
        folder: made if missing; files of these names are replaced. The tables are written last.
        sizes: utterances of each split.
        progress: called after each recording, in the caller's thread, with how many are done and how many there are.

    Raises:
        ImportError: espeakng-loader isn't installed (extra ``demo``).
        RuntimeError: espeak-ng failed.
        OSError: the folder can't be written.
    """
    import soundfile

    wanted = [(split, index) for split, size in sizes.items() for index in range(size)]
    tables = {split: ["path\tid\tvoice\tseconds\ttext"] for split in sizes}
    with ExitStack() as stack:
        # Threads: espeak-ng is in processes of its own, and what is left is mostly NumPy, SciPy and FLAC.
        workers = min(os.cpu_count() or 1, 8)
        idle: SimpleQueue[Espeak] = SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(Espeak()))
        for split in sizes:
            (folder / split).mkdir(parents=True, exist_ok=True)

        def record(split: str, index: int) -> str:
            espeak = idle.get()
            try:
                utterance = make_utterance(split, index, espeak)
            finally:
                idle.put(espeak)
            path = f"{split}/{utterance.name}.flac"
            soundfile.write(folder / path, utterance.samples, SAMPLE_RATE, subtype="PCM_16")
            seconds = f"{len(utterance.samples) / SAMPLE_RATE:.4f}"
            return "\t".join((path, utterance.name, utterance.voice, seconds, utterance.text))

        threads = ThreadPoolExecutor(workers)
        stack.callback(threads.shutdown, cancel_futures=True)  # an interrupt doesn't wait for what is queued
        results = threads.map(record, *zip(*wanted, strict=True))
        for done, ((split, _), row) in enumerate(zip(wanted, results, strict=True), start=1):
            tables[split].append(row)
            if progress is not None:
                progress(done, len(wanted))
    for split, lines in tables.items():
        write_table(folder / f"{split}.tsv", lines)


def _digit_string(draws: Draws) -> str:
    """Three to seven digits; one speaker in three says ``oh`` for every zero."""
    zero = draws.choice(("oh", DIGITS[0], DIGITS[0]))
    return " ".join(draws.choice((zero, *DIGITS[1:])) for _ in range(draws.integer(3, 7)))


def _command(draws: Draws) -> str:
    """A command, every second one with a ``please`` before or after it."""

    def fill(slot: re.Match[str]) -> str:
        return draws.choice(SLOTS[slot[0]] if slot[0] in SLOTS else slot[0].strip("{}").split("|"))

    command = re.sub("{.*?}|[A-Z]+", fill, draws.choice(COMMANDS))
    return draws.choice((command, command, f"please {command}", f"{command} please"))


def _sounding(samples: NDArray[np.int16]) -> slice:
    """From the first to the last sample above -60 dB of the peak: an echo's last bits are silence too."""
    level = np.abs(samples.astype(np.int32))
    loud = np.flatnonzero(level * 1000 > level.max())
    return slice(int(loud[0]), int(loud[-1]) + 1)


def _noise(draws: Draws, count: int) -> NDArray[np.float64]:
    """``[count]`` samples of power 1: hiss (white), rumble (pink) and mains hum in a drawn mixture."""
    white = draws.uniforms(count) - 0.5
    length = 1 << (count - 1).bit_length()  # a power of two: ten times faster than a large prime
    spectrum, frequency = np.fft.rfft(draws.uniforms(length) - 0.5), np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    # Pink: power falls as 1 / frequency. Below 20 Hz, where nobody hears it, would be a third of it.
    pink = np.fft.irfft(np.where(frequency < 20, 0, spectrum) / np.sqrt(np.maximum(frequency, 20)))[:count]
    # 50 and 60 hertz both repeat after a tenth of a second.
    cycles = draws.choice((50, 60)) * np.arange(SAMPLE_RATE // 10) / SAMPLE_RATE
    hum = np.zeros(len(cycles))
    for harmonic in range(1, 9):
        hum += draws.uniform(0, 1) / harmonic * np.sin(2 * np.pi * (harmonic * cycles + draws.uniform(0, 1)))
    mixture = np.zeros(count)
    for part in (white, pink, np.resize(hum, count)):
        mixture += draws.uniform(0, 1) / math.sqrt(np.mean(part**2)) * part
    return np.asarray(mixture / math.sqrt(np.mean(mixture**2)))
