"""Pictures and sound inside a page, as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from seqpipe.heads.scoring import Mark
from seqpipe.picture import Picture, Sound

MOST_COLUMNS, MOST_SECONDS = 3000, 30.0
"""What a picture and a recording are cut to."""
COLUMN_PIXELS, LEAST_PIXELS = 2, 560
CHARACTER_PIXELS, MOST_LANES = 8, 5
UNSURE = 0.7
"""Confidence below which a part of an answer is marked."""


@dataclass(frozen=True)
class Band:
    """Where a mark lies: ``left`` and ``width`` in pixels, whether its item is ``wrong``, and what it is, in words."""

    left: float
    width: float
    wrong: bool
    title: str


@dataclass(frozen=True)
class Label:
    """Text of an item below its marks.

    Attributes:
        text: of the item.
        middle: of the text, in pixels.
        lane: line of text, from 0.
        wrong: whether the item is wrong.
        unsure: whether a part of it has a low confidence.
    """

    text: str
    middle: float
    lane: int
    wrong: bool
    unsure: bool


@dataclass(frozen=True)
class Figure:
    """A picture with marks, ready for a page.

    Attributes:
        uri: of the image.
        width, height: of the image, in pixels.
        bands: where the marks lie.
        labels: what they say, an item (a word) at a time.
        lanes: lines of labels.
        ticks: of the axis: pixels and text.
        axis: what the vertical axis is.
        cut: whether the input goes on behind the right edge.
    """

    uri: str
    width: int
    height: int
    bands: list[Band]
    labels: list[Label]
    lanes: int
    ticks: list[tuple[float, str]]
    axis: str
    cut: bool


def draw_picture(picture: Picture, marks: Sequence[Mark], wrong: set[int]) -> Figure:
    """A picture with its marks.

    Args:
        picture: of the input.
        marks: parts of the answer, in their order.
        wrong: positions of items of the answer that are wrong.
    """
    import matplotlib
    from matplotlib.image import imsave
    from matplotlib.ticker import MaxNLocator

    columns = picture.values.shape[1]
    shown = min(columns, MOST_COLUMNS)
    end = picture.start + (picture.end - picture.start) * shown / columns
    width = max(LEAST_PIXELS, COLUMN_PIXELS * shown)
    pixels = width / (end - picture.start)
    file = io.BytesIO()
    colours = matplotlib.colormaps["magma"]
    imsave(file, picture.values[:, :shown], cmap=colours, vmin=0, vmax=1, format="png", pil_kwargs={"optimize": True})

    seen = [mark for mark in marks if mark.start < end and mark.text.strip()]
    bands = [_band(mark, picture, end, pixels, mark.item in wrong) for mark in seen]
    labels, lanes = _labels(seen, bands, width)
    places = MaxNLocator(nbins=max(3, width // 120), steps=[1, 2, 5, 10]).tick_values(picture.start, end)
    ticks = [((place - picture.start) * pixels, f"{place:g}") for place in places if picture.start <= place <= end]
    return Figure(
        uri=_uri("image/png", file.getvalue()),
        width=round(width),
        height=int(np.clip(3 * picture.values.shape[0], 96, 192)),
        bands=bands,
        labels=labels,
        lanes=lanes,
        ticks=[(round(left, 1), f"{text} {picture.unit}") for left, text in ticks],
        axis=picture.height,
        cut=shown < columns,
    )


def _band(mark: Mark, picture: Picture, end: float, pixels: float, wrong: bool) -> Band:
    left, right = ((min(place, end) - picture.start) * pixels for place in (mark.start, mark.end))
    title = f"{mark.text.strip()}: {mark.start:.2f} to {mark.end:.2f} {picture.unit}, confidence {mark.confidence:.2f}"
    return Band(left, max(right - left - 1, 1.5), wrong, title)


def _labels(marks: Sequence[Mark], bands: Sequence[Band], width: float) -> tuple[list[Label], int]:
    """The items' text below their marks, in as many lines as it takes not to overlap, and how many that are."""
    labels: list[Label] = []
    lane_ends: list[float] = []
    numbered = list(enumerate(marks))
    for _, group in groupby(numbered, key=lambda entry: (entry[0],) if entry[1].item is None else entry[1].item):
        members = list(group)
        text = "".join(mark.text for _, mark in members).strip()
        first, last = bands[members[0][0]], bands[members[-1][0]]
        half = CHARACTER_PIXELS * len(text) / 2 + 2
        middle = min(max((first.left + last.left + last.width) / 2, half), width - half)
        free = [lane for lane, lane_end in enumerate(lane_ends) if lane_end <= middle - half]
        lane = free[0] if free else len(lane_ends)
        if lane == MOST_LANES:  # so dense that something must overlap
            lane = int(np.argmin(lane_ends))
        elif lane == len(lane_ends):
            lane_ends.append(0.0)
        lane_ends[lane] = middle + half
        unsure = min(mark.confidence for _, mark in members) < UNSURE
        labels.append(Label(text, middle, lane, first.wrong, unsure))
    return labels, len(lane_ends)


def encode_sound(sound: Sound) -> tuple[str, bool]:
    """A recording as a data URI (FLAC), and whether it was cut."""
    import soundfile

    most = int(MOST_SECONDS * sound.rate)
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound.samples[:most], -1, 1), sound.rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", file.getvalue()), len(sound.samples) > most


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
