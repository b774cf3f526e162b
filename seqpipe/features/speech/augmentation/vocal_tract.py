"""Vocal tract length perturbation: the frequency axis of a filter bank, warped for each row."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

Warp = Annotated[float, Field(ge=0.5, le=2)]
WarpRange = tuple[Warp, Warp]
BOUNDARY = 0.6  # of half the sample rate: 4800 Hz at 16 kHz, as in the paper; above it the warp bends back


def warp_hertz(hertz: Tensor, factors: Tensor, nyquist: float) -> Tensor:
    """Where frequencies ``[F]`` of a speaker go when the vocal tract is made shorter or longer: ``[B, F]``.

    Proportional up to a boundary, then in a straight line to half the sample rate, which stays where it is (Jaitly &
    Hinton 2013, "Vocal tract length perturbation (VTLP) improves speech recognition").

    Args:
        hertz: from 0 to ``nyquist``.
        factors: ``[B]``; above 1 formants rise, as from a shorter vocal tract.
        nyquist: half the sample rate, in hertz.
    """
    factor = factors[:, None].to(hertz)
    knee = BOUNDARY * nyquist * factor.clamp(max=1.0) / factor  # [B, 1]
    above = nyquist - (nyquist - knee * factor) / (nyquist - knee) * (nyquist - hertz)
    return torch.where(hertz <= knee, hertz * factor, above)


def warped_filters(filters: Tensor, factors: Tensor) -> Tensor:
    """Filters ``[F, M]`` over the bins of a spectrum, for rows whose frequencies are warped: ``[B, F, M]``.

    Bin f of a row weighs what the filter weighs where `warp_hertz` takes f, read between bins in a straight line. So
    the filters, not the spectrum, are resampled, and nothing is smeared.
    """
    bins = torch.arange(len(filters), device=filters.device, dtype=torch.float32)
    places = warp_hertz(bins, factors.to(filters.device), len(filters) - 1.0).clamp(0.0, len(filters) - 1.0)  # [B, F]
    below = places.floor().long().clamp(max=len(filters) - 2)
    share = (places - below).unsqueeze(2)
    return filters[below] * (1 - share) + filters[below + 1] * share


def row_filters(filters: Tensor, rows: int, factors: WarpRange | None) -> Tensor:
    """The filters as they are, or warped for each row by a factor drawn between the two: ``[B, F, M]``."""
    if factors is None:
        return filters
    low, high = factors
    return warped_filters(filters, low + (high - low) * torch.rand(rows))  # drawn on the CPU: alike on every device
