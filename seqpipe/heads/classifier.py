"""The classifying head: one class for a whole input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.classification import Classification, classified
from seqpipe.core.head import Distribution
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.core.written import Name
from seqpipe.decoding.temperature import tempered
from seqpipe.errors import ConfigError, InputError
from seqpipe.heads.class_weights import class_weights
from seqpipe.heads.learnt import learnt, usable
from seqpipe.heads.pooled import ClassesHead
from seqpipe.layers.losses import cross_entropy
from seqpipe.metrics.classification import ClassificationMetric
from seqpipe.text.classes import Classes, class_name


class ClassifierDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a classifying head."""

    model_config = ConfigDict(extra="forbid")
    top: int = Field(10, ge=1, description="classes whose probabilities are in an answer, the most probable ones")
    among: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None,
        description="classes that an answer may have, where others can't be, and that share the probability; null: all",
    )


class ClassifierHead(ClassesHead):
    """Tell classes apart: the steps are pooled into one vector, of which a multi-layer perceptron makes scores.

    Args:
        members: of an ensemble (Hansen & Salamon 1990). Each sees its own equal share of the features, those of its own
            encoder where `Parallel` stands before, learns by itself, and log-probabilities are averaged.
        options: of `ClassesHead` and `PooledHead`.

    Shape: ``[B, T, D]`` -> log-probabilities ``[B, 1, K]``.

    Example:
        >>> head = ClassifierHead(input_size=8, pooling=["mean", "max"])
        >>> head.fit(["good", "bad", "good"])
        >>> head.classes.names, head.encode_target("good").tolist()
        (['bad', 'good'], [1])
    """

    unfitted = ClassificationMetric(Classes([], []))
    decoding = ClassifierDecoding

    def __init__(self, *, members: Annotated[int, Field(gt=0)] = 1, **options: Any) -> None:
        super().__init__(**options)
        if self.input_size % members:
            raise ConfigError(f"{members} members can't share {self.input_size} features equally").within("members")
        self.pooled: Any = nn.ModuleList(self.make_pooled(self.input_size // members) for _ in range(members))

    @property
    def metric(self) -> ClassificationMetric:
        """Of the classes."""
        return ClassificationMetric(self.classes)

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn the classes; what is none is left to `encode_target` to name.

        Raises:
            DataError: there is only one class.
        """
        self._build(Classes.learn(usable(rows, self.read_target)))

    def _build(self, classes: Classes) -> None:
        self._adopt(classes, class_weights(classes, self.class_weights))
        for member in self.pooled:
            member.build(len(classes))

    def read_target(self, raw: Any) -> str:
        """The name of a class; see `class_name`."""
        return class_name(raw)

    def encode_target(self, raw: Any) -> Tensor:
        """The number of a class, ``[1]`` int64.

        Raises:
            InputError: it is no class of the training rows.
        """
        return torch.tensor([self.classes.require(self.read_target(raw))])

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Log-probabilities ``[B, 1, K]``, in fp32 whatever the precision around it."""
        emissions = self._members(encoded)
        if len(self.pooled) > 1:
            emissions = F.log_softmax(emissions.mean(dim=1, keepdim=True), dim=-1)
        return PaddedSequence(emissions, torch.ones_like(encoded.lengths))

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        learnt(self, self._classes, self.named)
        values = sequence.values
        size, parts = self.input_size // len(self.pooled), []
        for number, member in enumerate(self.pooled):
            share = values if len(self.pooled) == 1 else graph.slice(values, number * size, (number + 1) * size, 2)
            _, scores = member.to_onnx(graph, Symbol(share, sequence.lengths))
            parts.append(graph.op("Unsqueeze", graph.op("LogSoftmax", scores, axis=-1), graph.constant([1], np.int64)))
        emissions = graph.concatenate(parts, 1)  # [B, members, K]
        if len(parts) > 1:
            emissions = graph.op("LogSoftmax", graph.reduce("ReduceMean", emissions, [1]), axis=-1)
        return Symbol(emissions, graph.ones(sequence.lengths))

    def _members(self, encoded: PaddedSequence) -> Tensor:
        """Log-probabilities of each member by itself, ``[B, members, K]``."""
        learnt(self, self._classes, self.named)
        shares = encoded.values.chunk(len(self.pooled), dim=-1)
        scores = [
            member(PaddedSequence(share, encoded.lengths)) for member, share in zip(self.pooled, shares, strict=True)
        ]
        return F.log_softmax(torch.stack(scores, dim=1), dim=-1)

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the rows' weighted cross entropies, in nats, and the sum of their weights; means over the members."""
        return self.predicted_loss(self.predict(encoded, targets), encoded, targets)

    @property
    def has_distributions(self) -> bool:
        """True: over classes, of each member."""
        return True

    @property
    def predicts_steps(self) -> bool:
        """False: of whole inputs."""
        return False

    def predict(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[Distribution]:
        """Of each member, ``[B, members, K]``; targets don't matter."""
        emissions = self._members(encoded)
        members = emissions.shape[1]
        lengths = torch.full_like(encoded.lengths, members)
        return [Distribution(1 / members, PaddedSequence(emissions, lengths))]

    def predicted_loss(
        self, predicted: Sequence[Distribution], encoded: PaddedSequence, targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `loss`."""
        emissions = predicted[0].log_probabilities.values  # [B, members, K]
        members = emissions.shape[1]
        labels = torch.cat(list(targets)).to(emissions.device).repeat_interleave(members)
        total, weight = cross_entropy(emissions.flatten(0, 1), labels, self.weights, self.label_smoothing, self.focal)
        return total / members, weight / members

    def decode(
        self, encoded: PaddedSequence, options: ClassifierDecoding | None = None
    ) -> list[list[tuple[int, float]]]:
        """Each row's most probable classes by number with their probabilities, falling.

        Raises:
            ConfigError: ``among`` names what is no class.
        """
        options = options or ClassifierDecoding()
        emissions = self(encoded).values[:, 0].double()  # [B, K]
        if options.among is not None:
            allowed = torch.zeros(len(self.classes), dtype=torch.bool, device=emissions.device)
            try:
                allowed[[self.classes.require(name) for name in options.among]] = True
            except InputError as error:
                raise ConfigError(str(error)).within("decoding", "among") from None
            emissions = F.log_softmax(emissions.masked_fill(~allowed, float("-inf")), dim=-1)
        top = min(options.top, len(self.classes), len(options.among or self.classes.names))
        # A stable order, that equal probabilities may not change places with the batch; whatever the temperature.
        values, order = emissions.exp().sort(dim=-1, descending=True, stable=True)
        if self.temperature != 1.0:
            values = tempered(emissions, self.temperature).exp().gather(1, order)
        return [
            list(zip(numbers, shares, strict=True))
            for numbers, shares in zip(order[:, :top].tolist(), values[:, :top].tolist(), strict=True)
        ]

    def answer(self, row_id: str, hypothesis: list[tuple[int, float]], location: Location) -> Classification:
        """A hypothesis as an answer."""
        return classified(row_id, self.classes.names, hypothesis, location.truncated)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's target."""
        found: list[float] = self.target_log_probabilities(encoded, targets, [self.temperature])[0].exp().tolist()
        return found

    def target_log_probabilities(
        self, encoded: PaddedSequence, targets: Sequence[Tensor], temperatures: Sequence[float]
    ) -> Tensor:
        """See `seqpipe.core.head.Tempered`."""
        emissions = self(encoded).values[:, 0].double()
        labels = torch.cat(list(targets)).to(emissions.device)[:, None]
        return torch.stack([tempered(emissions, each).gather(1, labels)[:, 0] for each in temperatures])

    def predicted_log_odds(self, encoded: PaddedSequence) -> Tensor:
        """Log-odds of each row's most probable class; unlike its log-probability, they don't flatten where it is sure.

        ``[B, T, D]`` -> ``[B]``.
        """
        emissions = self(encoded).values[:, 0]  # [B, K]
        best = emissions.argmax(dim=-1, keepdim=True)
        others = emissions.scatter(1, best, float("-inf")).logsumexp(dim=-1)
        return emissions.gather(1, best)[:, 0] - others

    def attention(self, encoded: PaddedSequence) -> Tensor | None:
        """The weights of attention pooling, ``[B, T]``, if it is among the kinds."""
        if len(self.pooled) > 1:
            return None
        pooling = self.pooled[0].pooling
        return pooling.attention(encoded) if "attention" in pooling.kinds else None
