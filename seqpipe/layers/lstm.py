"""torch's LSTM, under autocast on any processor."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class LSTM(nn.LSTM):
    """`torch.nn.LSTM`, in fp32 where autocast asks for bf16 and the processor can't have it.

    torch (2.14) hands an LSTM under autocast to oneDNN, which has bf16 kernels for AVX-512 alone, and ends with
    "could not create a primitive descriptor" on other x86 processors. In fp32 it is several times faster there than
    with bf16 emulated.
    """

    def forward(self, input: Tensor, hx: State | None = None) -> tuple[Tensor, State]:  # type: ignore[override]
        """As `torch.nn.LSTM`."""
        is_bf16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
        if input.device.type != "cpu" or not is_bf16 or has_bf16_lstm():
            return super().forward(input, hx)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float(), None if hx is None else (hx[0].float(), hx[1].float()))


@cache
def has_bf16_lstm() -> bool:
    """Whether an LSTM under autocast to bf16 runs on this CPU."""
    with torch.random.fork_rng(devices=[]), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        try:
            nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
        except RuntimeError:
            return False
    return True
