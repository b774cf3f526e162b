import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchaudio.functional import compute_deltas

from seqpipe import Deltas, PaddedSequence

D = 3


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4), width=st.integers(1, 6), order=st.sampled_from([1, 2])
)
def test_each_row_has_torchaudios_slopes_up_to_its_own_edges(lengths: list[int], width: int, order: int) -> None:
    """torchaudio replicates the edge of the batch instead, off by up to 0.96 at the end of shorter rows."""
    generator = torch.Generator().manual_seed(sum(lengths))
    rows = [torch.randn(length, D, generator=generator) for length in lengths]
    batch = PaddedSequence.pad(rows).masked(1e3)
    got = Deltas(input_size=D, order=order, width=width)(batch)
    for row, result in zip(rows, got.rows(), strict=True):
        expected = [row.T[None]]  # [1, D, T]
        for _ in range(order):
            expected.append(compute_deltas(expected[-1], win_length=2 * width + 1))
        torch.testing.assert_close(result, torch.cat(expected, dim=1)[0].T, atol=1e-5, rtol=1e-5)


def test_the_slope_of_a_line_is_its_slope() -> None:
    line = torch.arange(20.0)[:, None] * torch.tensor([0.5, -2.0, 0.0])
    slopes = Deltas(input_size=D, order=1, width=3)(PaddedSequence.pad([line])).values[0, 3:-3, D:]
    torch.testing.assert_close(slopes, torch.tensor([0.5, -2.0, 0.0]).expand(14, 3))


@pytest.mark.parametrize("order", [1, 2])
def test_output_size(order: int) -> None:
    stage = Deltas(input_size=D, order=order)
    assert stage.output_size == D * (1 + order) == stage(PaddedSequence.pad([torch.ones(4, D)])).values.shape[2]
