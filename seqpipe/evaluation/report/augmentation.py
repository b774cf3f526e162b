"""What augmentation makes of a few rows, in pictures: each of its stages alone, at the strength of the recipe."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqpipe.core.picture import Drawing, Picture
from seqpipe.core.randomness import RowKey, seed_from
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.rows import Row
from seqpipe.data.source import is_there, training_rows
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.evaluation.report.ink import InkFigure, bounds, draw_ink
from seqpipe.evaluation.report.media import COLUMN_PIXELS, PAGE_PIXELS, image_uri, line_zoom
from seqpipe.pipeline import Pipeline

ROWS, APART = 3, 50
"""Rows that are shown, and how many lie between them: neighbours are often of one writer."""
TRIES = 8
"""Draws for a stage that leaves many rows alone."""
MAX_BYTES = 1_500_000
"""Of all these pictures together."""
PANEL_PIXELS, SHORT_PIXELS = 480, 240
"""Width of a picture that stands beside another, and that to which a short spectrogram is stretched."""


@dataclass(frozen=True)
class Panel:
    """A picture of a row, ready for a page: an image (``uri``) or ``ink``, so many pixels wide and high."""

    name: str
    uri: str | None
    ink: InkFigure | None
    width: int
    height: int

    @property
    def size(self) -> int:
        """Characters of the page that it takes, nearly."""
        return len(self.uri or "") + (self.ink.size if self.ink else 0)


@dataclass(frozen=True)
class AugmentedRow:
    """A row by its id: its picture as it is, and after each stage; several as they are if it looks otherwise later."""

    id: str
    panels: list[Panel]


def shown_rows(pipeline: Pipeline, otherwise: Iterable[Row] = ()) -> list[Row]:
    """A few training rows, not next to each other; where training data isn't at hand, of these other rows.

    None where no feature stage augments.
    """
    data = pipeline.recipe.data
    if not any(stage.augments for stage in pipeline.features.stages):
        return []
    # A data set of the Hub may not be here, and nobody waits for a download to see a report.
    found: list[Row] = []
    if data.train and not data.train.startswith("hub:"):
        with contextlib.suppress(DataError, ConfigError):
            if is_there(data.train, data):
                found = _spread(training_rows(data, suffixes=pipeline.features.reader.suffixes))
    return found or _spread(otherwise)


def _spread(rows: Iterable[Row]) -> list[Row]:
    usable = [row for row in islice(rows, ROWS * APART) if row.problem is None]
    return usable[:: max(1, len(usable) // ROWS)][:ROWS]


def augmented_rows(pipeline: Pipeline, rows: Sequence[Row]) -> list[AugmentedRow]:
    """Pictures of rows, plain and augmented.

    Every stage is drawn for as training would, from the recipe's seed; one that leaves a row alone is drawn for again,
    a few times. None where no feature stage augments, or nothing has a picture, or no row can be read.
    """
    shown: list[AugmentedRow] = []
    stages = pipeline.features.stages
    augmenting = [place for place, stage in enumerate(stages) if stage.augments]
    for position, row in enumerate(rows if augmenting else []):
        try:
            pictures = list(_pictures(pipeline, row.input, augmenting, position))
        except InputError:
            continue  # `seqpipe check` names it
        if pictures:
            shown.append(AugmentedRow(row.id, _panels(pictures)))
        if sum(panel.size for found in shown for panel in found.panels) > MAX_BYTES:
            break
    return shown


def _pictures(
    pipeline: Pipeline, raw: Any, augmenting: Sequence[int], position: int
) -> Iterator[tuple[str, Picture | Drawing]]:
    """Names and pictures of one row: as it is where it first is augmented, then after each stage."""
    features = pipeline.features
    before: Tensor | None = None
    wanted = [(type(features.stages[place]).__name__, {place}) for place in augmenting]
    if len(wanted) > 1:
        wanted.append(("all together", set(augmenting)))
    for name, working in wanted:
        plain = _values(pipeline, raw, max(working), (), position, 0)
        if before is None or not _equal(plain, before):
            before, picture = plain, features.reader.preview_of(plain)
            if picture is None:
                return
            yield "as it is", picture
        for attempt in range(TRIES):
            changed = _values(pipeline, raw, max(working), working, position, attempt)
            shown = None if _equal(changed, plain) else features.reader.preview_of(changed)
            if shown is not None:
                yield name, shown
                break


def _values(pipeline: Pipeline, raw: Any, last: int, working: Collection[int], position: int, attempt: int) -> Tensor:
    """A row as the stage number ``last`` gives it, while these stages augment and no others: ``[T, ...]``."""
    features, seed = pipeline.features, pipeline.recipe.training.seed
    device = next(pipeline.parameters()).device
    key = RowKey(seed, attempt, position)
    for place, (name, stage) in enumerate(zip(features.names, features.stages, strict=True)):
        if place <= last:
            raw = stage.prepare(raw, key.child(name) if place in working else None)
    batch = PaddedSequence.pad([raw]).to(device)
    training = features.training
    try:
        # What called this goes on with its own random numbers.
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed_from(seed, position, attempt, last))
            for place, stage in enumerate(features.stages[: last + 1]):
                batch = stage.train(place in working)(batch)
    finally:
        features.train(training)
    values: Tensor = batch.values[0, : int(batch.lengths[0])].cpu()
    return values


def _equal(values: Tensor, others: Tensor) -> bool:
    return values.shape == others.shape and torch.equal(values, others)


def _panels(pictures: Sequence[tuple[str, Picture | Drawing]]) -> list[Panel]:
    """The pictures of a row, to one scale: beside each other if they are short, else below each other."""
    sizes = [_size(picture) for _, picture in pictures]
    width, height = (max(size[axis] for size in sizes) for axis in (0, 1))
    first = pictures[0][1]
    if isinstance(first, Picture) and not first.as_seen:
        zoom = float(np.clip(SHORT_PIXELS / width, COLUMN_PIXELS, 4 * COLUMN_PIXELS))
        return [_panel(name, picture, zoom) for name, picture in pictures]
    short = line_zoom(width, height, PANEL_PIXELS)
    zoom = short if short * width <= 1.01 * PANEL_PIXELS else line_zoom(width, height, PAGE_PIXELS)
    return [_panel(name, picture, zoom) for name, picture in pictures]


def _size(picture: Picture | Drawing) -> tuple[float, float]:
    if isinstance(picture, Drawing):
        low, high = bounds(picture)
        return float(high[0] - low[0]), float(high[1] - low[1])
    return float(picture.values.shape[1]), float(picture.values.shape[0])


def _panel(name: str, picture: Picture | Drawing, zoom: float) -> Panel:
    if isinstance(picture, Drawing):
        figure = draw_ink(picture, [], set(), zoom)
        return Panel(name, None, figure, figure.width, figure.height)
    rows, columns = picture.values.shape
    if picture.as_seen:
        width, height = round(zoom * columns), round(zoom * rows)
    else:
        width, height = round(min(zoom * columns, PAGE_PIXELS)), int(np.clip(2 * rows, 64, 128))
    return Panel(name, image_uri(picture, width, height), None, width, height)
