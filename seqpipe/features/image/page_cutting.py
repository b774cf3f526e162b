"""A line cut out of a page's image: straightened along its baseline, with nothing of its neighbours."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import ConfigError, InputError

Point = tuple[float, float]
"""x to the right and y down, in pixels of the page's image."""
Array = NDArray[Any]

SMOOTHING = 0.25
"""Standard deviation of the Gaussian that rounds a baseline's corners, as a share of the line's height. At a corner the
verticals on both sides would cross, and letters there be torn or doubled."""
SPACING = 8.0
"""Pixels between the points by which a polygon's edges are followed to where they come to lie."""
REACH = 0.8
"""Share of a line's columns that are shown up to the polygon's upper edge, and down to its lower one; of the others a
tip may be missing. Polygons have spikes round what touches the line above, and with all of a spike the rest would be
smaller by a tenth once the image is scaled to a fixed height. The lines of the Peraire set are cut so too."""
LONGEST = 4
"""A baseline may be so many times longer than the page is high and wide together, and end so far from what its polygon
has of the page; what is longer or farther off is no writing, and would take as much time and memory as it is far."""


class LineShape(NamedTuple):
    """Where the pixels of a line's image lie on its page.

    Attributes:
        curve: point of the smoothed baseline under each column, ``[W, 2]``, one pixel from the last.
        down: unit vector across the line, towards its descenders, ``[W, 2]``.
        top: of the first row, from the baseline, in pixels; negative above it.
        inside: which pixels lie in the polygon, ``[height, width]``.
    """

    curve: Array
    down: Array
    top: int
    inside: Array


def cut_line(image: Array, baseline: Sequence[Point], polygon: Sequence[Point], *, reach: float = REACH) -> Array:
    """The image of a line: columns follow its baseline, rows stand across it, one pixel a pixel of the page.

    It reaches as far as the polygon does before and behind the baseline, and above and below it as far as the polygon
    does in most columns. What lies outside the
    polygon, or outside the page, has the colour of paper, which is the median of what lies inside: ink covers less than
    half of any line. A line that is drawn from right to left is turned round, since its image would stand on its head.

    Args:
        image: of the page, ``[H, W]`` or ``[H, W, 3]``, uint8.
        baseline: points from the line's beginning to its end; of a single one a level line is drawn as far as the
            polygon reaches.
        polygon: what belongs to the line; it closes itself.
        reach: share of the columns whose upper edge is in the image, and whose lower edge is; 1 for all.

    Returns:
        ``[height, width]`` or ``[height, width, 3]``, uint8, interpolated linearly between pixels.

    Raises:
        InputError: the points leave nothing of the page, or are no finite numbers (``bad value``).
    """
    shape = line_shape(baseline, polygon, (image.shape[1], image.shape[0]), reach=reach)
    rows = shape.top + np.arange(len(shape.inside), dtype=np.float32)  # [height]
    x = shape.curve[:, 0] + rows[:, None] * shape.down[:, 0]  # [height, width]
    y = shape.curve[:, 1] + rows[:, None] * shape.down[:, 1]
    # The part of the page around the line alone: the whole as floats would take longer than all of its lines.
    left, upper = max(0, int(x.min()) - 1), max(0, int(y.min()) - 1)
    part = image[upper : int(y.max()) + 3, left : int(x.max()) + 3]
    places = np.stack([y - upper, x - left])
    inside = shape.inside & (x >= 0) & (x <= image.shape[1] - 1) & (y >= 0) & (y <= image.shape[0] - 1)
    if not inside.any():
        raise InputError(
            "bad value", f"the line's polygon leaves nothing of the page ({image.shape[1]} x {image.shape[0]})"
        )
    channels = part[..., None] if part.ndim == 2 else part
    map_coordinates = _scipy("ndimage").map_coordinates
    cut = np.empty((*inside.shape, channels.shape[2]), dtype=np.uint8)
    for channel in range(channels.shape[2]):
        values = map_coordinates(channels[..., channel].astype(np.float32), places, order=1, mode="nearest")
        values = np.rint(values).astype(np.uint8)
        values[~inside] = np.median(values[inside])
        cut[..., channel] = values
    return cut[..., 0] if image.ndim == 2 else cut


def line_shape(
    baseline: Sequence[Point], polygon: Sequence[Point], page: tuple[int, int], *, reach: float = REACH
) -> LineShape:
    """How a line is to be cut, from its points alone.

    Args:
        baseline, polygon, reach: as `cut_line` takes them.
        page: width and height of the page's image.

    Raises:
        InputError: as `cut_line` does.
    """
    line, outline = _points(baseline, "baseline"), _points(polygon, "polygon")
    width, height = page
    outline = np.clip(outline, 0, (width - 1, height - 1))
    if np.ptp(outline, axis=0).min(initial=width) < 1:
        raise InputError(
            "bad value", f"the line's polygon leaves nothing of the page ({width} x {height}): {_shown(polygon)}"
        )
    if len(line) == 1:
        line = np.array([[outline[:, 0].min(), line[0, 1]], [outline[:, 0].max(), line[0, 1]]])
    lengths = np.hypot(*np.diff(line, axis=0).T)
    if lengths.sum() > LONGEST * (width + height):
        raise InputError("bad value", f"the line's baseline is longer than a page of {width} x {height} could hold")
    if max(_beyond(outline, line[0]), _beyond(outline, line[-1])) > LONGEST * (width + height):
        raise InputError(
            "bad value",
            f"the line's baseline is far off its polygon, on a page of {width} x {height}: {_shown(baseline)}",
        )
    if line[-1, 0] < line[0, 0] and abs(line[-1, 0] - line[0, 0]) > abs(line[-1, 1] - line[0, 1]):
        line = line[::-1]
    lengths = np.hypot(*np.diff(line, axis=0).T)
    x, y = outline.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    thickness = min(area / lengths.sum(), np.ptp(outline, axis=0).max())
    curve = _smoothed(line, outline, max(1.0, SMOOTHING * thickness))
    down = _across(curve)
    along, offset = _projected(_dense(outline), curve, down)
    first, last = int(along.min()), int(along.max()) + 1
    top, bottom = int(np.floor(offset.min())), int(np.ceil(offset.max())) + 1
    inside = _filled(np.stack([along - first, offset - top], axis=1), last - first, bottom - top)
    upper, lower = _extents(inside, reach)
    return LineShape(
        curve[first:last].astype(np.float32), down[first:last].astype(np.float32), top + upper, inside[upper:lower]
    )


