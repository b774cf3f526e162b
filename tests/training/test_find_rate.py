import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seqpipe.config.recipe import load_recipe
from seqpipe.errors import ConfigError
from seqpipe.training.find_rate import find_rate


def test_the_command_names_a_rate_and_draws(
    tone_data: Path, seqpipe_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = seqpipe_command("find-rate", tone_data / "tones.yaml", "--steps", 60, "--picture", "rate.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("steepest fall of the loss at ")
    assert (tmp_path / "rate.png").read_bytes().startswith(b"\x89PNG")


def test_rates_rise_until_the_loss_shoots_up(tone_data: Path) -> None:
    recipe = load_recipe(tone_data / "tones.yaml", ["training.clip_norm=null", "training.optimizer=sgd"])
    found = find_rate(recipe, steps=40, lowest=1e-4, highest=1e4)
    assert list(found.rates) == sorted(found.rates)
    assert len(found.rates) == len(found.losses) < 40
    assert 1e-4 < found.steepest <= 1e4
    assert found.losses[list(found.rates).index(found.least)] == min(found.losses) < found.losses[0]
    assert recipe.training.epochs == 10  # the recipe is left alone


@pytest.mark.parametrize("wrong", [{"steps": 29}, {"lowest": 0.0}, {"lowest": 1.0, "highest": 0.1}])
def test_a_test_that_can_not_be_is_told(wrong: dict[str, float], tone_data: Path) -> None:
    with pytest.raises(ConfigError, match=r"should be at least 30; received 29|should rise from above 0"):
        find_rate(load_recipe(tone_data / "tones.yaml"), **wrong)
