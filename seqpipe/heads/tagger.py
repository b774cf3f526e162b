"""The tagging head: one tag for each word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.tagging import Tagging, tagged
from seqpipe.core.head import Distribution
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.decoding import crf
from seqpipe.decoding.span_confidence import span_confidences
from seqpipe.decoding.spans import OUTSIDE, spans_of, split_tag
from seqpipe.decoding.tag_path import TagPath, as_bio
from seqpipe.decoding.tag_schemes import AllowedTags, Scheme, allowed_tags, convert
from seqpipe.decoding.temperature import tempered
from seqpipe.errors import ConfigError, InputError
from seqpipe.heads.class_weights import ClassWeights, class_weights
from seqpipe.heads.learnt import NamingHead, learnt
from seqpipe.layers.activation import Activation
from seqpipe.layers.dropout import DropoutKind
from seqpipe.layers.losses import cross_entropy
from seqpipe.layers.masked_norm import NormalizationName
from seqpipe.layers.mlp import MLP
from seqpipe.metrics.tagging import TagMetric, tags_of
from seqpipe.text.classes import Classes


class TaggerDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a tagging head."""

    model_config = ConfigDict(extra="forbid")
    n_best: int = Field(1, ge=1, description="answers that are given, the best ones with their probabilities")


class TaggerHead(NamingHead):
    """Tag each word: a multi-layer perceptron at each step, then softmax or a linear-chain CRF (Lafferty et al. 2001).

    Args:
        input_size: D, features of an encoded step.
        decoder: ``softmax`` takes each tag by itself; ``crf`` the best sequence, with learnt scores of neighbours.
        scheme: what tags mark spans by: ``none``; ``bio`` (B-PER, I-PER, O); or ``bioes``, which is learnt and decoded
            from BIO tags and answered in them. Answers are then valid sequences, with either decoder.
        hidden_sizes: units of hidden layers.
        activation: of hidden layers.
        dropout: probability, before every layer.
        dropout_kind: of the encoded steps; see `DropoutKind`.
        normalization: of hidden layers: ``none``, ``batch`` or ``layer``.
        class_weights: of tags: ``none``, ``balanced`` or by tag; see `ClassWeights`. With the CRF they weight the terms
            of the chain rule; see `crf_losses`.
        label_smoothing: of softmax.

    Shape: ``[B, T, D]`` -> scores ``[B, T, K]`` (log-probabilities with softmax).

    A sequence of BIO tags that begins with I- is read as conlleval reads it, as if it began with B-.

    Example:
        >>> head = TaggerHead(input_size=8, scheme="bio", decoder="crf")
        >>> head.fit([["B-LOC", "I-LOC", "O"]])
        >>> head.encode_target(["O", "I-LOC"]).tolist() == head.encode_target(["O", "B-LOC"]).tolist()
        True
    """

    named: ClassVar[str] = "tags"
    tags_items: ClassVar[bool] = True
    decoding = TaggerDecoding

    def __init__(
        self,
        *,
        input_size: InputSize,
        decoder: Literal["softmax", "crf"] = "softmax",
        scheme: Scheme = "none",
        hidden_sizes: list[Annotated[int, Field(gt=0)]] = [],  # noqa: B006
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        normalization: NormalizationName = "none",
        class_weights: ClassWeights = "none",
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__()
        self.decoder, self.scheme = decoder, scheme
        self.class_weights, self.label_smoothing = class_weights, label_smoothing
        self._make_mlp = partial(
            MLP,
            input_size,
            hidden_sizes,
            dropout=dropout,
            dropout_kind=dropout_kind,
            normalization=normalization,
            activation=activation,
        )
        self._metric = TagMetric([], scheme)
        self.mlp: Any = None

    @property
    def metric(self) -> TagMetric:
        """Of the tags that answers may have."""
        return self._metric

    @classmethod
    def unfitted_metric(cls, options: Mapping[str, Any]) -> TagMetric:
        """Of no tags."""
        return TagMetric([], options.get("scheme", "none"))

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn the tags; what is no sequence of tags is left to `encode_target` to name.

        Raises:
            DataError: there is only one tag.
            ConfigError: no tag marks a span, some are of no scheme, and ``scheme`` says that they mark spans.
        """
        found: list[list[str]] = []
        odd: InputError | None = None
        for raw in rows:
            try:
                found.append(self.read_target(raw))
            except InputError as error:
                odd = odd or error
        has_spans = any(tag != OUTSIDE for tags in found for tag in tags)
        if odd is not None and self.scheme != "none" and not has_spans:
            raise ConfigError(f"head.scheme is {self.scheme}, and {odd}; set it to none for tags that mark no spans")
        classes = Classes.learn(tag for tags in found for tag in tags)
        # A type that training has in one word alone may have two elsewhere.
        prefixes = {"none": (), "bio": ("B", "I"), "bioes": ("B", "I", "E", "S")}[self.scheme]
        kinds = sorted({split_tag(tag)[1] for tag in classes.names} - {""})
        self._build(classes.completed(f"{prefix}-{kind}" for kind in kinds for prefix in prefixes))

    def read_target(self, raw: Any) -> list[str]:
        """Tags as they are learnt, in the scheme; raises `InputError` as `tags_of` does."""
        return convert(tags_of(raw, self.scheme), self.scheme)

    def _build(self, classes: Classes) -> None:
        self._adopt(classes, class_weights(classes, self.class_weights))
        size = len(classes)
        self.mlp = self._make_mlp(output_size=size)
        # Softmax is a CRF whose neighbours don't matter, and stay so.
        make = nn.Parameter if self.decoder == "crf" else partial(nn.Buffer, persistent=False)
        self.transitions, self.start, self.end = (make(torch.zeros(shape)) for shape in ((size, size), size, size))
        self._allowed: AllowedTags = allowed_tags(classes.names, self.scheme)
        answers = [tag if self.scheme == "none" else as_bio(tag) for tag in classes.names]
        # In an order that doesn't depend on the scheme, so that runs with different ones are compared.
        tags = sorted(dict.fromkeys(answers)) if self.scheme != "none" else answers
        self._answers, self._metric = answers, TagMetric(tags, self.scheme)
        same = [[float(answer == tag) for tag in tags] for answer in answers]
        self.register_buffer("_shown", torch.tensor(same, dtype=torch.float64), persistent=False)  # [K, tags answered]
        self._shown: Tensor

    def encode_target(self, raw: Any) -> Tensor:
        """Numbers of tags, ``[L]`` int64.

        Raises:
            InputError: it is no sequence of tags, or one is none of the training rows'.
        """
        return torch.tensor([self.classes.require(tag) for tag in self.read_target(raw)])

    def export_arrays(self) -> dict[str, NDArray[Any]]:
        """The scores of neighbours, -inf where the scheme forbids them."""
        names = ("transitions", "start", "end")
        return {name: part.detach().numpy() for name, part in zip(names, self._potentials(), strict=True)}

    def target_separator(self) -> Tensor:
        """None: there is a tag for each word and nothing else."""
        return torch.zeros(0, dtype=torch.int64)

    def min_steps(self, target: Tensor) -> int:
        """As many as there are tags."""
        return len(target)

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Scores ``[B, T, K]``, in fp32 whatever the precision around it."""
        scores: PaddedSequence = learnt(self, self.mlp, self.named)(encoded)
        if self.decoder == "softmax":
            scores = PaddedSequence(F.log_softmax(scores.values, dim=-1), scores.lengths)
        return scores.masked()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        scores = learnt(self, self.mlp, self.named).to_onnx(graph, sequence.values)
        if self.decoder == "softmax":
            scores = graph.op("LogSoftmax", scores, axis=-1)
        return graph.masked(Symbol(scores, sequence.lengths))

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the words' losses, in nats, and the number of words (softmax: the sum of their weights).

        Raises:
            InputError: a row has another number of tags than of words.
        """
        return self._loss_of(self(encoded), targets)

    @property
    def has_distributions(self) -> bool:
        """With softmax: over the tags of each word. A CRF's is one over sequences."""
        return self.decoder == "softmax"

    @property
    def predicts_steps(self) -> bool:
        """True: of each word."""
        return True

    def predict(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[Distribution]:
        """Over the tags of each word, ``[B, T, K]``; targets don't matter."""
        return [Distribution(1.0, self(encoded))]

    def predicted_loss(
        self, predicted: Sequence[Distribution], encoded: PaddedSequence, targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `loss`."""
        return self._loss_of(predicted[0].log_probabilities, targets)

    def _loss_of(self, scored: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        scores, lengths = scored
        for position, (target, length) in enumerate(zip(targets, lengths.tolist(), strict=True)):
            if len(target) != length:
                raise InputError(
                    "wrong number of tags", f"row {position} of the batch: {len(target)} tags for {length} words"
                )
        if self.decoder == "softmax":
            real = scores[PaddedSequence(scores, lengths).mask()]  # [words, K]
            labels = torch.cat(list(targets)).to(real.device)
            return cross_entropy(real, labels, self.weights, self.label_smoothing, 0.0)
        tags = PaddedSequence.pad(list(targets)).extended(scores.shape[1]).values[:, : scores.shape[1]]
        weights = None if self.class_weights == "none" else self.weights
        losses = crf.crf_losses(scores, lengths, tags.to(scores.device), *self._potentials(), weights)
        return losses.sum(), lengths.sum().to(losses)

    def _potentials(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of neighbours, start and end, -inf where the scheme forbids them."""
        return self._allowed.constrain(self.transitions, self.start, self.end)

    def _tempered(self, scores: Tensor, temperature: float) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Scores ``[B, T, K]`` and potentials, all divided by the temperature; 1 leaves them as they are."""
        if temperature == 1.0:
            return scores, self._potentials()
        pairs, start, end = (part / temperature for part in self._potentials())
        return scores / temperature, (pairs, start, end)

    def decode(self, encoded: PaddedSequence, options: TaggerDecoding | None = None) -> list[TagPath]:
        """The best tags of every row, with the probabilities of each and of all."""
        options = options or TaggerDecoding()
        scores, lengths = self(encoded)
        if self.decoder == "softmax" and self.scheme == "none":
            # Of each tag by itself; the padding is 0 and stays so.
            path = scores.double().max(dim=-1).indices
            scores = PaddedSequence(tempered(scores, self.temperature), lengths).masked().values
            shares = scores.double().exp()
            posteriors = scores.double().gather(2, path[..., None])[..., 0].sum(dim=1).exp()
            potentials = self._potentials()
        else:
            path, _ = crf.viterbi(scores, lengths, *self._potentials())
            scores, potentials = self._tempered(scores, self.temperature)
            shares = crf.marginals(scores, lengths, *potentials)
            posteriors = crf.path_posteriors(scores, lengths, path, *potentials)
        numbers = torch.tensor([self._metric.tags.index(tag) for tag in self._answers], device=path.device)[path]
        of_tags = (shares @ self._shown).gather(2, numbers.unsqueeze(-1))[..., 0].clamp(max=1.0)
        tags = [
            [self._answers[number] for number in row[:length]]
            for row, length in zip(path.tolist(), lengths.tolist(), strict=True)
        ]
        spans = [spans_of(row) if self.scheme != "none" else [] for row in tags]
        confidences = span_confidences(scores, lengths, path, spans, potentials, self.classes.names)
        several = options.n_best > 1
        alternatives = (
            self._alternatives(scores, lengths, potentials, options.n_best) if several else [[] for _ in tags]
        )
        sure = [
            [(*span, share) for span, share in zip(*row, strict=True)] for row in zip(spans, confidences, strict=True)
        ]
        shown = [shares_of[: len(row)] for shares_of, row in zip(of_tags.tolist(), tags, strict=True)]
        return list(map(TagPath, tags, shown, posteriors.tolist(), sure, alternatives))

    def _alternatives(
        self, scores: Tensor, lengths: Tensor, potentials: tuple[Tensor, Tensor, Tensor], most: int
    ) -> list[list[tuple[list[str], float]]]:
        totals = crf.log_partition(scores, lengths, *potentials).tolist()
        found = crf.n_best(scores, lengths, *potentials, most)
        return [
            [([self._answers[tag] for tag in path], min(1.0, float(np.exp(score - total)))) for path, score in paths]
            for paths, total in zip(found, totals, strict=True)
        ]

    def answer(self, row_id: str, hypothesis: TagPath, location: Location) -> Tagging:
        """A hypothesis as an answer, with character offsets in the input."""
        return tagged(row_id, hypothesis, location.items, location.text, location.truncated)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's tags; 0 for another number of tags than of words."""
        found: list[float] = self.target_log_probabilities(encoded, targets, [self.temperature])[0].exp().tolist()
        return found

    def target_log_probabilities(
        self, encoded: PaddedSequence, targets: Sequence[Tensor], temperatures: Sequence[float]
    ) -> Tensor:
        """See `seqpipe.core.head.Tempered`."""
        scores, lengths = self(encoded)
        fits = torch.tensor(
            [len(target) == length for target, length in zip(targets, lengths.tolist(), strict=True)],
            device=scores.device,
        )
        tags = torch.zeros(scores.shape[:2], dtype=torch.int64, device=scores.device)
        for row, target, whole in zip(tags, targets, fits.tolist(), strict=True):
            if whole:
                row[: len(target)] = target
        found = []
        for temperature in temperatures:
            heated, potentials = self._tempered(scores, temperature)
            found.append(crf.log_path_posteriors(heated, lengths, tags, *potentials))
        return torch.stack(found).masked_fill(~fits, float("-inf"))
