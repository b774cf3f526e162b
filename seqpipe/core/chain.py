"""Stages one after another: features in both halves of their work, and front-ends and encoders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.feature import Feature, Reader
from seqpipe.core.measure import Measure
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import ReportsFit, Stage, StageConfig
from seqpipe.errors import ConfigError

Stages = Annotated[list[StageConfig], Field(min_length=1)]
S = TypeVar("S", bound=Stage)


class Chain(Stage):
    """Stages of one role in the order in which data passes; a list under ``frontend:`` or ``encoder:`` in a recipe.

    Args:
        stages: each gets the sizes that it needs from the one before.
        previous: the stage before the chain; passed by the pipeline.

    Shape: that of the first stage -> that of the last.
    """

    kind: ClassVar[type[Stage]] = Stage

    def __init__(self, *, stages: Stages, previous: Annotated[Any, Upstream("")] = None) -> None:
        super().__init__()
        built: list[Stage] = []
        for index, config in enumerate(stages):
            try:
                stage = config.build(built[-1] if built else previous)
            except ConfigError as error:
                raise error.within(str(index)) from None
            wanted = self.kind.role or (built or [stage])[0].role
            if stage.role != wanted:
                raise ConfigError([((str(index),), f"{config.name} is a {stage.role} stage, not a {wanted} stage")])
            if not isinstance(stage, self.kind):
                raise ConfigError([((str(index),), f"{config.name} is no {self.kind.__name__}, of which to derive it")])
            # The rate of samples holds for what is made of them too.
            rate = built[-1].provided("sample_rate") if built else None
            if rate is not None and stage.provided("sample_rate") is None:
                stage.sample_rate = rate
            built.append(stage)
        self.role = built[0].role  # type: ignore[misc]
        self.stages: Any = nn.ModuleList(built)
        self.names = [f"{index}.{config.name}" for index, config in enumerate(stages)]

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """D of the last stage, which may have to learn it."""
        size: int = self.stages[-1].output_size
        return size

    def provided(self, attribute: str) -> Any:
        """What the chain, or its last stage, tells."""
        own = super().provided(attribute)
        return own if own is not None else self.stages[-1].provided(attribute)

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Let each stage that needs it learn from what the stages before it make of the rows.

        Args:
            rows: which the first stage sees as they are; a collection, since each stage that learns goes through it.
            targets: of the rows.
        """
        for index, stage in enumerate(self.stages):
            stage.build()
            if stage.needs_fit:
                stage.fit(self._until(index, rows) if index else rows, targets)

    def fit_messages(self) -> list[str]:
        """Of all stages."""
        return [line for stage in self.stages if isinstance(stage, ReportsFit) for line in stage.fit_messages()]

    def _until(self, index: int, rows: Iterable[Any]) -> Iterator[PaddedSequence]:
        training = self.training
        self.eval()
        with torch.inference_mode():
            for raw in rows:
                sequence = self._row(raw)
                for stage in self.stages[:index]:
                    sequence = stage(sequence)
                yield sequence
        self.train(training)

    def _row(self, raw: Any) -> PaddedSequence:
        """A row as a batch."""
        row: PaddedSequence = raw
        return row

    def save_assets(self, folder: Path) -> None:
        """Each stage's, in a folder of its own."""
        for name, stage in zip(self.names, self.stages, strict=True):
            save_part(stage, folder / name)

    def load_assets(self, folder: Path) -> None:
        """What `save_assets` wrote."""
        for name, stage in zip(self.names, self.stages, strict=True):
            stage.build()
            stage.load_assets(folder / name)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Through all stages."""
        for stage in self.stages:
            lengths = stage.output_lengths(lengths)
        return lengths

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Back through all stages."""
        for stage in reversed(self.stages):
            steps = stage.locate(prepared, steps)
        return steps

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """A batch through all stages."""
        for stage in self.stages:
            sequence = stage(sequence)
        return sequence

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """All stages, one behind the other."""
        for stage in self.stages:
            sequence = stage.to_onnx(graph, sequence)
        return sequence


class FeatureChain(Chain):
    """Feature stages in the order in which data passes; a list under ``features:`` in a recipe.

    Args:
        stages: the first reads the input (a file, a string); each gets the sizes that it needs from the one before.

    Example:
        >>> features = FeatureChain(stages=[Waveform.configure(sample_rate=8000), LogMel.configure(n_mels=40)])
        >>> features.output_size
        40
    """

    role = "features"
    kind = Feature

    def __init__(self, *, stages: Stages) -> None:
        super().__init__(stages=stages)
        if not isinstance(self.stages[0], Reader):
            raise ConfigError(
                [(("0",), f"{stages[0].name} reads no inputs, so it can't be the first; begin with Waveform, say")]
            )

    @property
    def reader(self) -> Reader:
        """The first stage, which reads inputs."""
        reader: Reader = self.stages[0]
        return reader

    @property
    def measure(self) -> Measure:
        """What lengths of inputs count."""
        return self.reader.measure

    def length(self, raw: Any) -> int:
        """The length of an input before any augmentation, cheaply."""
        return self.reader.length(raw)

    def _row(self, raw: Any) -> PaddedSequence:
        return PaddedSequence.pad([self.prepare(raw, None)])

    def prepare(self, raw: Any, key: RowKey | None) -> Any:
        """One example through every stage's first half."""
        for name, stage in zip(self.names, self.stages, strict=True):
            raw = stage.prepare(raw, key.child(name) if key is not None else None)
        return raw

    def augmented_length(self, length: int, key: RowKey) -> int:
        """The length that `prepare` gives with this key."""
        for name, stage in zip(self.names, self.stages, strict=True):
            length = stage.augmented_length(length, key.child(name))
        return length

    def min_length(self, length: int) -> int:
        """The least length that any key gives."""
        for stage in self.stages:
            length = stage.min_length(length)
        return length


def find_stages(module: nn.Module, kind: type[S]) -> Iterator[S]:
    """All stages of a kind in a module, those inside others too."""
    return (part for part in module.modules() if isinstance(part, kind))


def save_part(stage: Stage, folder: Path) -> None:
    """A stage's assets in a new folder, which goes if there are none."""
    folder.mkdir()
    stage.save_assets(folder)
    if not any(folder.iterdir()):
        folder.rmdir()
