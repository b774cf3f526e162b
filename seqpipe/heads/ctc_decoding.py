"""The options of decoding CTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqpipe.decoding.fusion import FusionOptions
from seqpipe.decoding.prefix_search import SearchLimits
from seqpipe.decoding.shallow_fusion import Lexicon


class CTCDecoding(FusionOptions):
    """The keys of ``decoding:`` in a recipe with a CTC head."""

    files: ClassVar[tuple[str, ...]] = ("lm", "lexicon", "hot_words")
    method: Literal["greedy", "beam"] = Field(
        "greedy", description="the likeliest label at each step; or the best of several texts, over all alignments"
    )
    blank_penalty: float = Field(
        0.0, ge=-20, le=20, description="nats that the blank's log-probability loses at each step, against lost labels"
    )
    beam: int = Field(50, ge=1, le=5000, description="texts of an input that are followed at a time; of beam")
    n_best: int = Field(1, ge=1, le=5000, description="answers that are given, the best ones; of beam")
    lexicon: str | None = Field(
        None, description="file of words, one a line, with spellings in units behind a tab where wanted; of beam"
    )
    open_lexicon: bool = Field(False, description="words that are not in the lexicon may be answered too")
    oov_penalty: float = Field(5.0, ge=0, description="nats that each of these costs, with open_lexicon")
    min_probability: float = Field(
        1e-4, ge=0, lt=1, description="of a label that is tried at a step; steps with the blank alone cost no time"
    )
    max_labels: int = Field(40, ge=1, description="the likeliest ones that are tried at a step, at most")
    beam_threshold: float = Field(
        16.0, gt=0, le=600, description="nats below the best, beyond which a text is given up"
    )
    of_methods: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        (
            *("beam", "n_best", "lexicon", "open_lexicon", "oov_penalty"),
            *("min_probability", "max_labels", "beam_threshold", *FusionOptions.fused),
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
    def word_list(self) -> Lexicon | None:
        """The lexicon."""
        return Lexicon(self.lexicon, self.open_lexicon, self.oov_penalty) if self.lexicon is not None else None

    @property
    def weights(self) -> Mapping[str, tuple[float, float]]:
        """Those of the search that are in use; the blank's penalty of greedy decoding, and of others that have one."""
        penalty = {"blank_penalty": (0.0, 3.0)} if self.method == "greedy" or self.blank_penalty else {}
        return penalty if self.method == "greedy" else {**super().weights, **penalty}

    @property
    def limits(self) -> SearchLimits:
        """Of the search."""
        return SearchLimits(self.beam, self.n_best, self.min_probability, self.max_labels, self.beam_threshold)
