"""Where words begin and end, frame by frame: what a model's peaks tell only roughly, trigraphs tell of the frames."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from seqpipe.answers.alignment import Alignment, with_spans
from seqpipe.core.files import draft_file
from seqpipe.core.head import AlignsTexts
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows, training_rows
from seqpipe.decoding.ctc_alignment import CTCPath, align_rows
from seqpipe.decoding.ctc_lattice import Emissions
from seqpipe.decoding.trigraphs import STATES, SpokenText, Trigraph, Trigraphs, fit_trigraphs, trigraphs_of
from seqpipe.errors import ConfigError, DataError, InputError, RunError
from seqpipe.model_file import BORDERS, MODEL, stated_digest
from seqpipe.pipeline import Pipeline
from seqpipe.text.spelling import Spelling

FORMAT = 2
MAX_FRAMES, LEAST_ROWS = 120_000, 20
"""Of the rows that are learnt from: twenty minutes of speech; and the fewest of them."""
ROWS, STEPS = 32, 14_000
"""Of a batch: rows, and padded feature steps."""
WINDOW, OVERLAP, MARGIN = 64, 32, 30
"""Characters that are looked at together in a long text, characters on both sides that are looked at too, and frames
around all of these. Small windows have few states that are far from where CTC has them."""
MAX_CELLS = 1 << 22
"""Frames times characters of a window."""


@dataclass(frozen=True, eq=False)
class Frames:
    """What the features give of an input.

    Attributes:
        values: ``[F, D]``.
        borders: places in the input, ``[F + 1]``.
    """

    values: Emissions
    borders: NDArray[np.float64]


def batch_frames(
    pipeline: Pipeline, raws: Sequence[object], prepared: PaddedSequence
) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """The frames of each row ``[F, D]`` with their borders as places in the input, ``[F + 1]``."""
    features = pipeline.features(prepared)
    found = []
    for raw, row, own in zip(raws, features.rows(), prepared.rows(), strict=True):
        frames = row.float().cpu().numpy().reshape(len(row), -1)
        at = torch.arange(len(frames) + 1, dtype=torch.float64) - 0.5
        found.append((frames, pipeline.locate_frames(raw, own, at).numpy()))
    return found


def refined(
    found: Alignment, spelling: Spelling, path: CTCPath, borders: NDArray[np.float64], trigraphs: Trigraphs, own: Frames
) -> Alignment:
    """An alignment with the places of its words and units by the frames; verdicts and scores stay those of CTC.

    Args:
        found: by CTC.
        spelling: of its text.
        path: of its labels.
        borders: of CTC's steps, as places in the input, ``[T + 1]``.
        trigraphs: of the model's frames.
        own: the input's.
    """
    total = len(own.values)
    characters, labels = spelt_characters(spelling)
    at = np.interp(_places(path, labels, borders), own.borders, np.arange(total + 1))
    if STATES * len(characters) > total:
        return found
    starts, stops = np.floor(at).astype(np.int64), np.floor(at).astype(np.int64) + 1
    parts = list(_windows(at, total))
    texts = (_window_text(own.values, characters, at, *window[2:]) for window in parts)
    for (first, stop, low, _, begin, _), spans in zip(parts, trigraphs.spans(texts), strict=True):
        starts[first:stop] = begin + spans[0][first - low : stop - low]
        stops[first:stop] = begin + spans[1][first - low : stop - low]
    starts = np.maximum.accumulate(starts)
    stops = np.maximum(np.maximum.accumulate(stops), starts)
    begins, ends = np.zeros(len(spelling.labels), np.int64), np.full(len(spelling.labels), total, np.int64)
    places = np.asarray(labels)
    begins[places[::-1]], ends[places] = starts[::-1], stops  # the first character's, and the last one's
    for number, owner in enumerate(spelling.owners):
        if owner is None:  # a space is what lies between words
            begins[number] = ends[number - 1] if number else 0
    for number in range(len(spelling.owners) - 1, -1, -1):
        if spelling.owners[number] is None:
            ends[number] = begins[number + 1] if number + 1 < len(begins) else total
    return with_spans(found, spelling, begins, ends, own.borders)


def spelt_characters(spelling: Spelling) -> tuple[list[Trigraph | None], list[int]]:
    """The characters of a text's words as the model spells them, None of a wildcard; and the label of each."""
    found: list[Trigraph | None] = []
    labels: list[int] = []
    place = 0
    while place < len(spelling.labels):
        owner, stop = spelling.owners[place], place
        while stop < len(spelling.labels) and spelling.owners[stop] == owner:
            stop += 1
        if owner is not None:
            signs = [
                (sign, number)
                for number in range(place, stop)
                for sign in ("?" if spelling.labels[number] == spelling.wildcard else spelling.pieces[number].strip())
            ]
            known = trigraphs_of("".join(sign for sign, _ in signs))
            found += [
                None if spelling.labels[number] == spelling.wildcard else each
                for each, (_, number) in zip(known, signs, strict=True)
            ]
            labels += [number for _, number in signs]
        place = stop
    return found, labels


