import csv
import json
from pathlib import Path

import pytest
import torch

from seqpipe.core.files import write_json
from seqpipe.errors import RunError
from seqpipe.run_directory import open_run_directory, read_log, read_metrics


def test_an_absent_or_empty_folder_is_made_and_taken(tmp_path: Path) -> None:
    for resume in (False, True):
        folder = tmp_path / str(resume) / "deep"
        assert open_run_directory(folder, resume=resume) is None
        assert folder.is_dir()
        assert open_run_directory(folder, resume=resume) is None


def test_a_folder_that_holds_something_needs_resume(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"is not empty; give another --out, or --resume"):
        open_run_directory(tmp_path, resume=False)
    assert open_run_directory(tmp_path, resume=True) is None  # without a checkpoint it starts afresh
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"")
    assert open_run_directory(tmp_path, resume=True) == tmp_path / "checkpoints" / "last.ckpt"


def test_a_finished_run_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {})
    with pytest.raises(RunError, match=r"this run is finished"):
        open_run_directory(tmp_path, resume=True)
    with pytest.raises(RunError, match=r"is not empty"):
        open_run_directory(tmp_path, resume=False)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"is a file; --out names a folder"):
        open_run_directory(tmp_path / "file", resume=False)


def test_json_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "ü"})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"name": object()})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "ü"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_metrics_say_how_the_model_came_to_be_and_are_written_last(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    assert metrics["dev"]["wer"] == metrics["dev"]["cer"] == 0.0
    assert metrics["rows"] == {"train": 80, "dev": 16, "failed": 0}
    assert (metrics["epochs"], metrics["seed"]) == (10, 1)
    assert torch.__version__.startswith(metrics["versions"]["torch"])
    assert metrics["versions"]["seqpipe"]
    assert metrics["machine"]["processor"]
    assert metrics["machine"]["threads"] == 1
    assert metrics["scoring"] == "text as it stands"
    assert metrics["parameters"] > 1000
    assert 0 < metrics["seconds"] < 500
    files = {path: path.stat().st_mtime_ns for path in trained_run.rglob("*") if path.is_file()}
    assert max(files, key=lambda path: files[path]) == trained_run / "metrics.json"
    assert not [path for path in files if path.name.startswith(".")]


@pytest.mark.parametrize(
    "content", [b"\xff", b"[" * 100_000, b"[]", b'{"dev": 5, "seconds": 1, "rows": {}}', b'{"dev": {}}']
)
def test_metrics_that_are_damaged_are_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.json: is (no JSON|damaged).*; delete .* to train it anew"):
        read_metrics(tmp_path)


@pytest.mark.parametrize("content", [b"step,lr\n1,\xff\n", b"step,lr\n1," + b"9" * 5_000_000])
def test_a_log_that_is_damaged_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "metrics.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"log/metrics\.csv: is damaged"):
        read_log(tmp_path)


def test_the_log_has_what_the_curves_show(trained_run: Path) -> None:
    with (trained_run / "log" / "metrics.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    for name, least in (("train_loss", 10), ("dev_loss", 5), ("dev_wer", 5), ("lr", 10)):
        values = [float(record[name]) for record in records if record[name]]
        assert len(values) >= least, name
        if name.endswith("loss"):
            assert values[-1] < 0.2 * values[0]
    assert "<svg" in (trained_run / "report.html").read_text()
