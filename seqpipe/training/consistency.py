"""Consistency regularisation: two views of each row, whose predictions shall agree."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.chain import FeatureChain
from seqpipe.core.head import Distribution, Head, PredictsDistributions
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError


def distributing(head: Head, key: str) -> PredictsDistributions:
    """A head that predicts distributions.

    Args:
        head: with the recipe's options.
        key: of the recipe's ``training``, which needs one.

    Raises:
        ConfigError: it doesn't.
    """
    if isinstance(head, PredictsDistributions) and head.has_distributions:
        return head
    raise ConfigError(
        f"needs a head that predicts a distribution over labels at each step, which {type(head).__name__} with these "
        "options doesn't"
    ).within("training", key)


def two_views(inputs: PaddedSequence) -> PaddedSequence:
    """A batch ``[B, ...]`` twice, ``[2 B, ...]``: row b is row b + B, and whatever draws by row draws anew."""
    return PaddedSequence(torch.cat([inputs.values] * 2), torch.cat([inputs.lengths] * 2))


def features_of_views(features: FeatureChain, inputs: PaddedSequence, *, same_steps: bool) -> PaddedSequence:
    """What the features make of `two_views`, ``[2 B, T, D]``.

    Where steps are to be compared, both views of a row are warped alike: they part behind the last stage that moves
    steps (Yao et al. 2024 copy what is already warped in time).

    Args:
        features: in training mode.
        inputs: prepared, ``[B, S]``.
        same_steps: the views have the same steps; else every stage draws anew.

    Raises:
        ConfigError: a stage makes the views of a row unequally long, without saying so (`Feature.warps`).
    """
    stages = list(zip(features.names, features.stages, strict=True))
    shared = max((place for place, (_, stage) in enumerate(stages, 1) if stage.warps), default=0) if same_steps else 0
    sequence = inputs
    for place, (name, stage) in enumerate(stages):
        if place == shared:
            sequence = two_views(sequence)
        sequence = stage(sequence)
        if same_steps and place >= shared and not torch.equal(*sequence.lengths.chunk(2)):
            raise ConfigError(
                f"has {name} leave two views of a row with unequal steps, which can't be compared: set warps = True "
                "in its class"
            ).within("training", "consistency")
    return two_views(sequence) if shared == len(stages) else sequence


def disagreement(distributions: Sequence[Distribution]) -> Tensor:
    """How far two views of each row lie apart: what each learns from the other, which stands still meanwhile.

    The Kullback-Leibler divergence of each view from the other one, in nats, summed over rows and steps (R-Drop, Liang
    et al. 2021; with CTC, Yao et al. 2024, "CR-CTC").

    Args:
        distributions: of a batch of `two_views`; log-probabilities ``[2 B, S, V]``.
    """
    found = []
    for share, predicted in distributions:
        values = predicted.values
        other = values.detach().roll(len(values) // 2, dims=0)
        found.append(share * divergence(other, predicted))
    return torch.stack(found).sum()


def divergence(reference: Tensor, predicted: PaddedSequence) -> Tensor:
    """KL(reference || predicted) in nats, summed over rows and real steps.

    Args:
        reference: log-probabilities ``[B, S, V]``.
        predicted: log-probabilities ``[B, S, V]``.
    """
    real = predicted.mask()
    return F.kl_div(predicted.values[real], reference[real], reduction="sum", log_target=True)
