"""The regression head: numbers for a whole input."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.regression import Regression
from seqpipe.core.metric import Mark, Pair, ScoreKind, per_cent
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Located
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.layers.activation import Activation
from seqpipe.layers.dropout import DropoutKind
from seqpipe.layers.masked_norm import NormalizationName
from seqpipe.layers.pooled_mlp import PooledPerceptron
from seqpipe.layers.pooling import PoolingKind
from seqpipe.metrics.class_scores import calibration_counts, calibration_kinds, calibration_names, calibration_score
from seqpipe.metrics.number_scores import NUMBER_SCORES, SUMS, number_scores, number_sums
from seqpipe.metrics.numbers import numbers_of

SHARE = 0.25
"""The tolerance where none is given, of the training targets' deviation."""
_LOSSES: dict[str, Callable[..., Tensor]] = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}


class RegressionDecoding(BaseModel):
    """The keys of ``decoding:`` in a recipe with a regression head: there are none."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Scale:
    """What targets are measured by, of each of V values.

    Attributes:
        means, deviations: of the training targets.
        tolerances: how far an answer may be from the truth and still count as right.
    """

    means: list[float]
    deviations: list[float]
    tolerances: list[float]


class RegressionHead(Stage):
    """Answer with a number, or several: pooled steps and a multi-layer perceptron.

    A target is a number, a list of them, or a text of numbers with white space between (or a JSON list). They are
    learnt as distances from the training targets' mean, in their deviations. How far an answer is expected to be off is
    learnt beside, as the deviation of a Gaussian distribution, from the pooled steps of each input, and changes nothing
    in how the values are learnt. It is learnt from the training rows, so it is too small where these are overfitted.

    Args:
        input_size: D, features of an encoded step.
        loss: what is made small: ``squared`` or ``absolute`` errors, or ``huber``, which is squared up to one deviation
            of the targets and goes on straight.
        tolerance: how far each value may be off and still count as right, in the unit of the targets; a quarter of the
            training targets' deviation when None.
        pooling: one kind or several side by side: ``mean``, ``max``, ``end``, ``attention``; see `PoolingKind`.
        hidden_sizes: units of hidden layers.
        activation: of hidden layers.
        step_dropout: probability, on the encoded steps.
        dropout_kind: of that; see `DropoutKind`.
        dropout: probability, on the pooled features and hidden layers.
        normalization: of hidden layers: ``none``, ``batch`` or ``layer``.

    Shape: ``[B, T, D]`` -> V values and the logarithms of their V deviations, both in deviations of the training
    targets, ``[B, 1, 2 V]``.

    Example:
        >>> head = RegressionHead(input_size=8, tolerance=0.5)
        >>> head.fit([1.0, 3.0, "5"])
        >>> head.encode_target(3).tolist(), head.scale.tolerances
        ([0.0], [0.5])
    """

    role = "head"
    learns = True
    main_score: ClassVar[str] = "mae"
    score_kinds: ClassVar[dict[str, ScoreKind]] = {
        **NUMBER_SCORES,
        "within_tolerance": ScoreKind(
            "within tolerance", "rows whose values are all within the tolerance", False, "correct_rows", "rows"
        ),
        **calibration_kinds("rows"),
    }
    decoding = RegressionDecoding

    def __init__(
        self,
        *,
        input_size: InputSize,
        loss: Literal["squared", "absolute", "huber"] = "squared",
        tolerance: Annotated[float, Field(gt=0)] | None = None,
        pooling: Annotated[list[PoolingKind], Field(min_length=1)] = ["mean", "max"],  # noqa: B006
        hidden_sizes: list[Annotated[int, Field(gt=0)]] = [],  # noqa: B006
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        step_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        normalization: NormalizationName = "none",
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
        self.kind, self.tolerance = loss, tolerance
        self._scale: Scale | None = None

    @property
    def scale(self) -> Scale:
        """What targets are measured by.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        if self._scale is None:
            raise ConfigError("RegressionHead has no scale yet: call fit(targets) or load_assets(folder) first")
        return self._scale

    @property
    def scoring(self) -> str:
        """What counts as right, in words."""
        return "right within " + ", ".join(f"{tolerance:g}" for tolerance in self.scale.tolerances)

    @property
    def count_names(self) -> tuple[str, ...]:
        """Of the columns of `row_counts`."""
        sums = (f"{name} {place}" for place in range(1, len(self.scale.means) + 1) for name in SUMS)
        return ("rows", "correct_rows", "scored_rows", *sums, *calibration_names())

    def fit(self, rows: Iterable[Any]) -> None:
        """Learn how many values there are, and their scale; what is no number is left to `encode_target` to name.

        Raises:
            DataError: there are no numbers, or they never vary.
        """
        found = []
        for raw in rows:
            try:
                found.append(numbers_of(raw))
            except InputError:
                continue
        if not found:
            raise DataError("the training rows hold no target that is a number (data.target names the column)")
        size = Counter(map(len, found)).most_common(1)[0][0]
        targets = np.array([row for row in found if len(row) == size])  # [N, V]
        means, deviations = targets.mean(axis=0), targets.std(axis=0)
        for place, (mean, deviation) in enumerate(zip(means, deviations, strict=True), 1):
            if deviation <= 1e-12 * abs(mean):
                which = f"value {place} of the targets" if size > 1 else "the target"
                raise DataError(
                    f"{which} is {mean:g} in all {len(targets)} training rows, so there is nothing to learn "
                    "(data.target names the column)"
                )
        tolerances = [self.tolerance or SHARE * deviation for deviation in deviations.tolist()]
        self._adopt(Scale(means.tolist(), deviations.tolist(), tolerances))

    def _adopt(self, scale: Scale) -> None:
        self._scale = scale
        size = len(scale.means)
        self.output_size = 2 * size
        self.pooled.grow(size)
        self.spread = nn.Linear(self.pooled.pooling.output_size, size)
        nn.init.zeros_(self.spread.weight)  # to begin with, errors are as wide as the targets
        nn.init.zeros_(self.spread.bias)

    def save_assets(self, folder: Path) -> None:
        """Write the scale."""
        (folder / "scale.json").write_text(json.dumps(self.scale.__dict__) + "\n", encoding="utf-8")

    def load_assets(self, folder: Path) -> None:
        """Restore the scale."""
        self._adopt(Scale(**json.loads((folder / "scale.json").read_text(encoding="utf-8"))))

    def encode_target(self, raw: Any) -> Tensor:
        """Distances from the means, in deviations, ``[V]`` float.

        Raises:
            InputError: it is no finite number, or there are more or fewer than in the training rows.
        """
        numbers = numbers_of(raw)
        if len(numbers) != len(self.scale.means):
            raise InputError(
                "bad value",
                f"the target should hold {len(self.scale.means)} numbers; received {len(numbers)}: {raw!r:.80}",
            )
        standard = (np.array(numbers) - self.scale.means) / self.scale.deviations
        return torch.tensor(standard, dtype=torch.float32)

    def labels_of(self, target: Any) -> list[str]:
        """None: numbers are no classes."""
        return []

    def steps_needed(self, target: Tensor) -> int:
        """One is enough."""
        return 1

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Values and logarithms of deviations ``[B, 1, 2 V]``, in fp32 whatever the precision around it."""
        if self._scale is None:
            raise ConfigError("RegressionHead has no scale yet: call fit(targets) or load_assets(folder) first")
        pooled = self.pooled.pool(encoded)
        values, logs = self.pooled.scores(pooled), self.spread(pooled.detach()).float()
        return PaddedSequence(torch.cat([values, logs], dim=1).unsqueeze(1), torch.ones_like(encoded.lengths))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """One step for each row."""
        return torch.ones_like(lengths)

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum over rows and values of the errors' loss and of the spread's, and how many values these are."""
        values, logs = self(encoded).values[:, 0].chunk(2, dim=1)  # [B, V] each
        wanted = torch.stack(list(targets)).to(values)
        # The floor: a spread of nothing would be infinitely likely where a row is hit exactly.
        residuals = (values - wanted).detach().square() + 1e-6
        likelihood = logs + 0.5 * residuals * (-2 * logs).exp()
        total = _LOSSES[self.kind](values, wanted, reduction="sum") + likelihood.sum()
        return total, torch.tensor(float(values.numel()), device=values.device)

    def _answers(self, encoded: PaddedSequence) -> tuple[Tensor, Tensor]:
        """Values and deviations in the unit of the targets, ``[B, V]`` float64 each."""
        values, logs = self(encoded).values[:, 0].double().chunk(2, dim=1)
        means, scale = (values.new_tensor(part) for part in (self.scale.means, self.scale.deviations))
        return means + scale * values, scale * logs.clamp(-20.0, 20.0).exp()

    def _probabilities(self, places: Tensor, values: Tensor, deviations: Tensor) -> list[float]:
        """How probable it is that the truth lies within the tolerance of ``places``: ``[B, V]`` each -> B."""
        tolerance = places.new_tensor(self.scale.tolerances)
        ends = [(places + sign * tolerance - values) / (deviations * math.sqrt(2.0)) for sign in (1.0, -1.0)]
        # A difference of small tails, where the place lies far off, keeps its digits as erfc.
        side = torch.where(places < values, -1.0, 1.0)
        upper, lower = (torch.where(side > 0, ends[0], -ends[1]), torch.where(side > 0, ends[1], -ends[0]))
        shares = 0.5 * (torch.erfc(lower) - torch.erfc(upper))
        found: list[float] = shares.clamp(0.0, 1.0).prod(dim=1).tolist()
        return found

    def decode(
        self, encoded: PaddedSequence, options: RegressionDecoding | None = None
    ) -> list[tuple[list[float], list[float], float]]:
        """Each row's values, their deviations, and the probability that all are within the tolerance."""
        values, deviations = self._answers(encoded)
        sure = self._probabilities(values, values, deviations)
        return list(zip(values.tolist(), deviations.tolist(), sure, strict=True))

    def predict(self, row_id: str, hypothesis: tuple[list[float], list[float], float], locate: Located) -> Regression:
        """A hypothesis as an answer."""
        values, deviations, confidence = hypothesis
        return Regression(row_id, tuple(values), tuple(deviations), confidence, locate.cut)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability that the truth lies within the tolerance of each row's target."""
        values, deviations = self._answers(encoded)
        wanted = torch.stack(list(targets)).to(values)
        means, scale = (values.new_tensor(part) for part in (self.scale.means, self.scale.deviations))
        return self._probabilities(means + scale * wanted, values, deviations)

    # Scores

    def score(self, references: Sequence[Any], predictions: Sequence[Regression]) -> dict[str, float]:
        """Scores of a corpus; ``within_tolerance`` and ``ece`` in per cent."""
        return self.scores_from_counts(self.row_counts(references, predictions).sum(axis=0))

    def row_counts(self, targets: Sequence[Any], predictions: Sequence[Regression]) -> NDArray[np.float64]:
        """Sums of every row, ``[N, C]``, in the order of `count_names`.

        A row whose target is no number (or not as many) counts as not within the tolerance, and in no other score.
        """
        size = len(self.scale.means)
        counts = np.zeros((len(targets), len(self.count_names)))
        for row, wanted, answer in zip(counts, self._numbers(targets), predictions, strict=True):
            row[0] = 1
            if wanted is None:
                continue
            given = np.array(answer.values)
            right = bool((np.abs(given - wanted) <= self.scale.tolerances).all())
            row[1:3] = right, 1
            sums = number_sums(wanted[None], given[None], np.array(self.scale.means))
            row[3 : 3 + 7 * size] = sums.reshape(-1)
            row[3 + 7 * size :] = calibration_counts(np.array([answer.confidence]), np.array([right]))
        return counts

    def _numbers(self, targets: Sequence[Any]) -> list[NDArray[np.float64] | None]:
        """The numbers of targets, None for what is none."""
        found: list[NDArray[np.float64] | None] = []
        for raw in targets:
            try:
                numbers = numbers_of(raw)
            except InputError:
                numbers = []
            found.append(np.array(numbers) if len(numbers) == len(self.scale.means) else None)
        return found

    def scores_from_counts(self, total: NDArray[np.float64]) -> dict[str, float]:
        """Scores of a corpus from the sum ``[C]`` of its rows' sums."""
        border = 3 + len(SUMS) * len(self.scale.means)
        return {
            **number_scores(total[3:border].reshape(-1, len(SUMS)), float(total[2])),
            "within_tolerance": per_cent(float(total[1]), float(total[0])),
            **calibration_score(np.rint(total[border:]).astype(np.int64)),
        }

    def row_errors(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean error in tolerances, 0 for a row within them, 1 where the target is no number; ``[N, C]`` -> ``[N]``."""
        size = len(self.scale.means)
        errors = counts[:, 3 : 3 + len(SUMS) * size : len(SUMS)] / self.scale.tolerances  # [N, V]
        wrong = np.where(counts[:, 2] > 0, errors.mean(axis=1), 1.0)
        return np.where(counts[:, 1] > 0, 0.0, wrong)

    def comparable(self, targets: Sequence[Any], predictions: Sequence[Regression]) -> tuple[list[str], list[str]]:
        """The numbers as text, of 6 digits."""
        wanted = [
            str(raw) if numbers is None else _text(numbers.tolist())
            for raw, numbers in zip(targets, self._numbers(targets), strict=True)
        ]
        return wanted, [_text(answer.values) for answer in predictions]

    def aligned(self, targets: Sequence[Any], predictions: Sequence[Regression]) -> dict[str, list[list[Pair]]]:
        """Each row's numbers beside those that were answered, as text."""
        wanted, given = self.comparable(targets, predictions)
        return {"values": [[pair] for pair in zip(wanted, given, strict=True)]}

    def marks(self, prediction: Regression) -> list[Mark]:
        """None: a number has no place in its input."""
        return []


def _text(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.6g}" for number in numbers)
