from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.errors import ConfigError
from seqpipe.run_directory import open_run_directory

TrainTones = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.device=cuda"], r"training\.device: cuda was asked for, and torch sees no CUDA device"),
        (["data.dev=null", "training.stop_after=2"], r"training\.stop_after needs data\.dev"),
        (["data.dev=null", "training.schedule=plateau"], r"plateau needs data\.dev"),
        (["data.train=null"], r"data\.train is required"),
        (["decoding={method: beam, lm: none.arpa}"], r"none\.arpa"),  # before the first step, not when dev is scored
    ],
)
def test_a_recipe_that_can_not_be_trained_leaves_the_folder_free(
    overrides: list[str], message: str, train_tones: TrainTones, tmp_path: Path
) -> None:
    if "training.device=cuda" in overrides and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ConfigError, match=message):
        train_tones(tmp_path / "run", *overrides)
    assert open_run_directory(tmp_path / "run", resume=False) is None  # mended, the same command runs
