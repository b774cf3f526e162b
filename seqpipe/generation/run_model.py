"""The language model of a run directory: what comes next in many texts at a time, and how texts are spelt in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, InputError
from seqpipe.heads.language_model import LanguageModelHead
from seqpipe.pipeline import Pipeline
from seqpipe.text.rules import apply_rules
from seqpipe.text.units import SPACE, SentencePieceUnits
from seqpipe.text.vocabulary import UNKNOWN

UNKNOWN_UNIT = -1
"""Stands for whatever the vocabulary lacks."""
State = tuple[Tensor, ...]
"""Of N texts: tensors whose first dimension is N, so that choosing and repeating texts is indexing."""


class TextModel:
    """What a trained pipeline with a `LanguageModelHead` says comes next, in tensors.

    Searches ask it as they ask any `seqpipe.core.language_model.LanguageModel`, through
    `seqpipe.generation.search_model.SearchModel`.

    A state is the step that the next unit is predicted from, before the encoder's own state. What is said of a text
    depends on others beside it by no more than rounding.

    Args:
        pipeline: trained; in evaluation from here on.

    Attributes:
        vocabulary: the units, without the unknown one; a space is written ``▁``, in SentencePiece units too.

    Raises:
        ConfigError: its head is another one.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        if not isinstance(pipeline.head, LanguageModelHead):
            raise ConfigError(
                f"a language model is wanted, trained with LanguageModelHead; this one has a "
                f"{type(pipeline.head).__name__}"
            )
        self._pipeline, self._head = pipeline.eval(), pipeline.head
        self._encoder, self._tokens = pipeline.carrier(), pipeline.head.tokens
        self._predict = self._head.predictor()
        self._entries = self._tokens.vocabulary[1:]
        spaced = self._tokens.units != "words"
        self.vocabulary: Sequence[str] = [entry.replace(" ", SPACE) if spaced else entry for entry in self._entries]
        self._numbers = torch.arange(len(self.vocabulary) + 1)[:, None]  # [V + 1, 1], the unknown one first
        if self._tokens.characters:
            rows = [self._tokens.prepare([entry], None)[0] for entry in self._entries]
            self._numbers = torch.stack([torch.zeros_like(rows[0]), *rows])  # [V + 1, 1 + W]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._pipeline.device

    @property
    def end(self) -> int:
        """The number of the end of a text."""
        return len(self.vocabulary)

    @torch.inference_mode()
    def initial_state(self, count: int) -> State:
        """The state before the first unit of ``count`` texts."""
        first = self._head.first_step.expand(count, -1).clone()
        return (first, *self._encoder.initial_state(count))

    @torch.inference_mode()
    def scores(self, state: State) -> Tensor:
        """Of every unit, and of the end behind them: ``[N, V + 1]`` float32, in nats.

        The unknown unit has what is missing to a sum of probabilities of 1.
        """
        return self._predict(state[0])[:, 1:]

    @torch.inference_mode()
    def scores_of(self, state: State, units: Tensor) -> Tensor:
        """Of one unit, or the end, for each text: ``[N]`` of int64 ``[N]``; -1 is one that the vocabulary lacks."""
        found = self._predict(state[0])
        return found.gather(1, units.to(found.device)[:, None] + 1)[:, 0]

    @torch.inference_mode()
    def advance(self, state: State, units: Tensor) -> State:
        """The states behind those units, int64 ``[N]``; -1 is one that the vocabulary lacks."""
        outputs, after = self._run(units[:, None], torch.ones(len(units), dtype=torch.int64), state)
        return (outputs[:, 0], *after)

    @torch.inference_mode()
    def read(self, units: Sequence[int], state: State) -> State:
        """The state of one text behind these units, which follow ``state``; all of them in one pass."""
        if not units:
            return state
        outputs, after = self._run(torch.tensor([list(units)]), torch.tensor([len(units)]), state)
        return (outputs[:, -1], *after)

    @torch.inference_mode()
    def log_probabilities(self, texts: Sequence[Sequence[int]], state: State) -> list[float]:
        """Of each text as a whole, its end included, in nats, where one text's ``state`` stands before all of them."""
        lengths = torch.tensor([len(units) for units in texts])
        count, longest = len(texts), max(1, int(lengths.max()))
        units = torch.zeros(count, longest, dtype=torch.int64)
        for row, text in zip(units, texts, strict=True):
            row[: len(text)] = torch.tensor(text, dtype=torch.int64)
        before = tuple(part.expand(count, *part.shape[1:]).contiguous() for part in state)
        outputs, _ = self._run(units, lengths, before)
        steps = torch.cat([before[0][:, None].to(outputs.dtype), outputs], dim=1)  # [N, T + 1, D]
        labels = torch.cat([units, torch.zeros(count, 1, dtype=torch.int64)], dim=1)
        labels[torch.arange(count), lengths] = self.end
        found = self._predict(steps).cpu().gather(2, labels[..., None] + 1)[..., 0].double()
        real = torch.arange(longest + 1)[None] <= lengths[:, None]
        return found.where(real, torch.zeros_like(found)).sum(dim=1).tolist()

    def _run(self, units: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs ``[N, T, D]`` of units ``[N, T]`` that follow a state, and the encoder's state behind them."""
        numbers = self._numbers[units.cpu() + 1]  # [N, T, 1 (+ W)]
        if not self._tokens.characters:
            numbers = numbers[..., 0]
        batch = PaddedSequence(numbers, lengths).to(self._pipeline.device)
        encoded, after = self._pipeline.forward_from(batch, tuple(state[1:]))
        return encoded.values, after

    # Texts

    def units_of(self, text: str, *, unknown: bool = False) -> list[int]:
        """A text in units, after the rules that the model was trained with; none of an empty one.

        Args:
            text: any; SentencePiece leaves out white space at its ends, and so do words.
            unknown: let -1 stand for characters that the vocabulary lacks. Of words it may anyway.

        Raises:
            InputError: the text holds such characters.
        """
        tokens = self._tokens
        if tokens.units == "words":
            return (
                (tokens.prepare(text, None).reshape(-1, tokens.output_size)[:, 0] - 1).tolist() if text.split() else []
            )
        spelt, known = apply_rules(text, tokens.rules), tokens.known
        numbers = known.encode_with_unknown(spelt) if isinstance(known, SentencePieceUnits) else known.numbers(spelt)
        if UNKNOWN in numbers and not unknown:
            lacking = sorted({sign for sign in spelt if self._lacks(sign)})
            raise InputError(
                "unknown character",
                f"{text!r:.80} holds {', '.join(map(repr, lacking)) or 'signs'}, which the model's "
                f"{len(self.vocabulary)} units lack; leave them out",
            )
        return [number - 1 for number in numbers]

    def _lacks(self, sign: str) -> bool:
        known = self._tokens.known
        if isinstance(known, SentencePieceUnits):
            return UNKNOWN in known.encode_with_unknown(sign)
        return known.number(sign) == UNKNOWN

    def text_of(self, units: Sequence[int], *, before: bool = False) -> str:
        """Units as text; none of them unknown.

        Args:
            units: one after the other.
            before: text stands before them, so that a first word has its space.
        """
        if self._tokens.units == "words":
            return "".join(f" {self._entries[unit]}" for unit in units)[0 if before else 1 :]
        known = self._tokens.known
        if not isinstance(known, SentencePieceUnits):
            return "".join(self._entries[unit] for unit in units)
        text = known.decode([unit + 1 for unit in units])
        begun = bool(units) and self._entries[units[0]].startswith(" ")
        return f" {text}" if before and begun else text


def load_text_model(run: str | Path) -> TextModel:
    """The language model of a run directory.

    Raises:
        RunError: it holds no model, or a damaged one.
        ConfigError: it is a run of another task.
    """
    try:
        return TextModel(Pipeline.load(Path(run)))
    except ConfigError as error:
        raise ConfigError(f"{run}: {error}") from None
