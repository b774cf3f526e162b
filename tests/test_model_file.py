import hashlib
import json
import os
import pickle
import pickletools
import re
import resource
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file

import seqpipe
from seqpipe.errors import RunError
from seqpipe.pipeline import Pipeline

MODEL = "model.safetensors"


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, free to be damaged."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def rewrite(run: Path, **changes: str | None) -> None:
    """The model file with other metadata; None leaves an item out."""
    with safe_open(run / MODEL, framework="pt") as file:
        metadata = {**file.metadata(), **changes}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(weights, run / MODEL, {key: value for key, value in metadata.items() if value is not None})


def rewrite_recipe(run: Path, text: str) -> None:
    """Another recipe for which the model file vouches, as an attacker who knows the format would write it."""
    (run / "recipe.yaml").write_text(text)
    with safe_open(run / MODEL, framework="pt") as file:
        files = json.loads(file.metadata()["files"])
    rewrite(run, files=json.dumps({**files, "recipe.yaml": hashlib.sha256(text.encode()).hexdigest()}))


def test_save_then_load_gives_the_same_bits(trained_run: Path, tmp_path: Path) -> None:
    first = Pipeline.load(trained_run)
    first.save(tmp_path / "again", {"note": "a copy"})
    second = Pipeline.load(tmp_path / "again")
    assert second.recipe == first.recipe
    weights, again = first.state_dict(), second.state_dict()
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    for name in ("recipe.yaml", "assets/head/characters.json"):
        assert (tmp_path / "again" / name).read_bytes() == (trained_run / name).read_bytes()


def test_a_model_from_before_an_option_was_there_means_what_it_meant(run: Path) -> None:
    """`chrono_steps` of the encoder, which recipes of older models don't name."""
    before = Pipeline.load(run).state_dict()
    recipe = (run / "recipe.yaml").read_text()
    older = re.sub(r"\n *chrono_steps: null", "", recipe)
    assert older != recipe
    rewrite_recipe(run, older)
    loaded = Pipeline.load(run)
    assert all(torch.equal(weights, before[name]) for name, weights in loaded.state_dict().items())
    assert yaml.safe_load(loaded.recipe.dump()) == yaml.safe_load(recipe)


def test_a_model_may_be_moved_and_lies_open_to_whoever_may_read_its_recipe(run: Path, tmp_path: Path) -> None:
    Pipeline.load(run.rename(tmp_path / "moved"))
    for name in (MODEL, "assets/head/characters.json"):
        assert (tmp_path / "moved" / name).stat().st_mode == (tmp_path / "moved" / "recipe.yaml").stat().st_mode


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.99])
def test_a_truncated_model_file_is_told(share: float, run: Path) -> None:
    content = (run / MODEL).read_bytes()
    (run / MODEL).write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunError, match=r"model\.safetensors: is truncated or no model file"):
        Pipeline.load(run)


