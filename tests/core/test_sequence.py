import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import PaddedSequence
from seqpipe.core.sequence import concatenate_features, length_mask, reverse_within_lengths, round_up

lengths_of_rows = st.lists(st.integers(0, 12), min_size=1, max_size=6)


def rows_of(lengths: list[int], *shape: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(len(lengths))
    return [torch.randn(length, *shape, generator=generator) for length in lengths]


@given(lengths_of_rows, st.integers(1, 9), st.sampled_from([(), (3,), (2, 3)]))
def test_rows_come_out_as_they_went_in(lengths: list[int], multiple: int, shape: tuple[int, ...]) -> None:
    rows = rows_of(lengths, *shape)
    batch = PaddedSequence.pad(rows).extended(multiple)
    assert batch.lengths.tolist() == lengths
    assert batch.lengths.dtype == torch.int64
    assert batch.values.shape == (len(rows), round_up(max(lengths), multiple), *shape)
    for row, again in zip(rows, batch.rows(), strict=True):
        assert torch.equal(row, again)
    assert not batch.values[~batch.mask()].any()


def test_a_batch_needs_rows() -> None:
    with pytest.raises(ValueError, match="at least one row, got none"):
        PaddedSequence.pad([])


@given(lengths_of_rows, st.integers(0, 5))
def test_the_mask_is_true_at_real_steps(lengths: list[int], more: int) -> None:
    mask = length_mask(torch.tensor(lengths), max(lengths) + more)
    for row, length in zip(mask.tolist(), lengths, strict=True):
        assert row == [step < length for step in range(max(lengths) + more)]


@given(lengths_of_rows, st.sampled_from([(), (3,), (2, 3)]))
def test_masking_replaces_whatever_stood_in_the_padding(lengths: list[int], shape: tuple[int, ...]) -> None:
    batch = PaddedSequence.pad(rows_of(lengths, *shape)).extended(20)
    spoilt = batch.masked(float("nan"))
    assert spoilt.values[~batch.mask()].isnan().all()
    assert torch.equal(spoilt.masked().values, batch.values)
    assert spoilt.masked(7.0).values[~batch.mask()].eq(7.0).all()


@given(lengths_of_rows, st.integers(0, 4))
def test_reversing_is_within_each_row_and_its_own_inverse(lengths: list[int], more: int) -> None:
    batch = PaddedSequence.pad(rows_of(lengths, 3)).extended(max(lengths) + more or 1).masked(5.0)
    turned = PaddedSequence(reverse_within_lengths(*batch), batch.lengths)
    for row, back in zip(batch.rows(), turned.rows(), strict=True):
        assert torch.equal(back, row.flip(0))
    assert turned.values[~batch.mask()].eq(5.0).all()
    assert torch.equal(reverse_within_lengths(*turned), batch.values)


def test_the_gradient_of_reversing_is_the_same_gather() -> None:
    batch = PaddedSequence.pad(rows_of([4, 1, 6, 0], 3))
    leaf = batch.values.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: reverse_within_lengths(values, batch.lengths), [leaf])


@given(st.integers(0, 1000), st.integers(1, 50))
def test_rounding_up(number: int, multiple: int) -> None:
    rounded = round_up(number, multiple)
    assert rounded % multiple == 0
    assert number <= rounded < number + multiple


def test_a_dtype_moves_the_values_alone() -> None:
    moved = PaddedSequence.pad(rows_of([2, 3], 4)).to(torch.bfloat16)
    assert moved.values.dtype == torch.bfloat16
    assert moved.lengths.dtype == torch.int64


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_lengths_move_to_a_device_too() -> None:
    moved = PaddedSequence.pad(rows_of([2, 3], 4)).to("cuda")
    assert moved.values.device.type == moved.lengths.device.type == "cuda"


def test_features_are_joined_step_by_step() -> None:
    first, second = rows_of([3, 5], 2), rows_of([3, 5], 4)
    joined = concatenate_features([PaddedSequence.pad(first).extended(8), PaddedSequence.pad(second)])
    for row, left, right in zip(joined.rows(), first, second, strict=True):
        assert torch.equal(row, torch.cat([left, right], dim=1))


def test_features_of_other_lengths_cannot_be_joined() -> None:
    parts = [PaddedSequence.pad(rows_of(lengths, 2)) for lengths in ([3, 5], [3, 4])]
    with pytest.raises(ValueError, match=r"lengths differ: \[3, 5\] and \[3, 4\]"):
        concatenate_features(parts)
