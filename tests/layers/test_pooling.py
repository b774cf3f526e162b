from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import PaddedSequence
from seqpipe.layers.pooling import Pooling, PoolingKind

D = 6
LENGTHS = [5, 1, 9, 2, 1, 7]
KINDS: list[PoolingKind] = ["mean", "root", "max", "end", "attention"]


def rows() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, D, generator=generator) - 3.0 for length in LENGTHS]  # mostly below 0


def by_hand(pooling: Pooling, kind: str, row: Tensor) -> list[float]:
    """One row ``[T, D]`` in plain loops."""
    steps = row.tolist()
    columns = list(zip(*steps, strict=True))
    if kind == "mean":
        return [sum(column) / len(column) for column in columns]
    if kind == "root":
        return [sum(column) / len(column) ** 0.5 for column in columns]
    if kind == "max":
        return [max(column) for column in columns]
    if kind == "end":  # forwards the last step has seen all, backwards the first
        return [*steps[-1][: D // 2], *steps[0][D // 2 :]]
    layers: Any = pooling
    scores = [float(layers.score(torch.tanh(layers.hidden(torch.tensor(step))))) for step in steps]
    weights = torch.tensor(scores).softmax(dim=0).tolist()
    return [sum(weight * value for weight, value in zip(weights, column, strict=True)) for column in columns]


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_what_a_plain_loop_gives(kind: PoolingKind) -> None:
    torch.manual_seed(0)
    pooling = Pooling(D, [kind])
    assert pooling.output_size == D
    found = pooling(PaddedSequence.pad(rows()))
    for row, got in zip(rows(), found, strict=True):
        assert got.tolist() == pytest.approx(by_hand(pooling, kind, row), abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("garbage", [0.0, 1e4, float("nan"), float("inf")])
def test_padding_changes_nothing(garbage: float) -> None:
    torch.manual_seed(0)
    pooling = Pooling(D, KINDS)
    batch = PaddedSequence.pad(rows())
    padded = batch.extended(batch.values.shape[1] + 11).masked(garbage)
    assert torch.allclose(pooling(padded), pooling(batch), atol=1e-6)
    alone = torch.cat([pooling(PaddedSequence.pad([row])) for row in rows()])
    assert torch.allclose(pooling(padded), alone, atol=1e-6)


@torch.no_grad()
def test_kinds_stand_side_by_side_in_the_order_given() -> None:
    batch = PaddedSequence.pad(rows())
    found = Pooling(D, ["max", "mean"])(batch)
    assert torch.equal(found[:, :D], Pooling(D, ["max"])(batch))
    assert torch.equal(found[:, D:], Pooling(D, ["mean"])(batch))


@torch.no_grad()
def test_weights_of_attention_sum_up_to_one_over_real_steps() -> None:
    torch.manual_seed(0)
    batch = PaddedSequence.pad(rows())
    weights = Pooling(D, ["attention"]).attention(batch)
    assert torch.allclose(weights.sum(dim=1), torch.ones(len(LENGTHS)))
    assert bool((weights[~batch.mask()] == 0).all())
    with pytest.raises(ValueError, match="pooling is mean; only attention has weights"):
        Pooling(D, ["mean"]).attention(batch)


def test_gradients_reach_real_steps_alone() -> None:
    torch.manual_seed(0)
    batch = PaddedSequence.pad(rows())
    values = batch.values.clone().requires_grad_()
    Pooling(D, KINDS)(PaddedSequence(values, batch.lengths)).sum().backward()
    assert values.grad is not None
    assert bool((values.grad[~batch.mask()] == 0).all())
    assert bool((values.grad[batch.mask()] != 0).any(dim=1).all())
