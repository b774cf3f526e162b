"""Samples of a file, from a place on and block by block, without the seeks that aren't needed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

_PREROLL_SECONDS = 1.0
"""Before a place in an MP3 that are decoded and dropped: a frame may have its bits up to 511 bytes before itself
(ISO/IEC 11172-3, main_data_begin), which is a dozen of the smallest frames."""
_NO_SEEKS = ("DWVW_12", "DWVW_16", "DWVW_24", "DWVW_N")
"""Codecs of which libsndfile 1.2 says that it can seek, and can't."""
_SKIPPED = 1 << 20
"""Samples that are read at once to come to a place."""


class _Streamed(soundfile.SoundFile):
    """Never asked to seek by soundfile itself, which does so after every read, to where the file is anyway.

    An MP3 then goes on with wrong samples, and a codec that can't seek fails.
    """

    def seekable(self) -> bool:
        return False


class SampleReader:
    """An audio file, open for reading.

    What can't seek (GSM 06.10, G.721, ...) is read as a stream: to come to a place, what lies before is read, from
    where the file stands, or from its beginning anew. The last block is kept, for segments that overlap.

    Args:
        content: gives what soundfile opens, each time anew; a file object is closed with the file.
        frames: that there are at most, where that is known better than libsndfile does.

    Attributes:
        samplerate: in hertz.
        channels: of each frame.
        frames: samples of each channel.
    """

    def __init__(self, content: Callable[[], Any], frames: int | None = None) -> None:
        self._content = content
        self._at = 0
        self._last = np.zeros(0, dtype=np.float32)
        self._open()
        self.samplerate, self.channels = self._file.samplerate, self._file.channels
        self.frames = self._file.frames if frames is None else min(frames, self._file.frames)

    @functools.cached_property
    def _can_seek(self) -> bool:
        return soundfile.SoundFile.seekable(self._file) and self._file.subtype not in _NO_SEEKS

    def __enter__(self) -> SampleReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it can't be read any more."""
        return bool(self._file.closed)

    def close(self) -> None:
        """Close the file, and what it is read from."""
        self._file.close()
        if hasattr(self._source, "close"):
            self._source.close()

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Frames ``[S]`` or ``[S, channels]`` from ``start`` on, ``count`` of them or as many as there are."""
        kept = self._last[len(self._last) - (self._at - start) :][:count] if self._holds(start) else self._last[:0]
        if len(kept) == 0:
            self._go_to(start)
        new = self._file.read(count - len(kept), dtype="float32")
        self._at += len(new)
        samples = np.concatenate([kept, new]) if len(kept) else new
        if not self._can_seek:
            self._last = samples if len(new) else self._last
        return samples

    def _holds(self, start: int) -> bool:
        return self._at - len(self._last) <= start < self._at

    def _go_to(self, start: int) -> None:
        if start == self._at:
            return
        if self._can_seek:
            preroll = round(_PREROLL_SECONDS * self.samplerate) if self._file.subtype.startswith("MPEG") else 0
            self._at = max(0, start - preroll)
            self._file.seek(self._at)
        elif start < self._at:
            self.close()
            self._open()
            self._at, self._last = 0, self._last[:0]
        while self._at < start:
            skipped = len(self._file.read(min(_SKIPPED, start - self._at), dtype="float32"))
            if not skipped:
                return
            self._at += skipped

    def _open(self) -> None:
        self._source = self._content()
        try:
            self._file = _Streamed(self._source)
        except BaseException:
            if hasattr(self._source, "close"):
                self._source.close()
            raise
