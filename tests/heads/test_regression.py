import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.nn import functional as F

from seqpipe import ConfigError, DataError, InputError, PaddedSequence, RegressionHead

D = 6
TARGETS: list[Any] = [1.0, 3, "5", 11]
PAIRS: list[Any] = [[1, 10.0], "3 30", "[5, -20]", (11, 0)]
Encoded = Callable[..., PaddedSequence]


def fitted(targets: Any = TARGETS, **options: Any) -> RegressionHead:
    torch.manual_seed(0)
    head = RegressionHead(input_size=D, **options)
    head.fit(targets)
    return head.eval()


def test_targets_are_distances_from_the_mean_in_deviations() -> None:
    head = fitted()
    assert head.scale.means == [5.0]
    assert head.scale.standard_deviations == pytest.approx([np.std([1, 3, 5, 11])])
    found = torch.cat([head.encode_target(raw) for raw in TARGETS])
    assert float(found.mean()) == pytest.approx(0, abs=1e-6)
    assert float(found.std(correction=0)) == pytest.approx(1)
    assert head.scale.tolerances == [head.scale.standard_deviations[0] / 4]
    assert fitted(tolerance=0.5).scale.tolerances == [0.5]


def test_a_target_may_hold_several_numbers_however_they_are_written() -> None:
    head = fitted(PAIRS)
    assert head.scale.means == [5.0, 5.0]
    assert len(head.scale.tolerances) == 2
    for raw in ([3, 30.0], "3 30", " 3\t30.0 ", "[3, 30]", (3.0, 30)):
        assert torch.equal(head.encode_target(raw), head.encode_target([3.0, 30.0]))
    for raw in ([Decimal("3"), Decimal("30.00")], np.array([3, 30]), [np.float32(3), np.int8(30)]):
        assert torch.equal(head.encode_target(raw), head.encode_target([3.0, 30.0]))
    with pytest.raises(InputError, match=r"should hold 2 numbers; received 1: 7"):
        head.encode_target(7)


NO_NUMBERS: list[Any] = [
    *("", "  ", "x", "1 x", "nan", "inf", "1_000", "1,5", "[1", '["a"]', "[[1]]", "1e999", "[" * 100_000),
    *([], None, math.nan, math.inf, -math.inf, [1, None], True, [True], {}, 10**400),
]


@pytest.mark.parametrize("raw", NO_NUMBERS)
def test_what_is_no_finite_number_is_refused(raw: Any) -> None:
    with pytest.raises(InputError, match="should be a finite number") as caught:
        fitted().encode_target(raw)
    assert caught.value.kind == "bad value"


@pytest.mark.parametrize("targets", [[7, 7.0, "7"], [0, 0], [0.1, 0.1, 0.1], [5], [[1, 2], [2, 2]]])
def test_targets_that_never_vary_teach_nothing(targets: list[Any]) -> None:
    with pytest.raises(DataError, match=r"is \S+ in all \d training rows, so there is nothing to learn.*data.target"):
        fitted(targets)
    with pytest.raises(DataError, match="hold no target that is a number"):
        fitted(["a", None])
    with pytest.raises(ConfigError, match="no scale yet"):
        RegressionHead(input_size=D)(PaddedSequence.pad([torch.zeros(1, D)]))


@pytest.mark.parametrize(("loss", "plain"), [("squared", F.mse_loss), ("absolute", F.l1_loss), ("huber", F.huber_loss)])
def test_values_are_learnt_by_the_loss_alone(loss: Any, plain: Any, encoded: Encoded) -> None:
    """The spread is learnt beside: it adds to the loss, and gives no gradient to anything but its own layer."""
    head = fitted(PAIRS, loss=loss, hidden_sizes=[5]).train()
    batch = encoded([5, 1, 9, 2])
    targets = [head.encode_target(raw) for raw in PAIRS]
    total, count = head.loss(batch, targets)
    assert float(count) == 8
    total.backward()
    learnt = {name: parameter.grad.clone() for name, parameter in head.named_parameters() if parameter.grad is not None}
    head.zero_grad()
    plain(head(batch).values[:, 0, :2], torch.stack(targets), reduction="sum").backward()
    for name, parameter in head.named_parameters():
        if name.startswith("spread"):
            assert bool((learnt[name] != 0).any())
        else:
            assert parameter.grad is not None
            assert torch.allclose(learnt[name], parameter.grad, atol=1e-5), name


def test_the_spread_becomes_that_of_the_errors() -> None:
    """Rows of one kind are off by 0.1 on average, those of the other by 2: both are known after learning."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.arange(400) % 2
    steps = torch.nn.functional.one_hot(kinds, D).float()
    noise = torch.randn(400, generator=generator) * torch.where(kinds == 0, 0.1, 2.0)
    targets = (10 + noise).tolist()
    head = fitted(targets, pooling=["mean"]).train()
    batch = PaddedSequence.pad([row[None] for row in steps])
    encoded_targets = [head.encode_target(raw) for raw in targets]
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        total, count = head.loss(batch, encoded_targets)
        (total / count).backward()
        optimizer.step()
    decoded = head.eval().decode(PaddedSequence.pad([steps[0][None], steps[1][None]]))
    for kind, (values, standard_deviations, confidence) in enumerate(decoded):
        expected = float(noise[kinds == kind].std())
        assert values[0] == pytest.approx(10, abs=0.3)
        assert standard_deviations[0] == pytest.approx(expected, rel=0.1)
        inside = float((noise[kinds == kind].abs() <= head.scale.tolerances[0]).float().mean())
        assert confidence == pytest.approx(inside, abs=0.06)


@torch.no_grad()
def test_confidence_is_the_probability_to_be_within_the_tolerance(encoded: Encoded, place: Any) -> None:
    head = fitted(PAIRS, tolerance=3.0)
    torch.nn.init.normal_(head.spread.weight, std=0.5)
    batch = encoded([5, 1, 9, 2])
    hypotheses = head.decode(batch)
    for hypothesis in hypotheses:
        found = head.answer("r", hypothesis, place(truncated=2))
        expected = math.prod(
            2 * norm.cdf(3.0 / standard_deviation) - 1 for standard_deviation in found.standard_deviations
        )
        assert found.confidence == pytest.approx(expected, abs=1e-9)
        assert found.truncated == 2
    assert len({round(confidence, 6) for _, _, confidence in hypotheses}) == 4
    # Of what was answered the posterior is the confidence; of other targets it is what the tails say.
    own = [head.encode_target(values) for values, _, _ in hypotheses]
    assert head.posteriors(batch, own) == pytest.approx([sure for _, _, sure in hypotheses], abs=1e-5)
    for raw in ([0.0, 0.0], [100.0, -300.0]):
        for got, (values, standard_deviations, _) in zip(
            head.posteriors(batch, [head.encode_target(raw)] * 4), hypotheses, strict=True
        ):
            expected = math.prod(
                norm.cdf(place + 3.0, mean, standard_deviation) - norm.cdf(place - 3.0, mean, standard_deviation)
                for place, mean, standard_deviation in zip(raw, values, standard_deviations, strict=True)
            )
            assert got == pytest.approx(expected, rel=1e-4, abs=1e-9)
            assert 0 <= got <= 1


def test_assets_restore_the_scale(tmp_path: Path, encoded: Encoded) -> None:
    head = fitted(PAIRS)
    head.save_assets(tmp_path)
    other = RegressionHead(input_size=D)
    other.load_assets(tmp_path)
    other.load_state_dict(head.state_dict())
    assert other.scale == head.scale
    assert other.eval().decode(encoded([3, 8])) == head.decode(encoded([3, 8]))
