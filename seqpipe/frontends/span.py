"""Which input steps stand behind an output step."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from torch import Tensor

Length = TypeVar("Length", int, Tensor)
STEP_MULTIPLE = 16
"""Convolutions round T up to a multiple of this: oneDNN keeps a compiled primitive for every shape that it meets."""


class Span(NamedTuple):
    """Output step k sees ``width`` input steps around ``k * stride + offset``.

    Attributes:
        stride: input steps from one output step to the next.
        offset: centre of what output step 0 sees, in input steps.
        width: input steps that an output step sees.
    """

    stride: int = 1
    offset: float = 0.0
    width: int = 1

    def then(self, other: Span) -> Span:
        """The span of a second layer behind this one."""
        return Span(
            self.stride * other.stride,
            self.offset + self.stride * other.offset,
            self.width + (other.width - 1) * self.stride,
        )


def convolution_span(kernel: int, stride: int) -> Span:
    """A convolution padded by ``kernel - 1``, half of it in front: as many outputs as there are starts of strides."""
    return Span(stride, (kernel - 1) / 2 - (kernel - 1) // 2, kernel)


def pooling_span(size: int) -> Span:
    """Pooling over ``size`` steps at a time, the first of them the first."""
    return Span(size, (size - 1) / 2, size)


def strided_length(length: Length, stride: int) -> Length:
    """Outputs of such a convolution: every stride-th step, beginning with the first."""
    return (length - 1) // stride + 1


def same_padding(kernel: int) -> tuple[int, int]:
    """Steps of padding in front and behind of such a convolution."""
    return (kernel - 1) // 2, kernel // 2


class Strided:
    """What a stage whose steps are those of its span answers about lengths and places."""

    span: Span

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Steps out: ceil(steps in / product of the time strides)."""
        return strided_length(lengths, self.span.stride)

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Output steps -> the input steps that they are centred on."""
        return steps * self.span.stride + self.span.offset
