"""Shared by the tests of loaders: the tones, and features that augment them."""

from pathlib import Path

import pytest

from seqpipe import AddNoise, FeatureChain, LogMel, SpeedPerturbation, Waveform
from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows


@pytest.fixture(scope="module")
def features() -> FeatureChain:
    """Everything that augments in the loader."""
    return FeatureChain(
        stages=[
            Waveform.configure(sample_rate=8000),
            SpeedPerturbation.configure(factors=[0.9, 1.0, 1.1]),
            AddNoise.configure(probability=1.0),
            LogMel.configure(n_mels=8),
        ]
    )


@pytest.fixture(scope="module")
def rows(tone_data: Path) -> list[Row]:
    return list(read_rows(str(tone_data / "train.tsv"), DataConfig(), suffixes=AUDIO_SUFFIXES))[:24]


@pytest.fixture(scope="module")
def lengths(features: FeatureChain, rows: list[Row]) -> list[int]:
    return [features.length(row.input) for row in rows]
