"""What a recipe's training goes by, before anything is trained."""

from __future__ import annotations

from typing import Any

from seqpipe.config.recipe import Recipe
from seqpipe.core.options import upstream_parameters
from seqpipe.core.stage import find_stage


def main_score(recipe: Recipe) -> tuple[str, bool]:
    """The name of the main score, and whether lower is better.

    The recipe's options decide (a tagger goes by F1 if its tags mark spans), so the head is built, with sizes of one.
    """
    config = recipe.pipeline.head
    stage = find_stage(config.name)
    if (known := stage.main_score_of(config.options)) is not None:
        return known
    head: Any = config.build(**dict.fromkeys(upstream_parameters(stage), 1))
    name: str = head.main_score
    return name, bool(head.score_kinds[name].lower_is_better)
