"""Slant, size, rotation and waviness of written lines, changed while training."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor

from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.image.augmentation.row_augmentation import RowAugmentation, uniform
from seqpipe.features.ranges import Probability, check_ranges

Scale = Annotated[float, Field(ge=0.25, le=4)]


class LineDistortion(RowAugmentation):
    """Write a line by another hand: an affine map and a smooth random displacement of its pixels, while training.

    The displacement is that of Simard et al. 2003 ("Best practices for convolutional neural networks applied to visual
    document analysis"), with cubic B-splines between the knots of a coarse grid in place of their Gaussian smoothing.
    Both are one map and cost one bilinear resampling, so that strokes are softened once. What comes from beyond the
    picture, or from beyond a row's end, is paper. Everything is drawn uniformly for each row (see `augment_rows`).

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is distorted, 0 to 1.
        slant: largest lean to either side, as the tangent of the angle to the vertical: 0.2 is 11 degrees.
        scale_x: smallest and largest factor of the width; the row's length goes with it.
        scale_y: smallest and largest factor of the height, about the middle: above 1, what doesn't fit is lost.
        rotation: largest turn either way about the middle of the row, in degrees: half a degree moves the ends of a
            line of 900 pixels by 4.
        shift_y: largest shift up or down, in pixels.
        elastic_amplitude: largest displacement of a pixel in each direction, in pixels; a typical one is a quarter of
            it. At most half of ``elastic_spacing``, so that nothing is folded over.
        elastic_spacing: from one knot of the random grid to the next, in pixels: a few pixels bend strokes, the width
            of a letter changes letters, more makes words wavy.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper) -> ``[B, W', H]`` with W' = max(1, round(W · factor)); in evaluation
    nothing changes.
    """

    warps = True

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.5,
        slant: Annotated[float, Field(ge=0, le=2)] = 0.2,
        scale_x: tuple[Scale, Scale] = (0.85, 1.15),
        scale_y: tuple[Scale, Scale] = (0.85, 1.1),
        rotation: Annotated[float, Field(ge=0, le=45)] = 0.5,
        shift_y: Annotated[float, Field(ge=0)] = 2.0,
        elastic_amplitude: Annotated[float, Field(ge=0)] = 4.0,
        elastic_spacing: Annotated[float, Field(ge=2)] = 16.0,
    ) -> None:
        super().__init__(input_size=input_size, probability=probability)
        check_ranges("LineDistortion", scale_x=scale_x, scale_y=scale_y)
        if elastic_amplitude > elastic_spacing / 2:
            raise ConfigError(
                "LineDistortion.elastic_amplitude: at most half of elastic_spacing, or the picture is folded over; "
                f"received {elastic_amplitude:g} with a spacing of {elastic_spacing:g}"
            )
        self.slant, self.scale_x, self.scale_y = slant, scale_x, scale_y
        self.rotation, self.shift_y = rotation, shift_y
        self.elastic_amplitude, self.elastic_spacing = elastic_amplitude, elastic_spacing

    def min_length(self, length: int) -> int:
        """Columns at the smallest factor of the width."""
        if self.probability == 0:
            return length
        scaled = scaled_length(length, self.scale_x[0])
        return scaled if self.probability == 1 else min(length, scaled)

    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """Distort each row by a drawn map."""
        values, lengths = rows
        height = values.shape[2]
        maps, after = [], []
        for length, generator in zip(lengths.tolist(), generators, strict=True):
            after.append(scaled_length(length, uniform(generator, *self.scale_x)))
            maps.append(
                source_map(
                    (after[-1], height),
                    (length, height),
                    slant=uniform(generator, -self.slant, self.slant),
                    scale_y=uniform(generator, *self.scale_y),
                    rotation=uniform(generator, -self.rotation, self.rotation),
                    shift_y=uniform(generator, -self.shift_y, self.shift_y),
                )
            )
        field = None
        if self.elastic_amplitude:
            grid = (self.elastic_spacing, self.elastic_amplitude)
            field = displacements(after, height, *grid, generators, values.device)
        distorted = resampled(values, torch.tensor(maps), max(after), field)
        return PaddedSequence(distorted, torch.tensor(after, device=lengths.device))


def scaled_length(length: int, factor: float) -> int:
    """Columns that ``length`` columns become."""
    return max(1, math.floor(length * factor + 0.5))


def source_map(
    to_size: tuple[int, int],
    from_size: tuple[int, int],
    *,
    slant: float = 0.0,
    scale_y: float = 1.0,
    rotation: float = 0.0,
    shift_y: float = 0.0,
) -> list[list[float]]:
    """Where the pixels of a distorted picture come from, as ``[[yx, yy, y0], [xx, xy, x0]]``.

    Column x and pixel y of the result (y down, counted from 0) are read at pixel ``yx x + yy y + y0`` of column
    ``xx x + xy y + x0``. The picture is scaled to its new size and in y, slanted, turned and shifted, in this order,
    about its middle.

    Args:
        to_size: columns and height of the result.
        from_size: columns and height of the picture.
        slant: tangent of the lean to the right.
        scale_y: factor of the height.
        rotation: degrees clockwise.
        shift_y: pixels downwards.
    """
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    scale_x = to_size[0] / from_size[0]
    # Backwards from the result: turn back, then stand upright, then undo the scales.
    xx, xy = (cos - slant * sin) / scale_x, (sin + slant * cos) / scale_x
    yx, yy = -sin / scale_y, cos / scale_y
    to_x, to_y = (to_size[0] - 1) / 2, (to_size[1] - 1) / 2 + shift_y
    from_x, from_y = (from_size[0] - 1) / 2, (from_size[1] - 1) / 2
    return [[yx, yy, from_y - yx * to_x - yy * to_y], [xx, xy, from_x - xx * to_x - xy * to_y]]


def displacements(
    lengths: list[int],
    height: int,
    spacing: float,
    amplitude: float,
    generators: list[Generator],
    device: torch.device | None = None,
) -> Tensor:
    """Smooth random displacements of at most ``amplitude``: ``[B, 2, W, H]``, in y and in x.

    Uniform numbers at the knots of a grid, and between them cubic B-splines, which never exceed their knots. Knots are
    counted from a row's first column, so a row's displacements don't depend on the other rows' lengths.
    """
    along, across = spline_weights(max(lengths), spacing), spline_weights(height, spacing)
    knots = torch.zeros(len(lengths), 2, along.shape[1], across.shape[1])
    for row, (length, generator) in enumerate(zip(lengths, generators, strict=True)):
        own = spline_knots(length, spacing)
        drawn = torch.rand(own, 2, across.shape[1], generator=generator)
        knots[row, :, :own] = (amplitude * (2 * drawn - 1)).transpose(0, 1)
    return along.to(device) @ knots.to(device) @ across.T.to(device)


def spline_knots(size: int, spacing: float) -> int:
    """Knots that ``size`` pixels lie between, two of them at each end outside or on the border."""
    return int((size - 1) / spacing) + 4


def spline_weights(size: int, spacing: float) -> Tensor:
    """Weights ``[size, knots]`` of the uniform cubic B-spline for each pixel; each row sums to 1."""
    places = torch.arange(size) / spacing
    first = places.floor()
    t = places - first
    parts = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    index = first.long()[:, None] + torch.arange(4)
    return torch.zeros(size, spline_knots(size, spacing)).scatter_(1, index, torch.stack(parts, dim=1) / 6)


def resampled(values: Tensor, maps: Tensor, steps: int, field: Tensor | None = None) -> Tensor:
    """Read pictures at mapped and displaced places, in straight lines between pixels; paper (0) outside.

    Args:
        values: ``[B, W, H]`` with 0 in the padding.
        maps: ``[B, 2, 3]``, see `source_map`.
        steps: columns of the result.
        field: ``[B, 2, steps, H]`` displacements in pixels, in y and in x; None for none.

    Returns:
        ``[B, steps, H]``.
    """
    # In the units of grid_sample, whose -1 and 1 are the outer edges of the first and last pixel, and whose first
    # coordinate is that of the last dimension, our H.
    pixel = 2 / torch.tensor([values.shape[2], values.shape[1]], dtype=torch.float64).view(1, 2, 1, 1)
    maps = maps.double()[..., None, None] * pixel.unsqueeze(2)  # [B, 2, 3, 1, 1]
    by_column = maps[:, :, 0] * torch.arange(steps)[:, None] + maps[:, :, 2] + pixel / 2 - 1  # [B, 2, steps, 1]
    by_pixel = maps[:, :, 1] * torch.arange(values.shape[2])  # [B, 2, 1, H]
    # Planes of y and x rather than pairs: they are written four times as fast, and grid_sample takes both.
    grid = by_column.to(values) + by_pixel.to(values)
    if field is not None:
        grid.addcmul_(field.to(values), pixel.to(values))
    return F.grid_sample(
        values.unsqueeze(1), grid.permute(0, 2, 3, 1), padding_mode="zeros", align_corners=False
    ).squeeze(1)
