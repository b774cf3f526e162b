"""Feature stages one after another, in both halves of their work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.item import Item
from seqpipe.core.randomness import Draw
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import Stage, StageConfig
from seqpipe.errors import ConfigError


class FeatureChain(Stage):
    """Feature stages in the order in which data passes; a list under ``features:`` in a recipe.

    Args:
        stages: the first reads the input (a file, a string); each gets the sizes that it needs from the one before.

    Example:
        >>> features = FeatureChain(stages=[Waveform.configure(sample_rate=8000), LogMel.configure(n_mels=40)])
        >>> features.output_size
        40
    """

    role = "features"

    def __init__(self, *, stages: Annotated[list[StageConfig], Field(min_length=1)]) -> None:
        super().__init__()
        built: list[Stage] = []
        for index, config in enumerate(stages):
            try:
                stage = config.build(built[-1] if built else None)
            except ConfigError as error:
                raise error.within(str(index)) from None
            if stage.role != "features":
                raise ConfigError([((str(index),), f"{config.name} is a {stage.role} stage, not a feature stage")])
            # What a stage doesn't say of itself still holds from the stage before.
            if not hasattr(stage, "sample_rate") and built and hasattr(built[-1], "sample_rate"):
                stage.sample_rate = built[-1].sample_rate
            built.append(stage)
        self.stages: Any = nn.ModuleList(built)
        self.names = [f"{index}.{config.name}" for index, config in enumerate(stages)]

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """D of the last stage, which may have to learn it."""
        size: int = self.stages[-1].output_size
        return size

    @property
    def first(self) -> Any:
        """The stage that reads the input."""
        return self.stages[0]

    def fit(self, rows: Iterable[Any], targets: Sequence[Any] = ()) -> None:
        """Let each stage that learns from data see what the stages before it make of the inputs.

        Args:
            rows: raw inputs, which the first stage sees as they are; must be a collection that can be gone through once
                per learning stage.
            targets: of the rows, for stages that learn from these too.
        """
        for index, stage in enumerate(self.stages):
            stage.grow()
            if getattr(stage, "learns", False):
                seen = self._until(index, rows) if index else rows
                stage.fit(seen, targets) if stage.learns_targets else stage.fit(seen)

    def notices(self) -> list[str]:
        """Of all stages."""
        return [line for stage in self.stages for line in stage.notices()]

    def _until(self, index: int, rows: Iterable[Any]) -> Iterator[PaddedSequence]:
        training = self.training
        self.eval()
        with torch.inference_mode():
            for raw in rows:
                sequence = PaddedSequence.pad([self.prepare(raw, None)])
                for stage in self.stages[:index]:
                    sequence = stage(sequence)
                yield sequence
        self.train(training)

    def save_assets(self, folder: Path) -> None:
        """Each stage's, in a folder of its own."""
        for name, stage in zip(self.names, self.stages, strict=True):
            (folder / name).mkdir()
            stage.save_assets(folder / name)
            if not any((folder / name).iterdir()):
                (folder / name).rmdir()

    def load_assets(self, folder: Path) -> None:
        """What `save_assets` wrote."""
        for name, stage in zip(self.names, self.stages, strict=True):
            stage.grow()
            stage.load_assets(folder / name)

    def prepare(self, raw: Any, draw: Draw | None) -> Any:
        """One example through every stage's first half."""
        for name, stage in zip(self.names, self.stages, strict=True):
            raw = stage.prepare(raw, draw.child(name) if draw is not None else None)
        return raw

    def measure(self, raw: Any) -> int:
        """The length of an input before any augmentation, cheaply."""
        length: int = self.first.measure(raw)
        return length

    @property
    def unit(self) -> str:
        """What inputs are measured in: ``second`` for audio."""
        return str(getattr(self.first, "unit", "step"))

    def amount(self, lengths: Tensor | int) -> float:
        """How much input a batch of these lengths, or one input of this length, is, in `unit`."""
        total = float(lengths if isinstance(lengths, int) else lengths.sum())
        return total / self.first.sample_rate if self.unit == "second" else total

    def origin(self, raw: Any) -> float:
        """Where the input begins in what it was cut from."""
        return float(self.first.origin(raw)) if hasattr(self.first, "origin") else 0.0

    def scale(self, raw: Any) -> float:
        """What a place is to be multiplied by, for an input that was scaled: pixels of a file in one that is left."""
        return float(self.first.scale(raw)) if hasattr(self.first, "scale") else 1.0

    def items(self, raw: Any) -> Sequence[Item]:
        """The words of a text, if the input is one."""
        found: Sequence[Item] = self.first.items(raw)
        return found

    def cut_off(self, raw: Any) -> int:
        """Tokens at the end of an input that the first stage leaves out."""
        return int(self.first.cut_off(raw)) if hasattr(self.first, "cut_off") else 0

    def pool(self, prepared: PaddedSequence, encoded: PaddedSequence) -> PaddedSequence:
        """As the first stage does."""
        pooled: PaddedSequence = self.first.pool(prepared, encoded)
        return pooled

    def drawn_length(self, length: int, draw: Draw) -> int:
        """The length that `prepare` gives with this draw."""
        for name, stage in zip(self.names, self.stages, strict=True):
            length = stage.drawn_length(length, draw.child(name))
        return length

    def shortest_length(self, length: int) -> int:
        """The least length that any draw gives."""
        for stage in self.stages:
            length = stage.shortest_length(length)
        return length

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Prepared lengths -> steps of the last stage."""
        for stage in self.stages:
            lengths = stage.output_lengths(lengths)
        return lengths

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Steps of the last stage -> positions in the input: seconds, characters, pixels or points."""
        for stage in reversed(self.stages):
            steps = stage.locate(prepared, steps)
        return steps

    def forward(self, batch: PaddedSequence) -> PaddedSequence:
        """A batch through every stage's second half: ``[B, T, D]``."""
        for stage in self.stages:
            batch = stage(batch)
        return batch
