"""``seqpipe export``: a run directory as a folder that runs without torch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import seqpipe
from seqpipe.core.calibration import Calibration
from seqpipe.core.files import draft_folder, hash_file
from seqpipe.core.naming import Columns
from seqpipe.core.onnx_graph import Form, Precision
from seqpipe.data.source import data_root, read_rows
from seqpipe.errors import ConfigError, RunError, SeqpipeError
from seqpipe.export.decoding_files import carry_files
from seqpipe.export.graph import Exported, export_pipeline
from seqpipe.export.verify import Verification, verify
from seqpipe.export.web.onnxruntime import find_onnxruntime_web
from seqpipe.export.web.page import check_page, write_page
from seqpipe.hub.fetch import local_run
from seqpipe.inference.predictor import Predictor, load
from seqpipe.model_file import ASSETS as RUN_ASSETS
from seqpipe.model_file import MODEL
from seqpipe.runtime.heads import HEADS
from seqpipe.runtime.manifest import (
    ARRAYS,
    ASSETS,
    GRAPH,
    MANIFEST,
    Graph,
    Manifest,
    Part,
    Tensor,
    further_file,
)
from seqpipe.runtime.model import Model
from seqpipe.runtime.readers import READERS

Format = Literal["onnx", "web"]
"""``onnx``: a graph and what stands around it; ``web``: and a page that uses them in a browser."""


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        folder: of the exported model.
        verification: against the run; None where there were no rows.
        bytes: of all its files.
    """

    folder: Path
    verification: Verification | None
    bytes: int


def export(
    run: str | Path,
    output: str | Path,
    *,
    precision: Precision = "fp32",
    weight_bits: Literal[7, 8] = 7,
    data: str | None = None,
    tolerance: float | None = None,
    decoding: Mapping[str, Any] | None = None,
    form: Format = "onnx",
    onnxruntime_web: str | Path | None = None,
) -> Export:
    """Write a run's model for runtimes without torch, once it is known to answer as the run does.

    Args:
        run: a run directory.
        output: a folder, which must not be there yet, or be empty.
        precision: ``fp32``, or ``int8``: a quarter of the size, on processors with 8-bit dot products faster, and less
            exact.
        weight_bits: of 8-bit weights; 8 for processors with VNNI alone.
        data: rows that are answered by both; the run's dev rows when None.
        tolerance: points that the main score may differ by; by default those of `TOLERANCES`.
        decoding: options that replace the recipe's, and that the exported model has from then on.
        form: of what is written.
        onnxruntime_web: of a page; see `seqpipe.export.web.onnxruntime.find_onnxruntime_web`.

    Raises:
        ConfigError: a stage or an option can't be exported; or the output is there already.
        RunError: the run is damaged; or the exported model's answers are too far from the run's.
    """
    folder, output = local_run(run), Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConfigError(f"--output {output}: is there already; name a new folder, or remove it")
    predictor = load(folder, device="cpu", decoding=decoding, calibrated=False)
    calibrated = load(folder, device="cpu", decoding=decoding)
    pipeline = predictor.pipeline
    for slot, stage, known in (("features", pipeline.features.reader, READERS), ("head", pipeline.head, HEADS)):
        if type(stage).__name__ not in known:
            raise ConfigError(
                f"pipeline.{slot}: {type(stage).__name__} can't be exported: runtimes know of "
                f"{', '.join(sorted(known))}; use the run itself, where seqpipe is installed"
            )
    if form == "web":
        check_page(pipeline, predictor.options)
        runtime = find_onnxruntime_web(onnxruntime_web)
    exported = export_pipeline(pipeline, precision, weight_bits)
    with draft_folder(output) as draft:
        manifest = _write(draft, folder, predictor, exported, precision, calibrated.calibration or Calibration())
        # Loaded whether there are rows or not: options of decoding may ask for what it can't do.
        model = Model.load(draft, calibrated=False)
        verification = _verified(model, predictor, data)
        if verification is not None:
            if problem := verification.excess(precision, tolerance):
                told = "\n".join(f"  {line}" for line in verification.lines())
                raise RunError(f"{output}: isn't written: its answers are too far from the run's: {problem}\n{told}")
            manifest = replace(manifest, verification=verification.to_json())
            (draft / MANIFEST).write_text(manifest.dump(), encoding="utf-8")
        if form == "web":
            write_page(draft, pipeline, runtime)
        size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    return Export(output, verification, size)


def _write(
    draft: Path, run: Path, predictor: Predictor, exported: Exported, precision: Precision, calibration: Calibration
) -> Manifest:
    """Graph, assets and manifest."""
    pipeline = predictor.pipeline
    (draft / GRAPH).write_bytes(exported.content)
    for name, graph in exported.further.items():
        (draft / further_file(name)).write_bytes(graph.content)
    if (run / RUN_ASSETS).is_dir():
        shutil.copytree(run / RUN_ASSETS, draft / ASSETS)
    if arrays := pipeline.head.export_arrays():
        (draft / ASSETS / "head").mkdir(parents=True, exist_ok=True)
        np.savez(draft / ASSETS / "head" / ARRAYS, allow_pickle=False, **arrays)
    decoding = carry_files(predictor.options, draft) if predictor.options is not None else {}
    recipe = pipeline.recipe.pipeline
    reader = recipe.features.options["stages"][0]
    manifest = Manifest(
        producer=f"seqpipe {seqpipe.__version__}",
        precision=precision,
        reader=Part(reader.name, _plain(reader.dump()), f"{ASSETS}/features/0.{reader.name}"),
        head=Part(recipe.head.name, _plain(recipe.head.dump()), f"{ASSETS}/head"),
        inputs=_tensors(exported.inputs),
        outputs=_tensors(exported.outputs),
        graphs={
            name: Graph(further_file(name), _tensors(each.inputs), _tensors(each.outputs))
            for name, each in exported.further.items()
        },
        stride=exported.stride,
        offset=exported.offset,
        decoding=decoding,
        calibration=calibration,
        files={str(path.relative_to(draft)): hash_file(path) for path in sorted(draft.rglob("*")) if path.is_file()},
        columns=Columns(**{each.name: getattr(pipeline.recipe.data, each.name) for each in fields(Columns)}),
        model=hash_file(run / MODEL),
    )
    (draft / MANIFEST).write_text(manifest.dump(), encoding="utf-8")
    return manifest


def _tensors(forms: Mapping[str, Form]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, form.dtype, tuple(form.shape)) for name, form in forms.items())


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "stage"}


def _verified(model: Model, predictor: Predictor, data: str | None) -> Verification | None:
    """Of the rows that were named, which must be there, or of the run's dev rows, if they are."""
    recipe = predictor.pipeline.recipe
    source = data or recipe.data.dev
    if source is None:
        return None
    try:
        root = None if data is not None else data_root(recipe.data)
        suffixes = predictor.pipeline.features.reader.suffixes
        rows = list(read_rows(source, recipe.data, suffixes=suffixes, needs_id=False, root=root))
    except (SeqpipeError, OSError):
        if data is not None:
            raise
        return None
    return verify(predictor, model, [row for row in rows if row.problem is None], source)
