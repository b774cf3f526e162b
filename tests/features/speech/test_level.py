"""Every recording at the same loudness."""

from typing import Any

import pytest
import torch

from seqpipe import ConfigError, LevelNormalization, PaddedSequence

RATE = 8000


def test_rows_get_the_level_whatever_they_had(noisy: Any) -> None:
    rows = [gain * noisy(length) for gain, length in ((1.0, 3000), (0.01, 800), (8.0, 1))]
    levelled = LevelNormalization(sample_rate=RATE, db=-26.0)(PaddedSequence.pad(rows)).rows()
    for row, level in zip(rows, levelled, strict=True):
        assert float(level.square().mean()) == pytest.approx(10**-2.6, rel=1e-4)
        torch.testing.assert_close(level / level.abs().max(), row / row.abs().max())


def test_in_training_too(noisy: Any) -> None:
    stage, batch = LevelNormalization(sample_rate=RATE), PaddedSequence.pad([noisy(3000)])
    assert torch.equal(stage.train()(batch).values, stage.eval()(batch).values)


def test_silence_stays_silent() -> None:
    stage = LevelNormalization(sample_rate=RATE, db=-20.0, floor_db=-80.0)
    assert not stage(PaddedSequence.pad([torch.zeros(100)])).values.any()
    hiss = 1e-6 * torch.ones(100)  # at -120 dB: raised by 60, as a row at -80 would be
    torch.testing.assert_close(stage(PaddedSequence.pad([hiss])).values[0], 1e-3 * torch.ones(100))


def test_levels_have_a_range() -> None:
    for options in ({"db": 1.0}, {"floor_db": 3.0}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            LevelNormalization(sample_rate=RATE, **options)
