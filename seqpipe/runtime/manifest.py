"""``model.json`` of an exported model: what the graph takes and gives, and all that stands around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqpipe.core.calibration import Calibration, ConfidenceMap
from seqpipe.core.files import hash_file
from seqpipe.core.naming import Columns
from seqpipe.errors import RunError

FORMAT_VERSION = 1
MANIFEST, GRAPH, ASSETS, ARRAYS = "model.json", "model.onnx", "assets", "arrays.npz"
"""Files of an exported model, the folder of what stages have learnt, and, in it, numbers of the head's."""


@dataclass(frozen=True)
class Part:
    """A stage that isn't in the graph: the reader, or what the head does with the graph's output.

    Attributes:
        stage: its class.
        options: as the recipe has them, defaults included.
        assets: folder of what it has learnt, in the exported model.
    """

    stage: str
    options: Mapping[str, Any]
    assets: str = ""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the graph.

    Attributes:
        name: of it.
        dtype: ``float32`` or ``int64``.
        shape: sizes; names of those that differ from call to call.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Graph:
    """A graph that the head runs by itself, again and again.

    Attributes:
        file: of it, in the exported model.
        inputs, outputs: of it.
    """

    file: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Manifest:
    """What the file holds.

    Attributes:
        format_version: of the file.
        producer: name and version of what has written it.
        precision: ``fp32``, or ``int8``: then rows are answered one by one, since the scale of a product depends on
            all that is in a call.
        reader: prepares inputs.
        head: makes answers of the graph's output.
        inputs: of the graph: what the reader prepares, and lengths.
        outputs: of the graph: what the head's `forward` gives, and lengths.
        stride: prepared elements from one step of the output to the next.
        offset: what step 0 is centred on, in prepared elements.
        decoding: options of decoding; files that they name are the model's, in ``files``.
        calibration: of confidences.
        files: SHA-256 of every other file.
        columns: of manifests and column files, as the recipe names them; see `seqpipe.core.naming.Columns`.
        graphs: further ones by name, which go on from the graph's output.
        model: SHA-256 of the model that was exported.
        verification: how far the graph's answers are from the model's; see `seqpipe.export.verify`.
    """

    producer: str
    precision: str
    reader: Part
    head: Part
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    stride: float
    offset: float
    decoding: Mapping[str, Any]
    calibration: Calibration
    files: Mapping[str, str]
    columns: Columns = field(default_factory=Columns)
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    model: str = ""
    verification: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an exported model, after checking that every file is as it was written.

    Raises:
        RunError: there is no such model, a file is missing or altered, or it is of a newer version.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such folder; an exported model is wanted, as `seqpipe export` writes it")
    if not path.is_file():
        hint = " (it is a run directory: export it first)" if (folder / "model.safetensors").is_file() else ""
        raise RunError(f"{folder}: holds no {MANIFEST}; an exported model is wanted{hint}")
    try:
        content = json.loads(path.read_bytes())
        version = content["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise RunError(
                f"{path}: was written by a newer seqpipe (format {version}, this one reads {FORMAT_VERSION}); upgrade"
            )
        manifest = _parsed(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path}: is damaged ({type(error).__name__}: {error}); export the model again") from None
    for name, wanted in manifest.files.items():
        if not (folder / name).is_file():
            raise RunError(f"{folder / name}: is missing from the exported model; export it again")
        if hash_file(folder / name) != wanted:
            raise RunError(f"{folder / name}: was truncated or altered since it was exported; export it again")
    return manifest


def _parsed(content: Mapping[str, Any]) -> Manifest:
    given = dict(content)
    given["reader"], given["head"] = Part(**given["reader"]), Part(**given["head"])
    given["inputs"], given["outputs"] = _tensors(given["inputs"]), _tensors(given["outputs"])
    given["graphs"] = {
        name: Graph(each["file"], _tensors(each["inputs"]), _tensors(each["outputs"]))
        for name, each in given.get("graphs", {}).items()
    }
    calibration = given["calibration"]
    maps = {
        kind: ConfidenceMap(**{**each, "features": {name: tuple(pair) for name, pair in each["features"].items()}})
        for kind, each in calibration["maps"].items()
    }
    given["calibration"] = Calibration(calibration["temperature"], maps)
    given["columns"] = Columns(**given.get("columns", {}))
    return Manifest(**given)


def _tensors(content: Sequence[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(each["name"], each["dtype"], tuple(each["shape"])) for each in content)


def further_file(name: str) -> str:
    """The file of a further graph."""
    return f"head_{name}.onnx"
