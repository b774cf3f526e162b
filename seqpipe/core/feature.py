"""Features: the stages that make steps of numbers out of inputs; the first of them reads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from seqpipe.core.input import Segment
from seqpipe.core.measure import STEPS, Measure
from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol
from seqpipe.core.picture import Drawing, Picture, Sound
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Source
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError


class Feature(Stage, register=False):
    """One stage of the features, which may work in two halves: on one example in a loader worker, and on batches.

    Attributes:
        augments: whether it changes inputs while training alone, and does nothing else.
        warps: whether what it does to batches while training moves steps, or leaves some out.
        needs_targets: whether what `fit` learns depends on the targets.
        stepwise: whether each step depends on that step of what was prepared alone, so that none looks ahead.
    """

    role = "features"
    augments: ClassVar[bool] = False
    warps: ClassVar[bool] = False
    needs_targets: bool = False
    stepwise: bool = False

    def prepare(self, raw: Any, key: RowKey | None) -> Any:
        """One example towards a tensor ``[T, ...]``; ``key`` is its randomness while training, else None."""
        return raw

    def augmented_length(self, length: int, key: RowKey) -> int:
        """How long `prepare` with this key makes an input of ``length``; lets batches be planned without reading."""
        return length

    def min_length(self, length: int) -> int:
        """The least length that any key can make of an input; a label that fits into it always fits."""
        return length

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """The second half, on a batch; nothing by default."""
        return sequence

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """Nothing, where `forward` does nothing in evaluation; see `Stage.to_onnx`."""
        if self.augments or type(self).forward is Feature.forward:
            return sequence
        return super().to_onnx(graph, sequence)


class Reader(Feature, register=False):
    """The first stage of the features, which reads inputs: files, texts, arrays.

    A reader implements `prepare`, and `length` where that can be had cheaper; the rest has the defaults of one whose
    inputs are plain values. An input that can't be used raises `InputError`: it then costs itself alone.

    Attributes:
        suffixes: endings of the files that `prepare` reads (then inputs are paths); none of one that reads none.
        measure: what lengths count.
        concatenates: whether what was prepared of two inputs, one behind the other, is as if it were of one.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset()
    concatenates: ClassVar[bool] = True
    measure: Measure = STEPS

    def length(self, raw: Any) -> int:
        """Elements that `prepare` will give; of a file from its header. By default the input is prepared for it.

        Raises:
            InputError: the input can't be used.
        """
        return len(self.prepare(raw, None))

    @property
    def has_lengths(self) -> bool:
        """Whether `length` counts what it will count; else rows are measured again after `fit`."""
        return True

    def warnings(self, raw: Any, prepared: Any) -> list[tuple[str, str]]:
        """What is odd about an input that can be used, as (a short fixed kind, a message).

        Args:
            raw: the input.
            prepared: what `prepare` made of it, without a key.
        """
        if isinstance(prepared, Tensor) and prepared.is_floating_point() and len(prepared) > 1:
            step = prepared[0].flatten().tolist()
            if bool((prepared == prepared[:1]).all()):
                return [
                    ("constant", f"all its {len(prepared)} steps are equal ({', '.join(f'{x:g}' for x in step[:5])})")
                ]
        return []

    def source(self, raw: Any) -> Source:
        """The input as answers refer to it."""
        return Source()

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """A long input in segments, each to be answered by itself; None of one that stays whole.

        Args:
            raw: as `prepare` reads it.
            max_length: of a segment, in `measure`.
        """
        return None

    @property
    def unbinds(self) -> bool:
        """Whether any of its inputs may hold several (`unbind`)."""
        return type(self).unbind is not Reader.unbind

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """The inputs that are answered in the place of one that holds several; None of one that is answered itself.

        Args:
            raw: as `prepare` reads it.

        Returns:
            For each what stands behind the id of the whole (``#2``), and the input.

        Raises:
            InputError: the input can't be used.
        """
        return None

    def opened(self) -> AbstractContextManager[None]:
        """While this lasts, what is read several times in a row by a thread may be opened once."""
        return nullcontext()

    def pool(self, prepared: PaddedSequence, encoded: PaddedSequence) -> PaddedSequence:
        """Encoded steps as the head sees them, where this stage has split its input further than answers are given."""
        return encoded

    def onnx_input(self) -> Form:
        """What a graph takes: batches of what `prepare` gives, ``[rows, steps, ...]``.

        Raises:
            ConfigError: a class of its own doesn't say it.
        """
        raise ConfigError(
            f"{type(self).__name__} can't be exported: it reads in a way of its own, which runtimes don't know; use "
            "the model with `seqpipe infer`"
        )

    def pool_to_onnx(self, graph: OnnxGraph, prepared: Symbol, encoded: Symbol) -> Symbol:
        """`pool` as nodes of a graph; see `Stage.to_onnx`."""
        if type(self).pool is not Reader.pool:
            raise ConfigError(f"{type(self).__name__} can't be exported: its pool has no counterpart in ONNX")
        return encoded

    def preview(self, raw: Any) -> Picture | Drawing | str:
        """What an input looks like in reports; text by default."""
        return str(raw)

    def preview_of(self, values: Tensor) -> Picture | Drawing | None:
        """What one row looks like on its way through the features; None if like nothing.

        Args:
            values: the row without padding, ``[T, ...]``, as this stage or one behind it gives it, on the CPU.
        """
        return None

    def sound(self, raw: Any) -> Sound | None:
        """What an input sounds like, if it does."""
        return None


@runtime_checkable
class MakesPauses(Protocol):
    """A reader of inputs in which nothing may come for a while.

    Attributes:
        usual_pause: least and greatest length of a usual one, in the reader's measure.
    """

    usual_pause: ClassVar[tuple[float, float]]

    def pause(self, length: int, before: Tensor, generator: np.random.Generator) -> Tensor:
        """What stands between two inputs that are concatenated, ``[length, ...]`` as `Reader.prepare` gives it.

        Args:
            length: of the pause.
            before: the input that it follows, as it was prepared.
            generator: draws what the pause holds.
        """