def _places(path: CTCPath, labels: Sequence[int], borders: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where CTC has each character, as places in the input; several of one label share its steps."""
    owners = np.asarray(labels)
    counts = np.bincount(owners)[owners]
    within = np.arange(len(owners)) - np.searchsorted(owners, owners)
    steps = path.starts[owners] + (within + 0.5) / counts * (path.stops - path.starts)[owners]
    return np.interp(steps, np.arange(len(borders)), borders)


def _window_text(
    values: Emissions,
    characters: Sequence[Trigraph | None],
    at: NDArray[np.float64],
    low: int,
    high: int,
    begin: int,
    end: int,
) -> SpokenText:
    frames = np.asarray(values.block(begin, end), np.float32)
    return SpokenText(frames, characters[low:high], at[low:high] - begin)


def _windows(at: NDArray[np.float64], total: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Of characters: which are placed, which are looked at for that, and the frames that these may be in.

    Each window is halved while it has more than `MAX_CELLS`. A character by itself has that in a pause of hours between
    two words, and is left out: CTC's place stays.
    """
    size = WINDOW if len(at) > WINDOW + 2 * OVERLAP else len(at)
    waiting = [(first, min(len(at), first + size)) for first in range(0, len(at), size)][::-1]
    while waiting:
        first, stop = waiting.pop()
        low, high = max(0, first - OVERLAP), min(len(at), stop + OVERLAP)
        begin, end = _reach(at, low, high, total)
        if (end - begin) * (high - low) <= MAX_CELLS:
            yield first, stop, low, high, begin, end
        elif stop - first > 1:
            middle = (first + stop) // 2
            waiting += [(middle, stop), (first, middle)]


def _reach(at: NDArray[np.float64], low: int, high: int, total: int) -> tuple[int, int]:
    """The frames that characters ``low`` to ``high`` - 1 may be in: never fewer than these have states."""
    first, last = int(at[low]) if low else 0, int(at[high - 1]) + 1 if high < len(at) else total
    margin = MARGIN + max(0, STATES * (high - low) - (last - first))
    return max(0, first - margin), min(total, last + margin)


@dataclass(frozen=True, eq=False)
class FittedBorders:
    """What `fit_borders` came to.

    Attributes:
        trigraphs: what was learnt.
        rows: that it was learnt from.
        available: rows of the sources; where there are more than `MAX_FRAMES` hold, the others are left out at equal
            distances.
        passed_over: of those that were looked at, how many can't be aligned, by kind of reason.
    """

    trigraphs: Trigraphs
    rows: int
    available: int
    passed_over: Counter[str]

    def __str__(self) -> str:
        contexts = sum(1 for before, _, _ in self.trigraphs.numbers if before)
        reasons = ", ".join(f"{count:,} {kind}" for kind, count in self.passed_over.most_common())
        return (
            f"{len(self.trigraphs.numbers) - contexts} characters, {contexts} of them in a context, from {self.rows:,} "
            f"of {self.available:,} rows" + (f"; passed over: {reasons}" if reasons else "")
        )


def fit_borders(run: str | Path, sources: Sequence[str] = (), *, device: str = "cpu") -> FittedBorders:
    """Learn trigraphs from a run's training rows, or from other texts with their inputs, and write them into the run.

    Args:
        run: run directory of a model with a CTC head.
        sources: to learn from in the place of the recipe's training rows.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the head aligns no texts.
        DataError: there are too few rows that can be aligned.
    """
    run = Path(run)
    pipeline = Pipeline.load(run).to(device)
    head = pipeline.head
    if not isinstance(head, AlignsTexts):
        raise ConfigError(f"{run}: texts are aligned by a CTCHead; this model has a {type(head).__name__}")
    config, suffixes = pipeline.recipe.data, pipeline.features.reader.suffixes
    rows = [row for source in sources for row in read_rows(source, config, suffixes=suffixes, needs_id=False)]
    rows = rows or list(training_rows(config, suffixes=suffixes))
    passed_over: Counter[str] = Counter()
    texts = list(_texts(pipeline, head, rows, passed_over))
    if len(texts) < LEAST_ROWS:
        reasons = ", ".join(f"{count} {kind}" for kind, count in passed_over.most_common())
        raise DataError(
            f"{', '.join(sources) or config.train}: {len(texts)} rows can be aligned"
            f"{f' (passed over: {reasons})' if reasons else ''}, and at least {LEAST_ROWS} are needed to learn borders "
            "of words from; give more (seqpipe fit-borders RUN SOURCE ...)"
        )
    made = fit_trigraphs(texts)
    write_borders(run, made)
    return FittedBorders(made, len(texts), len(rows), passed_over)


def _texts(
    pipeline: Pipeline, head: AlignsTexts, rows: Sequence[Row], passed_over: Counter[str]
) -> Iterator[SpokenText]:
    """Rows at equal distances, up to `MAX_FRAMES`, with what CTC says of their texts; others are counted."""
    usable, lengths = [], []
    for row in rows:
        try:
            if row.problem is not None:
                raise row.problem
            lengths.append(pipeline.features.length(row.input))
            usable.append(row)
        except InputError as error:
            passed_over[error.kind] += 1
    if not usable:
        return
    steps = pipeline.features.output_lengths(torch.tensor(lengths, dtype=torch.int64)).tolist()
    every = max(1, -(-sum(steps) // MAX_FRAMES))
    usable, steps = usable[::every], steps[::every]
    for places in plan_batches(steps, budget=STEPS, max_rows=ROWS):
        part, prepared = [], []
        with torch.inference_mode():
            for row in (usable[place] for place in places):
                try:
                    prepared.append(pipeline.features.prepare(row.input, None))
                    part.append(row)
                except InputError as error:
                    passed_over[error.kind] += 1
            if not part:
                continue
            encoded = pipeline(PaddedSequence.pad(prepared).to(pipeline.device))
            emissions = [own.float().cpu().numpy() for own in head.emissions(encoded).rows()]
            frames = batch_frames(pipeline, [row.input for row in part], encoded.prepared)
        for row, own, item, (values, borders) in zip(part, emissions, prepared, frames, strict=True):
            try:
                spelling = head.spell(str(row.target))
                (path,) = align_rows([own], [spelling.labels])
                characters, labels = spelt_characters(spelling)
                if None in characters:
                    raise InputError("unknown character", "the vocabulary lacks some of it")
                if STATES * len(characters) > len(values):
                    raise InputError("too short for its label", "it has too few frames for its characters")
            except InputError as error:
                passed_over[error.kind] += 1
                continue
            at = torch.arange(len(own) + 1, dtype=torch.float64) - 0.5
            middles = _places(path, labels, pipeline.locate(row.input, item, at).numpy())
            places_in_frames = np.interp(middles, borders, np.arange(len(values) + 1))
            yield SpokenText(values, [each for each in characters if each is not None], places_in_frames)


def write_borders(run: Path, trigraphs: Trigraphs) -> None:
    """Into a run directory, for the weights that are there now."""
    names = json.dumps(list(trigraphs.numbers), ensure_ascii=False)
    metadata = {"format": str(FORMAT), "model": stated_digest(run), "trigraphs": names}
    # safetensors 0.8.0 writes arrays as they lie in memory.
    arrays = {"weights": np.ascontiguousarray(trigraphs.weights), "biases": np.ascontiguousarray(trigraphs.biases)}
    with draft_file(run / BORDERS) as file:
        file.write(to_bytes(arrays, metadata))


def read_borders(run: Path) -> Trigraphs | None:
    """Those of a run directory, if it has any.

    Raises:
        RunError: the file is damaged, of another format, or was fitted to other weights.
    """
    path = run / BORDERS
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            weights, biases = file.get_tensor("weights"), file.get_tensor("biases")
        names = [tuple(each) for each in json.loads(metadata.get("trigraphs", ""))]
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{path}: is damaged ({error}); run `seqpipe fit-borders {run}` again") from None
    if metadata.get("format") != str(FORMAT) or len(biases) != 1 + STATES * len(names) or len(weights) != len(biases):
        raise RunError(f"{path}: is damaged or of another format; run `seqpipe fit-borders {run}` again")
    if metadata.get("model") != stated_digest(run):
        raise RunError(
            f"{path}: was fitted to another model than {run / MODEL} holds now; run `seqpipe fit-borders {run}` again, "
            "or remove it"
        )
    return Trigraphs({each: number for number, each in enumerate(names, 1)}, weights, biases)
