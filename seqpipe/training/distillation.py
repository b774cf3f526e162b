"""Distillation: what trained models predict, as a target beside the labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from seqpipe.checks.part import Part
from seqpipe.core.head import Distribution, Head
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, InputError, RunError
from seqpipe.pipeline import Pipeline
from seqpipe.training.consistency import distributing, divergence

COMPARED = 20
"""Rows that a teacher's features must prepare as the student's do."""


class Teachers:
    """Trained models whose mean prediction another one learns (Hinton et al. 2015; from its own kind, Furlanello et al.
    2018, "Born-again neural networks").

    They see inputs as they are prepared, without what the student's features hide on the device.

    Args:
        folders: run directories of models that tell the same labels apart at the same steps.
        student: fitted.
        training: the rows that both learn from.

    Raises:
        ConfigError: steps are compared, and a feature stage warps them while training.
        RunError: a folder holds no model, or one that reads inputs or labels otherwise.
    """

    def __init__(self, folders: Sequence[str], student: Pipeline, training: Part) -> None:
        warping = [stage for stage in student.features.stages if stage.warps]
        if warping and distributing(student.head, "distill_from").predicts_steps:
            raise ConfigError(
                f"has teachers see inputs as they are, and {type(warping[0]).__name__} moves steps while training, "
                "so these can't be compared; leave that stage out"
            ).within("training", "distill_from")
        self.pipelines = [Pipeline.load(Path(folder)) for folder in folders]
        for folder, teacher in zip(folders, self.pipelines, strict=True):
            if found := _difference(teacher, student, training):
                raise RunError(f"training.distill_from: {folder} {found}; train it with the same data and features")

    def to(self, device: torch.device) -> None:
        """Move the models."""
        for pipeline in self.pipelines:
            pipeline.to(device)

    @torch.no_grad()
    def predict(self, inputs: PaddedSequence, targets: Sequence[Tensor]) -> list[Distribution]:
        """The mean of the teachers' probabilities, as log-probabilities ``[B, S, V]``.

        Args:
            inputs: prepared, ``[B, N]``.
            targets: B, or more of which the first B are taken.
        """
        targets = targets[: len(inputs.values)]
        found = []
        for pipeline in self.pipelines:
            head = distributing(pipeline.head, "distill_from")
            found.append(head.predict(pipeline(inputs), targets))
        return [_mean(same) for same in zip(*found, strict=True)]


def distance(teachers: Sequence[Distribution], predicted: Sequence[Distribution]) -> Tensor:
    """KL(teachers || student) in nats, summed over rows and steps."""
    found = []
    for (share, known), (_, own) in zip(teachers, predicted, strict=True):
        views = len(own.values) // len(known.values)
        found.append(share * divergence(torch.cat([known.values] * views), own))
    return torch.stack(found).sum()


def _mean(same: Sequence[Distribution]) -> Distribution:
    values = torch.stack([item.log_probabilities.values for item in same]).logsumexp(dim=0) - math.log(len(same))
    return Distribution(same[0].share, PaddedSequence(values, same[0].log_probabilities.lengths))


def _difference(teacher: Pipeline, student: Pipeline, training: Part) -> str:
    """In what a teacher reads rows otherwise, as the rest of a sentence."""
    for row in training.rows[:COMPARED]:
        one, two = (pipeline.features.prepare(row.input, None) for pipeline in (teacher, student))
        if one.shape != two.shape or not torch.equal(one, two):
            return f"prepares {row.where} otherwise"
    for row, target in zip(training.rows, training.targets, strict=True):
        if target is not None and not torch.equal(_encoded(teacher.head, row.target), target):
            return f"encodes the target of {row.where} otherwise"
    return ""


def _encoded(head: Head, raw: object) -> Tensor:
    try:
        return head.encode_target(raw)
    except InputError:
        return torch.empty(0)
