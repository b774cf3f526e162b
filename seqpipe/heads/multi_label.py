"""The multi-label head: any number of labels for a whole input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from seqpipe.answers.classification import MultiClassification, labelled
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.heads.class_weights import positive_weights
from seqpipe.heads.learnt import learnt, usable
from seqpipe.heads.pooled import ClassesHead
from seqpipe.layers.losses import binary_cross_entropy
from seqpipe.metrics.multi_label import MultiLabelMetric, label_names
from seqpipe.text.classes import Classes


class MultiLabelDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a multi-label head."""

    model_config = ConfigDict(extra="forbid")
    threshold: float = Field(0.5, gt=0, lt=1, description="probability from which a label is answered")


class MultiLabelHead(ClassesHead):
    """Tell which labels an input has: pooled steps, a multi-layer perceptron, and a sigmoid for each label by itself.

    A target is a list of labels, or a text of them with a separator between; an empty one says that there are none.

    Args:
        separator: between the labels of a target that is a text; a space stands for any white space.
        options: of `ClassesHead` and `PooledHead`. ``class_weights`` says how much a label counts where a row has it,
            beside 1 where it hasn't: ``none`` (1), ``balanced`` (rows without it to rows with it), or by label.

    Shape: ``[B, T, D]`` -> logits ``[B, 1, K]``.

    Example:
        >>> head = MultiLabelHead(input_size=8)
        >>> head.fit(["rain|wind", "", "wind"])
        >>> head.classes.names, head.encode_target("wind").tolist(), head.encode_target([]).tolist()
        (['rain', 'wind'], [0.0, 1.0], [0.0, 0.0])
    """

    named: ClassVar[str] = "labels"
    allows_empty_targets: ClassVar[bool] = True
    unfitted = MultiLabelMetric(Classes([], []), "|")
    decoding = MultiLabelDecoding

    def __init__(self, *, separator: Annotated[str, Field(min_length=1)] = "|", **options: Any) -> None:
        super().__init__(**options)
        self.pooled = self.make_pooled(self.input_size)
        self.separator = separator

    @property
    def metric(self) -> MultiLabelMetric:
        """Of the labels."""
        return MultiLabelMetric(self.classes, self.separator)

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn the labels; what is no list of labels is left to `encode_target` to name.

        Raises:
            DataError: there are no labels, or only one that every row has.
        """
        self._build(Classes.learn_sets(usable(rows, self.read_target)))

    def _build(self, classes: Classes) -> None:
        self._adopt(classes, positive_weights(classes, self.class_weights))
        self.pooled.build(len(classes))

    def read_target(self, raw: Any) -> list[str]:
        """Labels, each once; see `label_names`."""
        return label_names(raw, self.separator)

    def encode_target(self, raw: Any) -> Tensor:
        """1 for each label that the target has, else 0: ``[K]`` float.

        Raises:
            InputError: it is no list of labels, or one is none of the training rows'.
        """
        target = torch.zeros(len(self.classes))
        target[[self.classes.require(label) for label in self.read_target(raw)]] = 1.0
        return target

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Logits ``[B, 1, K]``, in fp32 whatever the precision around it."""
        learnt(self, self._classes, self.named)
        return PaddedSequence(self.pooled(encoded).unsqueeze(1), torch.ones_like(encoded.lengths))

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        learnt(self, self._classes, self.named)
        _, logits = self.pooled.to_onnx(graph, sequence)
        return graph.single_steps(logits, sequence.lengths)

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

    def answer(self, row_id: str, hypothesis: tuple[list[float], float], location: Location) -> MultiClassification:
        """A hypothesis as an answer."""
        shares, threshold = hypothesis
        return labelled(row_id, self.classes.names, shares, threshold, location.truncated)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability that each row has just the labels of its target."""
        shares = self(encoded).values[:, 0].double().sigmoid()
        wanted = torch.stack(list(targets)).to(shares.device) > 0.5
        found: list[float] = torch.where(wanted, shares, 1 - shares).prod(dim=1).tolist()
        return found
