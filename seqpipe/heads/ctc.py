"""The CTC head: transcripts out of emissions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.alignment import Alignment, alignment
from seqpipe.answers.stitching import stitch
from seqpipe.answers.transcribing import edges_of, transcribe, with_alternatives
from seqpipe.answers.transcript import Transcript
from seqpipe.core.head import Distribution, Encoded
from seqpipe.core.input import Segment
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize, Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.ctc import (
    ctc_losses,
    greedy_decode,
    label_posteriors,
    penalize_blank,
    refuse_too_short,
)
from seqpipe.decoding.ctc_alignment import CTCPath
from seqpipe.decoding.ctc_hypothesis import CTCHypothesis, frames_needed
from seqpipe.decoding.ctc_search import RankedTexts, ranked_texts
from seqpipe.decoding.prefix_scorer import PrefixScorer
from seqpipe.decoding.temperature import tempered
from seqpipe.errors import ConfigError
from seqpipe.heads.ctc_decoding import CTCDecoding
from seqpipe.heads.learnt import learnt
from seqpipe.heads.text_head import TextHead
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.metrics.transcription import TranscriptionMetric
from seqpipe.text.bidi import BaseDirection
from seqpipe.text.rules import TextRule
from seqpipe.text.spelling import Spelling, spell
from seqpipe.text.units import Units


class CTCHead(TextHead):
    """Transcribe by connectionist temporal classification (Graves et al. 2006), over characters or subword units.

    The units are learnt from the training texts by `fit`, or come with `load_assets`; the output layer is made then.

    Args:
        input_size: D, features of an encoded step.
        units: ``characters``, or ``unigram`` or ``bpe`` for SentencePiece units.
        vocabulary_size: how many SentencePiece units; not used for characters.
        text: rules applied to the training texts, and to both sides before scoring, in this order: ``nfc``, ``nfkc``,
            ``lowercase``, ``uppercase``, ``no_punctuation``, ``collapse_spaces``.
        base_direction: puts texts into display order, from left to right as columns of an image, by the Unicode
            bidirectional algorithm (UAX #9), and answers back: ``rtl``, ``ltr``, or ``auto``, that of a text's first
            strong character; for ``characters``. None leaves texts in the order in which they are read, which is that
            of the steps of speech and of pen strokes in any direction.
        dropout: probability, on the encoded steps.
        dropout_kind: what is dropped together; see `DropoutKind`.
        shortcut: weight of a second CTC loss, of a layer of its own right behind the front-end, while training. It
            teaches the front-end before the encoder has learnt anything (Retsinas et al. 2022). 0 for none.
        intermediate: share of the loss while training, 0 to 1, that is the mean CTC loss of ``intermediate_layers``,
            which predict through the output layer of the last one (Lee & Watanabe 2021). 0 for none.
        intermediate_layers: of the encoder, counted from 1.
        front_size: features of a step of the front-end; passed by the pipeline.

    Shape: ``[B, T, D]`` -> log-probabilities ``[B, T, V]``; label 0 is the blank.

    Example:
        >>> head = CTCHead(input_size=8)
        >>> head.fit(["on", "off"])
        >>> head.encode_target("foo").tolist()
        [1, 3, 3]
    """

    unfitted = TranscriptionMetric()
    decoding = CTCDecoding

    def __init__(
        self,
        *,
        input_size: InputSize,
        units: Literal["characters", "unigram", "bpe"] = "characters",
        vocabulary_size: Annotated[int, Field(gt=1)] = 500,
        text: list[TextRule] = [],  # noqa: B006
        base_direction: BaseDirection | None = None,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        shortcut: Annotated[float, Field(ge=0)] = 0.0,
        intermediate: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        intermediate_layers: list[Annotated[int, Field(gt=0)]] = [],  # noqa: B006
        front_size: Annotated[int | None, Upstream("front_size")] = None,
    ) -> None:
        super().__init__()
        if base_direction is not None and units != "characters":
            # A unit may hold the end of one word and the beginning of another, which reading order parts.
            raise ConfigError(f"goes with units: characters; they are {units}").within("base_direction")
        if shortcut and front_size is None:
            raise ConfigError("needs a front-end; a head by itself has none (front_size)").within("shortcut")
        if bool(intermediate) != bool(intermediate_layers):
            raise ConfigError("goes with intermediate_layers: give both, or neither").within("intermediate")
        self.intermediate, self.used_layers = intermediate, sorted(set(intermediate_layers))
        self.base_direction = base_direction
        self.shortcut, self.front_size = shortcut, front_size
        self.side_output: nn.Linear | None = None
        self.text_metric = TranscriptionMetric(text)
        self.input_size, self.kind, self.vocabulary_size, self.rules = input_size, units, vocabulary_size, text
        self.dropout, self.dropout_kind = dropout, dropout_kind
        self.output: nn.Linear | None = None

    def _build(self, units: Units) -> None:
        self._use(units)
        self.output_size = len(units) + 1
        self.output = nn.Linear(self.input_size, self.output_size)
        if self.shortcut and self.front_size is not None:
            self.side_output = nn.Linear(self.front_size, self.output_size)

    def encode_target(self, raw: Any) -> Tensor:
        """A text as labels ``[L]`` int64, each in 1 to V - 1.

        Raises:
            InputError: it is no text, or holds characters that the vocabulary lacks.
        """
        return torch.tensor(self.units.encode(self.read_target(raw)), dtype=torch.int64) + 1

    def target_separator(self) -> Tensor:
        """See `TextHead`; labels are one more than units, the blank being 0."""
        return super().target_separator() + 1

    @property
    def follows_input(self) -> bool:
        """True: labels are aligned with steps in their order."""
        return True

    def min_steps(self, target: Tensor) -> int:
        """Encoded steps that a target takes at least."""
        return frames_needed(target.tolist())

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Log-probabilities ``[B, T, V]``, in fp32 whatever the precision around it."""
        output = learnt(self, self.output, "units", "texts")
        logits = output(dropout(encoded.values, self.dropout, self.training, self.dropout_kind))
        return PaddedSequence(F.log_softmax(logits.float(), dim=-1), encoded.lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        output = learnt(self, self.output, "units", "texts")
        logits = graph.linear(sequence.values, output.weight.detach(), output.bias.detach())
        return Symbol(graph.op("LogSoftmax", logits, axis=-1), sequence.lengths)

    def loss(self, encoded: Encoded, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the rows' CTC losses, in nats, and the number of labels that it is a sum over.

        While training, the losses of the shortcut and of intermediate layers are in it.

        Raises:
            InputError: a target doesn't fit into its row's steps; the message names its position in the batch.
        """
        return self.predicted_loss(self.predict(encoded, targets), encoded, targets)

    @property
    def has_distributions(self) -> bool:
        """True: over labels and the blank, at each step."""
        return True

    @property
    def predicts_steps(self) -> bool:
        """True: of each step of the encoder."""
        return True

    def predict(self, encoded: Encoded, targets: Sequence[Tensor]) -> list[Distribution]:
        """Emissions ``[B, T, V]``; targets don't matter."""
        return [Distribution(1.0, self(encoded))]

    def predicted_loss(
        self, predicted: Sequence[Distribution], encoded: Encoded, targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `loss`."""
        emissions, lengths = predicted[0].log_probabilities
        labels = [target.tolist() for target in targets]
        refuse_too_short(labels, lengths)
        losses = ctc_losses(emissions, lengths, labels)
        if self.intermediate and self.training:
            if not encoded.layers:
                raise ConfigError("CTCHead.intermediate needs what the encoder's layers gave: Encoded.layers")
            inner = torch.stack([self._layer_losses(layer, labels) for layer in encoded.layers])
            losses = (1 - self.intermediate) * losses + self.intermediate * inner.mean(dim=0)
        if self.side_output is not None and self.training:
            if encoded.front is None:
                raise ConfigError("CTCHead.shortcut needs what the front-end gave: Encoded.front")
            side = F.log_softmax(self.side_output(encoded.front.values).float(), dim=-1)
            losses = losses + self.shortcut * ctc_losses(side, encoded.front.lengths, labels)
        return losses.sum(), torch.tensor(float(max(1, sum(map(len, labels)))), device=losses.device)

    def _layer_losses(self, layer: PaddedSequence, labels: Sequence[Sequence[int]]) -> Tensor:
        emissions, lengths = self(layer)
        return ctc_losses(emissions, lengths, labels)

    def decode(
        self, encoded: PaddedSequence, options: CTCDecoding | None = None
    ) -> Sequence[tuple[CTCHypothesis, float] | RankedTexts]:
        """The best hypothesis of every row, in encoded steps, and its posterior probability.

        Args:
            encoded: ``[B, T, D]``; an `Encoded` may have columns, one of which holds a row's own hot words.
            options: of the search.
        """
        emissions = penalize_blank(self(encoded), options.blank_penalty if options is not None else 0.0)
        if options is not None and options.method == "beam":
            return self._search(emissions, options, self.prefix_scorer(options, encoded))
        hypotheses = greedy_decode(emissions, self.temperature)
        posteriors = label_posteriors(emissions, [item.labels for item in hypotheses], self.temperature)
        return list(zip(hypotheses, posteriors, strict=True))

    @torch.no_grad()
    def _search(self, emissions: PaddedSequence, options: CTCDecoding, scorer: PrefixScorer) -> list[RankedTexts]:
        held = PaddedSequence(emissions.values.detach().cpu(), emissions.lengths.cpu())
        rows = [row.numpy() for row in held.rows()]
        told = None
        if self.temperature != 1.0:
            told = [tempered(row.double(), self.temperature).numpy() for row in held.rows()]

        def posteriors(owners: Sequence[int], labels: Sequence[Sequence[int]]) -> list[float]:
            several = held if options.n_best == 1 else held.chosen(owners)
            return label_posteriors(several, labels, self.temperature)

        return ranked_texts(rows, options.limits, scorer, posteriors, told)

    def answer(
        self,
        row_id: str,
        hypothesis: tuple[CTCHypothesis, float] | RankedTexts,
        location: Callable[[Tensor], Tensor],
    ) -> Transcript:
        """A hypothesis as an answer; ``location`` turns encoded steps (fractions too) into places in the input."""
        path, confidence = hypothesis[:2]
        places = location(torch.tensor(edges_of(path), dtype=torch.float64)).tolist()
        found = transcribe(row_id, path, confidence, places, self.units, self.base_direction)
        if not isinstance(hypothesis, RankedTexts):
            return found
        return with_alternatives(found, hypothesis, self.units, self.base_direction)

    def join(self, row_id: str, parts: Sequence[tuple[Segment, Transcript]]) -> Transcript:
        """The transcripts of a long input's segments, in their order, as the whole's; see `stitch`."""
        return stitch(row_id, parts, self.units)

    def emissions(self, encoded: PaddedSequence) -> PaddedSequence:
        """Log-probabilities of units and blank ``[B, T, V]``."""
        return self(encoded)

    def spell(self, text: str) -> Spelling:
        """A text in the head's units; see `seqpipe.text.spelling.spell`."""
        return spell(text, self.units, self.rules, self.base_direction)

    def aligned(
        self, row_id: str, spelling: Spelling, path: CTCPath, borders: NDArray[np.float64], threshold: float
    ) -> Alignment:
        """A path of a text as an answer; see `seqpipe.answers.alignment.alignment`."""
        return alignment(row_id, spelling, path, borders, threshold=threshold)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's labels over all their alignments; 0 where they don't fit into its steps."""
        return label_posteriors(self(encoded), [target.tolist() for target in targets], self.temperature)

    def target_log_probabilities(
        self, encoded: PaddedSequence, targets: Sequence[Tensor], temperatures: Sequence[float]
    ) -> Tensor:
        """See `seqpipe.core.head.Tempered`."""
        emissions, lengths = self(encoded)
        values, lengths = emissions.double().cpu(), lengths.cpu()
        labels = [target.tolist() for target in targets]
        return torch.stack([-ctc_losses(tempered(values, each), lengths, labels) for each in temperatures])
