"""What metrics of texts have in common: rules on both sides, and counts that rows have each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.cell import cell_text
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind
from seqpipe.text.rules import TextRule, apply_rules, describe_rules


class TextMetric(BaseMetric, ABC):
    """Texts that were answered beside their references.

    Args:
        rules: applied to both sides before anything is compared.
    """

    main: str
    kinds: ClassVar[dict[str, ScoreKind]]

    def __init__(self, rules: Sequence[TextRule] = ()) -> None:
        self.rules = list(rules)

    def count(self, targets: Sequence[Any], answers: Sequence[Any], inputs: Sequence[Any] = ()) -> NDArray[np.int64]:
        """Of every row, ``[N, C]``, in the order of `names`."""
        return self._count(*self.comparable(targets, answers))

    @abstractmethod
    def _count(self, references: Sequence[str], hypotheses: Sequence[str]) -> NDArray[np.int64]:
        """Of texts after the rules."""

    def comparable(self, targets: Sequence[Any], answers: Sequence[Any]) -> tuple[list[str], list[str]]:
        """References and the answers' ``text``, after the rules."""
        return (
            [apply_rules(_text(target), self.rules) for target in targets],
            [apply_rules(answer.text, self.rules) for answer in answers],
        )

    def aligned(self, targets: Sequence[Any], answers: Sequence[Any]) -> dict[str, list[list[Pair]]]:
        """Items of every row beside those of its answer, by kind of item."""
        return self._aligned(*self.comparable(targets, answers))

    @abstractmethod
    def _aligned(self, references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, list[list[Pair]]]:
        """Of texts after the rules."""

    def target_classes(self, target: Any) -> list[str]:
        """The text itself, for sets of which few different ones occur."""
        return [_text(target)]

    def describe(self) -> str:
        """How text is normalised before scoring."""
        return describe_rules(self.rules)


def _text(target: Any) -> str:
    """A reference; of what heads refuse since it is no text, what its cell is called."""
    return target if isinstance(target, str) else cell_text(target) or ""
