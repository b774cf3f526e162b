"""Whether a pipeline can learn several rows as one example, and how it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from seqpipe.config.recipe import TrainingConfig
from seqpipe.core.feature import MakesPauses, Reader
from seqpipe.core.head import ConcatenatesTargets, Head
from seqpipe.data.concatenation import Concatenation
from seqpipe.errors import ConfigError
from seqpipe.pipeline import Pipeline


def refuse_concatenation(reader: Reader, head: type[Head], config: TrainingConfig) -> None:
    """Refuse ``training.concatenation`` where nothing has to be read to know that it can't be.

    Raises:
        ConfigError: the head's targets, or the reader's inputs, don't stand one behind another, or the reader makes no
            pauses and some are asked for.
    """
    if config.concatenation is None:
        return
    if not issubclass(head, ConcatenatesTargets):
        raise ConfigError(
            f"doesn't go with {head.__name__}, whose targets don't stand one behind another; those of CTCHead, "
            "AttentionHead and TaggerHead do"
        ).within("training", "concatenation")
    if not reader.concatenates:
        raise ConfigError(
            f"doesn't go with {type(reader).__name__}, whose inputs don't go on where another one ends"
        ).within("training", "concatenation")
    if config.concatenation.pause is not None and not isinstance(reader, MakesPauses):
        raise ConfigError(f"is for recordings; {type(reader).__name__} makes no pauses, so leave it out").within(
            "training", "concatenation", "pause"
        )


def concatenation_of(pipeline: Pipeline, config: TrainingConfig, max_length: float | None) -> Concatenation | None:
    """How the rows of each epoch are concatenated; None where the recipe doesn't ask for it.

    Args:
        pipeline: fitted.
        config: the recipe's.
        max_length: of a training row, in the reader's measure, which no example of several rows exceeds either.

    Raises:
        ConfigError: nothing that the head knows can stand between two targets.
    """
    wanted = config.concatenation
    if wanted is None:
        return None
    try:
        separator = cast("ConcatenatesTargets", pipeline.head).target_separator()
    except ConfigError as error:
        raise error.within("training", "concatenation") from None
    reader, unit = pipeline.features.reader, pipeline.features.measure.per_unit
    pause = wanted.pause or (reader.usual_pause if isinstance(reader, MakesPauses) else (0.0, 0.0))
    return Concatenation(
        config.seed,
        wanted.share,
        wanted.most,
        (round(pause[0] * unit), round(pause[1] * unit)),
        separator,
        None if max_length is None else int(max_length * unit),
    )


def targets_fit(
    pipeline: Pipeline,
    targets: Sequence[Tensor | None],
    concatenation: Concatenation | None,
    rows: Sequence[int],
    length: int,
) -> bool:
    """Whether the targets of these rows, one behind the other, fit into as many steps as an input leaves.

    Each fits into its own; but a separator wants a step too, as CTC does between two equal labels, and strides may
    leave fewer steps of the whole than of the parts.

    Args:
        pipeline: fitted.
        targets: of all rows, encoded.
        concatenation: of the rows.
        rows: of one example.
        length: of its input, in elements.
    """
    own = [target for row in rows if (target := targets[row]) is not None]
    if concatenation is None or not own:
        return True
    return pipeline.head.min_steps(concatenation.target(own)) <= pipeline.min_encoded_length(length)
