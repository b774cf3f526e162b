"""Connectionist temporal classification: greedy decoding and posteriors, over log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.ctc_hypothesis import BLANK, CTCHypothesis, frames_needed
from seqpipe.decoding.temperature import tempered
from seqpipe.errors import InputError


def refuse_too_short(labels: Sequence[Sequence[int]], lengths: Tensor, of: str = "") -> None:
    """Raise InputError where a row's labels don't fit into its steps; ``of`` is said behind these: " for CTC", say."""
    for position, (row, length) in enumerate(zip(labels, lengths.tolist(), strict=True)):
        if frames_needed(row) > length:
            raise InputError(
                "too short for its label",
                f"row {position} of the batch: {len(row)} labels need {frames_needed(row)} steps{of}, and {length} are "
                "left behind the encoder; lower the strides over time or use larger units",
            )


def penalize_blank(log_probabilities: PaddedSequence, penalty: float) -> PaddedSequence:
    """Make the blank less likely at every step; what is left is a distribution again.

    A network that CTC taught from little data is sure of the blank sooner than of a label, so that labels it has
    nearly heard are lost (as in k2's icefall, ``blank_penalty``).

    Args:
        log_probabilities: ``[B, T, V]``, label 0 being the blank.
        penalty: nats that its log-probability loses; below 0 it gains.
    """
    if not penalty:
        return log_probabilities
    values = log_probabilities.values.clone()
    values[..., BLANK] -= penalty
    return PaddedSequence(F.log_softmax(values, dim=-1), log_probabilities.lengths)


def greedy_decode(log_probabilities: PaddedSequence, temperature: float = 1.0) -> list[CTCHypothesis]:
    """The best label at each step, repeats merged and blanks removed (Graves et al. 2006, best path decoding).

    Args:
        log_probabilities: ``[B, T, V]``, label 0 being the blank.
        temperature: of the posteriors; labels don't depend on it.
    """
    best, labels = log_probabilities.values.max(dim=-1)  # [B, T] each
    if temperature != 1.0:
        best = tempered(log_probabilities.values, temperature).gather(-1, labels[..., None])[..., 0]
    hypotheses = []
    lengths = log_probabilities.lengths.tolist()
    for row, probabilities, length in zip(labels.cpu(), best.exp().cpu(), lengths, strict=True):
        runs, counts = torch.unique_consecutive(row[:length], return_counts=True)
        stops = counts.cumsum(0)
        sums = F.pad(probabilities[:length].double().cumsum(0), (1, 0))
        means = (sums[stops] - sums[stops - counts]) / counts
        kept = runs != BLANK
        hypotheses.append(
            CTCHypothesis(
                tuple(runs[kept].tolist()),
                tuple((stops - counts)[kept].tolist()),
                tuple(stops[kept].tolist()),
                tuple(means[kept].clamp(max=1.0).tolist()),
            )
        )
    return hypotheses


def label_posteriors(
    log_probabilities: PaddedSequence, labels: Sequence[Sequence[int]], temperature: float = 1.0
) -> list[float]:
    """The posterior of each row's label sequence, summed over all its alignments: exp(-CTC loss).

    Computed in float64, so that it doesn't depend on the batch beyond the last digits of the log-probabilities.
    """
    values, lengths = log_probabilities
    if not labels:
        return []
    losses = ctc_losses(tempered(values.detach().double().cpu(), temperature), lengths.cpu(), labels)
    return (-losses).exp().clamp(max=1.0).tolist()


def ctc_losses(values: Tensor, lengths: Tensor, labels: Sequence[Sequence[int]]) -> Tensor:
    """-ln p(labels) of every row, ``[B]``: ``[B, T, V]`` log-probabilities against B label sequences.

    A label sequence that doesn't fit into its row's steps has an infinite loss.
    """
    target_lengths = torch.tensor([len(row) for row in labels], dtype=torch.int64)
    targets = torch.zeros(len(labels), max(1, int(target_lengths.max())), dtype=torch.int64)
    for index, row in enumerate(labels):
        targets[index, : len(row)] = torch.as_tensor(row, dtype=torch.int64)
    return F.ctc_loss(
        values.transpose(0, 1),
        targets.to(values.device),
        lengths.to(values.device),
        target_lengths.to(values.device),
        blank=BLANK,
        reduction="none",
    )
