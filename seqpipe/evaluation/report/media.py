"""Pictures and sound inside a page, as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqpipe.core.answer import Mark
from seqpipe.core.picture import Picture, Sound
from seqpipe.evaluation.report.labels import Band, Label, describe, place_labels

MAX_COLUMNS, MAX_SECONDS = 3000, 30.0
"""What a picture and a recording are cut to."""
COLUMN_PIXELS, LEAST_PIXELS = 2, 560
PAGE_PIXELS = 990
"""What stands on a page side by side without scrolling."""
LEAST_LINE, MAX_LINE = 44, 96
"""Pixels that the height of a line of writing has on a page."""
DENSITY = 1.5
"""Pixels of an image kept for each one of the page, for screens that have more."""


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
        as_seen: whether it is an image as people see it, on whose light paper bands are dark.
    """

    uri: str
    width: int
    height: int
    bands: list[Band]
    labels: list[Label]
    lanes: int
    ticks: list[tuple[float, str]]
    axis: str
    truncated: bool
    as_seen: bool

    is_ink = False

    @property
    def marked(self) -> bool:
        """Whether it shows where parts of the answer were found."""
        return bool(self.bands)

    @property
    def size(self) -> int:
        """Characters of the page that it takes, nearly."""
        return len(self.uri)


def draw_picture(picture: Picture, marks: Sequence[Mark], wrong: set[int]) -> Figure:
    """A picture with its marks.

    Args:
        picture: of the input.
        marks: parts of the answer, in their order.
        wrong: positions of items of the answer that are wrong.
    """
    from matplotlib.ticker import MaxNLocator

    rows, columns = picture.values.shape
    zoom = line_zoom(columns, rows) if picture.as_seen else COLUMN_PIXELS
    shown = min(columns, round(MAX_COLUMNS * COLUMN_PIXELS / zoom) if picture.as_seen else MAX_COLUMNS)
    end = picture.start + (picture.end - picture.start) * shown / columns
    width = zoom * shown if picture.as_seen else max(LEAST_PIXELS, zoom * shown)
    pixels = width / (end - picture.start)

    seen = [mark for mark in marks if mark.start < end and mark.text.strip()]
    bands = [_band(mark, picture, end, pixels, mark.item in wrong) for mark in seen]
    labels, lanes = place_labels(seen, bands, width)
    nbins = max(3, round(width) // 120)
    places = MaxNLocator(nbins=nbins, steps=[1, 2, 5, 10]).tick_values(picture.start, end)
    ticks = [((place - picture.start) * pixels, f"{place:g}") for place in places if picture.start <= place <= end]
    return Figure(
        uri=image_uri(replace(picture, values=picture.values[:, :shown]), round(zoom * shown), round(zoom * rows)),
        width=round(width),
        height=round(zoom * rows) if picture.as_seen else int(np.clip(3 * rows, 96, 192)),
        bands=bands,
        labels=labels,
        lanes=lanes,
        ticks=[(round(left, 1), f"{text} {picture.unit}") for left, text in ticks],
        axis=picture.height,
        truncated=shown < columns,
        as_seen=picture.as_seen,
    )


def line_zoom(width: float, height: float, most: float = PAGE_PIXELS) -> float:
    """Pixels of the page for a unit of a line of writing: it fills the page if it stays readable, else it is wider."""
    widest = most / width if width else np.inf
    return float(max(min(widest, MAX_LINE / height), LEAST_LINE / height)) if height else float(min(widest, MAX_LINE))


def image_uri(picture: Picture, width: int, height: int) -> str:
    """A picture as PNG for so many pixels of the page, in grey if it is an image and in colours if it isn't."""
    from PIL import Image

    values = np.clip(picture.values, 0, 1)
    file = io.BytesIO()
    if picture.as_seen:
        image = Image.fromarray(np.rint(255 * values).astype(np.uint8))
        if DENSITY * height < image.height:
            image = image.resize(
                (max(1, round(DENSITY * width)), max(1, round(DENSITY * height))), Image.Resampling.BOX
            )
    else:
        import matplotlib

        image = Image.fromarray(np.asarray(matplotlib.colormaps["magma"](values, bytes=True))[..., :3])
    image.save(file, format="PNG", optimize=True)
    return _uri("image/png", file.getvalue())


def _band(mark: Mark, picture: Picture, end: float, pixels: float, wrong: bool) -> Band:
    left, right = ((min(place, end) - picture.start) * pixels for place in (mark.start, mark.end))
    return Band(left, max(right - left - 1, 1.5), wrong, describe(mark, picture.unit))


def encode_sound(sound: Sound) -> tuple[str, bool]:
    """A recording as a data URI (FLAC), and whether it was cut."""
    import soundfile

    most = int(MAX_SECONDS * sound.rate)
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound.samples[:most], -1, 1), sound.rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", file.getvalue()), len(sound.samples) > most


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
