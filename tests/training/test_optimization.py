import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seqpipe.config.recipe import TrainingConfig
from seqpipe.training.optimization import make_optimizer, make_schedule, one_cycle

TrainTones = Callable[..., dict[str, Any]]
SHARES = st.floats(0.01, 0.99)


@given(warmup=SHARES, final_division=st.floats(1, 1e5), points=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_one_cycle_rises_to_the_peak_then_falls(warmup: float, final_division: float, points: list[float]) -> None:
    points = sorted(points)
    rates = [one_cycle(point, warmup, final_division) for point in points]
    assert all(0 < rate <= 1 + 1e-12 for rate in rates)
    rising = [rate for point, rate in zip(points, rates, strict=True) if point <= warmup]
    falling = [rate for point, rate in zip(points, rates, strict=True) if point >= warmup]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


@given(warmup=SHARES, final_division=st.floats(1, 1e5))
def test_one_cycle_has_its_ends_where_they_are_said_to_be(warmup: float, final_division: float) -> None:
    assert one_cycle(0.0, warmup, final_division) == pytest.approx(1 / 25)
    assert one_cycle(warmup, warmup, final_division) == pytest.approx(1.0)
    assert one_cycle(1.0, warmup, final_division) == pytest.approx(1 / 25 / final_division)
    assert one_cycle(1.5, warmup, final_division) == one_cycle(1.0, warmup, final_division)


def test_one_cycle_is_that_of_torch() -> None:
    """Against `torch.optim.lr_scheduler.OneCycleLR`, the same paper's schedule, counted in steps."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    steps = 200
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=steps + 1, pct_start=0.3, div_factor=25, final_div_factor=1000
    )
    for step in range(steps + 1):
        done = step / steps
        # OneCycleLR puts the peak a step early: at 0.3 * 201 - 1 of 200.
        warmup = (0.3 * (steps + 1) - 1) / steps
        assert reference.get_last_lr()[0] == pytest.approx(one_cycle(done, warmup, 1000), abs=1e-9)
        optimizer.step()
        if step < steps:
            reference.step()


@pytest.mark.parametrize("name", ["adamw", "sgd", "adadelta"])
def test_every_optimizer_finds_a_minimum_and_decays_matrices_alone(name: str) -> None:
    weight, bias = nn.Parameter(torch.full((2, 2), 3.0)), nn.Parameter(torch.full((2,), 3.0))
    rate = {"adamw": 0.1, "sgd": 0.02, "adadelta": 20.0}[name]
    optimizer = make_optimizer([weight, bias], TrainingConfig(optimizer=name, learning_rate=rate, weight_decay=0.1))
    assert [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups] == [(0.1, 1), (0.0, 1)]
    for _ in range(200):
        optimizer.zero_grad()
        (weight.square().sum() + bias.square().sum()).backward()
        optimizer.step()
    assert float(weight.detach().abs().max()) < 0.5
    assert float(bias.detach().abs().max()) < 0.5


def test_frozen_parameters_are_left_out() -> None:
    frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
    groups = make_optimizer([frozen, nn.Parameter(torch.ones(2))], TrainingConfig()).param_groups
    assert [len(group["params"]) for group in groups] == [0, 1]


def test_the_schedule_follows_the_progress_that_it_is_told() -> None:
    config = TrainingConfig(schedule="one_cycle", learning_rate=2.0, warmup=0.25)
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], config)
    done = 0.0
    schedule = make_schedule(optimizer, config, lambda: done)
    for done in (0.1, 0.25, 0.7, 1.0):
        optimizer.step()
        schedule.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2.0 * one_cycle(done, 0.25, 1000.0))
    assert make_schedule(optimizer, TrainingConfig(schedule="constant"), lambda: 0.0) is None


SETTINGS = [
    ["training.optimizer=adamw", "training.schedule=one_cycle"],
    ["training.optimizer=sgd", "training.schedule=constant", "training.learning_rate=0.2"],
    ["training.optimizer=adadelta", "training.schedule=plateau", "training.learning_rate=5.0", "training.patience=0"],
    ["training.precision=bf16", "training.schedule=constant"],
    ["training.clip_norm=null", "training.batch_rows=3"],
]


@pytest.mark.parametrize("overrides", SETTINGS, ids=lambda overrides: " ".join(overrides))
def test_every_optimizer_schedule_and_precision_lowers_the_loss(
    overrides: list[str], train_tones: TrainTones, tmp_path: Path
) -> None:
    metrics = train_tones(tmp_path / "run", "training.epochs=4", *overrides)
    with (tmp_path / "run" / "log" / "metrics.csv").open(newline="") as file:
        losses = [float(record["train_loss"]) for record in csv.DictReader(file) if record["train_loss"]]
    assert len(losses) == 4
    assert all(map(math.isfinite, [*losses, metrics["dev"]["loss"]]))
    assert losses[-1] < 0.7 * losses[0]
