"""Features one after another, and side by side."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from seqpipe import (
    Concatenation,
    ConfigError,
    FeatureChain,
    FileSpan,
    LogMel,
    Normalization,
    PaddedSequence,
    StageConfig,
    Waveform,
)

RATE = 8000
WAVEFORM = {"stage": "Waveform", "sample_rate": RATE}


def configs(*stages: Any) -> list[StageConfig]:
    return [StageConfig.parse(stage) for stage in stages]


class TestFeatureChain:
    def test_each_stage_gets_its_sizes_from_the_one_before(self) -> None:
        chain: Any = FeatureChain(stages=configs(WAVEFORM, "Gain", {"stage": "LogMel", "n_mels": 7}, "Deltas"))
        assert chain.output_size == 21
        assert chain.stages[2].frame_rate == 100.0

    def test_it_does_what_its_stages_do(self, noisy: Any) -> None:
        chain: Any = FeatureChain(stages=configs(WAVEFORM, "LogMel", "Normalization"))
        raw = {"array": noisy(2000).numpy(), "sampling_rate": RATE}
        mel = LogMel(sample_rate=RATE)(PaddedSequence.pad([noisy(2000)]))
        expected = Normalization(input_size=80)(mel)
        got = chain(PaddedSequence.pad([chain.prepare(raw, None)]))
        assert torch.equal(got.values, expected.values)
        assert chain.output_lengths(torch.tensor([2000])).tolist() == got.lengths.tolist() == [26]

    def test_places_are_seconds_of_the_input_and_amounts_too(self, noisy: Any, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", noisy(16_000).numpy(), 16_000)
        chain: Any = FeatureChain(stages=configs(WAVEFORM, "LogMel"))
        span = FileSpan(tmp_path / "a.wav", 0.25, 0.75)
        assert chain.length(span) == len(chain.prepare(span, None)) == 4000
        assert chain.reader.source(span).origin == 0.25
        assert chain.locate(torch.zeros(4000), torch.tensor([0, 10, 50]).double()).tolist() == [0.0, 0.1, 0.5]
        assert chain.measure.name == "second"
        assert chain.measure.amount(torch.tensor([4000, 8000])) == 1.5

    def test_what_it_learnt_is_saved_by_stage(self, tmp_path: Path) -> None:
        chain = FeatureChain(stages=configs(WAVEFORM, "LogMel"))
        chain.save_assets(tmp_path)
        chain.load_assets(tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            (["LogMel"], r"^0 LogMel needs sample_rate from the stage before it, and nothing stands there"),
            ([WAVEFORM, "LogMel", {"stage": "MFCC", "n_mfcc": 50}], r"^2 MFCC\.n_mfcc: 50 coefficients"),
            ([WAVEFORM, "LogMel", "RecurrentEncoder"], r"^2 RecurrentEncoder is a encoder stage, not a features stage"),
        ],
        ids=["nothing before", "a value", "a role"],
    )
    def test_errors_name_the_position(self, stages: list[Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            FeatureChain(stages=configs(*stages))

    def test_errors_in_options_name_it_too(self) -> None:
        with pytest.raises(ConfigError, match=r"stages\.1\.n_mel is not known; did you mean n_mels\?"):
            StageConfig.parse({"stage": "FeatureChain", "stages": [WAVEFORM, {"stage": "LogMel", "n_mel": 3}]})
        with pytest.raises(ConfigError, match=r"stages .*at least 1"):
            FeatureChain(stages=[])


class TestConcatenation:
    def test_parts_stand_side_by_side(self, noisy: Any) -> None:
        rows = PaddedSequence.pad([noisy(2000), noisy(500)])
        parts = configs(
            {"stage": "LogMel", "n_mels": 5}, {"stage": "MFCC", "deltas": 0}, {"stage": "LogMel", "n_mels": 9}
        )
        both: Any = Concatenation(stages=parts, previous=Waveform(sample_rate=RATE))
        assert both.output_size == 5 + 13 + 9
        expected = [config.build(Waveform(sample_rate=RATE))(rows).values for config in parts]
        assert torch.equal(both(rows).values, torch.cat(expected, dim=-1))
        assert both.output_lengths(rows.lengths).tolist() == [26, 7]
        assert float(both.locate(rows.values[0], torch.tensor(3.0))) == 240.0

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            (
                ["LogMel", {"stage": "MFCC", "hop_seconds": 0.02}],
                r"the same hop; frames a second are \[50\.0, 100\.0\]",
            ),
            (["LogMel", "TrimSilence"], "the same hop"),
            (["LogMel", "Gain"], "Gain works on single examples; put it in front"),
            ([], "at least 1"),
        ],
        ids=["hop", "trimmed", "single examples", "none"],
    )
    def test_what_does_not_fit_is_refused(self, stages: list[Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            Concatenation(stages=configs(*stages), previous=Waveform(sample_rate=RATE))

    def test_what_learns_inside_it_learns_as_it_would_alone(self, noisy: Any, tmp_path: Path) -> None:
        learning = {"stage": "Normalization", "over": "global"}
        front = [WAVEFORM, {"stage": "LogMel", "n_mels": 4}]
        beside = [*front, {"stage": "Concatenation", "stages": [learning, "Deltas", {**learning, "variance": False}]}]
        raws = [{"array": noisy(length).numpy(), "sampling_rate": RATE} for length in (2000, 900)]
        chain: Any = FeatureChain(stages=configs(*beside))
        alone: Any = FeatureChain(stages=configs(*front, learning))
        chain.fit(raws)
        alone.fit(raws)
        batch = PaddedSequence.pad([chain.prepare(raws[0], None)])
        assert torch.equal(chain(batch).values[..., :4], alone(batch).values)
        again: Any = FeatureChain(stages=configs(*beside))
        chain.save_assets(tmp_path)
        again.load_assets(tmp_path)
        again.load_state_dict(chain.state_dict())
        assert torch.equal(again(batch).values, chain(batch).values)

    def test_learning_behind_it_works(self, noisy: Any) -> None:
        parts = {"stage": "Concatenation", "stages": [{"stage": "LogMel", "n_mels": 4}, {"stage": "MFCC", "deltas": 0}]}
        chain: Any = FeatureChain(stages=configs(WAVEFORM, parts, {"stage": "Normalization", "over": "global"}))
        raws = [{"array": noisy(length).numpy(), "sampling_rate": RATE} for length in (2000, 900)]
        chain.fit(raws)
        frames = torch.cat([chain(PaddedSequence.pad([chain.prepare(raw, None)])).values[0] for raw in raws])
        np.testing.assert_allclose(frames.mean(dim=0), np.zeros(17), atol=1e-4)
        np.testing.assert_allclose(frames.std(dim=0, correction=0), np.ones(17), atol=1e-3)
