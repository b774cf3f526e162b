"""Opening audio files and reading spans of them."""

from __future__ import annotations

import functools
import io
import math
import os
import reprlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from seqpipe.core.input import FileSpan
from seqpipe.errors import InputError, decoding
from seqpipe.features.input_file import check_file
from seqpipe.features.speech.byte_ranges import ByteRanges, Part
from seqpipe.features.speech.mpeg import find_stream
from seqpipe.features.speech.stated_size import stated_size

if TYPE_CHECKING:
    from seqpipe.features.speech.sample_reader import SampleReader

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Of a recording, in hertz: speech is gone below, and no recorder goes beyond."""
BLOCK_FRAMES = 1 << 22
"""That are read at once: how many there are is what a header promises, and may be more than any memory holds."""
BUFFER_BYTES = 1 << 16
"""That are read ahead."""
MAX_CHANNELS = 32
"""Of an array that has fewer samples than channels."""
HEADERLESS = ".raw"
"""Ending of samples without a header."""
HINT = (
    "samples without a header state no rate: make a WAV file of them and give it, "
    "as with sox -r 16000 -e signed -b 16 -c 1 a.raw a.wav"
)


def as_span(raw: Any) -> FileSpan:
    """A path, the bytes of a file, or a span, as a span; raises `InputError` for anything else."""
    if isinstance(raw, FileSpan):
        if raw.page is not None:
            raise InputError("bad value", f"{raw}: a recording has no pages; leave page out")
        return raw
    if isinstance(raw, (str, Path)) and raw != "":
        return FileSpan(Path(raw))
    if isinstance(raw, bytes):
        return FileSpan(raw)
    raise InputError(
        "bad value",
        "audio is a path, the bytes of a file, a FileSpan or a mapping with array; "
        f"received {reprlib.repr(raw)} ({type(raw).__name__})",
    )


def name_of(raw: Any) -> str:
    """For messages."""
    return "audio array" if isinstance(raw, dict) else str(as_span(raw))


class _Kept(threading.local):
    """The file that a thread reads again and again."""

    keeping = False
    source: Path | bytes | None = None
    file: Any = None

    def drop(self) -> None:
        if self.file is not None:
            self.file.close()
        self.source = self.file = None


_kept = _Kept()


@contextmanager
def keeping_open() -> Iterator[None]:
    """While this lasts, a file that the thread opens several times in a row is opened once.

    To find a place in an MP3, its beginning is gone through each time that it is opened: at ten hours, for seconds.
    So is the beginning of what can't seek. What is read then depends, in the last bit, on what was read before from the
    same opening, so whoever wants the same bits again must read the same places in the same order.
    """
    _kept.keeping = True
    try:
        yield
    finally:
        _kept.keeping = False
        _kept.drop()


@contextmanager
def opened(span: FileSpan) -> Iterator[SampleReader]:
    """The file of a span, open for reading.

    Raises:
        InputError: it is missing, no file, unreadable, empty, truncated or no audio.
    """
    if not _kept.keeping:
        with _open(span) as file:
            yield file
        return
    if _kept.source is None or _kept.source != span.source:
        _kept.drop()
        _kept.file = _open(span)
        _kept.source = span.source
    try:
        yield _kept.file
    except BaseException:  # whatever it was, the file's state is not to be relied on
        _kept.drop()
        raise


class _Layout(NamedTuple):
    """What of a file is read.

    Attributes:
        parts: that libsndfile is given in the place of the file; None of a file that it reads as it is.
        frames: that there are at most; None where libsndfile knows.
    """

    parts: tuple[Part, ...] | None = None
    frames: int | None = None


def _open(span: FileSpan) -> SampleReader:
    from seqpipe.features.speech.sample_reader import SampleReader

    source = span.source
    if isinstance(source, Path):
        check_file(source, "an audio file")
    try:
        with decoding(span, "audio"):
            if isinstance(source, Path):
                status = source.stat()
                layout = _layout_of_path(source, status.st_size, status.st_mtime_ns)
            else:
                layout = _layout(io.BytesIO(source), len(source), span)
            file = SampleReader(functools.partial(_content, source, layout), layout.frames)
    except InputError as error:
        if error.kind == "undecodable" and isinstance(source, Path) and source.suffix.lower() == HEADERLESS:
            raise InputError(error.kind, f"{error}; {HINT}") from None
        raise
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        file.close()
        raise _bad_rate(span, file.samplerate)
    return file


@functools.lru_cache(maxsize=64)
def _layout_of_path(path: Path, size: int, modified: int) -> _Layout:
    """Kept, since a long recording is opened for each of its segments, and its frames may have to be counted."""
    with path.open("rb") as file:
        return _layout(file, size, path)


def _layout(file: BinaryIO, size: int, name: object) -> _Layout:
    """What is to be read of a file; raises `InputError` if it was cut off."""
    found = stated_size(file, size)
    if found is not None and found.is_cut:
        raise InputError(
            "truncated",
            f"{name}: ends after {found.held} of the {found.stated} bytes of sound that its header promises",
        )
    if found is None or found.is_mpeg:
        start = 0 if found is None else found.start
        end = size if found is None or found.is_unknown else start + min(found.stated, found.held)
        stream = find_stream(file, name, start, end)
        if stream is not None:
            return _Layout(stream.parts, stream.samples)
    if found is None:
        return _Layout()
    return _Layout(found.with_true_size() if found.is_unknown else None, found.frames)


def _content(source: Path | bytes, layout: _Layout) -> Any:
    """What soundfile opens."""
    if layout.parts is not None:
        return io.BufferedReader(ByteRanges(bytes_of(source), layout.parts), BUFFER_BYTES)  # an MP3 is read in crumbs
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source.suffix.lower() == HEADERLESS:  # by its name soundfile would ask for a rate, whatever is in it
        return io.BytesIO(source.read_bytes())
    # As bytes: soundfile would encode the name strictly, and a name may be no UTF-8.
    return os.fsencode(source) if os.name == "posix" else source


def _bad_rate(name: object, rate: int) -> InputError:
    return InputError(
        "bad value", f"{name}: has a sample rate of {rate:,} Hz; from {MIN_RATE:,} to {MAX_RATE:,} Hz are read"
    )


def bytes_of(source: Path | bytes) -> BinaryIO:
    """What is in a file."""
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def frames_of(span: FileSpan, rate: int, frames: int) -> tuple[int, int]:
    """The span in frames of the file."""
    at_end = frames / rate
    start = round(min(span.start, at_end) * rate) if span.start >= 0 else frames
    stop = frames if span.end is None else round(max(min(at_end, span.end), 0.0) * rate)
    if frames and start >= stop:
        what = (
            f"starts behind the end of the file, which has {at_end:.2f} s"
            if span.start >= at_end
            else f"start and end leave nothing of a file of {at_end:.2f} s; give an end behind the start"
        )
        raise InputError("bad value", f"{span}: {what}")
    return start, stop


def read_samples(raw: Any) -> tuple[np.ndarray[Any, Any], int]:
    """Samples ``[S]`` or ``[S, channels]`` in -1 to 1, and their rate."""
    if isinstance(raw, dict):
        return array_of(raw)
    span = as_span(raw)
    with opened(span) as file:
        if file.frames == 0:
            return np.zeros(0, dtype=np.float32), file.samplerate
        start, stop = frames_of(span, file.samplerate, file.frames)
        read = list(blocks(span, file, start, stop, BLOCK_FRAMES))
        return read[0] if len(read) == 1 else np.concatenate(read), file.samplerate


def array_of(raw: dict[str, Any]) -> tuple[np.ndarray[Any, Any], int]:
    """Samples ``[S]`` or ``[S, channels]`` of a mapping, and their rate; raises `InputError` if it is none."""
    try:
        samples, rate = np.asarray(raw["array"], dtype=np.float32), int(raw["sampling_rate"])
        start = float(raw.get("start", 0.0))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError("bad value", f"audio array: needs numbers as array, and a sampling_rate ({error!r})") from None
    if rate > 0 and not MIN_RATE <= rate <= MAX_RATE:
        raise _bad_rate("audio array", rate)
    if samples.ndim not in (1, 2) or rate <= 0 or not 0 <= start < math.inf:
        raise InputError(
            "bad value",
            "audio array: array should be [S] or [S, channels], sampling_rate above 0, and start, if given, seconds "
            f"from 0 on; received {list(samples.shape)}, {rate} and {start:g}",
        )
    if samples.ndim == 2 and samples.shape[1] > max(len(samples), MAX_CHANNELS):
        raise InputError(
            "bad value",
            f"audio array: should be [S, channels], and has {samples.shape[1]:,} channels of {len(samples)} samples; "
            "is it [channels, S]? transpose it",
        )
    return samples, rate


def blocks(span: FileSpan, file: SampleReader, start: int, stop: int, size: int) -> Iterator[np.ndarray[Any, Any]]:
    """Frames from ``start`` to ``stop`` of an open file, ``size`` at a time; of the span's channel if it names one."""
    if span.channel is not None and not 1 <= span.channel <= file.channels:
        raise InputError("bad value", f"{span}: there are channels 1 to {file.channels}")
    for at in range(start, stop, size):
        with decoding(span, "audio"):
            samples = file.read(at, min(size, stop - at))
        held = at - start + len(samples)
        if held < min(at + size, stop) - start:
            raise InputError(
                "truncated", f"{span}: ends after {held} of the {stop - start} samples that its header promises"
            )
        yield samples if span.channel is None or samples.ndim == 1 else samples[:, span.channel - 1]
