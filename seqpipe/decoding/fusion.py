"""Options of beam searches that go by more than the model: a language model, a bonus for words, hot words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from seqpipe.core.written import Name
from seqpipe.decoding.shallow_fusion import Lexicon, ShallowFusion

RANGES = {"lm_weight": (0.0, 2.0), "insertion_bonus": (-2.0, 4.0), "hot_word_weight": (0.0, 3.0)}
"""In which weights are searched, in nats but for the first."""


class FusionOptions(BaseModel):
    """Options of shallow fusion (Gulcehre et al. 2015) that the searches of all heads that write texts have.

    A hypothesis is compared by the model's log-probability, plus ``lm_weight`` times that of a language model, plus
    bonuses for its words and for hot words.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    files: ClassVar[tuple[str, ...]] = ("lm", "hot_words")
    """Options that name a file or folder, from the current folder."""
    fused: ClassVar[tuple[str, ...]] = (
        *("lm", "lm_weight", "insertion_bonus", "hot_words", "hot_word_weight", "hot_words_column"),
    )
    """Those of this class; a search by beam alone looks at them."""
    method: str = "beam"
    lm: str | None = Field(
        None, description="language model, over the head's units or over words: an ARPA file or a run; of beam"
    )
    lm_weight: float = Field(0.3, ge=0, description="of the language model's log-probabilities")
    insertion_bonus: float = Field(
        0.0, description="nats for each word, or for each unit where units have no spaces; of beam"
    )
    hot_words: list[Name] | str | None = Field(
        None, description="words and phrases that are expected: a list, or a file with one a line; of beam"
    )
    hot_word_weight: float = Field(1.0, ge=0, description="nats for each character of a hot word")
    hot_words_column: Name | None = Field(
        None, description="column of a manifest with a row's own hot words, parted by semicolons; of beam"
    )

    @property
    def word_list(self) -> Lexicon | None:
        """The words that may be written, where not all may."""
        return None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a row that its answer depends on."""
        return (self.hot_words_column,) if self.hot_words_column is not None and self.method == "beam" else ()

    @property
    def has_hot_words(self) -> bool:
        """Whether there are any, for all rows or in rows of their own."""
        return self.hot_words is not None or self.hot_words_column is not None

    @property
    def fusion(self) -> ShallowFusion:
        """The same without pydantic, as searches take it."""
        return ShallowFusion(
            self.lm,
            self.lm_weight,
            self.insertion_bonus,
            self.word_list,
            self.hot_words,
            self.hot_word_weight,
            self.hot_words_column,
        )

    @property
    def weights(self) -> Mapping[str, tuple[float, float]]:
        """The weights that are in use, each with the range in which it is searched."""
        names = [
            *(["lm_weight"] if self.lm is not None else []),
            "insertion_bonus",
            *(["hot_word_weight"] if self.has_hot_words else []),
        ]
        return {name: RANGES[name] for name in names}
