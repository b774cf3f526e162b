"""Text in a voice to samples, by espeak-ng.

The same arguments give the same samples, whatever was said before. espeak-ng itself does not promise that: the phase of
its pitch flutter, its cycle counter and its gain control are static variables that no call resets, not even
``espeak_Terminate`` (177 of 208 short texts came out different in another order). So each text is said by a process
that has said nothing yet. This file is also that process's program: a small interpreter without site-packages loads
espeak-ng once and forks for each text (about 8 ms); where there is no fork it is started for each text (about 60 ms).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 22050
"""Hertz, of all of espeak-ng's own voices."""

ACCENTS = {
    "en-029": "gmw/en-029",
    "en-gb": "gmw/en",
    "en-gb-scotland": "gmw/en-GB-scotland",
    "en-gb-x-gbclan": "gmw/en-GB-x-gbclan",
    "en-gb-x-gbcwmd": "gmw/en-GB-x-gbcwmd",
    "en-gb-x-rp": "gmw/en-GB-x-rp",
    "en-us": "gmw/en-US",
    "en-us-nyc": "gmw/en-US-nyc",
}
"""English accents and the file under ``espeak-ng-data/lang`` behind each. The file is what is asked for: espeak-ng 1.52
doesn't know ``en-gb`` by that name, and looking a name up lists the whole folder."""

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

# At the default of 100 a third of the variants reach full scale, where espeak-ng's gain control pumps and its recorded
# consonants wrap around.
_VOICE_VOLUME = 30


class SpokenWord(NamedTuple):
    """A word that espeak-ng has said, or two that it joins ("on the").

    Attributes:
        offset: of its first character in what was to be said.
        start: its first sample; it lasts until the next word, or the end of the sound.
    """

    offset: int
    start: int


