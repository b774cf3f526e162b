"""What heads that write texts have in common: units, and rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqpipe.core.head import Encoded, Head
from seqpipe.core.language_model_files import language_model
from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.fusion import FusionOptions
from seqpipe.decoding.prefix_scorer import PrefixScorer
from seqpipe.decoding.prefix_scoring import Scoring
from seqpipe.errors import ConfigError
from seqpipe.heads.learnt import learnt
from seqpipe.metrics.text import TextMetric
from seqpipe.text.bidi import BaseDirection, logical_text
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.target_text import read_written, written
from seqpipe.text.units import Characters, SentencePieceUnits, Units, load_units
from seqpipe.text.validity import unfit


class TextHead(Head, register=False):
    """A head whose answers are texts, in units that it learns from the training texts.

    Attributes:
        kind: of units: ``characters``, or ``unigram`` or ``bpe`` for SentencePiece units.
        vocabulary_size: how many SentencePiece units.
        rules: applied to the training texts, and to both sides before scoring.
        text_metric: what scores the answers.
        base_direction: of texts that are learnt in display order, from left to right, and answered in the order in
            which they are read (`seqpipe.text.bidi`); None where these are taken to be the same.
    """

    needs_fit = True
    kind: Any
    vocabulary_size: int
    rules: list[TextRule]
    text_metric: TextMetric
    base_direction: BaseDirection | None = None
    _units: Units | None = None
    _scoring: Scoring | None = None

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
        return learnt(self, self._units, "units", "texts")

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn the units from the training texts; what is no text is left to `encode_target` to name."""
        self._build(self._learn(written(text, self.rules, self.base_direction) for text in rows if _is_text(text)))

    def _learn(self, texts: Iterable[str]) -> Units:
        """Units of texts as they are learnt."""
        if self.kind == "characters":
            return Characters.learn(texts)
        return SentencePieceUnits.learn(texts, self.vocabulary_size, self.kind)

    @abstractmethod
    def _build(self, units: Units) -> None:
        """Adopt the units, and make the layers that tell them apart."""

    def _use(self, units: Units) -> None:
        """Write in these units from now on."""
        self._units, self._scoring = units, None

    def save_assets(self, folder: Path) -> None:
        """Write the units."""
        self.units.save(folder)

    def load_assets(self, folder: Path) -> None:
        """Restore the units."""
        self._build(load_units(folder))

    def read_target(self, raw: Any) -> str:
        """A target as it is learnt; raises `InputError` if it is no text, or holds what no text has (`unfit`)."""
        return read_written(raw, self.rules, self.base_direction)

    # Searches

    def prepare_decoding(self, options: FusionOptions) -> None:
        """Read the files that a search by these options needs, once.

        Raises:
            ConfigError: a file is missing, a language model is over other units, a hot word can't be spelt.
            DataError: a lexicon can't be read, or a word of it not be spelt.
        """
        if options.method == "beam":
            self.prefix_scorer(options)

    def prefix_scorer(self, options: FusionOptions, encoded: PaddedSequence | None = None) -> PrefixScorer:
        """What a search by these options adds to hypotheses; see `prepare_decoding`.

        Args:
            options: of the search.
            encoded: the rows; an `Encoded` may have columns, one of which holds a row's own hot words.
        """
        if self._scoring is None:
            self._scoring = Scoring(
                self.units,
                self.read_target,
                partial(apply_rules, rules=self.rules),
                language_model,
                in_reading_order=self.base_direction is None,
            )
        return self._scoring.scorer(options.fusion, encoded.columns if isinstance(encoded, Encoded) else ())

    def search_weights(self, options: FusionOptions) -> Mapping[str, tuple[float, float]]:
        """See `seqpipe.core.head.WeighsSearch`."""
        return options.weights

    # Texts

    def target_separator(self) -> Tensor:
        """The space; none between units that hold the spaces beside them, or words.

        Raises:
            ConfigError: the units are characters, and no training text has a space.
        """
        numbers: list[int] = []
        if isinstance(self.units, Characters):
            space = self.units.number(" ")
            if space is None:
                raise ConfigError("writes characters, and no training text has a space to stand between two of them")
            numbers = [space]
        return torch.tensor(numbers, dtype=torch.int64)

    def _read(self, text: str) -> str:
        """What was written, in the order in which it is read."""
        return text if self.base_direction is None else logical_text(text, self.base_direction)

    def read_back(self, target: str) -> str:
        """A text after the rules as it would be answered, if it were recognised without an error."""
        return self._read(written(target, self.rules, self.base_direction))

    def target_characters(self, target: Any) -> Sequence[str] | None:
        """The characters of a text after the rules, whatever the units."""
        return list(apply_rules(target, self.rules)) if isinstance(target, str) else None


def _is_text(target: Any) -> bool:
    return isinstance(target, str) and unfit(target) is None
