"""What a recipe's training goes by, before anything is trained."""

from __future__ import annotations

from seqpipe.config.recipe import Recipe
from seqpipe.core.head import Head, find_head
from seqpipe.core.options import upstream_parameters


def main_score(recipe: Recipe) -> tuple[str, bool]:
    """The name of the main score, and whether lower is better.

    The recipe's options decide (a tagger goes by F1 if its tags mark spans). A head that can't say without being built
    is built with sizes of one.
    """
    config = recipe.pipeline.head
    kind = find_head(config.name)
    metric = kind.unfitted_metric(config.options)
    if metric is None:
        head: Head = config.build(**dict.fromkeys(upstream_parameters(kind), 1))
        metric = head.metric
    return metric.main, metric.kinds[metric.main].lower_is_better
