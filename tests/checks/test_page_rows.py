"""What is said of lines of pages that are no examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqpipe.checks.check import check
from seqpipe.config.recipe import Recipe
from seqpipe.errors import DataError


def page(lines: list[str]) -> str:
    """A document with a line for each of these readings."""
    written = "".join(
        f'<TextLine id="l{number}"><Coords points="5,{y} 190,{y} 190,{y + 20} 5,{y + 20}"/>{readings}</TextLine>'
        for number, readings in enumerate(lines)
        for y in [5 + 30 * number]
    )
    return (
        f'<PcGts><Page imageFilename="scan.png" imageWidth="200" imageHeight="120"><TextRegion id="r">{written}'
        "</TextRegion></Page></PcGts>"
    )


def readings(*texts: str) -> str:
    return "".join(f'<TextEquiv index="{at}"><Unicode>{text}</Unicode></TextEquiv>' for at, text in enumerate(texts))


def recipe(folder: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "pipeline": {
                "features": [{"stage": "LineImage", "height": 16}],
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1},
                "head": {"stage": "CTCHead"},
            },
            "data": {"root": str(folder), "train": "a.xml"},
        }
    )


def test_lines_that_were_emptied_are_told_and_no_examples(tmp_path: Path) -> None:
    Image.fromarray(np.full((120, 200), 255, np.uint8)).save(tmp_path / "scan.png")
    (tmp_path / "a.xml").write_text(page([readings("one"), readings("", "guess"), ""]))
    (findings,) = check(recipe(tmp_path)).values()
    assert findings.rows == 1
    told = {kind: message for _, kind, message in findings.warnings}
    assert told["emptied transcription"].startswith("1 line whose text is empty while another")
    assert told["emptied transcription"].endswith("a.xml, line l1")
    assert told["no transcription"].startswith("1 line without text")
    (tmp_path / "a.xml").write_text(page([readings("", "guess")]))
    with pytest.raises(DataError, match="holds no rows that can be used\n1 line whose text is empty"):
        check(recipe(tmp_path))
