"""A model on disk: recipe.yaml, assets/ and model.safetensors, which vouches for all of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from seqpipe.config.plain_yaml import read_yaml
from seqpipe.config.recipe import Recipe, parse_recipe
from seqpipe.core.assets import read_json
from seqpipe.core.chain import find_stages
from seqpipe.core.files import hash_file, move, sync
from seqpipe.core.stage import Stage, find_stage
from seqpipe.errors import ConfigError, RunError, did_you_mean

FORMAT_VERSION = 2
"""1 was written before stages had versions, and called some weights and options by other names."""
MODEL, RECIPE, ASSETS, STAGES = "model.safetensors", "recipe.yaml", "assets", "stages.json"
CALIBRATION = "calibration.json"
"""Beside a model, if its confidences were calibrated: of these weights and no others."""
BORDERS = "borders.safetensors"
"""Beside a model, if the borders of words were fitted (`seqpipe fit-borders`): of these weights and no others."""


def save(pipeline: nn.Module, recipe: Recipe, learnt: Mapping[str, Stage], folder: Path, info: dict[str, str]) -> None:
    """Write everything beside its place first, then move it there; the weights, which vouch for the rest, last.

    Args:
        pipeline: whose weights, and versions of stages, are written.
        recipe: as resolved.
        learnt: parts that have learnt something before training, by name.
        folder: made if it isn't there.
        info: further metadata.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder))
    try:
        for name, stage in learnt.items():
            (draft / ASSETS / name).mkdir(parents=True)
            stage.save_assets(draft / ASSETS / name)
        versions = {type(stage).__name__: stage.version for stage in find_stages(pipeline, Stage)}
        (draft / ASSETS / STAGES).write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")
        (draft / RECIPE).write_text(recipe.dump(), encoding="utf-8")
        # Cloned: LSTM weights may share one storage, which safetensors refuses.
        weights = {name: value.detach().cpu().clone().contiguous() for name, value in pipeline.state_dict().items()}
        metadata = {
            **info,
            "format_version": str(FORMAT_VERSION),
            "files": json.dumps(_hashes(draft)),
            "weights": hash_weights(weights),
        }
        save_file(weights, draft / MODEL, metadata)
        _sort_header(draft / MODEL)
        # safetensors makes it readable by its owner alone.
        (draft / MODEL).chmod((draft / RECIPE).stat().st_mode & 0o777)
        sync(draft / MODEL)
        _move(draft, folder)
    except SafetensorError as error:  # safetensors wraps the operating system's "no space left"
        raise OSError(f"{folder / MODEL}: can't be written: {error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sort_header(path: Path) -> None:
    """Put the metadata into the order of their names: safetensors draws one, and equal models should be equal files."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")  # of the header, JSON, padded with spaces
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(ordered) <= size:
            file.seek(8)
            file.write(ordered.ljust(size))


def _move(draft: Path, folder: Path) -> None:
    """Put the draft's files in place; assets and recipe are replaced only if they differ."""
    hashes = _hashes(draft)
    for name, wanted in hashes.items():
        target = folder / name
        if not target.exists() or hash_file(target) != wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            (draft / name).replace(target)
    for name in _names(folder) - hashes.keys():
        (folder / name).unlink()  # of a pipeline of other stages, saved here before
    move(draft / MODEL, folder / MODEL)
    for name in (CALIBRATION, BORDERS):
        (folder / name).unlink(missing_ok=True)  # of the weights before


def read(folder: Path) -> tuple[Recipe, dict[str, Tensor]]:
    """Recipe and weights of a run directory, after checking that every file is as it was saved."""
    folder = Path(folder)
    path = folder / MODEL
    if folder.is_file():
        raise RunError(f"{folder}: is a file; a run directory is wanted, as `seqpipe train` makes it")
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run directory")
    if not path.is_file():
        raise RunError(f"{folder}: holds no {MODEL}; is it a run directory whose training has saved a model?")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise RunError(f"{path}: is truncated or no model file ({error}); restore it, or train again") from None
    version = metadata.get("format_version", "")
    if not re.fullmatch(r"[0-9]{1,9}", version):
        raise RunError(f"{path}: is not a model of seqpipe (its metadata has no format_version)")
    if int(version) > FORMAT_VERSION:
        raise RunError(
            f"{path}: was written by a newer seqpipe (format {version}, this one reads {FORMAT_VERSION}); upgrade"
        )
    if int(version) < FORMAT_VERSION:
        raise RunError(
            f"{path}: was written by an older seqpipe (format {version}, this one reads {FORMAT_VERSION}), which had "
            "other names for weights and options; train again, or take the version that wrote it"
        )
    if hash_weights(weights) != metadata.get("weights"):
        raise RunError(f"{path}: was altered since it was saved (the checksum of its weights differs)")
    try:
        files = TypeAdapter(dict[str, str]).validate_json(metadata.get("files", ""), strict=True)
    except ValidationError:
        raise RunError(f"{path}: was altered since it was saved (its list of files can't be read)") from None
    for name, wanted in files.items():
        if not (folder / name).is_file():
            raise RunError(f"{folder / name}: is missing from the run directory")
        if hash_file(folder / name) != wanted:
            raise RunError(f"{folder / name}: was altered since the model was saved; put the original back")
    for name in sorted(_names(folder) - files.keys()):
        raise RunError(f"{folder / name}: is not a file of this model; remove it, or put the original back")
    _check_versions(folder)
    try:
        return parse_recipe(read_yaml(folder / RECIPE), str(folder / RECIPE)), weights
    except ConfigError as error:
        raise RunError(str(error)) from None


def _check_versions(folder: Path) -> None:
    """Raise `RunError` for a stage that means something else now than when the model was saved."""
    stages = folder / ASSETS / STAGES
    for name, version in read_json(stages, dict[str, int]).items():
        try:
            now = find_stage(name).version
        except ConfigError:
            continue  # the recipe names it too, and says so
        if now != version:
            raise RunError(
                f"{folder}: was trained with version {version} of {name}, which is at version {now} now and means "
                "something else by the same options; train again"
            )


def load_weights(pipeline: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    """Copy weights into a pipeline; all must be there and fit."""
    own = pipeline.state_dict()
    for name, value in own.items():
        if name not in weights:
            raise RunError(f"{folder / MODEL}: lacks the weights {name}{did_you_mean(name, weights)}")
        if weights[name].shape != value.shape:
            raise RunError(
                f"{folder / MODEL}: {name} is {list(weights[name].shape)}, the recipe asks for {list(value.shape)}"
            )
        if weights[name].dtype != value.dtype:
            raise RunError(f"{folder / MODEL}: {name} is {weights[name].dtype}, the recipe asks for {value.dtype}")
        if not weights[name].isfinite().all():
            raise RunError(f"{folder / MODEL}: {name} holds weights that are not finite; restore it, or train again")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])


def model_files(folder: Path) -> list[Path]:
    """The files of a run directory that a model is read from."""
    fitted = [path for path in [folder / CALIBRATION, folder / BORDERS] if path.is_file()]
    return [folder / MODEL, *fitted, *(folder / name for name in _names(folder))]


def _hashes(folder: Path) -> dict[str, str]:
    return {name: hash_file(folder / name) for name in sorted(_names(folder))}


def _names(folder: Path) -> set[str]:
    """The files that belong to a model, beside the weights."""
    found = [folder / RECIPE, *(folder / ASSETS).rglob("*")]
    return {str(path.relative_to(folder)) for path in found if path.is_file()}


def stated_digest(folder: Path) -> str:
    """SHA-256 of what a model file says of itself: checksums of its weights and of all other files of the model.

    Another model has another one, and `read` sees that weights and files are those: nothing is hashed a second time.
    """
    with safe_open(folder / MODEL, framework="pt") as file:
        stated = json.dumps(file.metadata() or {}, sort_keys=True)
    return hashlib.sha256(stated.encode()).hexdigest()


def hash_weights(weights: dict[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].contiguous()
        total.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
