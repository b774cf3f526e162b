"""Front-ends one after another."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import Stage, StageConfig
from seqpipe.errors import ConfigError


class FrontEndChain(Stage):
    """Front-ends in the order in which data passes; a list under ``frontend:`` in a recipe.

    Args:
        previous: the stage before the chain; passed by the pipeline.
        stages: each gets its input size from the one before.
    """

    role = "frontend"

    def __init__(
        self,
        *,
        stages: Annotated[list[StageConfig], Field(min_length=1)],
        previous: Annotated[Any, Upstream("")] = None,
    ) -> None:
        super().__init__()
        self.stages: Any = nn.ModuleList()
        for config in stages:
            stage = config.build(previous)
            if stage.role != "frontend":
                raise ConfigError(f"FrontEndChain: {config.name} is a {stage.role} stage, not a front-end")
            self.stages.append(stage)
            previous = stage
        self.output_size = previous.output_size

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Through all of them."""
        for stage in self.stages:
            lengths = stage.output_lengths(lengths)
        return lengths

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Back through all of them."""
        for stage in reversed(self.stages):
            steps = stage.locate(prepared, steps)
        return steps

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Through all of them."""
        for stage in self.stages:
            sequence = stage(sequence)
        return sequence
