"""How 2-D convolutions lie in memory on a CPU, on their way back too."""

import torch

from seqpipe.core.sequence import length_mask
from seqpipe.frontends.conv2d import _cleared


def test_gradients_stay_channels_last() -> None:
    values = torch.randn(2, 3, 8, 4).to(memory_format=torch.channels_last).requires_grad_()
    mask = length_mask(torch.tensor([8, 5]), 8)[:, None, :, None]
    cleared = _cleared(values.clone(), mask)
    assert torch.equal(cleared, values.masked_fill(~mask, 0.0))
    above = torch.randn_like(cleared)
    (gradient,) = torch.autograd.grad(cleared, values, above)
    assert torch.equal(gradient, above.masked_fill(~mask, 0.0))
    assert gradient.is_contiguous(memory_format=torch.channels_last)  # else a pool before it takes five times as long
