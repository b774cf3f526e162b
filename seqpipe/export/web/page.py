"""The page beside an exported model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from seqpipe.core.head import ExportsGraphs
from seqpipe.errors import ConfigError
from seqpipe.export.web.learnt import PageHead, describe_head, describe_tokens
from seqpipe.features.text.tokens import Tokens
from seqpipe.pipeline import Pipeline
from seqpipe.runtime.manifest import further_file
from seqpipe.text.limited_units import LimitedUnits
from seqpipe.text.units import SentencePieceUnits

STATIC = Path(__file__).parent / "static"
"""What every page has."""
LICENSE = Path(__file__).parent / "onnxruntime_license.txt"
PAGE, INDEX = "page.json", "index.html"
TEXTS = {
    ("Waveform", "CTCHead"): (
        "Speech to text",
        "Record yourself or choose a recording. It is transcribed on this device and never leaves it.",
    ),
    ("LineImage", "CTCHead"): (
        "Pictures of lines to text",
        "Choose, drop or paste the picture of one line of writing. It is read on this device and never leaves it.",
    ),
    ("PenStrokes", "CTCHead"): (
        "Handwriting to text",
        "Write a line with a pen, a finger or a mouse. It is read on this device and never leaves it.",
    ),
    ("Tokens", "ClassifierHead"): (
        "The class of a text",
        "Type or paste a text. It is classified while you type, on this device, and never leaves it.",
    ),
    ("Tokens", "MultiLabelHead"): (
        "Labels of a text",
        "Type or paste a text. It is given labels while you type, on this device, and never leaves it.",
    ),
    ("Tokens", "RegressionHead"): (
        "The value of a text",
        "Type or paste a text. Its value is estimated while you type, on this device, and it never leaves it.",
    ),
    ("Tokens", "TaggerHead"): (
        "Tags of a text",
        "Type or paste a text. Its words are tagged while you type, on this device, and never leave it.",
    ),
    ("Tokens", "AttentionHead"): (
        "Text to text",
        "Type or paste a text. What the model writes for it appears while you type; all of it stays on this device.",
    ),
}
"""Title and introduction of the page, by reader and head of the model."""
MAX_SECONDS = 300
"""Of a recording that a page takes: with 1 million parameters, five minutes of sound take 16 s of one core of a server
and 0.2 GB of memory, beside the 0.4 GB of the page."""
MAX_TOKENS, MAX_TOKENS_REWRITTEN = 10_000, 2000
"""Of a text that a page takes; and of one that another is written for, whose units each look at all of its tokens. With
the models of starters one core of a server answers the former in 0.1 to 0.4 s, and writes 4,000 units for the latter in
1.6 s."""

UNKNOWN_OPTIONS = {"channels": "each", "background": "local", "slant": True, "skew": True}
"""Of readers."""
TOLD = "; without --format web it is exported for seqpipe's own runtime"


def check_page(pipeline: Pipeline, decoding: Any) -> None:
    """Whether a page can use a model.

    Args:
        pipeline: that is exported.
        decoding: its options.

    Raises:
        ConfigError: it can't; the stage, and the option where it is one, are named.
    """
    reader, head = type(pipeline.features.reader).__name__, type(pipeline.head).__name__
    readers = list(dict.fromkeys(name for name, _ in TEXTS))
    heads = [name for of, name in TEXTS if of == reader]
    if not heads:
        raise ConfigError(f"pipeline.features: pages for browsers know {_listed(readers)}, not {reader}{TOLD}")
    if head not in heads:
        raise ConfigError(f"pipeline.head: behind {reader}, pages for browsers know {_listed(heads)}, not {head}{TOLD}")
    options = pipeline.recipe.pipeline.features.options["stages"][0].dump()
    for name, value in UNKNOWN_OPTIONS.items():
        if options.get(name) == value:
            raise ConfigError(f"pipeline.features: {name}: {value} can't be used in pages for browsers{TOLD}")
    method = getattr(decoding, "method", "greedy")
    if head == "CTCHead" and method != "greedy":
        raise ConfigError(f"decoding.method: pages for browsers decode CTC greedily, not by {method}{TOLD}")
    if head == "TaggerHead" and not cast("Tokens", pipeline.features.reader).words_are_steps:
        raise ConfigError(
            f"pipeline.features: in pages for browsers TaggerHead tags words, not steps of units: {options['units']} "
            f"without word_pooling{TOLD}"
        )
    if getattr(pipeline.head, "base_direction", None) is not None:
        raise ConfigError(f"pipeline.head: base_direction can't be used in pages for browsers{TOLD}")
    units = getattr(pipeline.head, "units", None)
    if isinstance(units, (SentencePieceUnits, LimitedUnits)) and units.bytes():
        raise ConfigError(f"pipeline.head: units that are bytes can't be used in pages for browsers{TOLD}")


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def write_page(folder: Path, pipeline: Pipeline, runtime: Mapping[str, bytes]) -> None:
    """Add a page to an exported model.

    Args:
        folder: of the model, whole.
        pipeline: that was exported, which `check_page` has let through.
        runtime: see `seqpipe.export.web.onnxruntime.find_onnxruntime_web`.
    """
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    reader, head = pipeline.features.reader, pipeline.head
    kind = type(reader).__name__, type(head).__name__
    title, introduction = TEXTS[kind]
    index = (STATIC / INDEX).read_text(encoding="utf-8")
    for name, text in {"reader": kind[0], "title": title, "introduction": introduction}.items():
        index = index.replace(f"{{{{{name}}}}}", text)
    (folder / INDEX).write_text(index, encoding="utf-8")
    (folder / "onnxruntime").mkdir()
    for name, content in runtime.items():
        (folder / "onnxruntime" / name).write_bytes(content)
    shutil.copyfile(LICENSE, folder / "onnxruntime" / "LICENSE.txt")
    needed = [
        *(path.relative_to(STATIC).as_posix() for path in sorted(STATIC.rglob("*")) if path.is_file()),
        *(f"onnxruntime/{name}" for name in runtime),
        "model.json",
        "model.onnx",
        *(path.name for path in sorted(folder.glob(further_file("*"))) if isinstance(head, ExportsGraphs)),
    ]
    page: dict[str, Any] = {
        "max_seconds": MAX_SECONDS,
        "max_tokens": MAX_TOKENS_REWRITTEN if kind[1] == "AttentionHead" else MAX_TOKENS,
        "head": describe_head(cast("PageHead", head)),
        "files": {name: (folder / name).stat().st_size for name in needed},
    }
    if isinstance(reader, Tokens):
        page["tokens"] = describe_tokens(reader)
    (folder / PAGE).write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
