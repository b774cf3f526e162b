"""Affine and elastic distortion of line images."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch

from seqpipe import ConfigError, LineDistortion, PaddedSequence
from seqpipe.features.image.augmentation.line_distortion import displacements, resampled, source_map, spline_weights

H = 24
STILL: dict[str, Any] = {
    "probability": 1.0,
    "slant": 0.0,
    "scale_x": (1.0, 1.0),
    "scale_y": (1.0, 1.0),
    "rotation": 0.0,
    "shift_y": 0.0,
    "elastic_amplitude": 0.0,
}


def picture(width: int, height: int = H) -> torch.Tensor:
    """Smooth, so that resampling loses little: ``[W, H]`` in 0 to 1."""
    x, y = torch.arange(width)[:, None], torch.arange(height)[None, :]
    return 0.5 + 0.25 * torch.sin(x / 7 + y / 9) + 0.25 * torch.cos(y / 5 - x / 11)


def one(stage: LineDistortion, row: torch.Tensor) -> torch.Tensor:
    return stage.train()(PaddedSequence.pad([row])).rows()[0]


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


@pytest.mark.parametrize(
    ("factor", "options"),
    [
        (1.0, {"slant": 0.3}),
        (1.3, {}),
        (0.8, {}),
        (1.0, {"scale_y": 0.8}),
        (1.0, {"rotation": 3.0}),
        (1.0, {"shift_y": 2.25}),
        (1.25, {"slant": -0.4, "scale_y": 1.2, "rotation": -2.0, "shift_y": -1.5}),
    ],
    ids=str,
)
def test_an_affine_map_is_that_of_scipy(factor: float, options: dict[str, float]) -> None:
    row = picture(60)
    steps = round(60 * factor)
    maps = torch.tensor([source_map((steps, H), (60, H), **options)])
    got = resampled(row[None], maps, steps)[0]

    # Forwards, about the middle: scale, then slant, then turn, then shift; scipy wants the way back.
    turn = math.radians(options.get("rotation", 0.0))
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    lean = np.array([[1.0, -options.get("slant", 0.0)], [0.0, 1.0]])  # y points down
    forwards = rotation @ lean @ np.diag([steps / 60, options.get("scale_y", 1.0)])
    back = np.linalg.inv(forwards)
    middle = np.array([(steps - 1) / 2, (H - 1) / 2 + options.get("shift_y", 0.0)])
    offset = np.array([59 / 2, (H - 1) / 2]) - back @ middle
    want = scipy.ndimage.affine_transform(
        row.double().numpy(), back, offset, output_shape=(steps, H), order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(got.numpy(), want, atol=2e-5)


def test_the_top_leans_to_the_right_with_a_positive_slant() -> None:
    upright = torch.zeros(1, 41, 21)
    upright[0, 20] = 1.0
    leaning = resampled(upright, torch.tensor([source_map((41, 21), (41, 21), slant=0.5)]), 41)[0]
    assert leaning.argmax(dim=0)[[0, 10, 20]].tolist() == [25, 20, 15]


@pytest.mark.parametrize("amplitude", [0.0, 1e-6])
def test_no_strength_changes_nothing(amplitude: float) -> None:
    row = picture(50)
    stage = LineDistortion(input_size=H, **STILL | {"elastic_amplitude": amplitude})
    torch.testing.assert_close(one(stage, row), row, atol=1e-5, rtol=0)


@pytest.mark.parametrize("option", [{"slant": 0.5}, {"scale_y": (0.7, 0.9)}, {"rotation": 4.0}, {"shift_y": 5.0}])
def test_each_option_acts_by_itself(option: dict[str, Any]) -> None:
    row = picture(50)
    changed = one(LineDistortion(input_size=H, **STILL | option), row)
    assert changed.shape == row.shape
    assert not torch.allclose(changed, row, atol=0.01)


def test_the_width_goes_with_its_factor_and_never_below_the_promise() -> None:
    torch.manual_seed(0)
    stage = LineDistortion(input_size=H, **STILL | {"scale_x": (0.5, 1.5)}).train()
    for length in (1, 2, 3, 10, 77):
        found = stage(PaddedSequence.pad([torch.rand(length, H)] * 80)).lengths
        assert stage.min_length(length) == max(1, math.floor(length * 0.5 + 0.5))
        assert int(found.min()) >= stage.min_length(length)
        assert int(found.max()) <= math.floor(length * 1.5 + 0.5)
    assert int(found.min()) < 45, "the whole range is drawn from"
    assert int(found.max()) > 109


def test_a_row_that_may_be_left_alone_may_stay_as_short_as_it_is() -> None:
    wider: dict[str, Any] = {"input_size": H, "scale_x": (1.5, 2.0)}
    assert LineDistortion(probability=1.0, **wider).min_length(10) == 15
    assert LineDistortion(probability=0.5, **wider).min_length(10) == 10
    assert LineDistortion(probability=0.0, input_size=H, scale_x=(0.5, 1.0)).min_length(10) == 10


def test_displacements_are_smooth_bounded_and_not_folded() -> None:
    spacing, amplitude = 8.0, 4.0
    field = displacements([400], 40, spacing, amplitude, generators(1))[0]  # [2, W, H]
    assert float(field.abs().max()) <= amplitude
    assert 0.15 * amplitude < float(field.std()) < 0.4 * amplitude
    # Neighbouring pixels never change places: the slope stays below 1, even at the largest amplitude.
    assert float(field[0].diff(dim=1).abs().max()) < 1
    assert float(field[1].diff(dim=0).abs().max()) < 1


def test_the_two_directions_and_rows_are_displaced_differently() -> None:
    first, second = displacements([100, 100], H, 16.0, 1.0, generators(2))
    assert not torch.allclose(first[0], first[1], atol=0.05)
    assert not torch.allclose(first, second, atol=0.05)


@pytest.mark.parametrize(("size", "spacing"), [(1, 16.0), (16, 16.0), (17, 16.0), (33, 5.5)])
def test_spline_weights_are_shares(size: int, spacing: float) -> None:
    weights = spline_weights(size, spacing)
    assert float(weights.min()) >= 0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(size))
    knots = torch.arange(weights.shape[1]) - 1.0  # in units of the spacing: splines keep straight lines straight
    torch.testing.assert_close(weights @ knots * spacing, torch.arange(size).float(), atol=1e-4, rtol=1e-5)


def test_paper_comes_from_outside() -> None:
    stage = LineDistortion(input_size=H, **STILL | {"scale_y": (0.5, 0.5)})
    shrunk = one(stage, torch.ones(30, H))
    assert float(shrunk[:, : H // 4 - 1].max()) == 0
    assert float(shrunk[:, 1 - H // 4 :].max()) == 0
    assert float(shrunk[:, H // 2].min()) == pytest.approx(1.0)


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"LineDistortion\.scale_x: goes from low to high; received \(1\.2, 0\.9\)"):
        LineDistortion(input_size=H, scale_x=(1.2, 0.9))
    with pytest.raises(ConfigError, match=r"elastic_amplitude: at most half of elastic_spacing, .*received 9 with"):
        LineDistortion(input_size=H, elastic_amplitude=9.0)
    with pytest.raises(ConfigError, match="rotation"):
        LineDistortion(input_size=H, rotation=-1.0)
