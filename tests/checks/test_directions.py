"""What is said of texts from right to left beside images of lines, and beside strokes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqpipe.checks.check import check
from seqpipe.config.recipe import Recipe

HEBREW = ["אב גד", "הו זח 12", "אג דב abc"]


def warned(folder: Path, texts: list[str], reader: str = "LineImage", **head: Any) -> dict[str, list[str]]:
    """Warnings of rows with these texts, by kind."""
    random = np.random.default_rng(1)
    rows = []
    for number, text in enumerate(texts):
        name = f"{number}.png"
        Image.fromarray(random.integers(0, 255, (20, 400), dtype=np.uint8)).save(folder / name)
        strokes = [[[at, int(y)] for at, y in enumerate(random.integers(0, 99, 300))]]
        rows.append(json.dumps({"input": name if reader == "LineImage" else strokes, "text": text}))
    (folder / "train.jsonl").write_text("\n".join(rows))
    recipe = Recipe.model_validate(
        {
            "data": {"root": str(folder), "train": "train.jsonl", "input": "input", "target": "text"},
            "pipeline": {
                "features": [{"stage": reader}, *([] if reader == "LineImage" else [{"stage": "StrokeFeatures"}])],
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1},
                "head": {"stage": "CTCHead", **head},
            },
        }
    )
    (findings,) = check(recipe).values()
    assert findings.rows == len(texts)
    assert not findings.problems
    found: dict[str, list[str]] = {}
    for row, kind, message in findings.warnings:
        found.setdefault(kind, []).append(f"{row.number}: {message}")
    return found


def test_columns_run_against_texts_from_right_to_left(tmp_path: Path) -> None:
    (said,) = warned(tmp_path, HEBREW)["right to left"]
    assert said.startswith("1: 80% of the letters are written from right to left, and columns run from left to right")
    assert "base_direction: auto" in said
    assert "right to left" not in warned(tmp_path, ["ab cd", "ef אב", "g"])
    found = warned(tmp_path, HEBREW, base_direction="auto")
    assert not {"right to left", "display order", "not read back"} & found.keys()


def test_strokes_come_in_the_order_of_writing(tmp_path: Path) -> None:
    assert "right to left" not in warned(tmp_path, HEBREW, "PenStrokes")
    (said,) = warned(tmp_path, HEBREW, "PenStrokes", base_direction="auto")["display order"]
    assert said.startswith("1: base_direction (pipeline.head) puts texts into the order of an image's columns")
    assert said.endswith("the inputs are pen strokes")


def test_texts_that_look_like_others_are_named(tmp_path: Path) -> None:
    (said,) = warned(tmp_path, [*HEBREW, "אב 12 abc גד"], base_direction="rtl")["not read back"]
    assert said.startswith("4: 'אב 12 abc גד' looks like 'אב abc 12 גד' from left to right")


@pytest.mark.parametrize("rule", ["no_punctuation", "lowercase"])
def test_rules_are_no_difference(rule: str, tmp_path: Path) -> None:
    assert "not read back" not in warned(tmp_path, [*HEBREW, "אב, גד: ABC."], base_direction="rtl", text=[rule])
