import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from seqpipe.config.recipe import load_recipe
from seqpipe.core.feature import Feature, Reader
from seqpipe.core.options import InputSize
from seqpipe.core.picture import Drawing, Picture
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.source import training_rows
from seqpipe.errors import InputError
from seqpipe.evaluation.report.augmentation import Panel, augmented_rows, shown_rows
from seqpipe.evaluation.report.write import write_report
from seqpipe.pipeline import Pipeline

LINES = [(np.indices((6, 60 + number)).sum(axis=0) % (3 + number) == 0).astype(float).tolist() for number in range(9)]
INKS = [[[[0, 0], [2, 8], [4 + number, 0]], [[1, 4], [3, 4]]] for number in range(9)]


class PlainLine(Reader):
    """Rows of ink, 0 to 1, uppermost first -> columns ``[W, 6]``."""

    def __init__(self) -> None:
        super().__init__()
        self.output_size = 6

    def prepare(self, raw: Any, key: Any) -> Tensor:
        if not raw:
            raise InputError("empty", "no ink")
        return torch.tensor(raw, dtype=torch.float32).T

    def length(self, raw: Any) -> int:
        return len(raw[0])

    def preview(self, raw: Any) -> Picture:
        return self.preview_of(self.prepare(raw, None))

    def preview_of(self, values: Tensor) -> Picture:
        return Picture(1 - values.T.numpy(), 0.0, float(len(values)), "px")


class PlainInk(Reader):
    """Strokes, lists of points -> points with number and whether the pen was down, ``[N, 4]``."""

    def __init__(self) -> None:
        super().__init__()
        self.output_size = 4

    def prepare(self, raw: Any, key: Any) -> Tensor:
        parts = [np.column_stack([stroke, np.arange(len(stroke)) > 0]) for stroke in raw]
        points = np.concatenate(parts)
        return torch.tensor(np.column_stack([np.arange(len(points)), points]), dtype=torch.float32)

    def length(self, raw: Any) -> int:
        return sum(map(len, raw))

    def preview(self, raw: Any) -> Drawing:
        return Drawing([np.array(stroke, dtype=float) for stroke in raw])

    def preview_of(self, values: Tensor) -> Drawing:
        starts = np.flatnonzero(values[:, 3].numpy() == 0)
        return Drawing(np.split(values[:, 1:3].numpy(), starts[1:]))


class _Augments(Feature):
    augments = True

    def __init__(self, *, input_size: InputSize) -> None:
        super().__init__()
        self.output_size = input_size


class PlainFading(_Augments):
    """Fainter ink of lines; a row in two is left alone."""

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        if not self.training:
            return sequence
        strength = 0.2 + 0.6 * torch.rand(len(sequence.values), 1, 1)
        chosen = torch.rand(len(sequence.values), 1, 1) < 0.5
        return PaddedSequence(torch.where(chosen, sequence.values * strength, sequence.values), sequence.lengths)


class PlainStretching(_Augments):
    """Lines of twice the width, or ink that leans."""

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        if not self.training:
            return sequence
        values = sequence.values
        if self.output_size == 4:
            values = values.clone()
            values[..., 1] += values[..., 2] * torch.rand(len(values), 1)
            return PaddedSequence(values, sequence.lengths)
        return PaddedSequence(values.repeat_interleave(2, dim=1), 2 * sequence.lengths)


def fitted(folder: Path, features: list[str], inputs: list[Any]) -> Pipeline:
    """A classifier of these inputs, untrained."""
    for part in ("train", "dev"):
        rows = [
            {"id": f"{part} {number}", "input": found, "target": "ab"[number % 2]}
            for number, found in enumerate(inputs)
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "recipe.yaml").write_text(
        f"data: {{root: {folder}, train: train.jsonl, dev: dev.jsonl, id: id, input: input, target: target}}\n"
        f"pipeline:\n  features: [{', '.join(features)}]\n  head: {{stage: ClassifierHead, pooling: [mean]}}\n"
    )
    recipe = load_recipe(folder / "recipe.yaml")
    pipeline = Pipeline(recipe)
    pipeline.fit(list(training_rows(recipe.data, suffixes=frozenset())))
    return pipeline.eval()


def grey(panel: Panel) -> np.ndarray:
    """The pixels of a panel, 0 to 255."""
    assert panel.uri is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(panel.uri.partition(",")[2]))))


@pytest.fixture
def lines(tmp_path: Path) -> Pipeline:
    """Of line images, with two stages that augment."""
    return fitted(tmp_path, ["PlainLine", "PlainFading", "PlainStretching"], LINES)


def test_each_stage_is_shown_alone_and_all_together(lines: Pipeline) -> None:
    shown = augmented_rows(lines, shown_rows(lines))
    assert [row.id for row in shown] == ["train 0", "train 3", "train 6"]
    for row, number in zip(shown, (0, 3, 6), strict=True):
        plain, faded, wide, both = map(grey, row.panels)
        assert [panel.name for panel in row.panels] == ["as it is", "PlainFading", "PlainStretching", "all together"]
        ink = np.array(LINES[number])
        assert np.array_equal(plain, 255 * (1 - ink))
        assert 0 < faded.min() < faded.max() == 255
        assert np.array_equal(wide, plain.repeat(2, axis=1))
        assert both.shape == wide.shape
        zooms = [panel.width / pixels.shape[1] for panel, pixels in zip(row.panels, (plain, faded, wide), strict=False)]
        assert zooms == pytest.approx([zooms[0]] * 3, rel=0.02)  # what is wider looks wider


def test_looking_changes_nothing(lines: Pipeline) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    rows = shown_rows(lines)
    once = augmented_rows(lines, rows)
    assert torch.equal(torch.rand(3), expected)
    assert not any(module.training for module in lines.modules())
    assert augmented_rows(lines, rows) == once


def test_strokes_are_drawn_before_and_after(tmp_path: Path) -> None:
    pipeline = fitted(tmp_path, ["PlainInk", "PlainStretching"], INKS)
    for row in augmented_rows(pipeline, shown_rows(pipeline)):
        assert [panel.name for panel in row.panels] == ["as it is", "PlainStretching"]
        before, after = (panel.ink for panel in row.panels)
        assert before is not None
        assert after is not None
        assert before.path.count("M") == after.path.count("M") == 2
        assert after.path != before.path
        assert after.height == before.height


def test_samples_and_features_of_speech_are_shown_where_they_are_changed(trained_run: Path) -> None:
    pipeline = Pipeline.load(trained_run).eval()
    names = [[panel.name for panel in row.panels] for row in augmented_rows(pipeline, shown_rows(pipeline))]
    assert names == [["as it is", "Gain", "as it is", "SpecAugment", "all together"]] * 3


def test_a_report_without_training_data_shows_other_rows_and_without_augmentation_none(
    lines: Pipeline, tmp_path: Path, mood_run: Path
) -> None:
    lines.save(tmp_path / "run")
    assert write_report(tmp_path / "run", device="cpu").read_text().count('<article class="augmented">') == 3
    (tmp_path / "train.jsonl").unlink()
    page = write_report(tmp_path / "run", device="cpu").read_text()
    assert page.count('<article class="augmented">') == 3
    assert "<h3>dev 3</h3>" in page
    assert "What augmentation does" not in write_report(mood_run, device="cpu").read_text()
    assert shown_rows(Pipeline.load(tmp_path / "run")) == []


def test_a_row_that_can_not_be_read_is_left_out(lines: Pipeline) -> None:
    first, *others = shown_rows(lines)
    found = augmented_rows(lines, [replace(first, input=[]), *others])
    assert [row.id for row in found] == ["train 3", "train 6"]
