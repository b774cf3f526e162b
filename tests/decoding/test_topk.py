"""The likeliest of many labels."""

import pytest
import torch

from seqpipe.decoding.normalizer import ROWS, log_normalizer
from seqpipe.decoding.topk import BLOCK, WIDE, largest, topk_sums


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


@pytest.mark.parametrize("size", [5, WIDE, WIDE + 1, 2 * WIDE + BLOCK - 1, 8001])
@pytest.mark.parametrize(("width", "count"), [(1, 4), (1, 5), (3, 6), (5, 10), (2, 40)])
def test_sums_of_hypotheses_and_labels(size: int, width: int, count: int) -> None:
    generator = torch.Generator().manual_seed(size)
    count = min(count, width * size)
    values = torch.randn(4 * width, size, generator=generator).log_softmax(dim=1)
    values[1, size // 2 :] = float("-inf")
    values[2, :-1] = float("-inf")
    added = 3 * torch.randn(4, width, generator=generator, dtype=torch.float64)
    added[3, 1:] = float("-inf")  # hypotheses that are none
    sums, origins, labels = topk_sums(values, added, count)
    every = (added[..., None] + values.double().view(4, width, size)).flatten(1)
    assert torch.equal(sums, every.topk(count, dim=1).values)
    assert torch.equal(every.gather(1, origins * size + labels), sums)
    assert all(len(set(row)) == count for row in (origins * size + labels).tolist())


@pytest.mark.parametrize("rows", [1, ROWS, 2 * ROWS + 3])
def test_logits_are_normalized(rows: int) -> None:
    logits = 30 * torch.randn(rows, 77, generator=torch.Generator().manual_seed(rows)) - 500
    logits[0, 3:] = float("-inf")
    torch.testing.assert_close(log_normalizer(logits), logits.logsumexp(dim=1))
