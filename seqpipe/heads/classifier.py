"""The classifying head: one class for a whole input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.classification import Classification, ClassProbability
from seqpipe.core.metric import Mark, Pair, ScoreKind, per_cent
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Located
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError, InputError
from seqpipe.layers.activation import Activation
from seqpipe.layers.dropout import DropoutKind
from seqpipe.layers.losses import cross_entropy
from seqpipe.layers.masked_norm import NormalizationName
from seqpipe.layers.pooled_mlp import PooledPerceptron
from seqpipe.layers.pooling import PoolingKind
from seqpipe.metrics.class_scores import (
    CLASS_SCORES,
    calibration_counts,
    calibration_kinds,
    calibration_names,
    calibration_score,
    class_counts,
    class_names,
    class_scores,
)
from seqpipe.text.classes import Classes, ClassWeights, class_name


def _as_names(value: Any) -> Any:
    """Classes by name; digits on a command line are read as numbers."""
    return [str(item) if isinstance(item, int) else item for item in value] if isinstance(value, list) else value


class ClassifierDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a classifying head."""

    model_config = ConfigDict(extra="forbid")
    top: int = Field(10, ge=1, description="classes whose probabilities are in an answer, the most probable ones")
    among: Annotated[list[str], Field(min_length=1), BeforeValidator(_as_names)] | None = Field(
        None,
        description="classes that an answer may have, where others can't be, and that share the probability; null: all",
    )


