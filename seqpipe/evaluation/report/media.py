"""Pictures and sound inside a page, as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from seqpipe.heads.scoring import Mark
from seqpipe.picture import Picture, Sound

MOST_COLUMNS, MOST_SECONDS = 3000, 30.0
"""What a picture and a recording are cut to."""
COLUMN_PIXELS, LEAST_PIXELS = 2, 560
CHARACTER_PIXELS, LANE_PIXELS, MOST_LANES = 8, 16, 5


@dataclass(frozen=True)
class Label:
    """A mark as it is drawn.

    Attributes:
        mark: what is marked.
        left, width: of its span, in pixels.
        middle: of its text, in pixels.
        lane: line of text below the picture, from 0.
        wrong: whether it belongs to an item that is wrong.
    """

    mark: Mark
    left: float
    width: float
    middle: float
    lane: int
    wrong: bool


@dataclass(frozen=True)
class Figure:
    """A picture with marks, ready for a page.

    Attributes:
        uri: of the image.
        width, height: of the image, in pixels.
        lanes: lines of labels below it.
        labels: what is marked.
        ticks: of the axis: pixels and text.
        axis: what the axes are.
        cut: whether the input goes on behind the right edge.
    """

    uri: str
    width: int
    height: int
    lanes: int
    labels: list[Label]
    ticks: list[tuple[float, str]]
    axis: str
    cut: bool


def draw_picture(picture: Picture, marks: list[Mark], wrong: set[int]) -> Figure:
    """A picture with its marks.

    Args:
        picture: of the input.
        marks: parts of the answer.
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

    labels: list[Label] = []
    lane_ends: list[float] = []
    for mark in marks:
        if mark.start >= end:
            break
        left, right = ((min(place, end) - picture.start) * pixels for place in (mark.start, mark.end))
        text = CHARACTER_PIXELS * len(mark.text) / 2 + 2
        middle = min(max((left + right) / 2, text), width - text)
        free = [lane for lane, lane_end in enumerate(lane_ends) if lane_end <= middle - text]
        lane = free[0] if free else len(lane_ends)
        if lane == MOST_LANES:  # so dense that something must overlap
            lane = int(np.argmin(lane_ends))
        elif lane == len(lane_ends):
            lane_ends.append(0.0)
        lane_ends[lane] = middle + text
        labels.append(Label(mark, left, max(right - left, 1.5), middle, lane, mark.item in wrong))

    places = MaxNLocator(nbins=max(3, width // 120), steps=[1, 2, 5, 10]).tick_values(picture.start, end)
    ticks = [((place - picture.start) * pixels, f"{place:g}") for place in places if picture.start <= place <= end]
    return Figure(
        uri=_uri("image/png", file.getvalue()),
        width=round(width),
        height=int(np.clip(3 * picture.values.shape[0], 96, 192)),
        lanes=len(lane_ends),
        labels=labels,
        ticks=[(round(left, 1), f"{text} {picture.unit}") for left, text in ticks],
        axis=picture.height,
        cut=shown < columns,
    )


def encode_sound(sound: Sound) -> tuple[str, bool]:
    """A recording as a data URI (FLAC), and whether it was cut."""
    import soundfile

    most = int(MOST_SECONDS * sound.rate)
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound.samples[:most], -1, 1), sound.rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", file.getvalue()), len(sound.samples) > most


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
