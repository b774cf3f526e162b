"""The multi-label head: any number of labels for a whole input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from seqpipe.answers.classification import ClassProbability, MultiClassification
from seqpipe.core.metric import Mark, Pair, ScoreKind, per_cent
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Located
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError, InputError
from seqpipe.layers.activation import Activation
from seqpipe.layers.dropout import DropoutKind
from seqpipe.layers.losses import binary_cross_entropy
from seqpipe.layers.masked_norm import NormalizationName
from seqpipe.layers.pooled_mlp import PooledPerceptron
from seqpipe.layers.pooling import PoolingKind
from seqpipe.metrics.class_scores import (
    CLASS_SCORES,
    calibration_counts,
    calibration_kinds,
    calibration_names,
    calibration_score,
    class_names,
    class_scores,
    label_counts,
    micro_f1,
)
from seqpipe.text.classes import Classes, ClassWeights, class_name


class MultiLabelDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a multi-label head."""

    model_config = ConfigDict(extra="forbid")
    threshold: float = Field(0.5, gt=0, lt=1, description="probability from which a label is answered")


class MultiLabelHead(Stage):
    """Tell which labels an input has: pooled steps, a multi-layer perceptron, and a sigmoid for each label by itself.

    A target is a list of labels, or a text of them with a separator between; an empty one says that there are none.

    Args:
        input_size: D, features of an encoded step.
        separator: between the labels of a target that is a text; a space stands for any white space.
        pooling: one kind or several side by side: ``mean``, ``max``, ``end``, ``attention``; see `PoolingKind`.
        hidden_sizes: units of hidden layers.
        activation: of hidden layers.
        step_dropout: probability, on the encoded steps.
        dropout_kind: of that; see `DropoutKind`.
        dropout: probability, on the pooled features and hidden layers.
        normalization: of hidden layers: ``none``, ``batch`` or ``layer``.
        class_weights: how much a label counts where a row has it, beside 1 where it hasn't: ``none`` (1), ``balanced``
            (rows without it to rows with it), or by label.
        label_smoothing: share of the target's probability that goes to "has it" and "hasn't" alike.
        focal: exponent of the focal loss, which makes less of what is known already (Lin et al. 2017); 0 for none.

    Shape: ``[B, T, D]`` -> logits ``[B, 1, K]``.

    Example:
        >>> head = MultiLabelHead(input_size=8)
        >>> head.fit(["rain|wind", "", "wind"])
        >>> head.classes.names, head.encode_target("wind").tolist(), head.encode_target([]).tolist()
        (['rain', 'wind'], [0.0, 1.0], [0.0, 0.0])
    """

    role = "head"
    learns = True
    takes_empty_targets: ClassVar[bool] = True
    main_score: ClassVar[str] = "micro_f1"
    score_kinds: ClassVar[dict[str, ScoreKind]] = {
        "micro_f1": ScoreKind("micro F1", "F1 of all labels together", False),
        "macro_f1": CLASS_SCORES["macro_f1"],
        "weighted_f1": CLASS_SCORES["weighted_f1"],
        "accuracy": ScoreKind("accuracy", "rows whose labels are all right", False, "correct_rows", "rows"),
        **calibration_kinds("decisions"),
    }
    decoding = MultiLabelDecoding
    scoring = "labels by name"

    def __init__(
        self,
        *,
        input_size: InputSize,
        separator: Annotated[str, Field(min_length=1)] = "|",
        pooling: Annotated[list[PoolingKind], Field(min_length=1)] = ["mean", "max"],  # noqa: B006
        hidden_sizes: list[Annotated[int, Field(gt=0)]] = [],  # noqa: B006
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        step_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        normalization: NormalizationName = "none",
        class_weights: ClassWeights = "none",
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        focal: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        super().__init__()
        self.pooled = PooledPerceptron(
            input_size,
            pooling,
            hidden_sizes,
            dropout=dropout,
            step_dropout=step_dropout,
            dropout_kind=dropout_kind,
            normalization=normalization,
            activation=activation,
        )
        self.separator = separator
        self.class_weights, self.label_smoothing, self.focal = class_weights, label_smoothing, focal
        self._classes: Classes | None = None

    @property
    def classes(self) -> Classes:
        """The labels.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        if self._classes is None:
            raise ConfigError("MultiLabelHead has no labels yet: call fit(targets) or load_assets(folder) first")
        return self._classes

    @property
    def count_names(self) -> tuple[str, ...]:
        """Of the columns of `row_counts`."""
        return ("rows", "correct_rows", *class_names(self.classes.names), *calibration_names())

    def fit(self, rows: Iterable[Any]) -> None:
        """Learn the labels; what is no list of labels is left to `encode_target` to name.

        Raises:
            DataError: there are no labels, or only one that every row has.
        """
        found = []
        for raw in rows:
            try:
                found.append(names_of(raw, self.separator))
            except InputError:
                continue
        self._adopt(Classes.learn_sets(found))

    def _adopt(self, classes: Classes) -> None:
        self._classes = classes
        self.register_buffer("weights", classes.positive_weights(self.class_weights), persistent=False)
        self.weights: Tensor
        self.output_size = len(classes)
        self.pooled.grow(len(classes))

    def save_assets(self, folder: Path) -> None:
        """Write the labels."""
        self.classes.save(folder)

    def load_assets(self, folder: Path) -> None:
        """Restore the labels."""
        self._adopt(Classes.load(folder))

    def encode_target(self, raw: Any) -> Tensor:
        """1 for each label that the target has, else 0: ``[K]`` float.

        Raises:
            InputError: it is no list of labels, or one is none of the training rows'.
        """
        target = torch.zeros(len(self.classes))
        target[[self.classes.require(label) for label in names_of(raw, self.separator)]] = 1.0
        return target

    def labels_of(self, target: Any) -> list[str]:
        """Those of a target."""
        try:
            return names_of(target, self.separator)
        except InputError:
            return []

    def steps_needed(self, target: Tensor) -> int:
        """One is enough."""
        return 1

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Logits ``[B, 1, K]``, in fp32 whatever the precision around it."""
        if self._classes is None:
            raise ConfigError("MultiLabelHead has no labels yet: call fit(targets) or load_assets(folder) first")
        return PaddedSequence(self.pooled(encoded).unsqueeze(1), torch.ones_like(encoded.lengths))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """One step for each row."""
        return torch.ones_like(lengths)

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the weighted binary cross entropies of all rows and labels, in nats, and how many these are."""
        logits = self(encoded).values[:, 0]  # [B, K]
        wanted = torch.stack(list(targets)).to(logits)
        losses = binary_cross_entropy(logits, wanted, self.weights, self.label_smoothing, self.focal)
        return losses.sum(), torch.tensor(float(losses.numel()), device=losses.device)

    def decode(
        self, encoded: PaddedSequence, options: MultiLabelDecoding | None = None
    ) -> list[tuple[list[float], float]]:
        """Each row's probabilities of all labels, by number, and the threshold that answers them."""
        threshold = (options or MultiLabelDecoding()).threshold
        return [(row, threshold) for row in self(encoded).values[:, 0].double().sigmoid().tolist()]

    def predict(self, row_id: str, hypothesis: tuple[list[float], float], locate: Located) -> MultiClassification:
        """A hypothesis as an answer."""
        shares, threshold = hypothesis
        found = [ClassProbability(name, share) for name, share in zip(self.classes.names, shares, strict=True)]
        found.sort(key=lambda item: -item.probability)  # stable: equal ones stay in the order of the labels
        labels = tuple(item.label for item in found if item.probability >= threshold)
        confidence = float(np.prod([share if share >= threshold else 1 - share for share in shares]))
        return MultiClassification(row_id, labels, confidence, tuple(found), locate.cut)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability that each row has just the labels of its target."""
        shares = self(encoded).values[:, 0].double().sigmoid()
        wanted = torch.stack(list(targets)).to(shares.device) > 0.5
        found: list[float] = torch.where(wanted, shares, 1 - shares).prod(dim=1).tolist()
        return found

    # Scores

    def score(self, references: Sequence[Any], predictions: Sequence[MultiClassification]) -> dict[str, float]:
        """Scores of a corpus, in per cent."""
        return self.scores_from_counts(self.row_counts(references, predictions).sum(axis=0))

    def row_counts(self, targets: Sequence[Any], predictions: Sequence[MultiClassification]) -> NDArray[np.int64]:
        """Counts of every row, ``[N, C]``, in the order of `count_names`.

        A label that the training rows lack counts as one that was not found; so does a target that is no list of them.
        """
        size = len(self.classes)
        counts = np.zeros((len(targets), len(self.count_names)), dtype=np.int64)
        for row, raw, answer in zip(counts, targets, predictions, strict=True):
            numbers = (self.classes.number(label) for label in self._wanted(raw))
            wanted = np.array([size if number is None else number for number in numbers], dtype=np.int64)
            given = np.array([self.classes.require(label) for label in answer.labels], dtype=np.int64)
            shares = np.zeros(size)
            for item in answer.probabilities:
                shares[self.classes.require(item.label)] = item.probability
            has, says = np.isin(np.arange(size), wanted), np.isin(np.arange(size), given)
            row[:2] = 1, bool((has == says).all()) and size not in wanted
            row[2:] = np.concatenate(
                [
                    label_counts(wanted, given, size),
                    calibration_counts(np.where(says, shares, 1 - shares), has == says),
                ]
            )
        return counts

    def _wanted(self, raw: Any) -> list[str]:
        """The labels of a target; of what is none, itself."""
        try:
            return names_of(raw, self.separator)
        except InputError:
            return [repr(raw)]

    def scores_from_counts(self, total: NDArray[np.int64]) -> dict[str, float]:
        """Scores of a corpus from the sum ``[C]`` of its rows' counts."""
        size, border = len(self.classes), 2 + 3 * len(self.classes) + 1
        of_classes = class_scores(total[2:border], size)
        return {
            "micro_f1": micro_f1(total[2:border], size),
            "macro_f1": of_classes["macro_f1"],
            "weighted_f1": of_classes["weighted_f1"],
            "accuracy": per_cent(int(total[1]), int(total[0])),
            **calibration_score(total[border:]),
        }

    def row_errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Labels too many and too few; ``[N, C]`` -> ``[N]``."""
        size = len(self.classes)
        claimed = counts[:, 2 : 2 + 2 * size + 1].sum(axis=1)
        right = counts[:, 2 + 2 * size + 1 : 2 + 3 * size + 1].sum(axis=1)
        return (claimed - 2 * right).astype(np.float64)

    def comparable(
        self, targets: Sequence[Any], predictions: Sequence[MultiClassification]
    ) -> tuple[list[str], list[str]]:
        """The labels in one order, joined by the separator."""
        rows = self.aligned(targets, predictions)["labels"]
        return tuple(  # type: ignore[return-value]
            [self.separator.join(pair[side] for pair in row if pair[side]) for row in rows] for side in (0, 1)
        )

    def aligned(
        self, targets: Sequence[Any], predictions: Sequence[MultiClassification]
    ) -> dict[str, list[list[Pair]]]:
        """Each row's labels beside those that were answered, in the order of the classes; unknown ones last."""
        rows: list[list[Pair]] = []
        for raw, answer in zip(targets, predictions, strict=True):
            wanted, given = dict.fromkeys(self._wanted(raw)), set(answer.labels)
            names = [name for name in self.classes.names if name in wanted or name in given]
            names += [name for name in wanted if self.classes.number(name) is None]
            rows.append([(name if name in wanted else "", name if name in given else "") for name in names])
        return {"labels": rows}

    def marks(self, prediction: MultiClassification) -> list[Mark]:
        """None: a label has no place in its input."""
        return []


def names_of(raw: Any, separator: str) -> list[str]:
    """A target as labels, each once: a list of them, or a text of them with a separator between; none if empty.

    Raises:
        InputError: it is neither, or a label is empty.
    """
    if isinstance(raw, str):
        raw = raw.split(None if separator.isspace() else separator) if raw.strip() else []
    if not isinstance(raw, (list, tuple)):
        raise InputError("bad value", f"the target should be labels with {separator!r} between; received {raw!r:.80}")
    try:
        return list(dict.fromkeys(class_name(label) for label in raw))
    except InputError:
        raise InputError("bad value", f"a label of the target is empty or no text; received {raw!r:.80}") from None
