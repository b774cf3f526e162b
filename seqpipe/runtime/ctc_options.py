"""The options of decoding CTC, as an exported model has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from seqpipe.decoding.prefix_search import SearchLimits
from seqpipe.decoding.shallow_fusion import Lexicon, ShallowFusion
from seqpipe.errors import ConfigError

FILES = ("lm", "lexicon", "hot_words")
"""Options that name a file."""
MOST = 5000
"""Texts that are followed at a time."""
OF_BEAM = (
    *("beam", "n_best", "lexicon", "open_lexicon", "oov_penalty", "min_probability", "max_labels", "beam_threshold"),
    *("lm", "lm_weight", "insertion_bonus", "hot_words", "hot_word_weight", "hot_words_column"),
)
"""Options that beam search alone looks at."""


@dataclass(frozen=True)
class CTCOptions:
    """`seqpipe.heads.ctc_decoding.CTCDecoding` without pydantic; see there."""

    method: str = "greedy"
    blank_penalty: float = 0.0
    beam: int = 50
    n_best: int = 1
    lm: str | None = None
    lm_weight: float = 0.3
    insertion_bonus: float = 0.0
    lexicon: str | None = None
    open_lexicon: bool = False
    oov_penalty: float = 5.0
    hot_words: list[str] | str | None = None
    hot_word_weight: float = 1.0
    hot_words_column: str | None = None
    min_probability: float = 1e-4
    max_labels: int = 40
    beam_threshold: float = 16.0

    @classmethod
    def of(cls, decoding: Mapping[str, Any]) -> CTCOptions:
        """Those among the options of a model, whose numbers are numbers and whose texts are texts, or null.

        Raises:
            ConfigError: one is out of its range; the message names it.
        """
        found = cls(**{each.name: decoding[each.name] for each in fields(cls) if each.name in decoding})
        found._check()
        return found

    def _check(self) -> None:
        if self.method not in ("greedy", "beam"):
            raise ConfigError(f"decoding.method: should be greedy or beam; received {self.method!r}")
        for name, least, most in (("beam", 1, MOST), ("n_best", 1, self.beam), ("max_labels", 1, None)):
            value = getattr(self, name)
            if type(value) is not int or value < least or (most is not None and value > most):
                upper = "" if most is None else f" and at most {most}" + (", the beam" if name == "n_best" else "")
                raise ConfigError(
                    f"decoding.{name}: should be a whole number of at least {least}{upper}; received {value!r}"
                )
        for name in ("lm_weight", "oov_penalty", "hot_word_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"decoding.{name}: should be at least 0; received {getattr(self, name)!r}")
        if not abs(self.insertion_bonus) < float("inf"):
            raise ConfigError(f"decoding.insertion_bonus: should be finite; received {self.insertion_bonus!r}")
        if not 0 <= self.min_probability < 1:
            raise ConfigError(f"decoding.min_probability: should be in 0 to 1; received {self.min_probability!r}")
        if not 0 < self.beam_threshold <= 600:
            raise ConfigError(
                f"decoding.beam_threshold: should be above 0 and at most 600; received {self.beam_threshold!r}"
            )
        for name in ("lm", "lexicon", "hot_words_column"):
            if not isinstance(value := getattr(self, name), str | None) or value == "":
                raise ConfigError(f"decoding.{name}: should be a name, or null; received {value!r}")
        is_list = isinstance(self.hot_words, list) and all(isinstance(each, str) for each in self.hot_words)
        if not (is_list or isinstance(self.hot_words, str | None)):
            raise ConfigError(f"decoding.hot_words: should be a list of texts, or a file; received {self.hot_words!r}")
        if self.open_lexicon and self.lexicon is None:
            raise ConfigError("decoding.open_lexicon: says what stands beside a lexicon, which is not given")

    @property
    def fusion(self) -> ShallowFusion:
        """What is added to texts' log-probabilities."""
        name = self.lexicon
        return ShallowFusion(
            self.lm,
            self.lm_weight,
            self.insertion_bonus,
            Lexicon(name, self.open_lexicon, self.oov_penalty) if name is not None else None,
            self.hot_words,
            self.hot_word_weight,
            self.hot_words_column,
        )

    @property
    def limits(self) -> SearchLimits:
        """Of the search."""
        return SearchLimits(self.beam, self.n_best, self.min_probability, self.max_labels, self.beam_threshold)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a row that its answer depends on."""
        return (self.hot_words_column,) if self.hot_words_column is not None and self.method == "beam" else ()
