"""How many steps come out, and which input steps stand behind each: promised and real."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe import Chain, Conv1dFrontEnd, Conv2dFrontEnd, PaddedSequence, StageConfig
from seqpipe.core.stage import Stage

layers = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=3)  # kernel and stride
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=5)
SIZE = 5


def one_dimensional(shape: list[tuple[int, int]], **options: Any) -> Conv1dFrontEnd:
    kernels, strides = (list(column) for column in zip(*shape, strict=True))
    return Conv1dFrontEnd(
        input_size=SIZE, channels=[4] * len(shape), kernels=kernels, strides=strides, activation="silu", **options
    )


def two_dimensional(shape: list[tuple[int, int]], **options: Any) -> Conv2dFrontEnd:
    return Conv2dFrontEnd(
        input_size=SIZE,
        channels=[3] * len(shape),
        kernels=[(kernel, 3 - index) for index, (kernel, _) in enumerate(shape)],
        strides=[(stride, 1 + index % 2) for index, (_, stride) in enumerate(shape)],
        activation="silu",
        **options,
    )


def pooled(shape: list[tuple[int, int]], **options: Any) -> Conv2dFrontEnd:
    """Pools where the other has strides."""
    kernels = [(kernel, 3 - index) for index, (kernel, _) in enumerate(shape)]
    return Conv2dFrontEnd(
        input_size=SIZE,
        channels=[3] * len(shape),
        kernels=kernels,
        pools=[(stride, 1 + index % 2) for index, (_, stride) in enumerate(shape)],
        activation="silu",
        **options,
    )


KINDS = [one_dimensional, two_dimensional, pooled]


@pytest.mark.parametrize("kind", KINDS)
@given(shape=layers, lengths=lengths)
@torch.no_grad()
def test_output_lengths_are_exact(kind: Any, shape: list[tuple[int, int]], lengths: list[int]) -> None:
    stage = kind(shape).eval()
    promised = stage.output_lengths(torch.tensor(lengths))
    batch = PaddedSequence.pad([torch.randn(length, SIZE) for length in lengths])
    output = stage(batch)
    assert output.lengths.tolist() == promised.tolist()
    for row, length in zip(output.rows(), promised.tolist(), strict=True):
        assert row.shape == (length, stage.output_size)
    assert not output.values[~output.mask()].any()


@pytest.mark.parametrize("kind", KINDS)
@given(strides=st.lists(st.integers(1, 4), min_size=1, max_size=3), length=st.integers(1, 200))
def test_lengths_divide_by_the_strides_rounded_up(kind: Any, strides: list[int], length: int) -> None:
    stage = kind([(3, stride) for stride in strides])
    product = int(torch.tensor(strides).prod())
    assert int(stage.output_lengths(torch.tensor([length]))) == -(-length // product)


def seen_by(stage: Stage, steps: int) -> Tensor:
    """``[T', T]`` bool: which input steps change which output steps, by trying each."""
    torch.manual_seed(0)
    plain = torch.randn(1, steps, SIZE)
    nudge = 10.0 * torch.cat([torch.eye(steps), torch.zeros(1, steps)])  # row t: another step t; last row: none
    changed = plain + nudge[:, :, None]
    with torch.no_grad():
        output = stage(PaddedSequence(changed, torch.full((steps + 1,), steps)))
    difference = output.values[:-1] - output.values[-1]
    return difference.abs().amax(dim=2).T[: output.lengths[0]] > 1e-5


def assert_span_is_real(stage: Any, stride: int, offset: float, width: int, steps: int = 60) -> None:
    """What changes an output lies in its span, and both ends of the span change it."""
    behind = seen_by(stage, steps)
    inside = 0
    for position, row in enumerate(behind):
        centre = position * stride + offset
        first, last = centre - (width - 1) / 2, centre + (width - 1) / 2
        touched = torch.nonzero(row).flatten().tolist()
        assert touched
        assert first <= touched[0]
        assert touched[-1] <= last
        if first >= 0 and last < steps:
            inside += 1
            assert (touched[0], touched[-1]) == (first, last)
        assert float(stage.locate(torch.empty(0), torch.tensor([position], dtype=torch.float64))) == centre
    assert inside > 0


SHAPES = [[(5, 2), (5, 1)], [(4, 3)], [(1, 2)], [(2, 1), (2, 1)], [(4, 2), (3, 2), (2, 1)], [(6, 4), (5, 2)]]


@pytest.mark.parametrize("normalization", ["none", "layer", "batch"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_span_is_what_an_output_sees(shape: list[tuple[int, int]], kind: Any, normalization: str) -> None:
    stage = kind(shape, normalization=normalization).eval()
    assert_span_is_real(stage, *stage.span)


def test_a_chain_counts_and_locates_through_its_parts() -> None:
    first, second = [(4, 2)], [(5, 3), (2, 1)]
    both: Any = one_dimensional(first + second).eval()
    configs = [
        StageConfig.parse({"stage": "Conv1dFrontEnd", "activation": "silu", "channels": [4] * len(shape)}
                          | {"kernels": [kernel for kernel, _ in shape], "strides": [stride for _, stride in shape]})
        for shape in (first, second)
    ]  # fmt: skip
    source = one_dimensional([(1, 1)])
    source.output_size = SIZE
    chain: Any = Chain(stages=configs, previous=source).eval()
    assert chain.output_size == 4
    counted = torch.arange(1, 50)
    assert torch.equal(chain.output_lengths(counted), both.output_lengths(counted))
    assert_span_is_real(chain, *both.span)
