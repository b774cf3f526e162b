import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SMALL = [
    "training.epochs=2",
    "training.checkpoint_minutes=0.01",
    "training.threads=1",
    "pipeline.encoder.hidden_size=24",
    "pipeline.encoder.layers=1",
]


def test_three_kills_of_a_training_on_starter_recordings_have_three_exact_ends(
    tmp_path: Path, command_environment: dict[str, str]
) -> None:
    pytest.importorskip("espeakng_loader")
    from seqpipe.data.starter.speech import write_recordings

    write_recordings(tmp_path / "starter", {"train": 60, "dev": 10, "test": 1})
    tool = Path(__file__).parents[2] / "tools" / "soak.py"
    command = [sys.executable, str(tool), "speech/starter", "--kills", "3", "--out", str(tmp_path / "runs")]
    done = subprocess.run(
        [*command, f"data.root={tmp_path}/starter", *SMALL],
        capture_output=True,
        text=True,
        timeout=500,
        env=command_environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "3 kills, 3 exact ends"
