"""The page beside an exported model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqpipe.errors import ConfigError
from seqpipe.pipeline import Pipeline
from seqpipe.text.units import SentencePieceUnits, Units

STATIC = Path(__file__).parent / "static"
"""What every page has."""
LICENSE = Path(__file__).parent / "onnxruntime_license.txt"
PAGE, INDEX = "page.json", "index.html"
TEXTS = {
    "Waveform": {
        "title": "Speech to text",
        "introduction": "Record yourself or choose a recording. It is transcribed on this device and never leaves it.",
    },
    "LineImage": {
        "title": "Pictures of lines to text",
        "introduction": "Choose, drop or paste the picture of one line of writing. It is read on this device and never "
        "leaves it.",
    },
    "PenStrokes": {
        "title": "Handwriting to text",
        "introduction": "Write a line with a pen, a finger or a mouse. It is read on this device and never leaves it.",
    },
}
"""That stand for ``{{title}}`` and ``{{introduction}}`` on the page, by the reader of the model."""
MAX_SECONDS = 300
"""Of a recording that a page takes: with 1 million parameters, five minutes of sound take 16 s of one core of a server
and 0.2 GB of memory, beside the 0.4 GB of the page."""

UNKNOWN_OPTIONS = {"channels": "each", "background": "local", "slant": True, "skew": True}
"""Of readers."""


def check_page(pipeline: Pipeline, decoding: Any) -> None:
    """Whether a page can use a model.

    Args:
        pipeline: that is exported.
        decoding: its options.

    Raises:
        ConfigError: it can't; the stage, and the option where it is one, are named.
    """
    reader, head = pipeline.features.reader, pipeline.head
    told = "; without --format web it is exported for seqpipe's own runtime"
    for slot, stage, known in (("features", reader, list(TEXTS)), ("head", head, ["CTCHead"])):
        if (name := type(stage).__name__) not in known:
            raise ConfigError(f"pipeline.{slot}: pages for browsers know {' and '.join(known)}, not {name}{told}")
    options = pipeline.recipe.pipeline.features.options["stages"][0].dump()
    for name, value in UNKNOWN_OPTIONS.items():
        if options.get(name) == value:
            raise ConfigError(f"pipeline.features: {name}: {value} can't be used in pages for browsers{told}")
    if (method := getattr(decoding, "method", "greedy")) != "greedy":
        raise ConfigError(f"decoding.method: pages for browsers decode greedily, not by {method}{told}")
    if getattr(head, "base_direction", None) is not None:
        raise ConfigError(f"pipeline.head: base_direction can't be used in pages for browsers{told}")
    units = getattr(head, "units", None)
    if isinstance(units, SentencePieceUnits) and units.bytes():
        raise ConfigError(f"pipeline.head: units that are bytes can't be used in pages for browsers{told}")


def write_page(folder: Path, pipeline: Pipeline, runtime: Mapping[str, bytes]) -> None:
    """Add a page to an exported model.

    Args:
        folder: of the model, whole.
        pipeline: that was exported, which `check_page` has let through.
        runtime: see `seqpipe.export.web.onnxruntime.find_onnxruntime_web`.
    """
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    reader = type(pipeline.features.reader).__name__
    index = (STATIC / INDEX).read_text(encoding="utf-8")
    for name, text in {"reader": reader, **TEXTS[reader]}.items():
        index = index.replace(f"{{{{{name}}}}}", text)
    (folder / INDEX).write_text(index, encoding="utf-8")
    (folder / "onnxruntime").mkdir()
    for name, content in runtime.items():
        (folder / "onnxruntime" / name).write_bytes(content)
    shutil.copyfile(LICENSE, folder / "onnxruntime" / "LICENSE.txt")
    needed = [
        *(path for path in sorted(STATIC.rglob("*")) if path.is_file()),
        *(STATIC / "onnxruntime" / name for name in runtime),
        STATIC / "model.json",
        STATIC / "model.onnx",
    ]
    names = [path.relative_to(STATIC).as_posix() for path in needed]
    head: Any = pipeline.head
    page = {
        "max_seconds": MAX_SECONDS,
        "units": describe_units(head.units),
        "files": {name: (folder / name).stat().st_size for name in names},
    }
    (folder / PAGE).write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def describe_units(units: Units) -> dict[str, Any]:
    """Pieces by their numbers, which SentencePiece's own decoding adds up to, but for `spell` in transcript.js."""
    is_subwords = isinstance(units, SentencePieceUnits)
    return {
        "pieces": [units.piece(number) for number in range(len(units))],
        "unknown": units.number("<unk>") if is_subwords else None,
        "drops_leading_space": is_subwords,
    }
