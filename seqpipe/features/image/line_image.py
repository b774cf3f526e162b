"""Images of lines in: files of any depth and colour become ink on paper, of one height, column by column."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Reader
from seqpipe.core.measure import PIXELS
from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol
from seqpipe.core.picture import Picture
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Source
from seqpipe.core.suffixes import IMAGE_SUFFIXES
from seqpipe.features.image.ink import Background, Ink
from seqpipe.features.image.ink_columns import InkColumns


class LineImage(Reader):
    """Read images of lines (PNG, JPEG, TIFF), find the ink and scale them to one height, keeping the aspect.

    A step is a column of pixels, from left to right. Its contrast is stretched, so that the paper is 0 and the ink 1
    whatever the light or the pen was.

    Args:
        height: H, of the scaled image, in pixels.
        ink: ``dark`` on light paper, ``light`` on dark, or ``auto``: what there is less of.
        background: ``local`` divides by the paper's brightness from place to place, for photos with shadows; ``none``
            takes the paper for evenly bright.
        slant: make slanted writing upright (Pastor et al. 2004, by the projection profile); the width stays.
        skew: make lines that rise or fall level, by shifting columns (Postl 1986); the width stays.
        max_length: columns that a scaled image may have; any number when None.
        max_pixels: of a file, looked up in its header before it is decoded, and of the scaled image.

    Shape: prepared ``[W, H]`` uint8, 0 paper and 255 ink; in batches -> ``[B, W, H]`` float32, 0 to 1. W is the file's
    width times H over its height, rounded, 1 at least. An input is a path, a `FileSpan`, the bytes of a file, an array
    of brightness ``[H, W]`` or ``[H, W, 3 or 4]`` (uint8, uint16, bool, or float from 0 to 1), or the line of a page
    (`PageLine`). Places are in pixels from the left edge of the input, turned as EXIF says.
    """

    suffixes = IMAGE_SUFFIXES
    measure = PIXELS

    def __init__(
        self,
        *,
        height: Annotated[int, Field(ge=4, le=1024)] = 64,
        ink: Ink = "auto",
        background: Background = "none",
        slant: bool = False,
        skew: bool = False,
        max_length: Annotated[int, Field(ge=1)] | None = None,
        max_pixels: Annotated[int, Field(ge=1)] = 50_000_000,
    ) -> None:
        super().__init__()
        self.height = height
        self.columns = InkColumns(
            height=height,
            ink=ink,
            background=background,
            slant=slant,
            skew=skew,
            max_length=max_length,
            max_pixels=max_pixels,
        )
        self.output_size = height

    def prepare(self, raw: Any, key: RowKey | None) -> Tensor:
        """Columns of ink ``[W, H]``, uint8; raises `InputError` as `InkColumns.prepare` does."""
        return torch.from_numpy(self.columns.prepare(raw))

    def length(self, raw: Any) -> int:
        """How many columns `prepare` will give; of a file from its header alone."""
        return self.columns.length(raw)

    def warnings(self, raw: Any, prepared: Tensor) -> list[tuple[str, str]]:
        """See `InkColumns.warnings`."""
        return self.columns.warnings(raw, prepared.numpy())

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """The pages of a TIFF that has several; see `Reader.unbind`."""
        return self.columns.unbind(raw)

    def source(self, raw: Any) -> Source:
        """Places are pixels of the input."""
        return self.columns.source(raw)

    def scale(self, raw: Any) -> float:
        """Pixels of the input in a column; 1 of a file that is gone since it was read."""
        return self.columns.scale(raw)

    def onnx_input(self) -> Form:
        """Columns of ink as they are prepared."""
        return Form("uint8", ("rows", "columns", self.height))

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        values = graph.op("Cast", sequence.values, to=1)  # float32
        return Symbol(graph.op("Div", values, graph.constant(255.0)), sequence.lengths)

    def preview(self, raw: Any) -> Picture:
        """The line as the features see it, black on white."""
        prepared = self.prepare(raw, None)
        return Picture(
            values=1 - prepared.T.float().numpy() / 255,
            start=0.0,
            end=len(prepared) * self.scale(raw),
            unit="px",
            height=f"the line, scaled to {self.height} pixels",
        )

    def preview_of(self, values: Tensor) -> Picture:
        """A line ``[W, H]`` on its way, 0 paper to 1 ink, black on white."""
        return Picture(1 - values.T.float().numpy(), 0.0, float(len(values)), "px")

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """``[B, W, H]`` uint8 -> float32, 0 to 1."""
        return PaddedSequence(sequence.values.to(torch.float32) / 255, sequence.lengths)
