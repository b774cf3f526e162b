"""Which words an answer rests on: weights of attention, or gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.core.head import Explains
from seqpipe.core.sequence import PaddedSequence
from seqpipe.evaluation.scores.evaluate import Evaluation
from seqpipe.pipeline import Pipeline

ATTENTION, GRADIENT = "attention", "gradient"


@dataclass(frozen=True)
class SaliencyText:
    """A text with how much each of its words counts.

    Attributes:
        id: of the row.
        reference, answer: as they are compared.
        confidence: of the answer, 0 to 1.
        right: whether the answer is.
        parts: of the text in their order: what stands before a word, the word, and its strength, 0 to 1; 1 for the
            strongest one.
        rest: what stands behind the last word.
    """

    id: str
    reference: str
    answer: str
    confidence: float
    right: bool
    parts: list[tuple[str, str, float]]
    rest: str


def strengths(pipeline: Pipeline, raws: Sequence[Any]) -> tuple[str, list[NDArray[np.float64] | None]]:
    """How much each item (word, character, subword) of the inputs counts for their answers.

    The weights of attention where the head has any for each item; else the Euclidean norm of gradient times input over
    the features of each step, for the score of what was answered (Simonyan et al. 2014; Li et al. 2016). Whatever chain
    of features gives steps ``[B, T, D]``.

    Args:
        pipeline: in evaluation mode.
        raws: inputs, taken as one batch.

    Returns:
        ``attention`` or ``gradient``, and of each input a number for each of its items, at least 0; None for an input
        without items, or with another number of steps, and for a head that has no single score.
    """
    features, head = pipeline.features, pipeline.head
    wanted = [len(features.reader.source(raw).items) for raw in raws]
    # cuDNN has no backward pass of recurrent layers in evaluation mode.
    with torch.inference_mode(False), torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        batch = PaddedSequence.pad([features.prepare(raw, None) for raw in raws]).to(pipeline.device)
        made = features(batch)
        values = made.values.detach().requires_grad_()
        encoded = pipeline.encode(PaddedSequence(values, made.lengths), batch)
        if not isinstance(head, Explains):
            return GRADIENT, [None] * len(raws)
        weights = head.attention(encoded)
        if weights is not None and encoded.lengths.tolist() == wanted:
            return ATTENTION, _cut(weights, encoded.lengths, wanted)
        score = head.predicted_log_odds(encoded)
        (gradient,) = torch.autograd.grad(score.sum(), values)
    norms = PaddedSequence((gradient * values.detach()).norm(dim=-1, keepdim=True), made.lengths)
    pooled = features.reader.pool(batch, norms)  # from units to words, where the features part words further
    return GRADIENT, _cut(pooled.values[..., 0], pooled.lengths, wanted)


def _cut(found: Tensor, lengths: Tensor, wanted: Sequence[int]) -> list[NDArray[np.float64] | None]:
    rows = found.detach().double().cpu().numpy()
    return [
        row[:length] if length and length == count else None
        for row, length, count in zip(rows, lengths.tolist(), wanted, strict=True)
    ]


def saliency(evaluation: Evaluation, most: int = 8) -> tuple[str, list[SaliencyText]]:
    """Confident mistakes and as many confident right answers, with their words' strengths; see `strengths`.

    None where inputs are no texts, or the head has no score of an answer as a whole.
    """
    wrong = evaluation.worst(most // 2)
    order = np.argsort([-prediction.confidence for prediction in evaluation.predictions], kind="stable").tolist()
    right = [place for place in order if evaluation.errors[place] == 0][: most - len(wrong)]
    positions = [*wrong, *right]
    raws = [evaluation.rows[position].input for position in positions]
    reader = evaluation.pipeline.features.reader
    sources = [reader.source(raw) for raw in raws]
    if not raws or not all(source.text and source.items for source in sources):
        return GRADIENT, []
    kind, found = strengths(evaluation.pipeline, raws)
    shown = []
    for position, source, strength in zip(positions, sources, found, strict=True):
        if strength is None:
            continue
        parts, end, text = [], 0, source.text
        greatest = strength.max() or 1.0
        for item, value in zip(source.items, strength.tolist(), strict=True):
            parts.append((text[end : item.start], text[item.start : item.end], value / greatest))
            end = item.end
        shown.append(
            SaliencyText(
                evaluation.rows[position].id,
                evaluation.references[position],
                evaluation.hypotheses[position],
                evaluation.predictions[position].confidence,
                bool(evaluation.errors[position] == 0),
                parts,
                text[end:],
            )
        )
    return kind, shown
