"""What prepares inputs for the graph, by the class name of the recipe's first feature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import Segment
from seqpipe.core.measure import Measure
from seqpipe.core.packages import require
from seqpipe.core.source import Source
from seqpipe.runtime.counterparts import counterpart
from seqpipe.runtime.manifest import Part

READERS = {
    "LineImage": "seqpipe.runtime.readers:lines",
    "PenStrokes": "seqpipe.runtime.readers:strokes",
    "Waveform": "seqpipe.runtime.readers:recordings",
    "Tokens": "seqpipe.runtime.readers:texts",
}
"""Classes of readers, and functions that make their counterparts of options and a folder of assets."""


class RuntimeReader(Protocol):
    """What a `seqpipe.core.feature.Reader` does with inputs, without torch; see there."""

    suffixes: frozenset[str]
    measure: Measure

    @property
    def unbinds(self) -> bool:
        """Whether any of its inputs may hold several."""

    def prepare(self, raw: Any) -> NDArray[Any]:
        """What the graph takes, ``[S, ...]``."""

    def length(self, raw: Any) -> int:
        """Elements that `prepare` will give."""

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """A long input in segments."""

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """The inputs in one that holds several."""

    def opened(self) -> AbstractContextManager[None]:
        """While this lasts, what is read several times in a row may be opened once."""

    def warnings(self, raw: Any, prepared: NDArray[Any]) -> list[tuple[str, str]]:
        """What is odd about an input that can be used."""

    def source(self, raw: Any) -> Source:
        """The input as answers refer to it."""

    def locate(self, prepared: NDArray[Any], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Prepared elements as places in the input."""


def make_reader(part: Part, folder: Path) -> RuntimeReader:
    """The counterpart of a reader.

    Args:
        part: of the manifest.
        folder: of the exported model.

    Raises:
        RunError: there is none of this class.
        ConfigError: a package that it needs isn't installed.
    """
    made: RuntimeReader = counterpart(READERS, part, "reader")(part.options, folder / part.assets)
    return made


def recordings(options: Mapping[str, Any], assets: Path) -> RuntimeReader:
    """Of `Waveform`."""
    from seqpipe.features.speech.recordings import Recordings

    return Recordings(options["sample_rate"], options["channels"])


def texts(options: Mapping[str, Any], assets: Path) -> RuntimeReader:
    """Of `Tokens`."""
    from seqpipe.features.text.tokenization import Tokenization
    from seqpipe.text.units import SentencePieceUnits
    from seqpipe.text.vocabulary import Vocabulary

    names = ("characters", "word_pooling", "max_length", "overflow")
    made = Tokenization(options["units"], options["split"], options["text"], **{name: options[name] for name in names})

    def vocabulary(file: str) -> Vocabulary:
        return Vocabulary(**json.loads((assets / file).read_bytes()))

    if made.subwords:
        made.use(SentencePieceUnits((assets / SentencePieceUnits.FILE).read_bytes()))
    else:
        made.use(vocabulary(Vocabulary.FILE), vocabulary(Vocabulary.OF_CHARACTERS) if made.characters else None)
    return made


def lines(options: Mapping[str, Any], assets: Path) -> RuntimeReader:
    """Of `LineImage`."""
    from seqpipe.features.image.ink_columns import InkColumns

    require("pillow", "image", "a model of images")
    return InkColumns(**options)


def strokes(options: Mapping[str, Any], assets: Path) -> RuntimeReader:
    """Of `PenStrokes`."""
    from seqpipe.features.pen.ink_points import InkPoints

    return InkPoints(**options)
