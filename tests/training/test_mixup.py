"""Mixed rows: what they hold, what they learn, and which heads can't have them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import ClassifierHead, ConfigError, PaddedSequence
from seqpipe.config.recipe import load_recipe
from seqpipe.core.head import Encoded
from seqpipe.training.mixup import Mixture, draw_mixture, mix, mixed_loss
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]


def batch() -> PaddedSequence:
    rows = [torch.full((length, 2), float(value)) for length, value in ((3, 1), (5, 10), (2, 100))]
    return PaddedSequence.pad(rows)


def test_a_mixed_row_has_its_share_of_both_and_the_longer_one_s_length() -> None:
    features = batch()
    features.values[0, 3:] = float("nan")  # padding says nothing
    found = mix(features, Mixture([0, 2], [2, 0], 0.75))
    assert found.lengths.tolist() == [3, 5, 3]
    assert found.rows()[0][:, 0].tolist() == [0.75 + 25, 0.75 + 25, 0.75]
    assert found.rows()[1].eq(10).all()
    assert found.rows()[2][:, 0].tolist() == [75.25, 75.25, 0.25]


def test_drawn_rows_have_other_partners_among_themselves_and_views_the_same() -> None:
    torch.manual_seed(1)
    drawn = [draw_mixture(40, 0.3, 0.5) for _ in range(200)]
    found = [mixture for mixture in drawn if mixture is not None]
    assert 0.25 < sum(len(mixture.rows) for mixture in found) / 8000 < 0.35
    for mixture in found:
        assert sorted(mixture.rows) == sorted(mixture.partners)
        assert all(row != partner for row, partner in zip(mixture.rows, mixture.partners, strict=True))
        assert 0 <= mixture.share <= 1
    assert draw_mixture(1, 1.0, 0.5) is None
    assert draw_mixture(30, 0.0, 0.5) is None
    assert Mixture([2, 0], [0, 2], 0.6).of_views(3, 2) == Mixture([2, 0, 5, 3], [0, 2, 3, 5], 0.6)


@pytest.mark.parametrize("consistency", ["0", "0.2"])
def test_mixed_training_learns_and_resumes_with_the_same_bits(
    consistency: str,
    train_tones: TrainTones,
    train_stopped: TrainTones,
    same_weights: Callable[[Path, Path], bool],
    tmp_path: Path,
) -> None:
    mixed = ["training.mixup=0.6", f"training.consistency={consistency}"]
    whole = train_tones(tmp_path / "whole", *mixed)
    assert train_stopped(tmp_path / "stopped", *mixed)["dev"] == whole["dev"]
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")
    plain = train_tones(tmp_path / "plain", f"training.consistency={consistency}")
    assert plain["dev"]["loss"] != whole["dev"]["loss"]


def test_each_target_counts_by_its_share() -> None:
    head = ClassifierHead(input_size=2)
    head.fit(["a", "b", "c"])
    encoded = Encoded(*batch())
    targets: list[Tensor | None] = [head.encode_target(name) for name in "abc"]

    def loss(part: Encoded, wanted: Sequence[Tensor | None]) -> Any:
        return head.loss(part, [target for target in wanted if target is not None]), []

    def alone(row: int, target: int) -> float:
        return float(loss(encoded.chosen([row]), [targets[target]])[0][0])

    found, _ = mixed_loss(loss, encoded, targets, Mixture([0, 2], [2, 0], 0.75))
    wanted = alone(1, 1) + 0.75 * (alone(0, 0) + alone(2, 2)) + 0.25 * (alone(0, 2) + alone(2, 0))
    assert found is not None
    assert float(found[0]) == pytest.approx(wanted)
    assert float(found[1]) == pytest.approx(3.0)
    whole, _ = mixed_loss(loss, encoded, targets, None)
    assert whole is not None
    assert float(whole[0]) == pytest.approx(sum(alone(row, row) for row in range(3)))


TAGS = """
data: {train: rows.txt, format: columns, columns: [word, tag], input: word, target: tag}
pipeline:
  features: [{stage: Tokens}, {stage: Embedding, size: 2}]
  head: {stage: TaggerHead}
training: {epochs: 1, batch_steps: 20, workers: 0, threads: 1, device: cpu, report: false, mixup: 0.5}
"""


def test_what_cannot_be_mixed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("a X\nb Y\n\nb Y\n\n" * 4)
    (tmp_path / "tags.yaml").write_text(TAGS)
    with pytest.raises(ConfigError, match=r"training\.mixup doesn't go with TaggerHead"):
        train(load_recipe(tmp_path / "tags.yaml"), tmp_path / "run", quiet=True, notice=lambda line: None)
    with pytest.raises(ConfigError, match="no teacher sees"):
        load_recipe(tmp_path / "tags.yaml", ["training.distill_from=elsewhere"])
