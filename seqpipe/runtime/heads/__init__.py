"""What heads do with the output of the graph, by class name; each a module of its own, imported when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import Segment
from seqpipe.core.packages import require
from seqpipe.runtime.counterparts import counterpart
from seqpipe.runtime.location import Location
from seqpipe.runtime.manifest import Part
from seqpipe.runtime.session import GraphSession

HEADS = {
    "AttentionHead": "seqpipe.runtime.heads.attention:AttentionDecoder",
    "CTCHead": "seqpipe.runtime.heads.ctc:CTC",
    "ClassifierHead": "seqpipe.runtime.heads.classes:Classifier",
    "MultiLabelHead": "seqpipe.runtime.heads.classes:MultiLabel",
    "RegressionHead": "seqpipe.runtime.heads.regression:Numbers",
    "TaggerHead": "seqpipe.runtime.heads.tags:Tagger",
}
"""Classes of heads, and what answers in their place."""


class RuntimeHead(Protocol):
    """What makes answers of the graph's output, as the head of the same class does."""

    answer_type: type

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Sequence[Any]:
        """A hypothesis for each row ``[T, D]``; no row's depends on the others."""
        ...

    def answer(self, row_id: str, hypothesis: Any, location: Location) -> Any:
        """A hypothesis as an answer."""
        ...


@runtime_checkable
class SearchMethods(Protocol):
    """A head with options of decoding that only some methods look at: who sets one means such a method."""

    of_methods: ClassVar[Mapping[str, tuple[str, ...]]]


@runtime_checkable
class ReadsColumns(Protocol):
    """A head whose answers depend on columns of the inputs' sources too."""

    columns: Sequence[str]

    def decode(
        self, outputs: Sequence[NDArray[np.float32]], columns: Sequence[Mapping[str, Any]] = ()
    ) -> Sequence[Any]:
        """See `RuntimeHead`; ``columns`` are what the rows' sources say about them."""
        ...


@runtime_checkable
class JoinsSegments(Protocol):
    """A head whose answers to an input's overlapping segments can be put together."""

    def join(self, row_id: str, parts: Sequence[tuple[Segment, Any]]) -> Any:
        """The answers to the segments as one."""
        ...


@runtime_checkable
class ConcatenatesParts(Protocol):
    """A head whose answers to an input's parts, which don't overlap, can be put together."""

    def concatenate(self, row_id: str, parts: Sequence[tuple[Segment, Any]]) -> Any:
        """The answers to the parts of a long input as one."""
        ...


@runtime_checkable
class RunsGraphs(Protocol):
    """A head that goes on from the graph's output by graphs of its own, which it is given before it answers."""

    def use(self, graphs: Mapping[str, GraphSession], *, one_by_one: bool) -> None:
        """Run these.

        Args:
            graphs: by the names of the manifest.
            one_by_one: whether no row may stand beside another one.
        """
        ...

    def distributions(self, output: NDArray[np.float32], labels: Sequence[int]) -> NDArray[np.float32]:
        """Log-probabilities at each label and at the end ``[L + 1, V]``, given the graph's output for a row."""
        ...


def make_head(part: Part, folder: Path, decoding: dict[str, Any], temperature: float) -> RuntimeHead:
    """The counterpart of a head.

    Args:
        part: of the manifest.
        folder: of the exported model.
        decoding: options.
        temperature: of its distributions.

    Raises:
        RunError: there is none of this class.
        ConfigError: an option of decoding is wrong, or a package that it needs isn't installed.
    """
    made = counterpart(HEADS, part, "head")
    if part.options.get("base_direction") is not None:
        require("python-bidi", "bidi", "a model of writing from right to left")
    head: RuntimeHead = made(part.options, folder / part.assets, decoding, temperature)
    return head