class ClassifierHead(Stage):
    """Tell classes apart: the steps are pooled into one vector, of which a multi-layer perceptron makes scores.

    Args:
        input_size: D, features of an encoded step.
        pooling: one kind or several side by side: ``mean``, ``max``, ``end``, ``attention``; see `PoolingKind`.
        hidden_sizes: units of hidden layers.
        activation: of hidden layers.
        step_dropout: probability, on the encoded steps.
        dropout_kind: of that; see `DropoutKind`.
        dropout: probability, on the pooled features and hidden layers.
        normalization: of hidden layers: ``none``, ``batch`` or ``layer``.
        class_weights: ``none``, ``balanced``, or weights by class; see `ClassWeights`.
        label_smoothing: share of the target's probability that goes to all classes alike (Szegedy et al. 2016).
        focal: exponent of the focal loss, which makes less of what is known already (Lin et al. 2017); 0 for none.
        members: of an ensemble (Hansen & Salamon 1990). Each sees its own equal share of the features, those of its own
            encoder where `Parallel` stands before, learns by itself, and log-probabilities are averaged.

    Shape: ``[B, T, D]`` -> log-probabilities ``[B, 1, K]``.

    Example:
        >>> head = ClassifierHead(input_size=8, pooling=["mean", "max"])
        >>> head.fit(["good", "bad", "good"])
        >>> head.classes.names, head.encode_target("good").tolist()
        (['bad', 'good'], [1])
    """

    role = "head"
    learns = True
    main_score: ClassVar[str] = "accuracy"
    score_kinds: ClassVar[dict[str, ScoreKind]] = {
        "accuracy": ScoreKind("accuracy", "rows whose class is right", False, "correct_rows", "rows"),
        **CLASS_SCORES,
        **calibration_kinds("rows"),
    }
    decoding = ClassifierDecoding
    scoring = "classes by name"

    def __init__(
        self,
        *,
        input_size: InputSize,
        pooling: Annotated[list[PoolingKind], Field(min_length=1)] = ["mean", "max"],  # noqa: B006
        hidden_sizes: list[Annotated[int, Field(gt=0)]] = [],  # noqa: B006
        activation: Activation = "relu",
        step_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        normalization: NormalizationName = "none",
        class_weights: ClassWeights = "none",
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        focal: Annotated[float, Field(ge=0)] = 0.0,
        members: Annotated[int, Field(gt=0)] = 1,
    ) -> None:
        super().__init__()
        if input_size % members:
            raise ConfigError([(("members",), f"{members} members can't share {input_size} features equally")])
        self.pooled: Any = nn.ModuleList(
            PooledPerceptron(
                input_size // members,
                pooling,
                hidden_sizes,
                dropout=dropout,
                step_dropout=step_dropout,
                dropout_kind=dropout_kind,
                normalization=normalization,
                activation=activation,
            )
            for _ in range(members)
        )
        self.class_weights, self.label_smoothing, self.focal = class_weights, label_smoothing, focal
        self._classes: Classes | None = None

    @property
    def classes(self) -> Classes:
        """What is told apart.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        if self._classes is None:
            raise ConfigError("ClassifierHead has no classes yet: call fit(targets) or load_assets(folder) first")
        return self._classes

    @property
    def count_names(self) -> tuple[str, ...]:
        """Of the columns of `row_counts`."""
        return ("rows", "correct_rows", *class_names(self.classes.names), *calibration_names())

    def fit(self, rows: Iterable[Any]) -> None:
        """Learn the classes; what is none is left to `encode_target` to name.

        Raises:
            DataError: there is only one class.
        """
        self._adopt(Classes.learn(_names(rows)))

    def _adopt(self, classes: Classes) -> None:
        self._classes = classes
        self.register_buffer("weights", classes.weights(self.class_weights), persistent=False)
        self.weights: Tensor
        self.output_size = len(classes)
        for member in self.pooled:
            member.grow(len(classes))

    def save_assets(self, folder: Path) -> None:
        """Write the classes."""
        self.classes.save(folder)

    def load_assets(self, folder: Path) -> None:
        """Restore the classes."""
        self._adopt(Classes.load(folder))

    def encode_target(self, raw: Any) -> Tensor:
        """The number of a class, ``[1]`` int64.

        Raises:
            InputError: it is no class of the training rows.
        """
        return torch.tensor([self.classes.require(class_name(raw))])

    def steps_needed(self, target: Tensor) -> int:
        """One is enough."""
        return 1

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Log-probabilities ``[B, 1, K]``, in fp32 whatever the precision around it."""
        emissions = self._members(encoded)
        if len(self.pooled) > 1:
            emissions = F.log_softmax(emissions.mean(dim=1, keepdim=True), dim=-1)
        return PaddedSequence(emissions, torch.ones_like(encoded.lengths))

    def _members(self, encoded: PaddedSequence) -> Tensor:
        """Log-probabilities of each member by itself, ``[B, members, K]``."""
        if self._classes is None:
            raise ConfigError("ClassifierHead has no classes yet: call fit(targets) or load_assets(folder) first")
        shares = encoded.values.chunk(len(self.pooled), dim=-1)
        scores = [
            member(PaddedSequence(share, encoded.lengths)) for member, share in zip(self.pooled, shares, strict=True)
        ]
        return F.log_softmax(torch.stack(scores, dim=1), dim=-1)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """One step for each row."""
        return torch.ones_like(lengths)

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the rows' weighted cross entropies, in nats, and the sum of their weights; means over the members."""
        emissions = self._members(encoded)  # [B, members, K]
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
            allowed[self._numbers_of(options.among)] = True
            emissions = F.log_softmax(emissions.masked_fill(~allowed, float("-inf")), dim=-1)
        top = min(options.top, len(self.classes), len(options.among or self.classes.names))
        probabilities = emissions.exp()
        # A stable order, that equal probabilities may not change places with the batch.
        values, order = probabilities.sort(dim=-1, descending=True, stable=True)
        return [
            list(zip(numbers, shares, strict=True))
            for numbers, shares in zip(order[:, :top].tolist(), values[:, :top].tolist(), strict=True)
        ]

    def _numbers_of(self, names: Sequence[str]) -> list[int]:
        try:
            return [self.classes.require(name) for name in names]
        except InputError as error:
            raise ConfigError([(("decoding", "among"), str(error))]) from None

    def predict(self, row_id: str, hypothesis: list[tuple[int, float]], locate: Located) -> Classification:
        """A hypothesis as an answer."""
        names = self.classes.names
        found = tuple(ClassProbability(names[number], share) for number, share in hypothesis)
        return Classification(row_id, found[0].label, found[0].probability, found, locate.cut)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's target."""
        emissions = self(encoded).values[:, 0].double()
        labels = torch.cat(list(targets)).to(emissions.device)
        found: list[float] = emissions.gather(1, labels[:, None])[:, 0].exp().tolist()
        return found

    # Scores

    def score(self, references: Sequence[Any], predictions: Sequence[Classification]) -> dict[str, float]:
        """Scores of a corpus, in per cent but for ``mcc``."""
        return self.scores_from_counts(self.row_counts(references, predictions).sum(axis=0))

    def row_counts(self, targets: Sequence[Any], predictions: Sequence[Classification]) -> NDArray[np.int64]:
        """Counts of every row, ``[N, C]``, in the order of `count_names`."""
        counts = np.zeros((len(targets), len(self.count_names)), dtype=np.int64)
        for row, wanted, answer in zip(counts, self._numbers(targets), predictions, strict=True):
            given = self.classes.require(answer.label)
            right = wanted == given
            row[:2] = 1, right
            row[2:] = np.concatenate(
                [
                    class_counts(np.array([wanted]), np.array([given]), len(self.classes)),
                    calibration_counts(np.array([answer.confidence]), np.array([right])),
                ]
            )
        return counts

    def _numbers(self, targets: Sequence[Any]) -> list[int]:
        """Numbers of classes, K for what is none."""
        found = []
        for raw in targets:
            try:
                found.append(self.classes.require(class_name(raw)))
            except InputError:
                found.append(len(self.classes))
        return found

    def scores_from_counts(self, total: NDArray[np.int64]) -> dict[str, float]:
        """Scores of a corpus from the sum ``[C]`` of its rows' counts."""
        border = 2 + 3 * len(self.classes) + 1
        return {
            "accuracy": per_cent(int(total[1]), int(total[0])),
            **class_scores(total[2:border], len(self.classes)),
            **calibration_score(total[border:]),
        }

    def row_errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 for a wrong row, 0 for a right one; ``[N, C]`` -> ``[N]``."""
        return (counts[:, 0] - counts[:, 1]).astype(np.float64)

    def comparable(self, targets: Sequence[Any], predictions: Sequence[Classification]) -> tuple[list[str], list[str]]:
        """Names of the classes."""
        return [_shown(target) for target in targets], [answer.label for answer in predictions]

    def aligned(self, targets: Sequence[Any], predictions: Sequence[Classification]) -> dict[str, list[list[Pair]]]:
        """Each row's class beside that which was answered."""
        wanted, given = self.comparable(targets, predictions)
        return {"classes": [[pair] for pair in zip(wanted, given, strict=True)]}

    def marks(self, prediction: Classification) -> list[Mark]:
        """None: a class has no place in its input."""
        return []

    # Checks and reports

    def labels_of(self, target: Any) -> list[str]:
        """The name of the class."""
        return [class_name(target)]

    @property
    def told_apart(self) -> Sequence[str]:
        """The classes."""
        return self.classes.names

    def choices(self, prediction: Classification) -> list[tuple[str, float]]:
        """The most probable classes."""
        return [(item.label, item.probability) for item in prediction.probabilities]

    def item_confidences(self, prediction: Classification) -> list[float]:
        """That of the class."""
        return [prediction.confidence]

    def answer_score(self, encoded: PaddedSequence) -> Tensor:
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


def _shown(target: Any) -> str:
    try:
        return class_name(target)
    except InputError:
        return str(target)


def _names(rows: Iterable[Any]) -> Iterable[str]:
    for raw in rows:
        try:
            yield class_name(raw)
        except InputError:
            continue
