"""Mixing of examples: features of two rows in one, which learns both targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.core.head import Encoded, Head
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, InputError

Loss = Callable[[Encoded, Sequence[Tensor | None]], tuple[tuple[Tensor, Tensor] | None, list[tuple[int, InputError]]]]


@dataclass(frozen=True)
class Mixture:
    """Which rows of a batch are mixed, and how.

    Attributes:
        rows: positions of the rows that are.
        partners: position of the row that is mixed into each.
        share: of a row's own features and target, 0 to 1; the partner has the rest.
    """

    rows: list[int]
    partners: list[int]
    share: float

    def of_views(self, batch: int, views: int) -> Mixture:
        """The same of several views of a batch, which stand one behind another."""
        shifts = range(0, views * batch, batch)
        return Mixture(
            [row + shift for shift in shifts for row in self.rows],
            [row + shift for shift in shifts for row in self.partners],
            self.share,
        )


def draw_mixture(batch: int, probability: float, alpha: float) -> Mixture | None:
    """Draw rows, each with a partner among them, by torch's generator (Zhang et al. 2018, "mixup").

    Args:
        batch: rows.
        probability: of a row.
        alpha: of the Beta distribution that the share is drawn from, above 0; below 1 one of the two prevails.

    Returns:
        None where fewer than two rows were drawn.
    """
    rows = torch.nonzero(torch.rand(batch) < probability)[:, 0]
    rows = rows[torch.randperm(len(rows))]
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    return Mixture(rows.tolist(), rows.roll(1).tolist(), share) if len(rows) > 1 else None


def mix(features: PaddedSequence, mixture: Mixture) -> PaddedSequence:
    """Mix features ``[B, T, D]`` step by step; a mixed row is as long as the longer of the two (speech: Meng et al.
    2021, "MixSpeech"; text: Guo et al. 2019).
    """
    values, lengths = features.masked()
    together = mixture.share * values[mixture.rows] + (1 - mixture.share) * values[mixture.partners]
    rows = torch.tensor(mixture.rows, device=values.device)
    longer = torch.maximum(lengths[mixture.rows], lengths[mixture.partners])
    return PaddedSequence(values.index_copy(0, rows, together), lengths.index_copy(0, rows, longer))


def mixed_loss(
    loss: Loss, encoded: Encoded, targets: Sequence[Tensor | None], mixture: Mixture | None
) -> tuple[tuple[Tensor, Tensor] | None, list[tuple[int, InputError]]]:
    """The loss of a batch of which some rows learn the targets of two, each by its share.

    Args:
        loss: sum and count over a batch, or None, and the positions of targets that don't fit.
        encoded: ``[B, T, D]``, of mixed features.
        targets: B, each row's own.
        mixture: None where no row is mixed.
    """
    if mixture is None:
        return loss(encoded, targets)
    mixed = set(mixture.rows)
    alone = [row for row in range(len(targets)) if row not in mixed]
    parts = [
        (alone, alone, 1.0),
        (mixture.rows, mixture.rows, mixture.share),
        (mixture.rows, mixture.partners, 1 - mixture.share),
    ]
    sums: list[tuple[Tensor, Tensor]] = []
    too_short: list[tuple[int, InputError]] = []
    for rows, wanted, share in parts:
        if rows:
            found, short = loss(encoded.chosen(rows), [targets[row] for row in wanted])
            too_short += [(rows[index], error) for index, error in short]
            if found is not None:
                sums.append((share * found[0], share * found[1]))
    if not sums:
        return None, too_short
    losses, counts = zip(*sums, strict=True)
    return (torch.stack(losses).sum(), torch.stack(counts).sum()), too_short


def refuse_mixup(head: Head) -> None:
    """Raise ConfigError where a target belongs to single items of an input, which another's don't stand beside."""
    if head.tags_items:
        raise ConfigError(f"doesn't go with {type(head).__name__}: its targets are of single items").within(
            "training", "mixup"
        )
