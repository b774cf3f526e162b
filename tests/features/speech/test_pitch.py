from typing import Any

import numpy as np
import pytest
import torch

from seqpipe import ConfigError, PaddedSequence, Pitch

RATE = 8000


@pytest.mark.parametrize("method", ["yin", "pyin"])
def test_a_tone_has_its_pitch_in_octaves(method: str, tone: Any) -> None:
    stage = Pitch(sample_rate=RATE, method=method, low_hertz=100.0)
    rows = [tone(hertz, 0.3, RATE) for hertz in (200.0, 400.0)]
    for octaves, row in zip((1.0, 2.0), stage(PaddedSequence.pad(rows)).rows(), strict=True):
        assert row.shape == (31, stage.output_size)
        inner = row[6:-6]
        torch.testing.assert_close(inner[:, 0], torch.full((19,), octaves), atol=0.02, rtol=0)
        if method == "pyin":
            assert (inner[:, 1] > 0.5).all(), "voiced"


def test_noise_is_unvoiced(noisy: Any) -> None:
    (row,) = Pitch(sample_rate=RATE, method="pyin")(PaddedSequence.pad([noisy(3000)])).rows()
    voiced = row[:, 1] > 0.5
    assert float(voiced.float().mean()) < 0.5
    assert not row[:, 0][row[:, 1] < 0.01].any(), "0 where unvoiced"


@pytest.mark.parametrize("method", ["yin", "pyin"])
def test_silence_and_short_rows_give_finite_frames(method: str) -> None:
    stage = Pitch(sample_rate=RATE, method=method)
    for row in (torch.zeros(1), torch.ones(1), torch.zeros(400), torch.full((79,), 0.3)):
        output = stage(PaddedSequence.pad([row]))
        assert output.lengths.tolist() == [1 + len(row) // 80]
        assert output.values.isfinite().all()


@pytest.mark.parametrize("window_seconds", [0.064, 0.064125])  # 512 and 513 samples
@pytest.mark.parametrize("length", [79, 80, 81, 800, 801])
def test_frames_are_counted_exactly(length: int, window_seconds: float, noisy: Any) -> None:
    stage = Pitch(sample_rate=RATE, window_seconds=window_seconds)
    assert stage(PaddedSequence.pad([noisy(length)])).lengths.tolist() == [1 + length // 80]
    assert stage.output_lengths(torch.tensor([length])).tolist() == [1 + length // 80]


def test_a_change_of_pitch_is_where_locate_says(tone: Any) -> None:
    samples = torch.cat([tone(150.0, 0.4, RATE), tone(300.0, 0.4, RATE)])
    stage = Pitch(sample_rate=RATE)
    pitch = stage(PaddedSequence.pad([samples])).values[0, :, 0].numpy()
    change = int(np.argmax(pitch > np.log2(220.0 / 65.0)))
    assert float(stage.locate(samples, torch.tensor(change))) / RATE == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    "options",
    [{"low_hertz": 500.0}, {"high_hertz": 4001.0}, {"low_hertz": 20.0}, {"window_seconds": 0.03}],
    ids=str,
)
def test_a_window_holds_two_periods(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="two periods of low_hertz"):
        Pitch(sample_rate=RATE, **options)
