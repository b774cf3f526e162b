from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from seqpipe.checks.part import Part, content_hash, read_part
from seqpipe.config.recipe import DataConfig, Recipe
from seqpipe.core.chain import FeatureChain
from seqpipe.core.feature import Reader
from seqpipe.core.randomness import RowKey
from seqpipe.features.speech.log_mel import LogMel
from seqpipe.features.speech.waveform import Waveform
from seqpipe.pipeline import Pipeline

RATE = 8000


@pytest.fixture
def features() -> FeatureChain:
    return FeatureChain(stages=[Waveform.configure(sample_rate=RATE), LogMel.configure(n_mels=12)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One recording of each sort, and rows.tsv."""
    noise = np.random.default_rng(0).integers(-16000, 16000, RATE) / 32768  # as 16 bits hold it
    files = {
        "good.wav": noise,
        "same.flac": noise,
        "nan.wav": np.where(np.arange(RATE) == 400, np.nan, noise),
        "zero.wav": np.zeros(RATE),
        "hum.wav": np.full(RATE, 0.25),
        "loud.wav": np.clip(10 * noise, -1, 1),
        "none.wav": noise[:0],
        "long.wav": np.tile(noise, 4),
        "cut.wav": noise,
        "half.flac": noise,
    }
    for name, samples in files.items():
        soundfile.write(tmp_path / name, samples, RATE, subtype="FLOAT" if name == "nan.wav" else "PCM_16")
    soundfile.write(tmp_path / "low.wav", noise[: RATE // 2], RATE // 2)
    for name in ("cut.wav", "half.flac"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:9000])
    (tmp_path / "text.wav").write_text("no audio")
    names = [*files, "low.wav", "text.wav", "gone.wav"]
    lines = [f"{name}\t{'' if name == 'same.flac' else 'ab'}" for name in names]
    (tmp_path / "rows.tsv").write_text("\n".join(["path\ttext", *lines]) + "\n")
    return tmp_path


def kinds(part: Part) -> dict[str, str]:
    return {row.id: kind for row, kind, _ in part.findings.problems}


def test_every_kind_of_bad_input_is_told_apart(folder: Path, features: FeatureChain) -> None:
    part = read_part("train", "rows.tsv", DataConfig(), features, root=folder, max_length=3.0)
    cut = kinds(part)
    assert cut.pop("half.flac") in ("truncated", "undecodable")
    assert cut == {
        "same.flac": "no target",
        "nan.wav": "non-finite",
        "none.wav": "empty",
        "long.wav": "too long",
        "cut.wav": "truncated",
        "text.wav": "undecodable",
        "gone.wav": "missing",
    }
    assert [row.id for row in part.rows] == ["good.wav", "zero.wav", "hum.wav", "loud.wav", "low.wav"]
    assert part.lengths == [RATE] * 5
    assert [(row.id, kind) for row, kind, _ in part.findings.warnings] == [
        ("zero.wav", "silent"),
        ("hum.wav", "silent"),
        ("loud.wav", "clipped"),
        ("low.wav", "lower sample rate"),
    ]
    messages = {row.id: message for row, _, message in part.findings.problems}
    assert messages["long.wav"] == "the input has 4 s; data.max_length allows 3 s"


def test_headers_alone_show_less_and_give_the_same_lengths(folder: Path, features: FeatureChain) -> None:
    part = read_part("train", "rows.tsv", DataConfig(check="headers"), features, root=folder)
    whole = read_part("train", "rows.tsv", DataConfig(), features, root=folder)
    assert kinds(part) == {
        "same.flac": "no target",
        "none.wav": "empty",
        "cut.wav": "truncated",
        "text.wav": "undecodable",
        "gone.wav": "missing",
    }
    lengths = dict(zip([row.id for row in part.rows], part.lengths, strict=True))
    assert all(lengths[row.id] == length for row, length in zip(whole.rows, whole.lengths, strict=True))
    assert all(inspection.content is None for inspection in part.inspections)
    assert part.findings.warnings == []


def test_content_is_what_is_heard_not_the_file(folder: Path, features: FeatureChain) -> None:
    (folder / "two.tsv").write_text("path\ttext\ngood.wav\ta\nsame.flac\tb\nloud.wav\tc\n")
    first, second, third = read_part("train", "two.tsv", DataConfig(), features, root=folder).inspections
    assert first.content == second.content != third.content


def test_contents_differ_in_values_shapes_and_types() -> None:
    values = [
        torch.zeros(4),
        torch.zeros(2, 2),
        torch.zeros(4, dtype=torch.int64),
        torch.tensor([0.0, 0.0, 0.0, 1e-30]),
        np.zeros(3, dtype=np.float32),
        "zeros",
        b"zero",
        ["zeros"],
    ]
    assert len({content_hash(value) for value in values}) == len(values)
    assert content_hash(torch.arange(6).reshape(2, 3).T) == content_hash(torch.arange(6).reshape(2, 3).T.contiguous())


class SeriesInput(Reader):
    """Numbers that stand in the manifest: an input that is no sound."""

    def __init__(self) -> None:
        super().__init__()
        self.output_size = 1

    def prepare(self, raw: Any, key: RowKey | None) -> torch.Tensor:
        return torch.tensor(raw, dtype=torch.float32).reshape(-1, 1)

    def length(self, raw: Any) -> int:
        return len(raw)


def test_inputs_that_are_no_sound_are_looked_at_too(tmp_path: Path) -> None:
    inputs = ["[1, 2, 3]", "[]", "[1, NaN, 2]", "[4, 4, 4]", "[3, 2, 1]", "[1, 2, 3, 4, 5]"]
    lines = [f'{{"series": {series}, "text": "ab"}}' for series in inputs]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    config = DataConfig(input="series")
    part = read_part("train", "rows.jsonl", config, FeatureChain(stages=["SeriesInput"]), root=tmp_path, max_length=4)
    assert kinds(part) == {"2": "empty", "3": "non-finite", "6": "too long"}
    assert [(row.id, kind) for row, kind, _ in part.findings.warnings] == [("4", "constant")]
    assert part.lengths == [3, 3, 3]
    assert len({inspection.content for inspection in part.inspections}) == 3


def test_spans_that_are_not_read_or_end_behind_the_file_are_told(folder: Path, features: FeatureChain) -> None:
    (folder / "spans.tsv").write_text("path\ttext\tend\ngood.wav\ta\t0.5\ngood.wav\tb\t1.03\ngood.wav\tc\t1.5\n")
    part = read_part("train", "spans.tsv", DataConfig(), features, root=folder)
    assert [(row.number, kind) for row, kind, _ in part.findings.warnings] == [(1, "spans not read")]
    part = read_part("train", "spans.tsv", DataConfig(end="end"), features, root=folder)
    assert [(row.number, kind) for row, kind, _ in part.findings.warnings] == [(3, "shorter than its span")]


def test_targets_that_do_not_fit_are_dropped_or_kept_without_one(folder: Path, trained_run: Path) -> None:
    pipeline = Pipeline.load(trained_run)
    (folder / "odd.tsv").write_text("path\ttext\nzero.wav\txyz\ngood.wav\tab\nhum.wav\tc\n")
    dropped, kept = (
        read_part(name, "odd.tsv", DataConfig(), pipeline.features, root=folder) for name in ("train", "dev")
    )
    dropped.encode(pipeline)
    assert kinds(dropped) == {"zero.wav": "unknown character"}
    assert [row.id for row in dropped.rows] == ["good.wav", "hum.wav"]
    assert len(dropped.inspections) == len(dropped.targets) == 2
    assert [row.id for row, _, _ in dropped.findings.warnings] == ["hum.wav"]  # of rows that are used alone
    told: list[str] = []
    kept.encode(pipeline, refuse=lambda row, error: told.append(f"{row.id} {error.kind}"))
    assert told == ["zero.wav unknown character"]
    assert [target is None for target in kept.targets] == [True, False, False]
    assert kept.findings.problems == []


@pytest.mark.parametrize(("empty_targets", "kinds_found"), [(False, ["no target"] * 4), (True, ["no target"])])
def test_an_empty_target_is_one_where_the_head_says_so(
    empty_targets: bool, kinds_found: list[str], tmp_path: Path
) -> None:
    lines = ["[]", '""', '" "', "null", '["a"]']
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"text": "x", "y": {line}}}\n' for line in lines))
    config = DataConfig(input="text", target="y")
    features = FeatureChain(stages=["Tokens"])
    part = read_part("train", "rows.jsonl", config, features, root=tmp_path, empty_targets=empty_targets)
    assert [kind for _, kind, _ in part.findings.problems] == kinds_found
    assert len(part.rows) == 5 - len(kinds_found)


def test_lengths_in_units_that_must_be_learnt_are_measured_once_they_are(tmp_path: Path) -> None:
    texts = ["turn left now", "turn right now", "stop turning", "x " * 40]
    (tmp_path / "rows.tsv").write_text("text\tanswer\n" + "".join(f"{text}\t{text[0]}\n" for text in texts))
    config = DataConfig(train="rows.tsv", root=str(tmp_path), input="text", target="answer", max_length=30)
    tokens = {"stage": "Tokens", "units": "bpe", "vocabulary_size": 20}
    embedding = {"stage": "Embedding", "size": 4}
    pipeline = Pipeline(
        Recipe.model_validate(
            {
                "data": config.model_dump(),
                "pipeline": {"features": [tokens, embedding], "head": {"stage": "ClassifierHead"}},
            }
        )
    )
    part = read_part("train", "rows.tsv", config, pipeline.features, root=tmp_path, max_length=30)
    assert part.lengths == [len(text) for text in texts]
    pipeline.fit(part.rows)
    part.encode(pipeline)
    assert kinds(part) == {"4": "too long"}
    assert part.lengths == [len(pipeline.features.reader.prepare(text, None)) for text in texts[:3]]
    later = read_part("dev", "rows.tsv", config, pipeline.features, root=tmp_path)
    assert later.lengths[:3] == part.lengths
