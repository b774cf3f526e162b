"""Smart reply (Kannan et al. 2016): what is likely to be answered to a message."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seqpipe.decoding.beam import beam_search
from seqpipe.decoding.generation import GenerationDecoding
from seqpipe.errors import ConfigError, InputError
from seqpipe.generation.run_model import State, TextModel, load_text_model

SEPARATOR = "\n"
"""Stands between a message and its reply in the texts that a model was trained on."""
MOST_AT_ONCE = 256
"""Replies that are scored together."""


@dataclass(frozen=True)
class Reply:
    """A reply to a message.

    Attributes:
        text: as it would be sent.
        probability: among the replies of the list, in which they add up to 1; of one that was written freely, among all
            that could be written.
        log_probability: among all that could be written, in nats; the end is in it.
    """

    text: str
    probability: float
    log_probability: float


def best_replies(
    model: TextModel | str | Path, message: str, replies: Sequence[str], *, n: int = 3, separator: str = SEPARATOR
) -> list[Reply]:
    """The likeliest of given replies, best first; each text once.

    Args:
        model: or its run directory; trained on texts of a message, the separator, and a reply.
        message: to be answered.
        replies: to choose from.
        n: at most so many.
        separator: between message and reply.

    Raises:
        ConfigError: there are no replies, or ``n`` is less than 1.
        InputError: the message or a reply is empty, or holds characters that the model lacks.
    """
    replies = list(dict.fromkeys(reply.strip() for reply in replies))
    if not replies:
        raise ConfigError("replies should be at least one; received none")
    model, state = _asked(model, message, n, separator)
    units = []
    for reply in replies:
        if not reply:
            raise InputError("empty", "a reply is empty; leave it out of the list")
        units.append(model.units_of(reply))
    found: list[float] = []
    for begin in range(0, len(units), MOST_AT_ONCE):
        found += model.log_probabilities(units[begin : begin + MOST_AT_ONCE], state)
    shares = torch.tensor(found, dtype=torch.float64).softmax(dim=0).tolist()
    scored = [Reply(*each) for each in zip(replies, shares, found, strict=True)]
    return sorted(scored, key=lambda reply: -reply.log_probability)[:n]


def written_replies(
    model: TextModel | str | Path,
    message: str,
    *,
    n: int = 3,
    beam: int = 20,
    max_units: int = 100,
    separator: str = SEPARATOR,
) -> list[Reply]:
    """The likeliest replies that the model would write itself, best first, as a beam search finds them.

    Args:
        model, message, n, separator: as of `best_replies`.
        beam: beginnings that are followed at a time; at least ``n`` are.
        max_units: of a reply.

    Raises:
        ConfigError: ``n``, ``beam`` or ``max_units`` is less than 1.
        InputError: the message is empty, or holds characters that the model lacks.
    """
    for name, value in (("beam", beam), ("max_units", max_units)):
        if value < 1:
            raise ConfigError(f"{name} should be at least 1; received {value}")
    model, state = _asked(model, message, n, separator)
    options = GenerationDecoding(
        beam=max(beam, n), n_best=n, length_normalization="none", max_length=max_units, min_length=1
    )
    with torch.inference_mode():
        (found,) = beam_search(_Replies(model, state), torch.tensor([max_units]), model.end, options)
    replies = []
    for item in found:
        text = model.text_of(item.labels).strip()
        replies.append(Reply(text, math.exp(item.log_probability), item.log_probability))
    return replies


def _asked(model: TextModel | str | Path, message: str, n: int, separator: str) -> tuple[TextModel, State]:
    """The model, and its state behind a message."""
    if n < 1:
        raise ConfigError(f"n should be at least 1; received {n}")
    message = message.strip()
    if not message:
        raise InputError("empty", "the message is empty")
    model = model if isinstance(model, TextModel) else load_text_model(model)
    return model, model.read(model.units_of(message + separator), model.initial_state(1))


class _Replies:
    """What may come next in the replies to one message; see `seqpipe.decoding.generation.Continuation`."""

    rows = 1

    def __init__(self, model: TextModel, state: State) -> None:
        self._model, self._state = model, state
        self._begun = False

    def step(self, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of the next units, from which nothing is to be subtracted; there is no attention."""
        if self._begun:
            # Places in a beam that nothing can take any more have the end as their label.
            self._state = self._model.advance(self._state, last.clamp(max=self._model.end - 1))
        self._begun = True
        found = self._model.scores(self._state)
        return found, found.new_zeros(len(found)), found.new_zeros(1, len(found), 1)

    def choose(self, rows: Tensor, places: Tensor) -> None:
        """Go on with these."""
        self._state = tuple(part[places] for part in self._state)
