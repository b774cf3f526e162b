"""What generating heads search for: options, hypotheses, and who says what may come next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Protocol, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from seqpipe.decoding.fusion import FusionOptions

LENGTH_POWERS = (0.0, 2.0)
"""In which the power of a length is searched."""


class GenerationDecoding(FusionOptions):
    """The keys of ``decoding:`` in a recipe with a head that generates."""

    of_methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("beam", "coverage_penalty", "ctc_weight", *FusionOptions.fused), ("beam",)),
        **dict.fromkeys(("temperature", "top_k", "top_p", "seed"), ("sample",)),
        "n_best": ("beam", "sample"),
    }
    """Options that only these methods look at: a recipe may hold them for others, but who sets one means such."""
    method: Literal["greedy", "beam", "sample"] = Field(
        "beam", description="the likeliest label at each step; the best of several hypotheses; or labels drawn"
    )
    beam: int = Field(5, ge=1, le=1000, description="hypotheses of an input that are followed at a time")
    n_best: int = Field(
        1, ge=1, le=1000, description="answers that are given, the best ones; of sample: that are drawn"
    )
    length_normalization: Literal["none", "average", "gnmt"] = Field(
        "average",
        description="hypotheses are compared by their log-probability; by that over length to the power of "
        "length_power; or over ((5 + length) / 6) to it (Wu et al. 2016)",
    )
    length_power: float = Field(1.0, ge=0, le=5, description="the larger, the longer the answers")
    coverage_penalty: float = Field(
        0.0, ge=0, description="beta of Wu et al. 2016: for steps of the input that no attention was given to; of beam"
    )
    ctc_weight: float = Field(
        0.0, ge=0, lt=1, description="share of CTC in what hypotheses are compared by; of beam, for a head with CTC"
    )
    hot_word_weight: float = Field(0.3, ge=0, description="nats for each character of a hot word, once in an answer")
    min_length: int = Field(0, ge=0, description="labels that an answer has at least")
    max_length: int | None = Field(
        None, ge=1, description="labels that an answer has at most; null: by max_ratio and max_extra alone"
    )
    max_ratio: float = Field(
        2.0, gt=0, description="labels that an answer has at most, for each encoded step; a beam is faster with fewer"
    )
    max_extra: int = Field(10, ge=0, description="and so many more, for short inputs; at least one is allowed")
    no_repeat_ngram: int = Field(0, ge=0, description="so many labels in a row don't come twice in an answer; 0: may")
    temperature: float = Field(1.0, gt=0, description="of sample: below 1 the likely ones are drawn more often")
    top_k: int = Field(0, ge=0, description="of sample: among so many of the likeliest labels; 0: among all")
    top_p: float = Field(
        1.0, gt=0, le=1, description="of sample: among the likeliest labels that have this probability together"
    )
    seed: int = Field(
        1, ge=0, le=2**64 - 1, description="of sample; what is drawn depends on it and on the input, not on the batch"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.insertion_bonus and self.length_normalization != "none":
            raise ValueError(
                "insertion_bonus goes with length_normalization none; "
                f"{self.length_normalization} makes up for the lengths of texts already (length_power)"
            )
        return self

    @property
    def weights(self) -> Mapping[str, tuple[float, float]]:
        """See `FusionOptions`; against short texts there is the bonus, or the power of a length."""
        found = dict(super().weights)
        if self.length_normalization != "none":
            del found["insertion_bonus"]
            found["length_power"] = LENGTH_POWERS
        return found

    def normalized(self, log_probability: Tensor, length: Tensor | int) -> Tensor:
        """What hypotheses are compared by.

        Args:
            log_probability: in nats, with what language model and bonuses add.
            length: labels, the end included.
        """
        if self.length_normalization == "none":
            return log_probability
        length = torch.as_tensor(length, dtype=torch.float64, device=log_probability.device)
        scale = length if self.length_normalization == "average" else (5 + length) / 6
        return log_probability / scale**self.length_power

    def length_limits(self, steps: Tensor) -> Tensor:
        """Labels that an answer to inputs of so many encoded steps has at most, without the end, ``[B]``."""
        most = ((steps * self.max_ratio).long() + self.max_extra).clamp(min=1)
        return most.clamp(max=self.max_length) if self.max_length is not None else most


class Continuation(Protocol):
    """What may come next, for W hypotheses of each of B rows; begins with one of each that has no label yet."""

    rows: int

    def step(self, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Go on by a label.

        Args:
            last: labels ``[B · W]`` that were chosen last; at the beginning the end's.

        Returns:
            Logits of the next labels ``[B · W, V]``; what is to be subtracted from these to have log-probabilities,
            ``[B · W]``; and weights of attention ``[B, W, T]``.
        """

    def choose(self, rows: Tensor, places: Tensor) -> None:
        """Go on with these rows ``[B']`` and, of these, with the hypotheses at places ``[B' · W']`` of ``B · W``."""


def restrained(logits: Tensor, written: Tensor, *, end: int, at_limit: Tensor, options: GenerationDecoding) -> Tensor:
    """Logits of what may come next, minus infinity for what mayn't.

    Where nothing may, the end does.

    Args:
        logits: ``[N, V]``.
        written: labels so far ``[N, L]``.
        end: the label that ends an answer.
        at_limit: ``[N]`` bool, where nothing but the end is left.
        options: `min_length` and `no_repeat_ngram` count.
    """
    if options.min_length <= written.shape[1] and not options.no_repeat_ngram and not bool(at_limit.any()):
        return logits
    ending = logits[:, end].clone()
    found = logits.clone()
    if written.shape[1] < options.min_length:
        found[:, end] = float("-inf")
    size = options.no_repeat_ngram
    if size and written.shape[1] >= size:
        grams = written.unfold(1, size, 1)  # [N, L - size + 1, size]
        begun = written[:, written.shape[1] - size + 1 :]
        again = (grams[..., :-1] == begun[:, None]).all(dim=-1)  # [N, L - size + 1]
        # Where it is not the same, the end's own column is named, which is put right below.
        following = torch.where(again, grams[..., -1], torch.full_like(grams[..., -1], end))
        kept = found[:, end].clone()
        found.scatter_(1, following, float("-inf"))
        found[:, end] = kept
    found[at_limit] = float("-inf")
    nothing = torch.isneginf(found).all(dim=1)
    found[:, end] = torch.where(nothing, ending, found[:, end])
    return found
