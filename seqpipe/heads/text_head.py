"""What heads that write texts have in common: units, and rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqpipe.core.head import Head
from seqpipe.errors import ConfigError
from seqpipe.metrics.text import TextMetric
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.units import Units


class TextHead(Head, register=False):
    """A head whose answers are texts.

    Attributes:
        rules: applied to the training texts, and to both sides before scoring.
        text_metric: what scores the answers.
    """

    needs_fit = True
    rules: list[TextRule]
    text_metric: TextMetric
    _units: Units | None = None

    @property
    def metric(self) -> TextMetric:
        """Of texts after the rules."""
        return self.text_metric

    @property
    def units(self) -> Units:
        """What texts are written in.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        if self._units is None:
            raise ConfigError(f"{type(self).__name__} has no units yet: call fit(texts) or load_assets(folder) first")
        return self._units

    def target_characters(self, target: Any) -> Sequence[str] | None:
        """The characters of a text after the rules, whatever the units."""
        return list(apply_rules(target, self.rules)) if isinstance(target, str) else None