def _points(points: Sequence[Point], name: str) -> Array:
    """Points ``[N, 2]`` without repetitions; raises `InputError` if there are too few or no numbers."""
    array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(array).all():
        raise InputError("bad value", f"the line's {name} has points that are no finite numbers: {_shown(points)}")
    if len(array) > 1:
        array = array[np.append(True, (np.diff(array, axis=0) != 0).any(axis=1))]
    least = {"baseline": 1, "polygon": 3}[name]
    if len(array) < least:
        raise InputError("bad value", f"the line's {name} needs {least} points at least; received {_shown(points)}")
    return array


def _smoothed(line: Array, outline: Array, sigma: float) -> Array:
    """The baseline, long enough for all of the polygon, as points one pixel apart, ``[N, 2]``."""
    # Straight on at both ends, so that smoothing doesn't shorten it, and every point of the polygon has one beneath it.
    # By whole pixels, so that a polygon that reaches further moves no column by a part of one.
    margin = int(np.ceil(4 * sigma))
    reach = margin + np.ceil(max(_beyond(outline, line[0]), _beyond(outline, line[-1]))) + 1
    line = _evenly(line)
    span = max(1, min(len(line) - 1, round(8 * sigma)))  # the direction at an end, of more than its last short piece
    before, behind = line[0] - line[span], line[-1] - line[-1 - span]
    line = np.concatenate(
        [
            (line[0] + before / np.hypot(*before) * reach)[None],
            line,
            (line[-1] + behind / np.hypot(*behind) * reach)[None],
        ]
    )
    smooth = _scipy("ndimage").gaussian_filter1d(_evenly(line), sigma, axis=0, mode="nearest")
    return _evenly(smooth[margin:-margin])


def _beyond(outline: Array, end: Array) -> float:
    return float(np.hypot(*(outline - end).T).max())


def _evenly(line: Array) -> Array:
    """Points on the line, a pixel from one to the next."""
    lengths = np.hypot(*np.diff(line, axis=0).T)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    steps = np.arange(max(2, int(at[-1]) + 1))
    return np.stack([np.interp(steps, at, line[:, 0]), np.interp(steps, at, line[:, 1])], axis=1)


def _across(curve: Array) -> Array:
    """Unit vectors across the curve, a quarter to the right of its direction: downwards, as y grows downwards."""
    direction = np.gradient(curve, axis=0)
    direction /= np.maximum(np.hypot(*direction.T), 1e-9)[:, None]
    return np.stack([-direction[:, 1], direction[:, 0]], axis=1)


def _dense(outline: Array) -> Array:
    """The polygon with points between its corners: its edges bend as the baseline is straightened."""
    pieces = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        count = max(1, int(np.ceil(np.hypot(*(end - start)) / SPACING)))
        pieces.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(pieces)


def _projected(points: Array, curve: Array, down: Array) -> tuple[Array, Array]:
    """Of each point the place on the curve that is nearest, and how far below it the point lies (negative: above)."""
    along = _scipy("spatial").cKDTree(curve).query(points)[1]
    offset = ((points - curve[along]) * down[along]).sum(axis=1).round(3)  # whole numbers are to be such
    return along.astype(np.float64), offset


def _filled(outline: Array, width: int, height: int) -> Array:
    """Which pixels of the line's image lie in the polygon, ``[height, width]``, its points being columns and rows."""
    from PIL import Image, ImageDraw

    mask = Image.new("1", (width, height))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in outline], fill=1, outline=1)
    return np.array(mask, dtype=bool)


def _extents(inside: Array, reach: float) -> tuple[int, int]:
    """The rows from and up to which a share of the columns is shown as far as the polygon goes."""
    columns = inside[:, inside.any(axis=0)]
    upper = np.quantile(columns.argmax(axis=0), 1 - reach)
    lower = np.quantile(len(columns) - columns[::-1].argmax(axis=0), reach)
    return int(np.ceil(upper)), max(int(lower), int(np.ceil(upper)) + 1)


def _scipy(module: str) -> Any:
    # Nothing else that runtimes without torch do needs it, so it may be missing.
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError:
        raise ConfigError("cutting lines out of pages needs the package scipy: pip install scipy") from None


def _shown(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points[:4]) + (" ..." if len(points) > 4 else "")
