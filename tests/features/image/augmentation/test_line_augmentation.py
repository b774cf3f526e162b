"""What every augmentation of line images has in common."""

from typing import Any

import pytest
import torch

from seqpipe import ImageBlur, ImageNoise, InkIntensity, LineDistortion, PaddedSequence, RandomErasing, StrokeThickness

H = 16
# Options with which a draw always changes a picture, and visibly.
STAGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "LineDistortion": (LineDistortion, {"scale_y": (0.7, 0.9)}),
    "StrokeThickness": (StrokeThickness, {"thinning": 2.0, "thickening": 2.0}),
    "InkIntensity": (InkIntensity, {"gamma": (1.2, 2.0), "scale": (0.5, 0.8)}),
    "ImageBlur": (ImageBlur, {"sigma": (0.5, 2.0)}),
    "ImageNoise": (ImageNoise, {"gaussian": (0.1, 0.5), "speckle": (0.1, 0.5), "salt_and_pepper": (0.0, 0.1)}),
    "RandomErasing": (RandomErasing, {"share": 0.9, "fill": "mean"}),
}


def built(name: str, probability: float = 1.0) -> Any:
    stage, options = STAGES[name]
    return stage(input_size=H, probability=probability, **options).train()


def written(length: int, seed: int = 0) -> torch.Tensor:
    """``[W, H]`` in 0 to 1: grey strokes on paper."""
    generator = torch.Generator().manual_seed(seed)
    row = torch.rand(length, H, generator=generator)
    return torch.where(torch.rand(length, H, generator=generator) < 0.4, row, 0.0)


def seeded(stage: Any, batch: PaddedSequence, seed: int = 1) -> PaddedSequence:
    torch.manual_seed(seed)
    changed: PaddedSequence = stage(batch)
    return changed


@pytest.mark.parametrize("name", STAGES)
class TestEveryLineAugmentation:
    def test_the_longest_of_a_batch_and_its_padding_change_nothing_for_a_row(self, name: str) -> None:
        row = written(40)
        alone = seeded(built(name), PaddedSequence.pad([row])).rows()[0]
        assert not (alone.shape == row.shape and torch.equal(alone, row))
        for longer in (41, 133):
            batch = PaddedSequence.pad([row, written(longer, 5)])
            for garbage in (0.0, 1.0, float("nan")):
                together = seeded(built(name), batch.masked(garbage)).rows()[0]
                torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)

    def test_lengths_are_those_of_the_pictures(self, name: str) -> None:
        stage = built(name)
        batch = PaddedSequence.pad([written(length, length) for length in (30, 1, 2, 77)])
        changed = seeded(stage, batch)
        assert changed.lengths.dtype == torch.int64
        assert changed.values.shape[1] >= int(changed.lengths.max())
        for before, after in zip(batch.lengths.tolist(), changed.lengths.tolist(), strict=True):
            assert after >= stage.min_length(before) >= 1

    def test_the_padding_is_paper(self, name: str) -> None:
        changed = seeded(built(name), PaddedSequence.pad([written(12), torch.ones(50, H), written(31)]))
        assert torch.equal(changed.values, changed.masked().values)

    @pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
    def test_ink_stays_between_0_and_1(self, name: str, level: float) -> None:
        batch = PaddedSequence.pad([written(60), torch.full((50, H), level), torch.full((1, H), level)])
        for seed in range(5):
            changed = seeded(built(name), batch, seed).values
            assert changed.isfinite().all()
            assert float(changed.min()) >= 0
            assert float(changed.max()) <= 1 + 1e-6

    def test_evaluation_changes_nothing_and_draws_nothing(self, name: str) -> None:
        batch = PaddedSequence.pad([written(30), written(7)])
        before = torch.get_rng_state()
        assert torch.equal(built(name).eval()(batch).values, batch.values)
        assert torch.equal(torch.get_rng_state(), before)

    def test_torchs_seed_decides(self, name: str) -> None:
        batch = PaddedSequence.pad([written(60), written(40)])
        first, again, other = (seeded(built(name), batch, seed) for seed in (1, 1, 2))
        assert torch.equal(first.values, again.values)
        assert first.values.shape != other.values.shape or not torch.equal(first.values, other.values)

    def test_rows_are_changed_differently(self, name: str) -> None:
        first, second = seeded(built(name), PaddedSequence.pad([written(60)] * 2)).rows()
        assert first.shape != second.shape or not torch.equal(first, second)

    def test_the_input_is_left_alone(self, name: str) -> None:
        batch = PaddedSequence.pad([written(30), written(7)])
        kept = batch.values.clone()
        seeded(built(name), batch)
        assert torch.equal(batch.values, kept)

    def test_probability(self, name: str) -> None:
        row = written(20)
        batch = PaddedSequence.pad([row] * 400)
        for probability in (0.0, 0.3, 1.0):
            rows = seeded(built(name, probability), batch).rows()
            share = sum(len(after) != len(row) or not torch.equal(after, row) for after in rows) / 400
            assert share == pytest.approx(probability, abs=0.08 * (0 < probability < 1))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
    def test_the_precision_stays(self, name: str, dtype: torch.dtype) -> None:
        batch = PaddedSequence.pad([written(60), written(40)])
        changed = seeded(built(name), batch.to(dtype))
        assert changed.values.dtype == dtype
        plain = seeded(built(name), batch).values
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(seeded(built(name), batch).values, plain)
        torch.testing.assert_close(changed.values.float(), plain, atol=0.1, rtol=0)
