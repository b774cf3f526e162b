import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from PIL import Image

from seqpipe.cli import main
from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import DataError
from seqpipe.features.image.line_image import LineImage
from seqpipe.features.speech.waveform import Waveform

SPLITS = {"train": ["one", "two", "three"], "validation": ["four"]}
CONFIG = DataConfig(input="audio", target="sentence")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` makes of opened files goes with the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Path]:
    """A recording for each text, as many samples long as the text has letters times ten."""
    files = {}
    for text in [text for texts in SPLITS.values() for text in texts]:
        files[text] = tmp_path / "wav" / f"{text}.wav"
        files[text].parent.mkdir(exist_ok=True)
        soundfile.write(files[text], np.linspace(-0.5, 0.5, 10 * len(text)), 8000)
    return files


@pytest.fixture
def splits(recordings: dict[str, Path]) -> datasets.DatasetDict:
    """A data set of two splits with an Audio column that `datasets` would decode."""

    def split(texts: list[str]) -> datasets.Dataset:
        columns = {"audio": [str(recordings[text]) for text in texts], "sentence": texts}
        return datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(sampling_rate=16_000))

    return datasets.DatasetDict({name: split(texts) for name, texts in SPLITS.items()})


def read(source: str) -> list[Row]:
    return list(read_rows(source, CONFIG, suffixes=AUDIO_SUFFIXES))


def lengths(rows: list[Row]) -> Iterator[int]:
    """Samples of each row: its recording is really read."""
    return (len(Waveform(sample_rate=8000).prepare(row.input, None)) for row in rows)


def test_a_saved_data_set_gives_its_rows(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits["train"].save_to_disk(str(tmp_path / "saved"))
    rows = read(f"hub:{tmp_path}/saved")
    assert [row.id for row in read(f"{tmp_path}/saved")] == [row.id for row in rows]  # it is told by what is in it
    assert [row.target for row in rows] == SPLITS["train"]
    assert [row.number for row in rows] == [1, 2, 3]
    assert list(lengths(rows)) == [10 * len(text) for text in SPLITS["train"]]


def test_recordings_saved_inside_the_data_set_are_read_without_their_files(
    recordings: dict[str, Path], tmp_path: Path
) -> None:
    audio = [{"bytes": path.read_bytes(), "path": None} for path in recordings.values()]
    saved = datasets.Dataset.from_dict({"audio": audio, "sentence": list(recordings)})
    saved = saved.cast_column("audio", datasets.Audio(sampling_rate=16_000))
    for path in recordings.values():
        path.unlink()
    (tmp_path / "data").mkdir()
    saved.to_parquet(str(tmp_path / "data" / "train.parquet"))
    saved.save_to_disk(str(tmp_path / "saved"))
    for name in ("data", "saved"):
        rows = read(f"hub:{tmp_path / name}")
        assert list(lengths(rows)) == [10 * len(row.target) for row in rows]
        assert [row.target for row in rows] == list(recordings)


def test_splits_of_a_saved_data_set_are_named(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits.save_to_disk(str(tmp_path / "saved"))
    assert [row.target for row in read(f"hub:{tmp_path}/saved@validation")] == SPLITS["validation"]
    assert [row.target for row in read(f"hub:{tmp_path}/saved")] == SPLITS["train"]
    with pytest.raises(DataError, match=r"has no split test; it has train, validation"):
        read(f"hub:{tmp_path}/saved@test")


def test_a_folder_of_data_files_is_opened_too(recordings: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lines = [json.dumps({"audio": str(path), "sentence": text}) for text, path in recordings.items()]
    (tmp_path / "data" / "train.jsonl").write_text("\n".join(lines) + "\n")
    assert [row.target for row in read(f"hub:{tmp_path}/data")] == list(recordings)
    with pytest.raises(DataError, match=r"has no split dev; it has train"):
        read(f"hub:{tmp_path}/data@dev")


def test_a_data_set_beside_the_recipe_is_found_under_its_root(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits.save_to_disk(str(tmp_path / "saved"))
    rows = list(read_rows("hub:saved@validation", CONFIG, suffixes=AUDIO_SUFFIXES, root=tmp_path))
    assert [row.target for row in rows] == SPLITS["validation"]


def test_format_hub_reads_a_name_without_prefix(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits.save_to_disk(str(tmp_path / "saved"))
    config = CONFIG.model_copy(update={"format": "hub"})
    rows = list(read_rows("saved", config, suffixes=AUDIO_SUFFIXES, root=tmp_path))
    assert [row.target for row in rows] == SPLITS["train"]


def test_a_missing_or_broken_data_set_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nobody/nothing: can't be opened"):
        read("hub:nobody/nothing")  # offline: see conftest
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: can't be opened"):
        read(f"hub:{tmp_path}/empty")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"data: can't be opened"):
        read(f"hub:{tmp_path}/data")


def written(data_set: datasets.Dataset, folder: Path) -> list[str]:
    """The data set in each way that it may lie here, as a source."""
    data_set.save_to_disk(str(folder / "saved"))
    data_set.save_to_disk(str(folder / "as_tensors"))  # a saved data set keeps the format that its rows were given in
    state = folder / "as_tensors" / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"_format_type": "numpy"}))
    (folder / "data").mkdir()
    data_set.to_parquet(str(folder / "data" / "train.parquet"))
    return [
        *(f"hub:{folder / name}" for name in ("saved", "as_tensors", "data")),
        str(folder / "data" / "train.parquet"),
    ]


def test_images_are_read_by_the_features_and_not_by_the_data_set(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 255, (8, width), np.uint8) for width in (9, 20, 31)]
    for number, array in enumerate(pixels[1:]):
        Image.fromarray(array).save(tmp_path / f"{number}.png")
    content = (tmp_path / "0.png").read_bytes()
    images = [Image.fromarray(pixels[0]), {"bytes": content, "path": "gone.png"}, str(tmp_path / "1.png")]
    columns = {"image": images, "pages": [[image] for image in images], "text": ["a", "b", "c"]}
    features = datasets.Features(
        {"image": datasets.Image(mode="RGB"), "pages": [datasets.Image()], "text": datasets.Value("string")}
    )
    config = DataConfig(input="image", target="text")
    for source in written(datasets.Dataset.from_dict(columns, features=features), tmp_path):
        rows = list(read_rows(source, config, suffixes=IMAGE_SUFFIXES))
        reader = LineImage(height=8)
        for row, array in zip(rows, pixels, strict=True):
            assert row.problem is None
            assert reader.prepare(row.input, None).equal(reader.prepare(array, None))


def test_files_of_columns_that_nobody_reads_are_left_alone(tmp_path: Path) -> None:
    features = datasets.Features(
        {"film": datasets.Video(), "pages": [datasets.Image()], "text": datasets.Value("string")}
    )
    broken = {"bytes": b"no film", "path": None}
    data_set = datasets.Dataset.from_dict({"film": [broken], "pages": [[broken]], "text": ["a"]}, features=features)
    for source in written(data_set, tmp_path):
        (row,) = read_rows(source, DataConfig(input="text", target="text"), suffixes=frozenset())
        assert row.columns == {"film": broken, "pages": [broken], "text": "a"}


TAGS = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
FEATURES = datasets.Features(
    {
        "tokens": datasets.List(datasets.Value("string")),
        "tags": datasets.Sequence(TAGS),
        "large": datasets.LargeList(TAGS),
        "two": datasets.List(TAGS, length=2),
        "nested": [[TAGS]],
        "label": datasets.ClassLabel(names=["neg", "pos"]),
        "parts": {"label": datasets.ClassLabel(names=["neg", "pos"]), "_type": datasets.Value("int64")},
        "many": datasets.Sequence({"tag": TAGS, "start": datasets.Value("int64")}),
        "stars": datasets.ClassLabel(num_classes=3),
        "said": datasets.Json(),
        "number": datasets.Value("int64"),
    }
)
ROW = {
    "tokens": ["Ann", "Lee", "is"],
    "tags": [1, 2, 0],
    "large": [0, 1],
    "two": [0, 2],
    "nested": [[1], [], [2, 0]],
    "label": 1,
    "parts": {"label": 0, "_type": 1},
    "many": {"tag": [1, 0], "start": [4, 5]},
    "stars": 2,
    "said": {"a": [1]},
    "number": 1,
}
NAMED = ROW | {
    "tags": ["B-PER", "I-PER", "O"],
    "large": ["O", "B-PER"],
    "two": ["O", "I-PER"],
    "nested": [["B-PER"], [], ["I-PER", "O"]],
    "label": "pos",
    "parts": {"label": "neg", "_type": 1},
    "many": {"tag": ["B-PER", "O"], "start": [4, 5]},
    "stars": "2",
}
NOTHING = dict.fromkeys(ROW)


def test_classes_go_by_their_names_wherever_they_stand(tmp_path: Path) -> None:
    without = ROW | {"label": -1, "tags": [], "stars": None}
    rows = {name: [row[name] for row in (ROW, without, NOTHING)] for name in FEATURES}
    for source in written(datasets.Dataset.from_dict(rows, features=FEATURES), tmp_path):
        first, second, third = read_rows(source, DataConfig(input="tokens", target="tags"), suffixes=frozenset())
        assert (first.input, first.target, first.columns) == (NAMED["tokens"], NAMED["tags"], NAMED)
        assert second.columns == NAMED | {"label": None, "tags": [], "stars": None}
        assert set(third.columns["label"] or ()) == set()
        (_, missing, _) = read_rows(source, DataConfig(input="tokens", target="label"), suffixes=frozenset())
        assert missing.problem is not None
        assert missing.problem.kind == "no target"


def write_parquet(path: Path, columns: dict[str, Any], features: Any) -> None:
    """A Parquet file with the Hub's metadata, as it may have been written at any time."""
    said = features if isinstance(features, bytes) else json.dumps({"info": {"features": features}}).encode()
    table = pa.table(columns).replace_schema_metadata({"huggingface": said})
    pyarrow.parquet.write_table(table, path)


def test_metadata_of_older_versions_are_understood(tmp_path: Path) -> None:
    label = {"num_classes": 2, "names": ["O", "X"], "names_file": None, "id": None, "_type": "ClassLabel"}
    columns = {"a": [[1, 0]], "b": [[0]], "c": [{"tag": [1], "start": [7]}], "text": ["x"]}
    features = {
        "a": {"feature": label, "length": -1, "id": None, "_type": "Sequence"},
        "b": [label],
        "c": {"feature": {"tag": label, "start": {"dtype": "int64", "_type": "Value"}}, "_type": "Sequence"},
        "gone": label,
    }
    write_parquet(tmp_path / "a.parquet", columns, features)
    (row,) = read_rows(str(tmp_path / "a.parquet"), DataConfig(input="text", target="a"), suffixes=frozenset())
    assert row.columns == {"a": ["X", "O"], "b": ["O"], "c": {"tag": ["X"], "start": [7]}, "text": "x"}


def test_a_number_that_is_no_class_costs_its_own_row(tmp_path: Path) -> None:
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    path = tmp_path / "a.parquet"
    write_parquet(path, {"label": [1, 7, 0], "text": ["a", "b", "c"]}, features)
    config = DataConfig(input="text", target="label")
    rows = list(read_rows(str(path), config, suffixes=frozenset(), strict=False))
    assert [row.target for row in rows] == ["pos", None, "neg"]
    said = r"a\.parquet, row 2: column label: 7 is no class; there are 0 to 1 \(neg, pos\)"
    with pytest.raises(DataError, match=said):
        list(read_rows(str(path), config, suffixes=frozenset()))


@pytest.mark.parametrize("said", [b"{", b"[]", b"\xff", b"[" * 100_000, b'{"info": [1]}', b'{"info": {"features": 3}}'])
def test_metadata_that_are_none_are_named(said: bytes, tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": ["a"]}, said)
    with pytest.raises(DataError, match=r"a\.parquet: what its metadata say under huggingface can't be read"):
        list(read_rows(str(tmp_path / "a.parquet"), DataConfig(input="text", target="text"), suffixes=frozenset()))


RECIPE = """
data: {{train: "{source}@train", dev: "{source}@dev", input: {input}, target: {target}}}
pipeline:
  features: {features}
  encoder: {{stage: RecurrentEncoder, hidden_size: 5, layers: 1}}
  head: {head}
training: {{epochs: 1, batch_rows: 8, learning_rate: 0.03, workers: 0, threads: 1, device: cpu, report: false}}
"""
WORDS = "[{stage: Tokens}, {stage: Embedding, size: 4}]"


@pytest.mark.parametrize(
    ("names", "features", "head"),
    [
        (("tokens", "tags"), WORDS, "{stage: TaggerHead, scheme: bio}"),
        (("image", "label"), "[{stage: LineImage, height: 8}]", "{stage: ClassifierHead}"),
    ],
)
def test_a_data_set_trains_and_is_answered_with_the_names_of_its_classes(
    names: tuple[str, str], features: str, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    tagged = {name: FEATURES[name] for name in ("tokens", "tags", "label")} | {"image": datasets.Image()}
    rows = [ROW | {"label": number % 2} for number in range(8)]
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in tagged}
    columns["image"] = [Image.fromarray(rng.integers(0, 255, (8, 9 + number), np.uint8)) for number in range(8)]
    data_set = datasets.Dataset.from_dict(columns, features=datasets.Features(tagged))
    datasets.DatasetDict({"train": data_set, "dev": data_set}).save_to_disk(str(tmp_path / "saved"))
    said = {"source": "hub:saved", "input": names[0], "target": names[1], "features": features, "head": head}
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(**said))
    assert main(["train", "recipe.yaml", "--out", "run"]) == 0
    assert main(["infer", "run", "hub:saved@dev", "--output", "answers.jsonl", "--workers", "0"]) == 0
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == 8
    if "label" in names:
        assert {answer["label"] for answer in answers} <= {"neg", "pos"}
    else:
        assert {word["tag"] for answer in answers for word in answer["words"]} <= set(TAGS.names)
