from typing import Any

import numpy as np
import pytest
import torch

from seqpipe import FeatureChain, LogMel, PaddedSequence, TrimSilence, Waveform

RATE = 8000
HOP = 128


def recording(before: int, sound: int, after: int, noisy: Any) -> torch.Tensor:
    loud = torch.sign(noisy(sound)) * 0.5
    return torch.cat([torch.zeros(before), loud, torch.zeros(after)])


@pytest.mark.parametrize(("before", "after"), [(2000, 3000), (0, 3000), (2000, 0), (0, 0)])
def test_silence_at_both_ends_goes(before: int, after: int, noisy: Any) -> None:
    whole = recording(before, 4000, after, noisy)
    (trimmed,) = TrimSilence(sample_rate=RATE)(PaddedSequence.pad([whole])).rows()
    start, stop = TrimSilence(sample_rate=RATE).kept(whole)
    assert torch.equal(trimmed, whole[start:stop])
    # Loudness is measured over 64 ms, so up to half of that (and a hop) of silence stays.
    assert max(0, before - 256 - HOP) <= start <= before
    assert before + 4000 <= stop <= min(len(whole), before + 4000 + 256 + HOP)


def test_silence_in_the_middle_stays(noisy: Any) -> None:
    whole = torch.cat([recording(3000, 2000, 2000, noisy), recording(2000, 2000, 3000, noisy)])
    start, stop = TrimSilence(sample_rate=RATE).kept(whole)
    assert start <= 3000
    assert stop >= 3000 + 2000 + 4000 + 2000


def test_top_db_decides_what_is_quiet(noisy: Any) -> None:
    whole = recording(3000, 3000, 0, noisy)
    whole[:3000] = 0.005 * torch.sign(noisy(3000))  # 40 dB below the rest
    assert TrimSilence(sample_rate=RATE, top_db=50.0).kept(whole)[0] == 0
    assert TrimSilence(sample_rate=RATE, top_db=30.0).kept(whole)[0] > 2500


@pytest.mark.parametrize("samples", [1, 10, 5000])
def test_something_is_always_left(samples: int, noisy: Any) -> None:
    for row in (torch.zeros(samples), noisy(samples)):
        assert int(TrimSilence(sample_rate=RATE)(PaddedSequence.pad([row])).lengths) > 0


def test_places_stay_those_of_the_whole_recording(noisy: Any) -> None:
    """The first loud frame of the features is at the time at which the sound begins in the file."""
    chain: Any = FeatureChain(
        stages=[Waveform.configure(sample_rate=RATE), TrimSilence.configure(), LogMel.configure(n_mels=20)]
    )
    prepared = chain.prepare({"array": recording(6000, 4000, 2000, noisy).numpy(), "sampling_rate": RATE}, None)
    (frames,) = chain(PaddedSequence.pad([prepared])).rows()
    loud = np.flatnonzero(frames.mean(dim=1).numpy() > -6.0)
    seconds = chain.locate(prepared, torch.tensor([loud[0], loud[-1]], dtype=torch.float64))
    assert seconds.tolist() == pytest.approx([0.75, 1.25], abs=0.03)
