"""Single rows for a report: what the input looks and sounds like, and what was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seqpipe.core.answer import Mark
from seqpipe.core.cell import cell_text
from seqpipe.core.metric import Pair
from seqpipe.core.picture import Drawing, Picture
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import InputError
from seqpipe.evaluation.report.ink import InkFigure, draw_ink
from seqpipe.evaluation.report.labels import spelt, wrong_items
from seqpipe.evaluation.report.media import Figure, draw_picture, encode_sound
from seqpipe.evaluation.scores.evaluate import Evaluation

MAX_BYTES = 4_000_000
"""Of all pictures and recordings of a report together."""
MAX_CHOICES = 5
"""Classes whose probabilities are shown with a row."""


@dataclass(frozen=True)
class Example:
    """A row, ready for a page.

    Attributes:
        id: of the row.
        columns: what the source says of it, by name, short.
        verdict: how wrong it is, in words.
        confidence: of the answer, 0 to 1.
        reference: probability of the reference by the same model; None for one that it can't say.
        choices: what the answer chose between, with probabilities, the reference among them if it has one.
        pairs: items of the reference beside those of the answer.
        spelt: whether these are characters, to be shown close to each other.
        words: of the input, one for each pair, if it is these that were tagged.
        figure: the input with what was recognised where, or None for one that is text.
        text: the input, if it is text.
        sound: data URI, or None.
        note: what was left out.
    """

    id: str
    columns: dict[str, str]
    verdict: str
    confidence: float
    reference: float | None
    choices: list[tuple[str, float]]
    pairs: list[Pair]
    spelt: bool
    words: list[str]
    figure: Figure | InkFigure | None
    text: str | None
    sound: str | None
    note: str


def make_examples(evaluation: Evaluation, positions: Sequence[int], columns: Sequence[str]) -> list[Example]:
    """Examples of these rows; once their pictures and recordings fill `MAX_BYTES`, further ones go without.

    Args:
        evaluation: of the run.
        positions: of the rows.
        columns: that are shown with each row.
    """
    examples, used = [], 0
    for position in positions:
        example = _example(evaluation, position, columns, with_media=used < MAX_BYTES)
        used += len(example.sound or "") + (example.figure.size if example.figure else 0)
        examples.append(example)
    return examples


def verdict(evaluation: Evaluation, position: int, *, spelt: bool = False) -> str:
    """How wrong a row is, in the counts of the first score that sees it: ``2 errors in 5 words``.

    Args:
        evaluation: of the run.
        position: of the row.
        spelt: whether it is shown letter by letter, so that words are not what is counted.
    """
    metric = evaluation.metric
    if evaluation.errors[position] == 0:
        return "right"
    count = dict(zip(metric.names, evaluation.row_counts[position].tolist(), strict=True))
    for name in (metric.main, *metric.kinds):
        kind = metric.kinds[name]
        if spelt and kind.whole == "words":
            continue
        if kind.lower_is_better and kind.part and kind.whole and count[kind.part]:
            items = kind.whole.removesuffix("s") if count[kind.whole] == 1 else kind.whole
            return f"{count[kind.part]} {'error' if count[kind.part] == 1 else 'errors'} in {count[kind.whole]} {items}"
    for kind in metric.kinds.values():
        if not kind.lower_is_better and kind.part and kind.whole == "words" and count["words"] > 1:
            return f"{count['words'] - count[kind.part]} of {count['words']} words wrong"
    return "wrong"


def _choices(evaluation: Evaluation, position: int, reference: float | None) -> list[tuple[str, float]]:
    """The most probable classes, and the reference wherever it stands."""
    every = list(evaluation.predictions[position].class_probabilities)
    found, wanted = every[:MAX_CHOICES], evaluation.references[position]
    if found and reference is not None and wanted not in [label for label, _ in found]:
        found.append((wanted, reference))
    return found


def _example(evaluation: Evaluation, position: int, columns: Sequence[str], *, with_media: bool) -> Example:
    row, prediction = evaluation.rows[position], evaluation.predictions[position]
    pairs = next(iter(evaluation.aligned.values()))[position]
    characters = None
    figure = text = sound = None
    words = evaluation.words(position)
    words = words if len(words) == len(pairs) else []
    reference = reference_probability(evaluation, position)
    notes = []
    reader = evaluation.pipeline.features.reader
    if with_media:
        picture = reader.preview(row.input)
        if isinstance(picture, str):
            text = picture if not words else None
        else:
            # People read an image and strokes letter by letter, and no spectrogram.
            if (isinstance(picture, Drawing) or picture.as_seen) and "characters" in evaluation.aligned:
                characters = evaluation.aligned["characters"][position]
            figure = _figure(picture, prediction.marks, pairs, characters)
            if figure.truncated:
                notes.append("the picture is cut at its right")
        heard = reader.sound(row.input)
        if heard is not None:
            sound, truncated = encode_sound(heard)
            if truncated:
                notes.append("the recording is cut at its end")
    else:
        notes.append("without picture and sound, to keep this file small")
    return Example(
        id=row.id,
        columns={name: shown for name in columns if (shown := cell_text(row.columns.get(name))) is not None},
        verdict=verdict(evaluation, position, spelt=characters is not None),
        confidence=prediction.confidence,
        reference=reference,
        choices=_choices(evaluation, position, reference),
        pairs=characters or pairs,
        spelt=characters is not None,
        words=words,
        figure=figure,
        text=text,
        sound=sound,
        note="; ".join(notes),
    )


def reference_probability(evaluation: Evaluation, position: int) -> float | None:
    """The probability that the model gives to what is right; None where its vocabulary lacks something of it.

    Above the confidence of the answer, the model knew better than decoding found (a search error); below, it is wrong.
    """
    row, pipeline = evaluation.rows[position], evaluation.pipeline
    try:
        target = pipeline.head.encode_target(row.target)
    except InputError:
        return None
    device = next(pipeline.parameters()).device
    with torch.inference_mode():
        encoded = pipeline(PaddedSequence.pad([pipeline.features.prepare(row.input, None)]).to(device))
        return pipeline.head.posteriors(encoded, [target])[0]


def _figure(
    picture: Picture | Drawing, marks: Sequence[Mark], pairs: Sequence[Pair], characters: Sequence[Pair] | None
) -> Figure | InkFigure:
    """The input with what was recognised where, letter by letter if there are characters."""
    letters = spelt(marks, characters) if characters is not None else None
    marks, wrong = letters or (marks, wrong_items(pairs, marks))
    return draw_ink(picture, marks, wrong) if isinstance(picture, Drawing) else draw_picture(picture, marks, wrong)
