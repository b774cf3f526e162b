"""Going on with a text: continuations that are drawn unit by unit."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from seqpipe.core.options import validate
from seqpipe.core.randomness import RowKey
from seqpipe.decoding.sampling import drawn, filtered
from seqpipe.errors import ConfigError
from seqpipe.generation.run_model import TextModel, load_text_model
from seqpipe.text.segmentation import CLOSING, SENTENCE, WIDE

BROKEN = "\ufffd"
"""What a character reads as whose bytes haven't all come yet."""


class GenerationOptions(BaseModel):
    """How texts are drawn."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    temperature: float = Field(
        1.0, ge=0, description="below 1 the likely units are drawn more often; 0: the likeliest one, always"
    )
    top_k: int = Field(0, ge=0, description="draw among so many of the likeliest units; 0: among all")
    top_p: float = Field(1.0, gt=0, le=1, description="draw among the likeliest that have this probability together")
    seed: int = Field(1, ge=0, le=2**64 - 1, description="what is drawn depends on it alone")
    max_units: int = Field(200, ge=1, description="units that are written at most")
    stop: Literal["sentence", "units"] = Field(
        "units", description="end behind the first sentence, or where the text ends or has its most units"
    )


@dataclass(frozen=True)
class WrittenText:
    """A text that was gone on with.

    Attributes:
        text: what was written behind the prompt.
        log_probability: of its units given the prompt, and of the end if it came, in nats, whatever the temperature.
        units: how many were written.
        finished: the text came to its own end, or to that of a sentence; else it was cut short.
    """

    text: str
    log_probability: float
    units: int
    finished: bool


def stream_text(
    model: TextModel | str | Path, prompt: str = "", *, sample: int = 0, **options: Any
) -> Generator[str, None, WrittenText]:
    """Go on with a text, piece by piece as they are drawn.

    Args:
        model: or its run directory.
        prompt: what the text begins with; it isn't repeated.
        sample: the number of the text among those of the same seed, from 0.
        **options: see `GenerationOptions`.

    Returns:
        Pieces that make up the text; a `WrittenText` is what the generator returns.

    Raises:
        ConfigError: an option is unknown, or has a value out of its range.
        InputError: the prompt holds characters that the model lacks.

    Example:
        >>> for piece in stream_text("runs/tiny_shakespeare", "ROMEO:", seed=7):  # doctest: +SKIP
        ...     print(piece, end="", flush=True)
    """
    chosen = _checked(options)
    if sample < 0:
        raise ConfigError(f"sample should be at least 0; received {sample}")
    model = model if isinstance(model, TextModel) else load_text_model(model)
    return _stream(model, model.units_of(prompt), sample, chosen)


def generate(model: TextModel | str | Path, prompt: str = "", *, n: int = 1, **options: Any) -> list[WrittenText]:
    """Go on with a text in ``n`` ways, which are drawn independently of each other; see `stream_text`.

    Raises:
        ConfigError: an option is unknown, or has a value out of its range.
        InputError: the prompt holds characters that the model lacks.
    """
    chosen = _checked(options)
    if n < 1:
        raise ConfigError(f"n should be at least 1; received {n}")
    model = model if isinstance(model, TextModel) else load_text_model(model)
    units = model.units_of(prompt)
    return [_exhausted(_stream(model, units, sample, chosen)) for sample in range(n)]


def _checked(options: dict[str, Any]) -> GenerationOptions:
    return GenerationOptions(**validate(GenerationOptions, options))


def _exhausted(pieces: Generator[str, None, WrittenText]) -> WrittenText:
    while True:
        try:
            next(pieces)
        except StopIteration as stop:
            found: WrittenText = stop.value
            return found


def _stream(
    model: TextModel, prompt: Sequence[int], sample: int, options: GenerationOptions
) -> Generator[str, None, WrittenText]:
    state = model.read(prompt, model.initial_state(1))
    written: list[int] = []
    shown, total = "", 0.0
    finished = False
    while len(written) < options.max_units:
        scores = model.scores(state).cpu().double()
        unit = _chosen(scores, RowKey(options.seed, epoch=len(written), row=sample), options)
        if unit == model.end:
            total += float(scores[0, unit])
            finished = True
            break
        text = model.text_of([*written, unit], before=bool(prompt))
        if options.stop == "sentence" and ends_sentence(shown, text[len(shown) :]):
            finished = True
            break
        total += float(scores[0, unit])
        written.append(unit)
        if text.startswith(shown) and len(text) > len(shown) and not text.endswith(BROKEN):
            yield text[len(shown) :]
            shown = text
        state = model.advance(state, torch.tensor([unit]))
    text = model.text_of(written, before=bool(prompt))
    if len(text) > len(shown):
        yield text[len(shown) :]
    return WrittenText(text, total, len(written), finished)


def _chosen(scores: torch.Tensor, key: RowKey, options: GenerationOptions) -> int:
    if options.temperature == 0:
        return int(scores.argmax(dim=1))
    allowed = filtered(scores / options.temperature, options.top_k, options.top_p)
    return int(drawn(allowed, torch.tensor([key.generator().random()], dtype=torch.float64)))


def ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence has ended with ``text``, by what comes next: white space, or a sign of no script with spaces.

    Example:
        >>> ends_sentence("To be.", " "), ends_sentence("3.", "5"), ends_sentence("So", " ")
        (True, False, False)
    """
    mark = text.rstrip(CLOSING)[-1:]
    if not mark or mark not in SENTENCE:
        return False
    return mark in WIDE or following[:1].isspace()
