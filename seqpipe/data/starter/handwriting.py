"""Starter data of the handwriting recipes: lines of digits, composed of scikit-learn's digits.

A demonstration, to see a recipe work with nothing to download. The digits were written by people; the lines were not:
each is put together of single digits that are made larger, set on one line with blanks between groups of them, and
varied in size, slant, weight, spacing and darkness. An error rate on them says that the chain works, and little about
how well it would read a page.

The originals are the 1,797 images (8 by 8 pixels, 17 levels) that come with scikit-learn, the test part of the
"Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0), of 13
writers according to its authors. Nothing says which digit is whose. But the labels begin anew 14 times with three times
0 to 9, about every 130 images, as forms do that are filled in one by one; the parts are cut where such a form begins.
So no original is in two parts, and most likely no writer is either.

A line is a function of its part and number alone, so every machine makes the same ones (but for the last bit of a
rounding).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.starter.build_once import Progress, build_once, write_table
from seqpipe.data.starter.random_stream import Draws

Pixels = NDArray[np.float64]

STARTER_HANDWRITING_VERSION: int = 1
"""Part of the folder's name and of every draw: raise it with any change to what is generated."""

SIZES = {"train": 2000, "dev": 200, "test": 300}  # lines
ORIGINALS = {"train": range(1157), "dev": range(1157, 1415), "test": range(1415, 1797)}
"""Which of scikit-learn's digits a part is composed of: nine of the forms that the file says, two, and three."""

HEIGHT = 48  # pixels of every line
LEVELS = 32  # grey ones: what a scanner's noise is worth, and files of half the size


class Line(NamedTuple):
    """A composed line.

    Attributes:
        text: groups of digits with a blank between two, ``407 15 2``.
        originals: which of scikit-learn's digits are in it, from left to right.
        pixels: ``[H, W]`` grey, 0 black, 255 white; H is ``HEIGHT``.
    """

    text: str
    originals: tuple[int, ...]
    pixels: NDArray[np.uint8]


class Originals:
    """scikit-learn's digits, and the splines that they are made larger with."""

    def __init__(self) -> None:
        from scipy.ndimage import spline_filter
        from sklearn.datasets import load_digits

        digits = load_digits()
        self.labels: list[int] = digits.target.tolist()
        # Thin strokes cover little of a pixel of the 8 by 8, and would be torn where edges are made.
        ink = [image / np.percentile(image[image > 0], 80) for image in digits.images]
        # Paper around them: what lies outside a spline's image would not be 0.
        padded = np.pad(ink, ((0, 0), (3, 3), (3, 3)))
        self.splines = [spline_filter(image, order=3, mode="constant") for image in padded]

    def drawn(self, number: int, height: float, width: float, slant: float, turn: float) -> Pixels:
        """A digit, 0 paper to about 1 ink, with as many pixels to each side as it needs.

        Args:
            number: of the original.
            height: pixels that its 8 rows become.
            width: pixels that its 8 columns become.
            slant: pixels to the right for each pixel up.
            turn: radians, counterclockwise.
        """
        from scipy.ndimage import map_coordinates

        tall, wide = math.ceil(height * 1.3), math.ceil(width * 1.3 + height * abs(slant))
        down, right = np.mgrid[:tall, :wide]
        down, right = down + 0.5 - tall / 2, right + 0.5 - wide / 2
        down, right = (
            down * math.cos(turn) + right * math.sin(turn),
            right * math.cos(turn) - down * math.sin(turn) + slant * down,
        )
        # From the middle of the original, which 3 pixels of paper surround, to the number of its pixel.
        places = np.stack([down * 8 / height + 6.5, right * 8 / width + 6.5])
        return np.asarray(map_coordinates(self.splines[number], places, order=3, mode="constant", prefilter=False))


def compose_line(part: str, index: int, originals: Originals) -> Line:
    """Compose one line: three to ten digits in groups of one to four.

    What a hand keeps through a line (size, slant, weight, spacing, slope) is drawn once, and varied a little for every
    digit; paper and ink are drawn too.

    Args:
        part: ``train``, ``dev`` or ``test``.
        index: at least 0; may be beyond ``SIZES``.
        originals: what it is composed of.
    """
    draws = Draws(2**34 + STARTER_HANDWRITING_VERSION, list(SIZES).index(part) << 32 | index)
    groups = _groups(draws)
    numbers = [draws.choice(ORIGINALS[part]) for _ in range(sum(groups))]
    height, aspect, slant = draws.uniform(24, 36), draws.uniform(0.8, 1.1), draws.uniform(-0.1, 0.35)
    gap, blank = draws.uniform(0.02, 0.2), draws.uniform(0.5, 0.9)  # of the height
    weight, slope = draws.uniform(0.4, 0.6), draws.uniform(-0.02, 0.02)

    canvas = np.zeros((HEIGHT, 40 + math.ceil(sum(groups) * height * 1.8 + len(groups) * height)))
    middle = HEIGHT / 2 - slope * sum(groups) * height / 2
    at = draws.uniform(3, 14)
    starts = set(np.cumsum([0, *groups[:-1]]).tolist())
    for place, number in enumerate(numbers):
        own = height * draws.uniform(0.88, 1.08)
        digit = originals.drawn(
            number,
            own,
            own * aspect * draws.uniform(0.88, 1.12),
            slant + draws.uniform(-0.08, 0.08),
            draws.uniform(-0.1, 0.1),
        )
        digit = _stroke(digit, weight + draws.uniform(-0.05, 0.05))
        columns = np.flatnonzero(digit.max(axis=0) > 0.5)
        digit = digit[:, columns[0] : columns[-1] + 1]
        if place:
            at += height * ((blank if place in starts else gap) + draws.uniform(-0.06, 0.06))
        # On the line: smaller ones stand on it too.
        top = middle + slope * at + (height - own) / 2 + draws.uniform(-1.5, 1.5) - digit.shape[0] / 2
        _lay(canvas, digit, round(top), round(at))
        at += digit.shape[1]
    ink = canvas[:, : math.ceil(at + draws.uniform(3, 14))]
    text = "".join(str(originals.labels[number]) for number in numbers)
    ends = np.cumsum(groups).tolist()
    words = [text[end - size : end] for size, end in zip(groups, ends, strict=True)]
    return Line(" ".join(words), tuple(numbers), _on_paper(ink, draws))