class Espeak:
    """A speaker of text that keeps one worker process; a context manager, for one thread at a time.

    Args:
        fork: fork the worker for each text; else, for platforms without fork, start one for each (eight times slower).

    Raises:
        ImportError: espeakng-loader, which brings espeak-ng and its data, isn't installed.

    Example::

        with Espeak() as espeak:
            samples = espeak.speak("two nine oh", "en-gb-scotland+m3", words_per_minute=160, pitch=50, pitch_range=50)
    """

    def __init__(self, *, fork: bool = hasattr(os, "fork")) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise ImportError(
                "espeakng-loader, which the starter speech is made with, isn't installed: pip install 'seqpipe[demo]'"
            ) from error
        self._data = Path(espeakng_loader.get_data_path())
        library = espeakng_loader.get_library_path()
        mode = "fork" if fork else "once"
        # -I -S: neither the user's environment nor site-packages can change or slow the worker.
        self._command = [sys.executable, "-I", "-S", __file__, library, str(self._data), mode]
        self._fork = fork
        self._worker: subprocess.Popen[bytes] | None = None

    def speak(self, text: str, voice: str, *, words_per_minute: int, pitch: int, pitch_range: int) -> NDArray[np.int16]:
        """Say a text; see `speak_with_words`, which tells where the words are too."""
        spoken, _ = self.speak_with_words(
            text, voice, words_per_minute=words_per_minute, pitch=pitch, pitch_range=pitch_range
        )
        return spoken

    def speak_with_words(
        self, text: str, voice: str, *, words_per_minute: int, pitch: int, pitch_range: int
    ) -> tuple[NDArray[np.int16], list[SpokenWord]]:
        """Say a text; silences that espeak-ng puts around it are kept.

        Args:
            text: what to say, on one line.
            voice: one of ``ACCENTS``, alone or with a variant: ``en-us``, ``en-us+f2``.
            words_per_minute: 80 to 450; espeak-ng's default is 175.
            pitch: 0 to 99; 50 is the variant's own. Above 50 the formants rise too (by 12 % at 99).
            pitch_range: 0 (monotone) to 99; 50 is the variant's own.

        Returns:
            ``[S]`` 16 bit samples at ``SAMPLE_RATE``, and the words in their order, by espeak-ng's own events.

        Raises:
            ValueError: an unknown accent or variant, a number outside its range, or an empty text.
            RuntimeError: espeak-ng failed; the message holds the voice and the text.
        """
        import numpy as np

        accent, _, variant = voice.partition("+")
        if accent not in ACCENTS:
            raise ValueError(f"voice {voice!r}: accent {accent!r} is not known; choose one of {', '.join(ACCENTS)}")
        # espeak-ng takes a variant that doesn't exist for none at all, without an error.
        if variant and not (self._data / "voices" / "!v" / variant).is_file():
            raise ValueError(f"voice {voice!r}: espeak-ng has no variant {variant!r} in {self._data / 'voices' / '!v'}")
        if not text.strip():
            raise ValueError(f"there is nothing to say in the text {text!r}")
        for name, value, low, high in (
            ("words_per_minute", words_per_minute, 80, 450),
            ("pitch", pitch, 0, 99),
            ("pitch_range", pitch_range, 0, 99),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, not {value}")

        request = {
            "text": text,
            "voice": voice.replace(accent, ACCENTS[accent], 1),
            "parameters": {_RATE: words_per_minute, _VOLUME: _VOICE_VOLUME, _PITCH: pitch, _RANGE: pitch_range},
        }
        try:
            header, content = self._answer(json.dumps(request).encode())
            samples = np.frombuffer(content, dtype="<i2").astype(np.int16)
        except _WorkerError as error:
            raise RuntimeError(f"espeak-ng failed to say {text!r} in the voice {voice!r}: {error}") from error
        if not samples.any():
            raise RuntimeError(f"espeak-ng gave no sound for {text!r} in the voice {voice!r}")
        return samples, [SpokenWord(*word) for word in header["words"]]

    def close(self) -> None:
        """End the worker process; a later ``speak`` starts another."""
        if self._worker is not None:
            self._worker.communicate()  # the end of its input ends it
            self._worker = None

    def __enter__(self) -> Espeak:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        """Send one request to the worker and read its answer, or raise ``_WorkerError``."""
        if self._worker is None:
            self._worker = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stdin, stdout = self._worker.stdin, self._worker.stdout
        if stdin is None or stdout is None:
            raise _WorkerError("the worker process has no pipes")
        try:
            stdin.write(request + b"\n")
            stdin.flush()
            header = json.loads(stdout.readline() or b"{}")
            samples = stdout.read(header.get("bytes", 0))
        except (BrokenPipeError, ValueError) as error:
            self.close()
            raise _WorkerError(f"the worker process broke off ({error})") from error
        if "bytes" not in header or len(samples) < header["bytes"]:
            status = header.get("error", "the worker process ended without an answer; see standard error")
            self.close()
            raise _WorkerError(status)
        if not self._fork:
            self.close()
        return header, samples


class _WorkerError(RuntimeError):
    """The worker process gave no samples."""


# What follows runs in the worker process, on the standard library alone.


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_END_OF_EVENTS, _WORD = 0, 1


class _Sound(NamedTuple):
    """What espeak-ng hands over: samples, and of each word its offset in the text and its first sample."""

    chunks: list[bytes]
    words: list[tuple[int, int]]


def _load(library: str, data: str) -> tuple[Any, _Sound, Any]:
    """espeak-ng, what its sound will be appended to, and the callback, which must be kept alive."""
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, os.fsencode(data), _INITIALIZE_DONT_EXIT)
    if rate != SAMPLE_RATE:
        raise RuntimeError(f"espeak_Initialize gave {rate}, not {SAMPLE_RATE} Hz, with the data in {data}")
    sound = _Sound([], [])

    def receive(samples: int | None, count: int, events: int | None) -> int:
        if samples and count:
            sound.chunks.append(ctypes.string_at(samples, 2 * count))
        found = ctypes.cast(events, ctypes.POINTER(_Event)) if events else None
        index = 0
        while found is not None and (event := found[index]).type != _END_OF_EVENTS:
            if event.type == _WORD:
                sound.words.append((event.text_position - 1, event.sample))
            index += 1
        return 0  # go on

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(receive)
    espeak.espeak_SetSynthCallback(callback)
    return espeak, sound, callback


def _say(espeak: Any, sound: _Sound, request: dict[str, Any]) -> bytes:
    """The whole answer to one request: a line of JSON, then the samples."""
    text = request["text"].encode() + b"\0"
    # Breathy variants draw noise from espeak-ng's own generator, which starts from the clock.
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
    status = espeak.espeak_SetVoiceByName(request["voice"].encode())
    for parameter, value in request["parameters"].items():
        status = status or espeak.espeak_SetParameter(int(parameter), value, 0)
    status = status or espeak.espeak_Synth(text, len(text), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
    status = status or espeak.espeak_Synchronize()
    if status:
        return json.dumps({"error": f"status {status}"}).encode() + b"\n"
    samples = b"".join(sound.chunks)
    return json.dumps({"bytes": len(samples), "words": sound.words}).encode() + b"\n" + samples


def _serve(library: str, data: str, mode: str) -> None:
    """Answer requests, a line of JSON each, until the end of standard input; with mode ``once``, the first one only."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, whose end ends this process
    espeak, sound, _callback = _load(library, data)
    answers = sys.stdout.buffer
    while line := sys.stdin.buffer.readline():
        if mode == "once":
            answers.write(_say(espeak, sound, json.loads(line)))
            return
        child = os.fork()
        if child == 0:
            answers.write(_say(espeak, sound, json.loads(line)))
            answers.flush()
            os._exit(0)  # leave at once: the buffers and exit handlers are the parent's
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            answers.write(json.dumps({"error": f"its process ended with status {status}"}).encode() + b"\n")
            answers.flush()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
