import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import PaddedSequence, SpecAugment

D = 12


def ones(lengths: list[int]) -> PaddedSequence:
    """What is hidden shows as 0."""
    return PaddedSequence.pad([torch.ones(length, D) for length in lengths])


def runs(hidden: torch.Tensor) -> list[int]:
    """Lengths of the stretches of true in ``[N]``."""
    values, counts = torch.unique_consecutive(hidden, return_counts=True)
    return counts[values].tolist()


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    masks=st.integers(0, 3),
    width=st.integers(0, 20),
    share=st.floats(0, 1),
    bands=st.integers(0, 3),
    band_width=st.integers(0, D + 3),
    seed=st.integers(0, 1000),
)
def test_blocks_keep_to_their_bounds(
    lengths: list[int], masks: int, width: int, share: float, bands: int, band_width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    stage = SpecAugment(
        input_size=D,
        time_masks=masks,
        time_width=width,
        time_share=share,
        feature_masks=bands,
        feature_width=min(band_width, D),
    ).train()
    for row in stage(ones(lengths)).rows():
        assert set(row.unique().tolist()) <= {0.0, 1.0}
        steps, features = ~row.any(dim=1), ~row.any(dim=0)
        if not features.all():
            widest = min(width, int(share * len(row)))
            assert int(steps.sum()) <= masks * widest
            assert len(runs(steps)) <= masks
        if not steps.all():
            assert int(features.sum()) <= bands * band_width
            assert len(runs(features)) <= bands
        assert torch.equal(row == 0, steps[:, None] | features[None, :]), "whole steps and whole bands, nothing else"


def test_every_width_and_place_occurs() -> None:
    torch.manual_seed(0)
    stage = SpecAugment(input_size=D, time_masks=1, time_width=3, time_share=1.0, feature_masks=0).train()
    hidden = [(row == 0).all(dim=1) for row in stage(ones([8] * 600)).rows()]
    assert {sum(runs(row)) for row in hidden} == {0, 1, 2, 3}
    assert all(any(bool(row[step]) for row in hidden) for step in range(8))
    shares = [sum(int(row.sum()) == width for row in hidden) / 600 for width in range(4)]
    assert shares == pytest.approx([0.25] * 4, abs=0.07)


def test_rows_are_hidden_differently_and_only_real_steps() -> None:
    torch.manual_seed(0)
    stage = SpecAugment(input_size=D, time_masks=4, time_share=1.0, feature_masks=0).train()
    first, second, short = stage(ones([50, 50, 5])).rows()
    assert not torch.equal(first, second)
    assert len(short) == 5


def test_evaluation_changes_nothing() -> None:
    batch = ones([30, 7])
    assert torch.equal(SpecAugment(input_size=D).eval()(batch).values, batch.values)


def test_no_masks_change_nothing() -> None:
    batch = ones([30, 7])
    for options in ({"time_masks": 0, "feature_masks": 0}, {"time_width": 0, "feature_width": 0}):
        assert torch.equal(SpecAugment(input_size=D, **options).train()(batch).values, batch.values)


def test_torchs_seed_decides() -> None:
    stage = SpecAugment(input_size=D).train()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(stage(ones([60, 40])).values)
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
