"""Lines of Hebrew: learnt along the columns of their images, and against them."""

from __future__ import annotations

import random
from pathlib import Path

import matplotlib
import pytest
from PIL import Image, ImageDraw, ImageFont

from seqpipe.config.recipe import Recipe
from seqpipe.text.bidi import display_text
from seqpipe.training.train import train

LETTERS = "אבגדהולמש"


def write_lines(folder: Path, part: str, count: int) -> None:
    """Images of printed lines, with a table of their texts; the font's own layout knows of no direction."""
    draw = random.Random(part)
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(str(path), 16, layout_engine=ImageFont.Layout.BASIC)
    rows = ["path\ttext"]
    for number in range(count):
        words = ["".join(draw.choices(LETTERS, k=draw.randint(2, 4))) for _ in range(2)]
        words.insert(draw.randint(0, 2), str(draw.randint(1, 99)))
        text, name = " ".join(words), f"{part}{number}.png"
        shown = display_text(text, "rtl")
        image = Image.new("L", (round(font.getlength(shown)) + 8, 24), 255)
        ImageDraw.Draw(image).text((4, 2), shown, fill=0, font=font)
        image.save(folder / name)
        rows.append(f"{name}\t{text}")
    (folder / f"{part}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_hebrew_is_learnt_along_the_columns(tmp_path: Path) -> None:
    write_lines(tmp_path, "train", 600)
    write_lines(tmp_path, "dev", 100)

    def error_rate(base_direction: str | None) -> float:
        recipe = Recipe.model_validate(
            {
                "data": {"root": str(tmp_path), "train": "train.tsv", "dev": "dev.tsv"},
                "pipeline": {
                    "features": [{"stage": "LineImage", "height": 16}],
                    "frontend": {"stage": "Conv2dFrontEnd", "channels": [8, 24], "strides": [[1, 2], [2, 2]]},
                    "encoder": {"stage": "RecurrentEncoder", "hidden_size": 48, "layers": 1},
                    "head": {"stage": "CTCHead", "base_direction": base_direction, "shortcut": 0.3},
                },
                "training": {"epochs": 12, "batch_steps": 600, "learning_rate": 0.005, "evaluate_every": 12},
            }
        )
        return float(train(recipe, tmp_path / f"run-{base_direction}", quiet=True)["dev"]["cer"])

    along, against = error_rate("auto"), error_rate(None)
    print(f"CER along the columns {along:.1f} %, against them {against:.1f} %")
    assert along < 2
    assert against > along + 10
