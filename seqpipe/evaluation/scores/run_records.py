"""What training left in a run directory for people: ``metrics.json`` and the log."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from seqpipe.errors import RunError


def read_metrics(run: Path) -> dict[str, Any]:
    """What ``metrics.json`` holds; empty where training has not finished."""
    path = run / "metrics.json"
    if not path.is_file():
        return {}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path}: is no JSON ({error})") from None
    if not isinstance(metrics, dict):
        raise RunError(f"{path}: should hold one object; received {type(metrics).__name__}")
    return metrics


def read_log(run: Path) -> list[dict[str, str]]:
    """Rows of ``log/metrics.csv``; none where there is no log."""
    path = run / "log" / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
