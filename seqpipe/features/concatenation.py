"""Several features of the same input, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence, concatenate_features
from seqpipe.core.stage import Stage, StageConfig
from seqpipe.errors import ConfigError


class Concatenation(Stage):
    """Run several stages over the same input and join their features: log-mel beside pitch, say.

    Args:
        previous: the stage before this one; passed by the pipeline.
        stages: at least one; all must give the same number of steps (the same hop).

    Shape: ``[B, T, D1]``, ``[B, T, D2]``, ... -> ``[B, T, D1 + D2 + ...]``.
    """

    role = "features"

    def __init__(
        self,
        *,
        stages: Annotated[list[StageConfig], Field(min_length=1)],
        previous: Annotated[Any, Upstream("")] = None,
    ) -> None:
        super().__init__()
        parts = [config.build(previous) for config in stages]
        for part in parts:
            if type(part).prepare is not Stage.prepare:
                raise ConfigError(f"Concatenation: {type(part).__name__} works on single examples; put it in front")
        self.parts: Any = nn.ModuleList(parts)
        self.learns = any(part.learns for part in parts)
        self.learns_targets = any(part.learns_targets for part in parts)
        rates = {getattr(part, "frame_rate", 0.0) for part in parts}
        if len(rates) > 1:
            raise ConfigError(f"Concatenation: stages must have the same hop; frames a second are {sorted(rates)}")

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """D of all parts together."""
        return sum(part.output_size for part in self.parts)

    def grow(self) -> None:
        """Each part."""
        for part in self.parts:
            part.grow()

    def fit(self, rows: Iterable[Any], targets: Sequence[Any] = ()) -> None:
        """Each part that learns."""
        learning = [part for part in self.parts if part.learns]
        for part, own in zip(learning, itertools.tee(rows, len(learning)), strict=True):
            part.fit(own, targets) if part.learns_targets else part.fit(own)

    def notices(self) -> list[str]:
        """Of all parts."""
        return [line for part in self.parts for line in part.notices()]

    def save_assets(self, folder: Path) -> None:
        """Each part's, in a folder of its own."""
        for number, part in enumerate(self.parts):
            own = folder / f"{number}.{type(part).__name__}"
            own.mkdir()
            part.save_assets(own)
            if not any(own.iterdir()):
                own.rmdir()

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
