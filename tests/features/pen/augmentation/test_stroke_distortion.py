"""Distortion of strokes while training."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import PaddedSequence, StrokeDistortion

STEP = 0.2
AMOUNTS = ["stretch", "swell", "wave", "scale_x", "scale_y", "shear", "rotation", "shift", "stroke_shift", "jitter"]
NONE = dict.fromkeys([*AMOUNTS, "drop"], 0.0)


def written(seed: int, strokes: int = 3) -> Tensor:
    """Points ``[N, 4]`` of waves, the last stroke a dot."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for number in range(strokes):
        turns = STEP * torch.arange(int(torch.randint(10, 40, (1,), generator=generator)))
        rows.append(torch.stack([turns * 0.6 + 3 * number, (3 * turns).sin() / 2], dim=1))
    rows.append(torch.tensor([[1.0, 1.0]]))
    down = torch.cat([torch.arange(len(row)) > 0 for row in rows]).float()
    points = torch.cat(rows)
    return torch.cat([torch.arange(len(points))[:, None] * 1.5, points, down[:, None]], dim=1)


def batch() -> PaddedSequence:
    sequence = PaddedSequence.pad([written(seed, 1 + seed % 3) for seed in range(8)])
    return sequence.masked(float("nan"))


def distorted(seed: int = 0, **options: Any) -> PaddedSequence:
    torch.manual_seed(seed)
    return StrokeDistortion(step=STEP, **options).train()(batch())


def test_evaluation_and_strength_zero_change_nothing() -> None:
    rows = batch()
    assert StrokeDistortion(step=STEP, drop=0.5).eval()(rows) is rows
    still = StrokeDistortion(step=STEP, strength=0.0).train()(rows)
    torch.testing.assert_close(still.values, rows.values, equal_nan=True)
    nothing = StrokeDistortion(step=STEP, **NONE).train()(rows)
    torch.testing.assert_close(nothing.values, rows.masked().values)


def test_places_pen_and_lengths_stay_and_padding_is_zero() -> None:
    rows, got = batch().masked(), distorted()
    assert torch.equal(got.lengths, rows.lengths)
    assert torch.equal(got.values[..., [0, 3]], rows.values[..., [0, 3]])
    assert not got.values[~got.mask()].any()
    moved = (got.values[..., 1:3] - rows.values[..., 1:3]).norm(dim=-1)
    assert (moved.masked_fill(~rows.mask(), 0).amax(dim=1) > 0.02).all()


def test_the_seed_decides_and_rows_differ() -> None:
    assert torch.equal(distorted(seed=1).values, distorted(seed=1).values)
    assert not torch.equal(distorted(seed=1).values, distorted(seed=2).values)
    torch.manual_seed(0)
    twins = StrokeDistortion(step=STEP).train()(PaddedSequence.pad([written(1), written(1)])).values
    assert not torch.equal(twins[0], twins[1])


def fitted(row: Tensor, changed: Tensor) -> Tensor:
    """The matrix ``[2, 2]`` and the shift ``[2]`` that take points to their distorted places, as ``[3, 2]``."""
    return torch.linalg.lstsq(torch.cat([row[:, 1:3], torch.ones(len(row), 1)], dim=1), changed[:, 1:3]).solution


@pytest.mark.parametrize(
    ("amount", "bound", "value"),
    [
        ("rotation", 30.0, lambda m: math.degrees(math.atan2(float(m[0, 1]), float(m[0, 0])))),
        ("shear", 0.4, lambda m: float(m[1, 0])),
        ("scale_x", 0.3, lambda m: math.log(float(m[0, 0]))),
        ("scale_y", 0.3, lambda m: math.log(float(m[1, 1]))),
        ("shift", 0.5, lambda m: float(m[2, 1])),
    ],
)
def test_amounts_are_bounds_to_both_sides(amount: str, bound: float, value: Any) -> None:
    rows = PaddedSequence.pad([written(2)] * 200)
    torch.manual_seed(3)
    for strength in (1.0, 0.5):
        stage = StrokeDistortion(step=STEP, strength=strength, **{**NONE, amount: bound}).train()
        found = []
        for changed in stage(rows).rows():
            matrix = fitted(written(2), changed)
            found.append(value(matrix))
            if amount == "rotation":
                torch.testing.assert_close(matrix[:2] @ matrix[:2].T, torch.eye(2), atol=1e-3, rtol=0)
        assert max(map(abs, found)) <= strength * bound * 1.001
        assert min(found) < -0.8 * strength * bound
        assert max(found) > 0.8 * strength * bound


@pytest.mark.parametrize("amount", ["stretch", "swell", "wave"])
def test_warps_are_smooth_and_bounded(amount: str) -> None:
    rows = batch().masked()
    moved = distorted(**{**NONE, amount: 0.3}).values - rows.values
    neighbours = (moved[:, 1:, 1:3] - moved[:, :-1, 1:3])[rows.values[:, 1:, 3] > 0]
    way = (rows.values[:, 1:, 1:3] - rows.values[:, :-1, 1:3])[rows.values[:, 1:, 3] > 0].norm(dim=-1)
    assert (neighbours.norm(dim=-1) <= 0.5 * way).all()  # 0.3, and a wave of at most 1.05 · 0.3
    assert moved.abs().max() > 0.02
    untouched = 1 if amount != "stretch" else 2
    assert float(moved[..., untouched].abs().max()) < 1e-5


def test_strokes_move_as_a_whole_and_the_pen_trembles_smoothly() -> None:
    rows = batch().masked()
    moved = distorted(**{**NONE, "stroke_shift": 0.5}).values - rows.values
    joined = rows.values[:, 1:, 3] > 0
    assert (moved[:, 1:, 1:3] - moved[:, :-1, 1:3])[joined].abs().max() < 1e-5
    assert float(moved[rows.values[..., 3].eq(0) & rows.mask()][:, 1:3].std()) == pytest.approx(0.5, rel=0.3)
    tremor = (distorted(**{**NONE, "jitter": 0.05}).values - rows.values)[rows.mask()][:, 1:3]
    assert float(tremor.std()) == pytest.approx(2 * 0.05 / math.sqrt(5), rel=0.1)
    assert float((tremor[1:] * tremor[:-1]).mean() / tremor.square().mean()) > 0.6  # neighbours go together


def test_dropped_points_are_never_ends_of_strokes_and_rows_keep_their_order() -> None:
    rows = batch().masked()
    stage = StrokeDistortion(step=STEP, **{**NONE, "drop": 0.6}).train()
    lengths = []
    for seed in range(20):
        torch.manual_seed(seed)
        for before, left in zip(rows.rows(), stage(rows).rows(), strict=True):
            assert stage.min_length(len(before)) <= len(left) <= len(before)
            kept = torch.isin(before[:, 0], left[:, 0])
            torch.testing.assert_close(before[kept], left)  # the same points in the same order
            starts = before[:, 3] == 0
            ends = torch.cat([starts[1:], torch.tensor([True])])
            assert kept[starts | ends].all()
            lengths.append(len(left) / len(before))
    assert min(lengths) < 0.5
    assert max(lengths) > 0.95


@pytest.mark.parametrize("drop", [0.0, 0.1, 0.33, 0.9])
def test_at_least_the_shortest_length_is_left(drop: float) -> None:
    stage = StrokeDistortion(step=STEP, drop=drop)
    lengths = [stage.min_length(length) for length in range(1, 200)]
    assert all(1 <= shortest <= length for length, shortest in enumerate(lengths, 1))
    assert lengths == sorted(lengths)
