"""Encoded inputs and their texts to alignments; a long input's emissions put together out of those of its segments."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.answers.alignment import Alignment, with_lines
from seqpipe.answers.failure import Failure
from seqpipe.core.head import AlignsTexts, Encoded
from seqpipe.core.input import Segment
from seqpipe.decoding.ctc_alignment import CTCPath, InMemory, align_rows, refuse_unalignable
from seqpipe.decoding.ctc_band import align_any
from seqpipe.decoding.trigraphs import Trigraphs
from seqpipe.errors import ConfigError, InputError
from seqpipe.inference.alignment_text import AlignmentText
from seqpipe.inference.slot import Slot, Unit
from seqpipe.inference.word_borders import Frames, batch_frames, refined
from seqpipe.pipeline import Pipeline

HELD_BYTES = 1 << 28
"""Of emissions that are held in memory; what is beyond lies in a temporary file. Six hours of 30 characters in steps
of 30 ms have 90 MB."""
ROW_CELLS = 1 << 22
"""Steps times labels of an input that is aligned together with others."""


class Aligning:
    """Alignments of inputs with the texts of their rows (`Slot.target`); see `seqpipe.inference.decoding.Responder`.

    Args:
        pipeline: in evaluation mode, with a head that aligns.
        threshold: of verdicts, in nats a unit.
        trigraphs: that tell where words begin and end; by CTC alone when None.

    Raises:
        ConfigError: the head doesn't align texts.
    """

    def __init__(self, pipeline: Pipeline, threshold: float, trigraphs: Trigraphs | None = None) -> None:
        head = pipeline.head
        if not isinstance(head, AlignsTexts):
            raise ConfigError(
                f"texts are aligned by a head that says what is at each step of its input (CTCHead); this model has a "
                f"{type(head).__name__}"
            )
        self.pipeline, self.head, self.threshold, self.trigraphs = pipeline, head, threshold, trigraphs
        self.spool = Spool(HELD_BYTES)

    def respond(self, units: Sequence[Unit], encoded: Encoded) -> list[Any]:
        """Of whole inputs alignments or failures, of segments `Piece`."""
        rows = [row.float().cpu().numpy() for row in self.head.emissions(encoded).rows()]
        frames: list[Any] = [None] * len(units)
        if self.trigraphs is not None and encoded.prepared is not None:
            frames = batch_frames(self.pipeline, [unit.raw for unit in units], encoded.prepared)
        answers: list[Any] = [None] * len(units)
        short: list[tuple[int, Any]] = []
        for index, (unit, row) in enumerate(zip(units, rows, strict=True)):
            if unit.segment is not None:
                answers[index] = self._piece(unit, row, frames[index])
                continue
            try:
                spelling = self.head.spell(_text(unit.slot).text)
                refuse_unalignable(spelling.labels, len(row))
                if len(row) * len(spelling.labels) <= ROW_CELLS:
                    short.append((index, spelling))
                else:
                    path = align_any(InMemory(row), spelling.labels)
                    borders = self._borders(unit, len(row))
                    answers[index] = self._answer(unit.slot, spelling, path, borders, _held(frames[index]))
            except InputError as error:
                answers[index] = _failure(unit.slot, error)
        paths = align_rows([rows[index] for index, _ in short], [own.labels for _, own in short]) if short else []
        for (index, spelling), path in zip(short, paths, strict=True):
            unit = units[index]
            borders = self._borders(unit, len(rows[index]))
            answers[index] = self._answer(unit.slot, spelling, path, borders, _held(frames[index]))
        return answers

    def join(self, slot: Slot) -> Any:
        """The alignment of an input out of its segments'."""
        pieces = [piece for _, piece in slot.parts]
        if len(pieces) == 1 and not isinstance(pieces[0], Piece):
            return pieces[0]
        emissions = Joined([piece.values for piece in pieces])
        try:
            spelling = self.head.spell(_text(slot).text)
            path = align_any(emissions, spelling.labels)
            frames = [piece.frames for piece in pieces if piece.frames is not None]
            own = None
            if frames:
                own = Frames(Joined([values for values, _ in frames]), _joined_borders([each for _, each in frames]))
            return self._answer(slot, spelling, path, _joined_borders([piece.borders for piece in pieces]), own)
        except InputError as error:
            return _failure(slot, error)
        finally:
            slot.parts.clear()

    def _piece(self, unit: Unit, row: NDArray[np.float32], frames: Any) -> Piece:
        """The steps of a segment whose middles lie in its share: the margins are heard by its neighbours too."""
        segment = unit.segment
        if segment is None:
            raise TypeError("a whole input has no share")
        kept = [self._share(segment, row, self._borders(unit, len(row)))]
        kept += [self._share(segment, *frames)] if frames is not None else []
        return Piece(*kept[0], *kept[1:])

    def _share(
        self, segment: Segment, row: NDArray[np.float32], borders: NDArray[np.float64]
    ) -> tuple[Kept, NDArray[np.float64]]:
        middles = (borders[:-1] + borders[1:]) / 2
        first, stop = np.searchsorted(middles, [segment.start, segment.end]).tolist()
        return self.spool.keep(row[first:stop]), borders[first : stop + 1]

    def _borders(self, unit: Unit, steps: int) -> NDArray[np.float64]:
        """Of steps, as places in the input ``[T + 1]``: a step stands for the time around its middle."""
        at = torch.arange(steps + 1, dtype=torch.float64) - 0.5
        found: Tensor = self.pipeline.locate(unit.raw, unit.prepared, at)
        return found.numpy()

    def _answer(
        self, slot: Slot, spelling: Any, path: CTCPath, borders: NDArray[np.float64], frames: Frames | None
    ) -> Alignment:
        text = _text(slot)
        answer: Alignment = self.head.aligned(slot.id, spelling, path, borders, self.threshold)
        if frames is not None and self.trigraphs is not None:
            answer = refined(answer, spelling, path, borders, self.trigraphs, frames)
        if not text.lines:
            return answer
        return with_lines(answer, text.lines, self.threshold, subtitles=text.subtitles)


