from typing import Any

import pytest
import torch

from seqpipe import Chroma, PaddedSequence

NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


@pytest.mark.parametrize(("hertz", "name"), [(440.0, "A"), (880.0, "A"), (261.63, "C"), (329.63, "E")])
def test_a_note_is_loudest_in_its_class(hertz: float, name: str, tone: Any) -> None:
    stage = Chroma(sample_rate=8000)
    (row,) = stage(PaddedSequence.pad([tone(hertz, 0.4, 8000)])).rows()
    assert row.shape == (41, 12)
    assert {NAMES[best] for best in row[7:-7].argmax(dim=1).tolist()} == {name}
    torch.testing.assert_close(row.amax(dim=1), torch.ones(41))


@pytest.mark.filterwarnings("ignore:n_fft=")  # librosa, of short rows
@pytest.mark.parametrize("rate", [8000, 11_025, 16_000])  # at 11025 the window would have an odd number of samples
@pytest.mark.parametrize("hops", [0.5, 1, 4, 4.1, 20])
def test_frames_are_counted_exactly(hops: float, rate: int, noisy: Any) -> None:
    stage = Chroma(sample_rate=rate)
    length = round(hops * stage.hop_length)
    (row,) = stage(PaddedSequence.pad([noisy(length)])).rows()
    assert len(row) == 1 + length // stage.hop_length == int(stage.output_lengths(torch.tensor([length])))
    assert row.isfinite().all()


@pytest.mark.filterwarnings("ignore:n_fft=")
def test_silence_is_finite() -> None:
    (row,) = Chroma(sample_rate=8000, n_chroma=24)(PaddedSequence.pad([torch.zeros(900)])).rows()
    assert row.shape == (12, 24)
    assert row.isfinite().all()


def test_a_change_of_note_is_where_locate_says(tone: Any) -> None:
    samples = torch.cat([tone(440.0, 0.5, 8000), tone(261.63, 0.5, 8000)])
    stage = Chroma(sample_rate=8000)
    classes = stage(PaddedSequence.pad([samples])).values[0].argmax(dim=1)
    change = int((classes == NAMES.index("C")).float().argmax())
    assert float(stage.locate(samples, torch.tensor(change))) / 8000 == pytest.approx(0.5, abs=0.03)
