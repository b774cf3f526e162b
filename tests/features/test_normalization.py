import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import FeatureChain, LogMel, Normalization, PaddedSequence, Waveform
from seqpipe.errors import DataError

D = 4


def rows_of(lengths: list[int], offset: float = 3.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(8)
    scale = torch.tensor([1.0, 10.0, 0.1, 3.0])
    return [offset + scale * torch.randn(length, D, generator=generator) for length in lengths]


@given(st.lists(st.integers(2, 40), min_size=1, max_size=5))
def test_an_utterance_has_zero_mean_and_unit_variance_over_its_real_steps(lengths: list[int]) -> None:
    rows = rows_of(lengths)
    got = Normalization(input_size=D)(PaddedSequence.pad(rows).extended(64).masked(1e3))
    for row, result in zip(rows, got.rows(), strict=True):
        centred = row - row.mean(dim=0)
        expected = centred / row.var(dim=0, correction=0).clamp(min=1e-5).sqrt()
        torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


def test_only_the_mean_is_removed_on_request() -> None:
    (row,) = rows_of([30])
    for over in ("utterance", "global"):
        stage = Normalization(input_size=D, over=over, variance=False)
        if stage.needs_fit:
            stage.fit([PaddedSequence.pad([row])])
        result = stage(PaddedSequence.pad([row])).values[0]
        torch.testing.assert_close(result, row - row.mean(dim=0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("value", [7.0, math.log(1e-6), 1e4 / 3])
@pytest.mark.parametrize("steps", [10, 101, 1003])
def test_a_feature_that_never_changes_becomes_zero(value: float, steps: int) -> None:
    row = torch.full((steps, D), value)  # whose sum is rounded, of most
    for over in ("utterance", "global"):
        stage = Normalization(input_size=D, over=over)
        if stage.needs_fit:
            stage.fit([PaddedSequence.pad([row])])
        assert not stage(PaddedSequence.pad([row, row[:1]])).values.any()


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=4), min_size=1, max_size=5), st.floats(-1e3, 1e3))
def test_global_statistics_are_those_of_all_frames_together(batches: list[list[int]], offset: float) -> None:
    """One streaming pass, however the rows are batched, far from zero too."""
    rows = [rows_of(lengths, offset) for lengths in batches]
    stage = Normalization(input_size=D, over="global")
    stage.fit(PaddedSequence.pad(batch).extended(32).masked(float("nan")) for batch in rows)
    frames = np.concatenate([row.numpy() for batch in rows for row in batch]).astype(np.float64)
    np.testing.assert_allclose(stage.mean, frames.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        stage.standard_deviation, np.sqrt(np.maximum(frames.var(axis=0), 1e-5)), rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        stage(PaddedSequence.pad(rows[0])).rows()[0], (rows[0][0] - stage.mean) / stage.standard_deviation
    )


def test_global_statistics_need_frames() -> None:
    stage = Normalization(input_size=D, over="global")
    with pytest.raises(DataError, match="no steps"):
        stage.fit([])


def test_global_statistics_are_part_of_a_saved_model(tmp_path: Path) -> None:
    stage = Normalization(input_size=D, over="global")
    stage.fit([PaddedSequence.pad(rows_of([5, 9]))])
    fresh = Normalization(input_size=D, over="global")
    fresh.load_state_dict(stage.state_dict())
    assert torch.equal(fresh.mean, stage.mean)
    assert torch.equal(fresh.standard_deviation, stage.standard_deviation)


def test_what_a_chain_learns_is_what_its_stages_before_make() -> None:
    recordings = [{"array": 0.1 * torch.randn(length).numpy(), "sampling_rate": 8000} for length in (900, 1500, 300)]
    mel = LogMel.configure(n_mels=6)
    chain = FeatureChain(stages=[Waveform.configure(sample_rate=8000), mel, Normalization.configure(over="global")])
    chain.train()
    chain.fit(recordings)
    assert chain.training, "the mode is left as it was"
    before = FeatureChain(stages=[Waveform.configure(sample_rate=8000), mel])
    frames = torch.cat([before(PaddedSequence.pad([before.prepare(raw, None)])).values[0] for raw in recordings])
    torch.testing.assert_close(chain.stages[2].mean, frames.mean(dim=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        chain.stages[2].standard_deviation, frames.std(dim=0, correction=0), atol=1e-5, rtol=1e-4
    )
