"""Files of a run directory for which the model file vouches though they are damaged: each kind that a stage keeps."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from seqpipe.config.recipe import Recipe
from seqpipe.core.assets import loading
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, RunError
from seqpipe.model_file import hash_weights
from seqpipe.pipeline import Pipeline

MODEL = "model.safetensors"
SMALL = {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1}
EMBEDDING = {"stage": "Embedding", "size": 8}
TEXTS = ["he saw the small cat", "she saw a dog there", "the dog sat down here"] * 4
BPE = {"stage": "Tokens", "units": "bpe", "vocabulary_size": 40, "shared": True}
COUNTED = [{"stage": "NGramFeatures", "min_count": 1}, {"stage": "LogRatioFeatures", "min_count": 1}]
WRITER = {"stage": "AttentionHead", "embedding_size": 8, "hidden_size": 8}
CHAINS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "classes": (
        [{"stage": "Tokens", "characters": 8}, {"stage": "Concatenation", "stages": [EMBEDDING, *COUNTED]}],
        {"stage": "ClassifierHead"},
    ),
    "shared": ([BPE, EMBEDDING], {**WRITER, "units": "shared", "vocabulary_threshold": 1}),
    "words": ([{"stage": "Tokens"}, EMBEDDING], {**WRITER, "units": "words"}),
    "characters": ([{"stage": "Tokens"}, EMBEDDING], {**WRITER, "units": "characters"}),
    "bpe": ([{"stage": "Tokens"}, EMBEDDING], {**WRITER, "units": "bpe", "vocabulary_size": 40}),
    "number": (
        [{"stage": "Tokens"}, EMBEDDING, {"stage": "Normalization", "over": "global"}],
        {"stage": "RegressionHead"},
    ),
}


def target_of(chain: str, number: int) -> Any:
    return {"classes": ["small", "large"][number % 2], "number": number % 5}.get(chain, TEXTS[number])


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that have learnt assets of all kinds, and no more. Read only: tests share them."""
    folder = tmp_path_factory.mktemp("chains")
    for chain, (features, head) in CHAINS.items():
        stages = {"features": features, "encoder": SMALL, "head": head}
        pipeline = Pipeline(Recipe.model_validate({"data": {"train": ""}, "pipeline": stages}))
        pipeline.fit([Row(str(number), text, target_of(chain, number)) for number, text in enumerate(TEXTS)])
        pipeline.save(folder / chain)
    return folder


def seal(run: Path, weights: dict[str, torch.Tensor] | None = None, **metadata: str) -> None:
    """Let the model file vouch for what lies beside it, as somebody who knows the format would."""
    with safe_open(run / MODEL, framework="pt") as file:
        known = dict(file.metadata())
        kept = {name: file.get_tensor(name) for name in file.keys()} | (weights or {})  # noqa: SIM118
    files = [run / "recipe.yaml", *(path for path in (run / "assets").rglob("*") if path.is_file())]
    hashes = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    save_file(kept, run / MODEL, {**known, "files": json.dumps(hashes), "weights": hash_weights(kept), **metadata})


VOCABULARY = "features/0.Tokens/vocabulary.json"
NGRAMS = "features/1.Concatenation/1.NGramFeatures/ngrams.safetensors"
RATIOS = "features/1.Concatenation/2.LogRatioFeatures/log_ratios.safetensors"
FILES = [
    ("classes", VOCABULARY),
    ("classes", "features/0.Tokens/characters.json"),
    ("classes", NGRAMS),
    ("classes", RATIOS),
    ("classes", "head/classes.json"),
    ("classes", "stages.json"),
    ("shared", "features/0.Tokens/sentencepiece.model"),
    ("shared", "head/written_units.json"),
    ("words", "head/words.json"),
    ("characters", "head/characters.json"),
    ("bpe", "head/sentencepiece.model"),
    ("number", "head/scale.json"),
]