class Piece:
    """Emissions of a segment's share of an input, with the borders of its steps, ``[T + 1]``; frames likewise."""

    def __init__(
        self, values: Kept, borders: NDArray[np.float64], frames: tuple[Kept, NDArray[np.float64]] | None = None
    ) -> None:
        self.values, self.borders, self.frames = values, borders, frames


class Kept:
    """Emissions ``[T, V]`` in memory or in a file, until nobody holds this any more."""

    def __init__(self, spool: Spool, values: NDArray[np.float32], place: int | None) -> None:
        self.spool, self.shape, self.place = spool, values.shape, place
        self._values = values if place is None else None

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Of these steps."""
        return self._values[start:stop] if self._values is not None else self.spool.read(self, start, stop)

    def __del__(self) -> None:
        # Not by whoever aligns: segments of an input that fails half-way are dropped by nobody else.
        self.spool.release(self)


class Spool:
    """Keeps emissions: up to ``limit`` bytes in memory, and more in a temporary file, which is gone with the process.

    For several threads.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = self._kept = 0
        self._file: BinaryIO | None = None
        self._lock = threading.RLock()  # what is released may be so by a thread that is keeping something

    def keep(self, values: NDArray[np.float32]) -> Kept:
        """Until the last reference to what is returned goes."""
        values = np.ascontiguousarray(values, dtype=np.float32)
        with self._lock:
            self._kept += 1
            if self._held + values.nbytes <= self.limit:
                self._held += values.nbytes
                return Kept(self, values.copy(), None)  # a view would hold on to its whole batch
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="seqpipe-align-")  # noqa: SIM115
            place = self._file.seek(0, 2)
            self._file.write(values.tobytes())
            return Kept(self, values, place)

    def read(self, kept: Kept, start: int, stop: int) -> NDArray[np.float32]:
        """Steps of what lies in the file."""
        count = kept.shape[1]
        with self._lock:
            if self._file is None or kept.place is None:
                raise ValueError("what was dropped can't be read")
            self._file.seek(kept.place + 4 * count * start)
            content = self._file.read(4 * count * (stop - start))
        return np.frombuffer(content, dtype=np.float32).reshape(-1, count)

    def release(self, kept: Kept) -> None:
        """It isn't needed any more; where nothing is, the file goes."""
        with self._lock:
            self._kept -= 1
            if kept.place is None:
                self._held -= 4 * kept.shape[0] * kept.shape[1]
            if not self._kept and self._file is not None:
                self._file.close()
                self._file = None


class Joined:
    """Emissions, or frames, of consecutive pieces as one; see `seqpipe.decoding.ctc_lattice.Emissions`."""

    def __init__(self, pieces: Sequence[Kept]) -> None:
        self.pieces = pieces
        self.ends = np.cumsum([kept.shape[0] for kept in self.pieces])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Of these steps, whichever pieces they are in."""
        found = []
        index = int(np.searchsorted(self.ends, start, side="right"))
        while start < stop:
            kept = self.pieces[index]
            first = int(self.ends[index]) - kept.shape[0]
            end = min(stop, int(self.ends[index]))
            found.append(kept.read(start - first, end - first))
            start, index = end, index + 1
        if not found:
            return np.empty((0, self.pieces[0].shape[1]), dtype=np.float32)
        return found[0] if len(found) == 1 else np.concatenate(found)


def _held(frames: tuple[NDArray[np.float32], NDArray[np.float64]] | None) -> Frames | None:
    return Frames(InMemory(frames[0]), frames[1]) if frames is not None else None


def _joined_borders(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Of consecutive pieces; none lies before the one before it."""
    return np.maximum.accumulate(np.concatenate([*(part[:-1] for part in parts), parts[-1][-1:]]))


def _text(slot: Slot) -> AlignmentText:
    target = slot.target
    return target if isinstance(target, AlignmentText) else AlignmentText(str(target))


def _failure(slot: Slot, error: InputError) -> Failure:
    return Failure(slot.id, error.kind, f"{slot.where or slot.id}: {error}")