def write_handwriting(folder: Path, sizes: Mapping[str, int] = SIZES, *, progress: Progress | None = None) -> None:
    """Write ``{part}/{part}-0007.png`` and ``{train,dev,test}.tsv`` (path, id, originals, text), in some ten seconds.

    Args:
        folder: made if missing; the tables are written last.
        sizes: lines of each part.
        progress: called after each line, with how many are done and how many there are.

    Raises:
        OSError: the folder can't be written.
    """
    from PIL import Image

    originals = Originals()
    tables = {part: ["path\tid\toriginals\ttext"] for part in sizes}
    done, total = 0, sum(sizes.values())
    for part, size in sizes.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for index in range(size):
            line, name = compose_line(part, index, originals), f"{part}-{index:04d}"
            Image.fromarray(line.pixels).save(folder / part / f"{name}.png")
            numbers = " ".join(map(str, line.originals))
            tables[part].append("\t".join((f"{part}/{name}.png", name, numbers, line.text)))
            done += 1
            if progress is not None:
                progress(done, total)
    for part, lines in tables.items():
        write_table(folder / f"{part}.tsv", lines)


def starter_handwriting(
    cache: Path | None = None, *, sizes: Mapping[str, int] = SIZES, progress: Progress | None = None
) -> Path:
    """The folder of the starter lines in the cache; they are made the first time.

    Args:
        cache: where they are kept; see `cache_folder`.
        sizes: lines of each part, if they are to be made.
        progress: as for `write_handwriting`; not called where they are there already.
    """
    name, tables = f"starter-handwriting-v{STARTER_HANDWRITING_VERSION}", [f"{part}.tsv" for part in SIZES]
    return build_once(name, tables, lambda part: write_handwriting(part, sizes, progress=progress), cache)


def _groups(draws: Draws) -> list[int]:
    """How many digits each group has."""
    left, groups = draws.integer(3, 10), []
    while left:
        groups.append(min(left, draws.integer(1, 4)))
        left -= groups[-1]
    return groups


def _stroke(digit: Pixels, weight: float) -> Pixels:
    """How much ink there is at each pixel, 0 to 1: the blurred original with edges, some 0.3 wide.

    Where the original's ink is half covering, so is this one's, if ``weight`` is 0.5; less is a broader pen.
    """
    edge = np.clip((digit - weight) / 0.3 + 0.5, 0, 1)
    return np.asarray(edge * edge * (3 - 2 * edge))


def _lay(canvas: Pixels, digit: Pixels, top: int, left: int) -> None:
    """Put a digit onto the canvas; ink over ink is no darker, and what is above or below the canvas is lost."""
    above, below = max(-top, 0), max(top + len(digit) - len(canvas), 0)
    digit = digit[above : len(digit) - below]
    place = canvas[top + above : top + above + len(digit), left : left + digit.shape[1]]
    np.maximum(place, digit, out=place)


def _on_paper(ink: Pixels, draws: Draws) -> NDArray[np.uint8]:
    """Grey pixels: ink of a drawn darkness and unevenness on paper with soft stains and a fine grain."""
    height, width = ink.shape
    dark, light = draws.uniform(10, 100), draws.uniform(215, 245)
    pressed = 1 - draws.uniform(0, 0.3) * _soft(draws, height, width, 12)
    paper = light - draws.uniform(0, 20) * _soft(draws, height, width, 40)
    grain = draws.uniform(1, 5) * (draws.uniforms(ink.size).reshape(ink.shape) - 0.5) * 2
    grey = paper - (paper - dark) * ink * pressed + grain
    step = 256 // LEVELS
    return (np.clip(grey, 0, 255) / step).astype(np.uint8) * np.uint8(step) + np.uint8(step // 2)


def _soft(draws: Draws, height: int, width: int, size: int) -> Pixels:
    """``[height, width]`` from 0 to 1, changing little within ``size`` pixels: drawn at a grid, linear in between."""
    down, right = height // size + 2, width // size + 2
    grid = draws.uniforms(down * right).reshape(down, right)
    rows, columns = np.arange(height) / size, np.arange(width) / size
    along = np.stack([np.interp(columns, np.arange(right), row) for row in grid])  # [down, width]
    return np.stack([np.interp(rows, np.arange(down), column) for column in along.T], axis=1)
