"""Several features of the same input, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.chain import save_part
from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence, concatenate_features
from seqpipe.core.stage import ReportsFit, StageConfig
from seqpipe.errors import ConfigError


class Concatenation(Feature):
    """Run several stages over the same input and join their features: log-mel beside pitch, say.

    Args:
        previous: the stage before this one; passed by the pipeline.
        stages: at least one; all must give the same number of steps (the same hop).

    Shape: ``[B, T, D1]``, ``[B, T, D2]``, ... -> ``[B, T, D1 + D2 + ...]``.
    """

    def __init__(
        self,
        *,
        stages: Annotated[list[StageConfig], Field(min_length=1)],
        previous: Annotated[Any, Upstream("")] = None,
    ) -> None:
        super().__init__()
        parts: list[Feature] = [config.build(previous) for config in stages]
        for part in parts:
            if type(part).prepare is not Feature.prepare:
                raise ConfigError(f"Concatenation: {type(part).__name__} works on single examples; put it in front")
        self.parts: Any = nn.ModuleList(parts)
        self.needs_fit = any(part.needs_fit for part in parts)
        self.needs_targets = any(part.needs_targets for part in parts)
        self.stepwise = all(part.stepwise for part in parts)
        rates = {part.provided("frame_rate") or 0.0 for part in parts}
        if len(rates) > 1:
            raise ConfigError(f"Concatenation: stages must have the same hop; frames a second are {sorted(rates)}")

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """D of all parts together."""
        return sum(part.output_size for part in self.parts)

    def build(self) -> None:
        """Each part."""
        for part in self.parts:
            part.build()

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Each part that learns."""
        learning = [part for part in self.parts if part.needs_fit]
        for part, own in zip(learning, itertools.tee(rows, len(learning)), strict=True):
            part.fit(own, targets)

    def fit_messages(self) -> list[str]:
        """Of all parts."""
        return [line for part in self.parts if isinstance(part, ReportsFit) for line in part.fit_messages()]

    def save_assets(self, folder: Path) -> None:
        """Each part's, in a folder of its own."""
        for number, part in enumerate(self.parts):
            save_part(part, folder / f"{number}.{type(part).__name__}")

    def load_assets(self, folder: Path) -> None:
        """What `save_assets` wrote."""
        for number, part in enumerate(self.parts):
            part.load_assets(folder / f"{number}.{type(part).__name__}")

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Those of the first part."""
        return self.parts[0].output_lengths(lengths)

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """As the first part does."""
        return self.parts[0].locate(prepared, steps)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Run all parts and join them."""
        return concatenate_features(part(sequence) for part in self.parts)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """All parts, side by side."""
        parts = [part.to_onnx(graph, sequence) for part in self.parts]
        return Symbol(graph.concatenate([part.values for part in parts]), parts[0].lengths)
