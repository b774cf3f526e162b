"""Features that go around an encoder."""

from typing import Any

import pytest
import torch

from seqpipe import PaddedSequence
from seqpipe.core.stage import StageConfig
from seqpipe.encoders.bypass import Bypass
from seqpipe.errors import ConfigError
from seqpipe.layers.parallel_directions import retaining

D, PASSING = 7, 3
ENCODER = StageConfig.parse({"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 2})


@pytest.fixture
def bypass() -> Bypass:
    torch.manual_seed(1)
    return Bypass(input_size=D, size=PASSING, encoder=ENCODER).eval()


@pytest.fixture
def batch() -> PaddedSequence:
    generator = torch.Generator().manual_seed(2)
    return PaddedSequence.pad([torch.randn(length, D, generator=generator) for length in (5, 1, 9)])


@torch.no_grad()
def test_the_last_features_pass_and_the_others_are_encoded(bypass: Bypass, batch: PaddedSequence) -> None:
    found = bypass(batch)
    assert found.values.shape == (3, 9, bypass.output_size) == (3, 9, 8 + PASSING)
    assert torch.equal(found.lengths, batch.lengths)
    assert torch.equal(found.values[..., 8:], batch.values[..., -PASSING:])
    alone = bypass.encoder(PaddedSequence(batch.values[..., :-PASSING], batch.lengths))
    assert torch.equal(found.values[..., :8], alone.values)
    assert torch.equal(bypass.output_lengths(batch.lengths), batch.lengths)


def test_the_encoder_does_not_see_what_passes(bypass: Bypass, batch: PaddedSequence) -> None:
    values = batch.values.requires_grad_()
    with retaining():
        encoded = bypass(PaddedSequence(values, batch.lengths)).values
    (gradient,) = torch.autograd.grad(encoded[..., :8].square().sum(), values, retain_graph=True)
    assert not gradient[..., -PASSING:].any()
    assert gradient[0, :5, :-PASSING].all()
    (gradient,) = torch.autograd.grad(encoded[..., 8:].sum(), values)
    assert not gradient[..., :-PASSING].any()
    assert torch.equal(gradient[..., -PASSING:], batch.mask().unsqueeze(-1).expand(-1, -1, PASSING).float())


@torch.no_grad()
@pytest.mark.parametrize("garbage", [1e4, float("nan")])
def test_padding_changes_nothing(garbage: float, bypass: Bypass, batch: PaddedSequence) -> None:
    plain, padded = bypass(batch), bypass(batch.extended(16).masked(garbage))
    for row, other in zip(plain.rows(), padded.rows(), strict=True):
        assert torch.allclose(row, other, atol=1e-6)
    assert not padded.values[1, 1:, 8:].any()


@pytest.mark.parametrize(
    ("size", "encoder", "said"),
    [
        (D, ENCODER, f"should be below the {D} features of a step; received {D}"),
        (2, StageConfig.parse("LogMel"), "needs"),
        (2, StageConfig.parse("Conv1dFrontEnd"), "Conv1dFrontEnd is a frontend stage, not an encoder"),
    ],
)
def test_what_can_not_be_is_told(size: int, encoder: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Bypass(input_size=D, size=size, encoder=encoder)
