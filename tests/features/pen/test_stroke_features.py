"""Features of points of strokes: what each of them says, checked on lines whose answers are known."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import ConfigError, FeatureChain, PaddedSequence, StageConfig, StrokeFeatures
from seqpipe.features.pen.stroke_context import ink_around
from seqpipe.features.pen.stroke_features import SIZES

STEP = 0.2


def row_of(*strokes: Any) -> Tensor:
    """Points ``[N, 4]`` of strokes that are lists of (x, y)."""
    rows = []
    for stroke in strokes:
        points = torch.as_tensor(stroke, dtype=torch.float32)
        down = torch.ones(len(points), 1)
        down[0] = 0
        rows.append(torch.cat([torch.zeros(len(points), 1), points, down], dim=1))
    row = torch.cat(rows)
    row[:, 0] = torch.arange(len(row))
    return row


def features_of(row: Tensor, *kinds: str, **options: Any) -> Tensor:
    return StrokeFeatures(step=STEP, features=list(kinds), **options)(PaddedSequence.pad([row])).values[0]  # type: ignore[arg-type]


def line(count: int, angle: float, start: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    along = STEP * torch.arange(count)[:, None] * torch.tensor([math.cos(angle), math.sin(angle)])
    return along + torch.tensor(start)


@pytest.mark.parametrize("angle", [0.0, 0.7, math.pi / 2, 2.5, -1.0])
def test_a_straight_line_has_its_direction_everywhere_and_no_curvature(angle: float) -> None:
    row = row_of(line(7, angle))
    expected = torch.tensor([math.cos(angle), math.sin(angle)]).expand(7, 2)
    torch.testing.assert_close(features_of(row, "direction"), expected, atol=0.01, rtol=0)
    curvature = features_of(row, "curvature")
    torch.testing.assert_close(curvature[1:-1], torch.tensor([1.0, 0.0]).expand(5, 2), atol=0.02, rtol=0)
    assert not curvature[[0, -1]].any()
    torch.testing.assert_close(features_of(row, "differences")[1:], expected[1:], atol=1e-5, rtol=0)


def test_a_circle_turns_by_the_same_angle_at_each_point() -> None:
    turns = torch.linspace(0, math.pi, 21)
    left = torch.stack([turns.cos(), turns.sin()], dim=1)
    turn = math.pi / 20
    for points, sign in ((left, 1), (left.flip(0), -1)):
        curvature = features_of(row_of(points), "curvature")[1:-1]
        expected = torch.tensor([math.cos(turn), sign * math.sin(turn)]).expand(19, 2)
        torch.testing.assert_close(curvature, expected, atol=0.02, rtol=0)
    vicinity = features_of(row_of(left), "vicinity")
    assert (vicinity[2:-2, 2] > 0).all()  # off the line
    assert (vicinity[2:-2, 1] > -1).all()  # longer than straight


def test_strokes_know_nothing_of_each_other_but_the_jump() -> None:
    first, second = line(5, 0.3), line(4, 2.0, (3.0, -1.0))
    kinds = ["direction", "curvature", "differences", "pen_up", "vicinity"]
    both = features_of(row_of(first, second), *kinds)
    alone = torch.cat([features_of(row_of(stroke), *kinds) for stroke in (first, second)])
    torch.testing.assert_close(both, alone)
    assert both[:, 6].tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0]
    jump = features_of(row_of(first, second), "jump")
    assert not jump[[0, 1, 2, 3, 4, 6, 7, 8]].any()
    torch.testing.assert_close(jump[5], torch.asinh(second[0] - first[-1]))


def test_what_is_written_late_is_told_from_both_sides() -> None:
    row = row_of(line(6, 0.0), [(0.4, 1.0), (0.6, 1.0)])  # a bar over the beginning
    before, behind = features_of(row, "delayed").unbind(dim=1)
    torch.testing.assert_close(before, torch.asinh(torch.tensor([0, 0, 0, 0, 0, 0, 0.6, 0.4])))
    torch.testing.assert_close(behind, torch.asinh(torch.tensor([0, 0, 0, 0.2, 0.4, 0.6, 0, 0])))


def test_a_box_is_filled_from_end_to_end() -> None:
    row = row_of([(5.0, 1.0), (9.0, 2.0), (7.0, 3.0)])
    expected = torch.tensor([[-1.0, -1.0], [1.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(features_of(row, "box"), torch.cat([expected, torch.full((3, 1), math.log(2.0))], dim=1))
    dot = features_of(row_of([(5.0, 1.0)]), "box")
    assert dot[0, :2].tolist() == [0, 0]
    assert dot.isfinite().all()


def test_the_vicinity_of_a_straight_line() -> None:
    aspect, curliness, linearity, cosine, sine = features_of(row_of(line(9, math.pi / 2)), "vicinity")[4].tolist()
    assert aspect == pytest.approx(1, abs=0.01)  # as high as can be
    assert curliness == pytest.approx(-1, abs=0.01)
    assert linearity == pytest.approx(0, abs=1e-6)
    assert (cosine, sine) == pytest.approx((0, 1), abs=0.01)


def test_context_is_the_ink_around_whenever_it_was_written() -> None:
    bar = line(10, 0.0, (0.0, 1.2))
    row = row_of(line(10, 0.0), bar)
    below, here, above = features_of(row, "context", across=[0.0], upward=[-1.2, 0.0, 1.2]).unbind(dim=1)
    assert (here > 0.2).all()
    assert (above[:10] > 0.2).all()
    assert (below[10:] > 0.2).all()
    assert not below[:10].any()
    assert not above[10:].any()
    # Read and drawn in the same way: at a lone point stands tanh(step / cell) if it is in the middle of a cell.
    lone = features_of(row_of([(3.0, 0.0)]), "context", cell=0.3, across=[-0.3, 0.0, 0.15], upward=[0.0])
    assert lone[0].tolist() == pytest.approx([0.0, math.tanh(STEP / 0.3), math.tanh(STEP / 0.3) / 2], abs=1e-6)


def test_context_equals_a_slow_sum_over_cells() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(1, 30, 2, generator=generator) * torch.tensor([4.0, 2.0]) - torch.tensor([1.0, 1.0])
    across, upward, cell = [-0.5, 0.1], [-0.4, 0.0, 0.7], 0.25
    got = ink_around(points, torch.ones(1, 30, dtype=torch.bool), cell=cell, step=STEP, across=across, upward=upward)[0]
    x, y = (points[0].double() - torch.tensor([float(points[0, :, 0].min()), 0.0])).unbind(dim=1)

    def share(place: Tensor, at: Tensor) -> Tensor:  # of a hat one cell wide to both sides
        return (1 - (place / cell - at).abs()).clamp(min=0)

    columns, rows = torch.arange(-20, 60.0).double(), torch.arange(-20, 20.0).double()
    held = share(x[:, None], columns)[:, :, None] * share(y[:, None], rows)[:, None, :]
    grid = torch.tanh(held.sum(dim=0) * STEP / cell)  # [columns, rows]
    want = [
        torch.einsum("nc,cr,nr->n", share((x + right)[:, None], columns), grid, share((y + up)[:, None], rows))
        for right in across
        for up in upward
    ]
    torch.testing.assert_close(got, torch.stack(want, dim=1).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [*SIZES, "context"])
def test_features_are_finite_whatever_the_strokes_and_zero_in_the_padding(kind: str) -> None:
    rows = [
        row_of([(0.0, 0.0)]),
        row_of([(0.0, 0.0)] * 5),
        row_of([(1e4, -1e4), (-1e4, 1e4)], [(0.0, 0.0)]),
        row_of(line(40, 0.2), line(3, 2.0)),
    ]
    stage = StrokeFeatures(step=STEP, features=[kind])  # type: ignore[list-item]
    got = stage(PaddedSequence.pad(rows))
    assert got.values.shape == (4, 43, stage.output_size)
    assert got.values.isfinite().all()
    assert not got.values[~got.mask()].any()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(stage(PaddedSequence.pad(rows)).values, got.values)


def test_features_stand_in_the_order_in_which_they_are_named() -> None:
    row = row_of(line(5, 0.4), line(3, 1.0, (1.0, 1.0)))
    names = ["jump", "height", "direction"]
    together = features_of(row, *names)
    torch.testing.assert_close(together, torch.cat([features_of(row, name) for name in names], dim=1))


def test_what_cant_be_made_is_refused() -> None:
    with pytest.raises(ConfigError, match="features should name each kind once; received height, jump, height"):
        StrokeFeatures(step=STEP, features=["height", "jump", "height"])
    with pytest.raises(ConfigError, match=r"features\.0 input should be 'direction'"):
        StrokeFeatures(step=STEP, features=["slope"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="StrokeFeatures needs step from the stage before it"):
        FeatureChain(stages=[StageConfig.parse("Waveform"), StageConfig.parse("StrokeFeatures")])
    chain = FeatureChain(
        stages=[StageConfig.parse(name) for name in ("PenStrokes", "StrokeDistortion", "StrokeFeatures")]
    )
    assert chain.output_size == 31