def test_no_altered_byte_goes_unnoticed(run: Path) -> None:
    content = (run / MODEL).read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    note = content.index(b'"epoch"')  # free text, which vouches for nothing
    for place in [*range(0, header, 37), *range(header, len(content), 1999)]:
        if note <= place < note + 16:
            continue
        (run / MODEL).write_bytes(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        with pytest.raises(RunError, match=re.escape(str(run))):
            Pipeline.load(run)


def test_an_altered_weight_is_told(run: Path) -> None:
    content = bytearray((run / MODEL).read_bytes())
    content[-1] ^= 1
    (run / MODEL).write_bytes(content)
    with pytest.raises(RunError, match=r"was altered since it was saved \(the checksum of its weights differs\)"):
        Pipeline.load(run)


@pytest.mark.parametrize("name", ["recipe.yaml", "assets/head/characters.json"])
def test_an_altered_or_missing_file_is_told(name: str, run: Path) -> None:
    with (run / name).open("a") as file:
        file.write(" ")
    with pytest.raises(RunError, match=rf"{name}: was altered since the model was saved"):
        Pipeline.load(run)
    (run / name).unlink()
    with pytest.raises(RunError, match=rf"{name}: is missing"):
        Pipeline.load(run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": "3"}, r"was written by a newer seqpipe \(format 3"),
        ({"format_version": "1"}, r"was written by an older seqpipe \(format 1.*train again"),
        ({"format_version": None}, r"is not a model of seqpipe"),
        ({"format_version": "one"}, r"is not a model of seqpipe"),
        ({"weights": None}, r"was altered"),
        ({"files": None}, r"was altered"),
        ({"files": "no json"}, r"was altered"),
        ({"files": "[5]"}, r"was altered"),
        ({"files": "{}"}, r"is not a file of this model"),
    ],
)
def test_a_model_file_of_another_make_is_told(changes: dict[str, str | None], message: str, run: Path) -> None:
    rewrite(run, **changes)
    with pytest.raises(RunError, match=message):
        Pipeline.load(run)


def test_what_is_no_run_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere: there is no such run directory"):
        Pipeline.load(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"holds no model\.safetensors"):
        Pipeline.load(tmp_path)


def test_a_file_that_was_slipped_in_among_the_assets_is_told(run: Path) -> None:
    (run / "assets" / "head" / "sentencepiece.model").write_bytes(b"another vocabulary")
    with pytest.raises(RunError, match=r"sentencepiece\.model: is not a file of this model"):
        Pipeline.load(run)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stage: RecurrentEncoder", "stage: os.system", r"'os\.system' is not a stage name"),
        ("stage: RecurrentEncoder", "stage: Unheard", r"Unheard is not a known stage.*--import"),
        ("seed: 1", "seed: !!python/object/apply:os.system ['touch {marker}']", r"only scalars, lists and mappings"),
        ("hidden_size: 24", "hidden_size: 25", r"has shape|is \["),
    ],
)
def test_a_recipe_in_a_run_runs_no_code_though_the_model_vouches_for_it(
    old: str, new: str, message: str, run: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "was_run"
    text = (run / "recipe.yaml").read_text()
    assert old in text
    rewrite_recipe(run, text.replace(old, new.format(marker=marker)))
    with pytest.raises(RunError, match=message):
        Pipeline.load(run)
    assert not marker.exists()


def holds_a_pickle(path: Path) -> bool:
    """Whether a file is a pickle, or a zip archive as torch.save writes it."""
    if zipfile.is_zipfile(path):
        return True
    try:
        for _ in pickletools.genops(path.read_bytes()):
            pass
    except (ValueError, IndexError, UnicodeDecodeError):
        return False
    return path.stat().st_size > 0


def test_a_run_holds_no_pickles_but_its_checkpoint(trained_run: Path, tmp_path: Path) -> None:
    (tmp_path / "pickle").write_bytes(pickle.dumps({"a": [1, 2]}))
    assert holds_a_pickle(tmp_path / "pickle")
    found = {
        path.relative_to(trained_run) for path in trained_run.rglob("*") if path.is_file() and holds_a_pickle(path)
    }
    assert found == {Path("checkpoints/last.ckpt")}
    torch.load(trained_run / "checkpoints" / "last.ckpt", weights_only=True)  # and that one holds plain values alone


def contents(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def changed(run: Path) -> Pipeline:
    """The pipeline of a run with other weights."""
    pipeline = Pipeline.load(run)
    with torch.no_grad():
        next(pipeline.parameters()).add_(1.0)
    return pipeline


@pytest.mark.parametrize("pages", [0, 1, 2, 7, 10])
def test_a_full_disk_leaves_the_model_saved_before(pages: int, small_disk: Path, trained_run: Path) -> None:
    """Space runs out at the units, at the recipe, and at the weights."""
    run = small_disk / "run"
    Pipeline.load(trained_run).save(run)
    before, pipeline = contents(run), changed(run)
    space = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(bytes((space.f_bavail - pages) * space.f_frsize))
    with pytest.raises(OSError, match=r"No space left"):
        pipeline.save(run)
    assert contents(run) == before
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
    (small_disk / "other").unlink()
    pipeline.save(run)  # once there is space again
    assert contents(run) != before


@pytest.mark.parametrize("limit", [0, 100, 20_000])
def test_a_limit_on_the_size_of_files_leaves_the_model_saved_before(limit: int, run: Path) -> None:
    before, pipeline = contents(run), changed(run)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match=r"File too large"):
            pipeline.save(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(run) == before


def test_a_save_over_a_model_of_other_stages_leaves_nothing_of_it(trained_run: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "assets" / "head").mkdir(parents=True)
    (tmp_path / "run" / "assets" / "head" / "sentencepiece.model").write_bytes(b"of a model before")
    Pipeline.load(trained_run).save(tmp_path / "run")
    Pipeline.load(tmp_path / "run")
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["pipeline"]["head"]["units"] == "characters"


def test_a_stage_that_means_something_else_now_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seqpipe.RecurrentEncoder, "version", 7)
    with pytest.raises(RunError, match=r"was trained with version 1 of RecurrentEncoder, which is at version 7 now"):
        Pipeline.load(run)
