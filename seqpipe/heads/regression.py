"""The regression head: numbers for a whole input."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.regression import Regression
from seqpipe.core.assets import read_json
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.errors import DataError, InputError, RunError
from seqpipe.heads.learnt import learnt, usable
from seqpipe.heads.pooled import PooledHead
from seqpipe.metrics.numbers import numbers_of
from seqpipe.metrics.regression import RegressionMetric, Scale

SHARE = 0.25
"""The tolerance where none is given, of the training targets' deviation."""
_LOSSES: dict[str, Callable[..., Tensor]] = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}


class RegressionHead(PooledHead):
    """Answer with a number, or several: pooled steps and a multi-layer perceptron.

    A target is a number, a list of them, or a text of numbers with white space between (or a JSON list). They are
    learnt as distances from the training targets' mean, in their deviations. How far an answer is expected to be off is
    learnt beside, as the deviation of a Gaussian distribution, from the pooled steps of each input, and changes nothing
    in how the values are learnt. It is learnt from the training rows, so it is too small where these are overfitted.

    Args:
        loss: what is made small: ``squared`` or ``absolute`` errors, or ``huber``, which is squared up to one deviation
            of the targets and goes on straight.
        tolerance: how far each value may be off and still count as right, in the unit of the targets; a quarter of the
            training targets' deviation when None.
        options: of `PooledHead`.

    Shape: ``[B, T, D]`` -> V values and the logarithms of their V deviations, both in deviations of the training
    targets, ``[B, 1, 2 V]``.

    Example:
        >>> head = RegressionHead(input_size=8, tolerance=0.5)
        >>> head.fit([1.0, 3.0, "5"])
        >>> head.encode_target(3).tolist(), head.scale.tolerances
        ([0.0], [0.5])
    """

    unfitted = RegressionMetric(Scale([], [], []))
    needs_fit = True

    def __init__(
        self,
        *,
        loss: Literal["squared", "absolute", "huber"] = "squared",
        tolerance: Annotated[float, Field(gt=0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.pooled = self.make_pooled(self.input_size)
        self.kind, self.tolerance = loss, tolerance
        self._scale: Scale | None = None

    @property
    def scale(self) -> Scale:
        """What targets are measured by.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        return learnt(self, self._scale, "scale")

    @property
    def metric(self) -> RegressionMetric:
        """Of the values."""
        return RegressionMetric(self.scale)

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn how many values there are, and their scale; what is no number is left to `encode_target` to name.

        Raises:
            DataError: there are no numbers, or they never vary.
        """
        found = list(usable(rows, self.read_target))
        if not found:
            raise DataError("the training rows hold no target that is a number (data.target names the column)")
        size = Counter(map(len, found)).most_common(1)[0][0]
        targets = np.array([row for row in found if len(row) == size])  # [N, V]
        means, standard_deviations = targets.mean(axis=0), targets.std(axis=0)
        for place, (mean, deviation) in enumerate(zip(means, standard_deviations, strict=True), 1):
            if deviation <= 1e-12 * abs(mean):
                which = f"value {place} of the targets" if size > 1 else "the target"
                raise DataError(
                    f"{which} is {mean:g} in all {len(targets)} training rows, so there is nothing to learn "
                    "(data.target names the column)"
                )
        tolerances = [self.tolerance or SHARE * deviation for deviation in standard_deviations.tolist()]
        self._build(Scale(means.tolist(), standard_deviations.tolist(), tolerances))

    def _build(self, scale: Scale) -> None:
        self._scale = scale
        size = len(scale.means)
        self.output_size = 2 * size
        self.pooled.build(size)
        self.spread = nn.Linear(self.pooled.pooling.output_size, size)
        nn.init.zeros_(self.spread.weight)  # to begin with, errors are as wide as the targets
        nn.init.zeros_(self.spread.bias)

    def save_assets(self, folder: Path) -> None:
        """Write the scale."""
        (folder / "scale.json").write_text(json.dumps(self.scale.__dict__) + "\n", encoding="utf-8")

    def load_assets(self, folder: Path) -> None:
        """Restore the scale; raises `RunError` if the file is damaged."""
        path = folder / "scale.json"
        scale: Scale = read_json(path, Scale)
        sizes = {len(scale.means), len(scale.standard_deviations), len(scale.tolerances)}
        numbers = [*scale.means, *scale.standard_deviations, *scale.tolerances]
        if len(sizes) > 1 or not scale.means or not np.isfinite(numbers).all() or min(scale.standard_deviations) <= 0:
            raise RunError(f"{path}: is damaged: a value has no mean, or no deviation above 0; restore it")
        self._build(scale)

    def read_target(self, raw: Any) -> list[float]:
        """Numbers; see `numbers_of`."""
        return numbers_of(raw)

    def encode_target(self, raw: Any) -> Tensor:
        """Distances from the means, in deviations, ``[V]`` float.

        Raises:
            InputError: it is no finite number, or there are more or fewer than in the training rows.
        """
        numbers = self.read_target(raw)
        if len(numbers) != len(self.scale.means):
            raise InputError(
                "bad value",
                f"the target should hold {len(self.scale.means)} numbers; received {len(numbers)}: {raw!r:.80}",
            )
        standard = (np.array(numbers) - self.scale.means) / self.scale.standard_deviations
        return torch.tensor(standard, dtype=torch.float32)

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Values and logarithms of deviations ``[B, 1, 2 V]``, in fp32 whatever the precision around it."""
        learnt(self, self._scale, "scale")
        pooled = self.pooled.pool(encoded)
        values, logs = self.pooled.scores(pooled), self.spread(pooled.detach()).float()
        return PaddedSequence(torch.cat([values, logs], dim=1).unsqueeze(1), torch.ones_like(encoded.lengths))

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        learnt(self, self._scale, "scale")
        pooled, values = self.pooled.to_onnx(graph, sequence)
        logs = graph.linear(pooled, self.spread.weight.detach(), self.spread.bias.detach())
        return graph.single_steps(graph.concatenate([values, logs], 1), sequence.lengths)

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
        return self._restored(values), values.new_tensor(self.scale.standard_deviations) * logs.clamp(-20.0, 20.0).exp()

    def _restored(self, values: Tensor) -> Tensor:
        """Values ``[B, V]`` in the unit of the targets."""
        return values.new_tensor(self.scale.means) + values.new_tensor(self.scale.standard_deviations) * values

    def _probabilities(self, places: Tensor, values: Tensor, standard_deviations: Tensor) -> list[float]:
        """How probable it is that the truth lies within the tolerance of ``places``: ``[B, V]`` each -> B."""
        tolerance = places.new_tensor(self.scale.tolerances)
        ends = [(places + sign * tolerance - values) / (standard_deviations * math.sqrt(2.0)) for sign in (1.0, -1.0)]
        # A difference of small tails, where the place lies far off, keeps its digits as erfc.
        side = torch.where(places < values, -1.0, 1.0)
        upper, lower = (torch.where(side > 0, ends[0], -ends[1]), torch.where(side > 0, ends[1], -ends[0]))
        shares = 0.5 * (torch.erfc(lower) - torch.erfc(upper))
        found: list[float] = shares.clamp(0.0, 1.0).prod(dim=1).tolist()
        return found

    def decode(self, encoded: PaddedSequence, options: Any = None) -> list[tuple[list[float], list[float], float]]:
        """Each row's values, their deviations, and the probability that all are within the tolerance."""
        values, standard_deviations = self._answers(encoded)
        sure = self._probabilities(values, values, standard_deviations)
        return list(zip(values.tolist(), standard_deviations.tolist(), sure, strict=True))

    def answer(self, row_id: str, hypothesis: tuple[list[float], list[float], float], location: Location) -> Regression:
        """A hypothesis as an answer."""
        values, standard_deviations, confidence = hypothesis
        return Regression(row_id, tuple(values), tuple(standard_deviations), confidence, location.truncated)

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability that the truth lies within the tolerance of each row's target."""
        values, standard_deviations = self._answers(encoded)
        wanted = torch.stack(list(targets)).to(values)
        return self._probabilities(self._restored(wanted), values, standard_deviations)