def test_these_are_all_files_of_all_chains(chains: Path) -> None:
    folders = [chains / chain / "assets" for chain in CHAINS]
    found = {str(path.relative_to(folder)) for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert found == {name for _, name in FILES}


@pytest.mark.parametrize(("chain", "name"), FILES)
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\0", b"[]", b"{}", b"5", b'"x"', b"null", b"[[1]]", b"[" * 10_000, b"[1]", None],
    ids=lambda content: f"{content!r:.20}",
)
def test_an_asset_that_is_something_else_is_told_with_its_file(
    content: bytes | None, chain: str, name: str, chains: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(chains / chain, tmp_path / "run"))
    path = run / "assets" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    seal(run)
    if (name, content) == ("stages.json", b"{}"):
        Pipeline.load(run)
        return
    with pytest.raises(RunError, match=re.escape(str(run / "assets"))) as caught:
        Pipeline.load(run)
    if not (content is None and ("sentencepiece" in name or chain in ("characters", "bpe"))):  # of either kind
        assert str(path) in str(caught.value)


def altered(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """What changes the content of a JSON file."""

    def alter(path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(change(content)), encoding="utf-8")

    return alter


def tensors(**changes: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    """What changes the tensors of a file."""

    def alter(path: Path) -> None:
        found = load_file(path)
        save_file({name: changes.get(name, torch.clone)(value).contiguous() for name, value in found.items()}, path)

    return alter


ALTERED: list[tuple[str, str, Callable[[Path], None]]] = [
    ("characters", "head/characters.json", altered(lambda units: [1, *units[1:]])),
    ("characters", "head/characters.json", altered(lambda units: ["ab", *units[1:]])),
    ("characters", "head/characters.json", altered(lambda units: [units[1], *units[1:]])),
    ("characters", "head/characters.json", altered(lambda units: ["\ud800", *units[1:]])),
    ("words", "head/words.json", altered(lambda words: {**words, "entries": [1, *words["entries"][1:]]})),
    ("words", "head/words.json", altered(lambda words: {**words, "counts": words["counts"][1:]})),
    ("classes", VOCABULARY, altered(lambda words: {**words, "entries": words["entries"][:1] * len(words["entries"])})),
    ("classes", VOCABULARY, altered(lambda words: {**words, "counts": [-1] * len(words["counts"])})),
    ("classes", VOCABULARY, altered(lambda words: {**words, "unknown": "many"})),
    ("classes", "head/classes.json", altered(lambda found: {**found, "names": [1, 2]})),
    ("classes", "head/classes.json", altered(lambda found: {**found, "names": ["a", "a"]})),
    ("classes", "head/classes.json", altered(lambda found: {**found, "counts": [1.5, 2]})),
    ("shared", "head/written_units.json", altered(lambda units: [5, *units])),
    ("shared", "head/written_units.json", altered(lambda units: ["no such unit", *units])),
    ("number", "head/scale.json", altered(lambda scale: {**scale, "means": []})),
    ("number", "head/scale.json", altered(lambda scale: {**scale, "means": ["x"]})),
    ("number", "head/scale.json", altered(lambda scale: {**scale, "means": [float("nan")]})),
    ("number", "head/scale.json", altered(lambda scale: {**scale, "standard_deviations": [0.0]})),
    ("classes", NGRAMS, tensors(keys=torch.Tensor.float)),
    ("classes", NGRAMS, tensors(keys=lambda keys: keys[None])),
    ("classes", NGRAMS, lambda path: save_file({"other": torch.zeros(3)}, path)),
    ("classes", RATIOS, tensors(keys=torch.Tensor.double)),
    ("classes", RATIOS, tensors(counts=lambda counts: counts[1:])),
    ("classes", RATIOS, tensors(counts=lambda counts: counts[:, :1])),
    ("classes", RATIOS, tensors(counts=torch.neg)),
    ("classes", RATIOS, tensors(labels=lambda labels: labels[:-1])),
    ("classes", "stages.json", altered(lambda _: {"Tokens": "1"})),
    ("classes", "stages.json", altered(lambda _: ["Tokens"])),
]


@pytest.mark.parametrize(("chain", "name", "change"), ALTERED)
def test_a_value_of_the_wrong_kind_is_told_at_loading(
    chain: str, name: str, change: Callable[[Path], None], chains: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(chains / chain, tmp_path / "run"))
    change(run / "assets" / name)
    seal(run)
    with pytest.raises(RunError, match=re.escape(str(run / "assets" / name))):
        Pipeline.load(run)


@pytest.mark.parametrize("version", ["²", "٣", "", "2.0", "-2", "9" * 5000, "１"])
def test_a_format_version_that_is_no_number_is_told(version: str, chains: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(chains / "number", tmp_path / "run"))
    seal(run, format_version=version)
    with pytest.raises(RunError, match=r"model\.safetensors: is not a model of seqpipe"):
        Pipeline.load(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: torch.full_like(value, torch.nan), "holds weights that are not finite"),
        (lambda value: torch.full_like(value, -torch.inf), "holds weights that are not finite"),
        (torch.Tensor.half, r"is torch\.float16, the recipe asks for torch\.float32"),
        (torch.Tensor.int, r"is torch\.int32, the recipe asks for torch\.float32"),
        (lambda value: value[:1], r"is \[1\], the recipe asks for \[8\]"),
    ],
)
def test_statistics_and_weights_of_another_kind_are_told(
    change: Callable[[torch.Tensor], torch.Tensor], message: str, chains: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(chains / "number", tmp_path / "run"))
    name = "features.stages.2.standard_deviation"
    with safe_open(run / MODEL, framework="pt") as file:
        seal(run, {name: change(file.get_tensor(name)).contiguous()})
    with pytest.raises(RunError, match=rf"model\.safetensors: {re.escape(name)} {message}"):
        Pipeline.load(run)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hidden_size: 4", "hidden_size: " + "9" * 5000),
        ("hidden_size: 4", 'hidden_size: "\x1b"'),
        ("hidden_size: 4", "hidden_size: 1000000000"),
        ("stage: RegressionHead", "stage: CTCHead"),
        ("stage: Embedding", "stage: OneHot"),
        ("over: global", "over: utterance\n    variance: *no"),
    ],
)
def test_a_recipe_that_is_another_is_told_with_its_file(old: str, new: str, chains: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(chains / "number", tmp_path / "run"))
    text = (run / "recipe.yaml").read_text()
    assert old in text
    (run / "recipe.yaml").write_text(text.replace(old, new))
    seal(run)
    with pytest.raises(RunError, match=re.escape(str(run))):
        Pipeline.load(run)


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError(), AssertionError(), ConfigError("y"), ValueError("z")]
)
def test_whatever_is_raised_names_the_file(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=re.escape(str(tmp_path))) as caught, loading(tmp_path):
        raise error
    assert type(error).__name__ in str(caught.value) or str(error) in str(caught.value)
