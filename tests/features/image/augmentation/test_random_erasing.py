"""Rectangles of paper in line images."""

from typing import Any

import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import ConfigError, PaddedSequence, RandomErasing

H = 20


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    most=st.integers(0, 8),
    width=st.integers(1, 30),
    height=st.integers(1, 30),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_no_more_is_hidden_than_allowed(
    lengths: list[int], most: int, width: int, height: int, share: float, seed: int
) -> None:
    torch.manual_seed(seed)
    stage = RandomErasing(
        input_size=H, probability=1.0, count=(0, most), width=(1, width), height=(1, height), share=share
    ).train()
    for row in stage(PaddedSequence.pad([torch.ones(length, H) for length in lengths])).rows():
        hidden = row == 0
        assert set(row.unique().tolist()) <= {0.0, 1.0}
        assert int(hidden.sum()) <= share * row.numel()
        assert int(hidden.sum()) <= most * width * height
        assert scipy.ndimage.label(hidden.numpy())[1] <= most


def test_one_rectangle_is_one_of_the_right_size_anywhere() -> None:
    torch.manual_seed(0)
    only: dict[str, Any] = {"count": (1, 1), "width": (5, 5), "height": (7, 7), "share": 1.0}
    stage = RandomErasing(input_size=H, probability=1.0, **only).train()
    hidden = stage(PaddedSequence.pad([torch.ones(12, H)] * 600)).values == 0
    assert set(hidden.sum(dim=(1, 2)).tolist()) == {35}
    assert set(hidden.any(dim=2).sum(dim=1).tolist()) == {5}
    assert set(hidden.any(dim=1).sum(dim=1).tolist()) == {7}
    assert hidden.any(dim=0).all()


def test_the_filling_may_be_the_mean_grey() -> None:
    row = torch.rand(40, H)
    stage = RandomErasing(input_size=H, probability=1.0, count=(1, 1), share=1.0, fill="mean").train()
    changed = stage(PaddedSequence.pad([row, torch.ones(70, H)])).rows()[0]
    found = changed[changed != row]
    torch.testing.assert_close(found, row.mean().expand_as(found))


@pytest.mark.parametrize("options", [{"count": (0, 0)}, {"share": 0.0}])
def test_no_strength_changes_nothing(options: dict[str, Any]) -> None:
    batch = PaddedSequence.pad([torch.rand(20, H), torch.rand(11, H)])
    assert torch.equal(RandomErasing(input_size=H, probability=1.0, **options).train()(batch).values, batch.values)


def test_a_range_goes_from_low_to_high() -> None:
    with pytest.raises(ConfigError, match=r"RandomErasing\.width: goes from low to high; received \(9, 3\)"):
        RandomErasing(input_size=H, width=(9, 3))
