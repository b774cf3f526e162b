import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TOOL = Path(__file__).parents[2] / "tools" / "soak_infer.py"


def test_a_few_kills_of_inference_over_starter_recordings_leave_no_trace(
    trained_run: Path, tmp_path: Path, command_environment: dict[str, str]
) -> None:
    pytest.importorskip("espeakng_loader")
    from seqpipe.data.starter.speech import write_recordings

    write_recordings(tmp_path / "starter", {"train": 40, "dev": 2, "test": 1})
    lines = (tmp_path / "starter" / "train.tsv").read_text().splitlines()
    place = lines[0].split("\t").index("path")
    names = [f"starter/{line.split(chr(9))[place]}" for line in lines[1:]]
    broken = tmp_path / "starter" / "broken.wav"
    broken.write_bytes(b"no audio")
    rows = [{"path": name} for name in (*names, "starter/broken.wav", "starter/gone.wav") * 8]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, str(TOOL), str(trained_run), "list.jsonl", "--kills", "3", "--out", "soak"]
    done = subprocess.run(
        [*command, "--options", "--window 16 --threads 1"],
        capture_output=True,
        text=True,
        timeout=500,
        env=command_environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ends = [line for line in done.stdout.splitlines() if ": 3 kills, " in line]
    assert [end.partition(":")[0] for end in ends] == ["jsonl", "parquet"]
    for end in ends:
        outputs, equal = (int(part.split()[0]) for part in end.split(", ")[1:3])
        assert outputs == equal > 0
