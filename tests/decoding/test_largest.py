"""The likeliest of many labels."""

import pytest
import torch

from seqpipe.decoding.largest import BLOCK, WIDE, largest


@pytest.mark.parametrize("size", [5, WIDE - 1, WIDE, WIDE + 1, 2 * WIDE + BLOCK - 1, 8001])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_topk(size: int, count: int, dtype: torch.dtype) -> None:
    values = torch.randn(7, size, generator=torch.Generator().manual_seed(size), dtype=dtype).log_softmax(dim=1)
    values[1, size // 2 :] = float("-inf")
    values[2, :-1] = float("-inf")  # the likeliest of its row is the last, and only it is possible
    values[3, -3:] += 20
    best, places = largest(values, count)
    assert torch.equal(best, values.topk(count, dim=1).values)
    assert torch.equal(values.gather(1, places), best)
    assert all(len(set(row)) == count for row in places.tolist())


def test_more_than_there_are_blocks() -> None:
    values = torch.randn(3, WIDE)
    best, places = largest(values, WIDE // BLOCK)
    assert torch.equal(best, values.topk(WIDE // BLOCK, dim=1).values)
    assert torch.equal(values.gather(1, places), best)
