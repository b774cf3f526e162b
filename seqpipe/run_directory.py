"""What a run directory says about how its model came to be."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from seqpipe.errors import RunError

METRICS, CHECKPOINTS, LAST, LOG = "metrics.json", "checkpoints", "last.ckpt", "log"


def open_run_directory(folder: Path, *, resume: bool) -> Path | None:
    """Make or enter a run directory; returns the checkpoint to go on from, if there is one.

    Raises:
        RunError: it holds something and ``resume`` was not asked for, or it is finished already.
    """
    found = enter(folder)
    if found and not resume:
        raise RunError(f"{folder}: is not empty; give another --out, or --resume to go on with what is there")
    if METRICS in found:
        raise RunError(f"{folder}: this run is finished ({METRICS} is there); give another --out to train anew")
    for draft in folder.glob(".saving-*"):  # left by a training that was killed while it saved
        shutil.rmtree(draft)
    return last_checkpoint(folder) if resume else None


def enter(folder: Path) -> set[str]:
    """Make a folder, if there is none; the names of what is in it.

    Raises:
        RunError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; --out names a folder")
    folder.mkdir(parents=True, exist_ok=True)
    return {path.name for path in folder.iterdir()}


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that a run directory can be resumed from, if there is one."""
    checkpoint = folder / CHECKPOINTS / LAST
    return checkpoint if checkpoint.is_file() else None


def read_metrics(run: Path) -> dict[str, Any]:
    """What ``metrics.json`` holds; empty where training has not finished.

    Raises:
        RunError: it is damaged.
    """
    path = run / METRICS
    if not path.is_file():
        return {}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: is no JSON ({error}); delete {run} to train it anew") from None
    forms: dict[str, Any] = {"dev": dict, "seconds": (int, float), "rows": dict}
    if not isinstance(metrics, dict) or not all(isinstance(metrics.get(name), form) for name, form in forms.items()):
        raise RunError(f"{path}: is damaged, or not what a training writes; delete {run} to train it anew")
    return metrics


def read_log(run: Path) -> list[dict[str, str]]:
    """Rows of ``log/metrics.csv``; none where there is no log.

    Raises:
        RunError: it is damaged.
    """
    path = run / LOG / "metrics.csv"
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise RunError(f"{path}: is damaged ({error}); delete it for a report without curves") from None


def environment() -> dict[str, Any]:
    """Versions, commit and machine, for ``metrics.json``."""
    import torch

    names = ("seqpipe", "torch", "torchaudio", "lightning", "numpy", "librosa", "sentencepiece")
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in names},
        "commit": _commit(),
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def processor() -> str:
    """What the processor is called, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return models[0] if models else platform.processor()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The git commit of seqpipe's own checkout, if it runs from one; ``-dirty`` where files differ from it."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
