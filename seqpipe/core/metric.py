"""What scores answers: counts of rows, and what a sum of counts is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

Counts = NDArray[Any]
"""Of rows or of a corpus, in int64 or float64."""
Pair = tuple[str, str]
"""An item of the reference and what stands in its place in the answer; "" where one side has nothing."""


@dataclass(frozen=True)
class ScoreKind:
    """How a score reads.

    Attributes:
        label: short, as papers print it (``WER``).
        name: in words.
        lower_is_better: whether 0 is the best, as of errors.
        part: the count it is a share of ...
        whole: ... this count; None for a score that is no share of two counts.
        unit: printed behind the number.
    """

    label: str
    name: str
    lower_is_better: bool
    part: str | None = None
    whole: str | None = None
    unit: str = " %"


class Metric(Protocol):
    """Scores of a task, all of which go through counts.

    A row has C counts, a corpus has their sum, and each score is a function of that sum. So a resampled corpus
    (bootstrap), two runs with rows exchanged (randomisation test) and the rows of one speaker are scored by the same
    function as the whole.
    """

    @property
    def main(self) -> str:
        """The score that training, searches and reports go by; known before the head is fitted."""

    @property
    def kinds(self) -> Mapping[str, ScoreKind]:
        """By the names that `scores` gives, the most telling ones first.

        That of the main score is known before the head is fitted; others may depend on what it has learnt.
        """

    @property
    def names(self) -> tuple[str, ...]:
        """Of the C counts; ``rows`` is one of them, and those that score kinds name."""

    @property
    def class_names(self) -> Sequence[str]:
        """The classes that answers may have, for a confusion matrix; none where answers are no classes."""

    def count(self, targets: Sequence[Any], answers: Sequence[Any], inputs: Sequence[Any] = ()) -> Counts:
        """Of every row, ``[N, C]``; sums of what is no whole number (squared errors, say) are floats.

        Args:
            targets: as the rows have them.
            answers: of the head.
            inputs: as the rows have them, for scores that depend on these; may be left out where none do.
        """

    def scores(self, total: Any) -> dict[str, float]:
        """Of a corpus, from the sum ``[C]`` of its rows' counts."""

    def errors(self, counts: Any) -> Any:
        """How wrong each row is, ``[N, C]`` -> ``[N]``: 0 where all is right, more where it is worse.

        By default rows that aren't counted as ``correct_rows``.
        """
        return (counts[:, self.names.index("rows")] - counts[:, self.names.index("correct_rows")]).astype(float)

    def comparable(self, targets: Sequence[Any], answers: Sequence[Any]) -> tuple[list[str], list[str]]:
        """References and answers as text, as they are compared.

        By default as they are; of an answer its ``label``, ``text`` or ``values``, whichever it has.
        """
        return [str(target) for target in targets], [_shown(answer) for answer in answers]

    def aligned(self, targets: Sequence[Any], answers: Sequence[Any]) -> dict[str, list[list[Pair]]]:
        """Each row's items beside what was answered, by kind of item (``words``); the first kind is the one shown.

        By default each row as one item.
        """
        wanted, given = self.comparable(targets, answers)
        return {"rows": [[pair] for pair in zip(wanted, given, strict=True)]}

    def target_classes(self, target: Any) -> list[str]:
        """The classes that a target names: one, or one for each word; none where targets are no classes.

        Raises:
            InputError: it should name one, and doesn't.
        """
        return []

    def warnings(self, target: Any) -> list[tuple[str, str]]:
        """What is odd about a target that can be used, as (a short fixed kind, a message); nothing by default."""
        return []

    def describe(self) -> str:
        """How answers are made comparable before scoring, in words."""
        return "as they are"


class BaseMetric(Metric):
    """A metric of one's own derives from this, and adds ``main``, ``kinds``, ``names``, ``count`` and ``scores``.

    The other methods have the defaults of one whose targets are texts or labels, and are compared as they are.
    """

    names: tuple[str, ...] = ()
    class_names: Sequence[str] = ()


@runtime_checkable
class SpanMetric(Protocol):
    """A metric of answers that hold spans."""

    def span_errors(self, target: Any, answer: Any) -> Sequence[Any]:
        """What is wrong with an answer's spans, as `seqpipe.metrics.span_errors.SpanError`."""


@runtime_checkable
class JudgesParts(Protocol):
    """A metric of answers whose parts (words, spans) can be right or wrong by themselves."""

    def right_parts(self, targets: Sequence[Any], answers: Sequence[Any]) -> list[dict[str, list[bool]]]:
        """Of every row, which parts are right, by kinds of the answer's `Answer.confidences` and in their order.

        A kind that can't be told of a row is missing there.
        """


def score(
    metric: Metric, targets: Sequence[Any], answers: Sequence[Any], inputs: Sequence[Any] = ()
) -> dict[str, float]:
    """Scores of a corpus, as plain floats: checkpoints hold them, and are read with plain values alone."""
    scores = metric.scores(metric.count(targets, answers, inputs).sum(axis=0))
    return {name: float(value) for name, value in scores.items()}


def headline_scores(scores: Mapping[str, float], main: str, most: int = 4) -> dict[str, float]:
    """The main score, a few that stand beside it, and the loss, for lines that have no room for all.

    Args:
        scores: in the order of the metric's `kinds`; ``loss`` may be among them.
        main: the main score.
        most: scores without the loss.
    """
    names = [name for name in (main, *scores) if name in scores and name != "loss"]
    shown = list(dict.fromkeys(names))[:most]
    return {name: scores[name] for name in [*shown, *(["loss"] if "loss" in scores else [])]}


def per_cent(part: float, whole: float) -> float:
    """The share in per cent; of nothing it is 0, or infinite if there is a part of it (words where none were said)."""
    return 100.0 * part / whole if whole else (0.0 if part == 0 else float("inf"))


def _shown(answer: Any) -> str:
    for name in ("label", "text", "values"):
        if hasattr(answer, name):
            return str(getattr(answer, name))
    return str(answer)
