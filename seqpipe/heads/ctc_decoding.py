"""The options of decoding CTC, and what a search is given for them: language model, lexicon, hot words."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqpipe.core.files import expand_home
from seqpipe.core.language_model import LanguageModel, load_language_model
from seqpipe.core.written import Name
from seqpipe.decoding.prefix_search import SearchLimits


class CTCDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a CTC head."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    files: ClassVar[tuple[str, ...]] = ("lm", "lexicon", "hot_words")
    """Options that name a file or folder, from the current folder."""
    method: Literal["greedy", "beam"] = Field(
        "greedy", description="the likeliest label at each step; or the best of several texts, over all alignments"
    )
    blank_penalty: float = Field(
        0.0, ge=-20, le=20, description="nats that the blank's log-probability loses at each step, against lost labels"
    )
    beam: int = Field(50, ge=1, le=5000, description="texts of an input that are followed at a time; of beam")
    n_best: int = Field(1, ge=1, le=5000, description="answers that are given, the best ones; of beam")
    lm: str | None = Field(
        None, description="language model, over the head's units or over words: an ARPA file or a run; of beam"
    )
    lm_weight: float = Field(0.3, ge=0, description="of the language model's log-probabilities")
    insertion_bonus: float = Field(
        0.0, description="nats for each word, or for each unit where units have no spaces; of beam"
    )
    lexicon: str | None = Field(
        None, description="file of words, one a line, with spellings in units behind a tab where wanted; of beam"
    )
    open_lexicon: bool = Field(False, description="words that are not in the lexicon may be answered too")
    oov_penalty: float = Field(5.0, ge=0, description="nats that each of these costs, with open_lexicon")
    hot_words: list[Name] | str | None = Field(
        None, description="words and phrases that are expected: a list, or a file with one a line; of beam"
    )
    hot_word_weight: float = Field(1.0, ge=0, description="nats for each character of a hot word")
    hot_words_column: Name | None = Field(
        None, description="column of a manifest with a row's own hot words, parted by semicolons; of beam"
    )
    min_probability: float = Field(
        1e-4, ge=0, lt=1, description="of a label that is tried at a step; steps with the blank alone cost no time"
    )
    max_labels: int = Field(40, ge=1, description="the likeliest ones that are tried at a step, at most")
    beam_threshold: float = Field(
        16.0, gt=0, le=600, description="nats below the best, beyond which a text is given up"
    )
    of_methods: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        (
            *("beam", "n_best", "lm", "lm_weight", "insertion_bonus", "lexicon", "open_lexicon", "oov_penalty"),
            *("hot_words", "hot_word_weight", "hot_words_column", "min_probability", "max_labels", "beam_threshold"),
        ),
        ("beam",),
    )
    """Options that only these methods look at: a recipe may hold them for others, but who sets one means such."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.n_best > self.beam:
            raise ValueError(f"n_best can't be more than the beam, which is {self.beam}")
        if self.open_lexicon and self.lexicon is None:
            raise ValueError("open_lexicon says what stands beside a lexicon, which is not given")
        return self

    @property
    def limits(self) -> SearchLimits:
        """Of the search."""
        return SearchLimits(self.beam, self.n_best, self.min_probability, self.max_labels, self.beam_threshold)


_loaded: dict[tuple[Path, int], LanguageModel] = {}
_loading = threading.Lock()


def language_model(name: str) -> LanguageModel:
    """The language model of a path; what was loaded before is kept as long as the file is the same.

    Raises:
        ConfigError: there is none.
        InputError: it can't be read.
    """
    path = expand_home(name).resolve()
    with _loading:
        key = path, path.stat().st_mtime_ns if path.exists() else 0
        if key not in _loaded:
            found = load_language_model(path)
            for known in [known for known in _loaded if known[0] == path]:
                del _loaded[known]
            _loaded[key] = found
        return _loaded[key]
