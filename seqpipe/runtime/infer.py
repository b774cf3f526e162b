"""What ``seqpipe-run`` does: inputs, an exported model, output and progress put together."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from seqpipe import __version__
from seqpipe.core.files import companion, expand_home, hash_file
from seqpipe.core.interruption import Interruption
from seqpipe.core.naming import KEYS, Columns, Format
from seqpipe.errors import ConfigError, did_you_mean
from seqpipe.inference.formats.choose import check_format, choose_format
from seqpipe.inference.inputs import check_inputs, count_inputs, input_files
from seqpipe.inference.job import Job, Summary
from seqpipe.inference.progress import Progress, describe
from seqpipe.inference.slot import Pause
from seqpipe.inference.stream import check_replacing, fingerprint_place, given_rows, streamed
from seqpipe.inference.window import Window
from seqpipe.runtime.ctc_options import FILES
from seqpipe.runtime.manifest import MANIFEST
from seqpipe.runtime.model import Model
from seqpipe.runtime.windows import make_windows


def infer(
    folder: str | Path,
    inputs: Sequence[str],
    output: str,
    *,
    kind: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    quiet: bool = False,
    data: Mapping[str, str] | None = None,
    calibrated: bool = True,
    **settings: Any,
) -> Summary:
    """Run an exported model over inputs, and write its answers.

    Args:
        folder: as `seqpipe export` wrote it.
        inputs, output, kind, resume, overwrite, strict, quiet: as `seqpipe.inference.infer.infer` takes them.
        data: keys of ``data:`` that replace the recipe's, as texts; ``null`` for a column that there is not.
        calibrated: whether its calibration, if it has one, is applied to confidences.
        settings: of `Model.load`.

    Returns:
        What it came to; not ``finished`` if a signal ended it.

    Raises:
        ConfigError: a setting is wrong; the output is there; a run was begun otherwise; a package is missing.
        DataError: a source can't be read; a failure, if strict.
        RunError: there is no exported model, or a damaged one.
    """
    if output != "-":
        companion(Path(output), ".journal")
    kind = choose_format(output, kind)
    model = Model.load(folder, calibrated=calibrated, **settings)
    measure, suffixes = model.reader.measure, frozenset(model.reader.suffixes)
    check_format(kind, model.head.answer_type, measure)
    config = _named(model.manifest.columns, data or {})
    check_inputs(inputs, config, suffixes=suffixes)
    chosen = settings.get("decoding") or {}
    progress = Progress(measure, lambda: count_inputs(inputs, config, suffixes), quiet=quiet)
    job = Job(
        output,
        kind,
        model.head.answer_type,
        {
            "model": hash_file(Path(folder) / MANIFEST),
            **asdict(model.settings),
            "calibrated": calibrated,
            "columns": {name: getattr(config, name) for name in KEYS},
            "decoding": dict(chosen),
            **({"files of decoding": named} if (named := _hashed(chosen)) else {}),
            "version of seqpipe": __version__,
            "version of onnxruntime": model.session.version,
            "processor": platform.machine(),
            **fingerprint_place(inputs),
        },
        columns=model.columns,
        strict=strict,
        on_window=progress.update,
    )
    check_replacing(job, _read(Path(folder), inputs, config, suffixes), overwrite)
    interruption = Interruption()
    with interruption.listening(), progress:
        is_left = job.begin(resume=resume, overwrite=overwrite)
        if job.journal is not None and job.journal.damage is not None:
            progress.say(job.journal.damage)
        if not is_left:
            progress.say(f"{output} is finished already")
            job.summary.finished = True
            return job.summary
        rows = given_rows(inputs, config, model.reader, job, progress.say)
        if "-" in inputs:
            rows = streamed(rows, output, interruption)
        done = job.summary.kept

        def windows(left: Iterable[Any], first: int) -> Iterator[Window | Pause]:
            return make_windows(model, left, first, done=done, at_once=output == "-")

        summary = job.run(rows, windows, interruption)
    if not quiet:
        progress.say(describe(summary, measure, {}))
    return summary


def _named(columns: Columns, given: Mapping[str, str]) -> Columns:
    """The columns with what was given in their place; raises `ConfigError`."""
    for name, text in given.items():
        if name not in KEYS:
            raise ConfigError(f"data.{name}: only {', '.join(KEYS)} of data can be set here")
        if name == "format" and text not in get_args(Format):
            raise ConfigError(f"data.format: {text} is not known{did_you_mean(text, get_args(Format))}")
        if name in ("input", "format") and text in ("", "null"):
            raise ConfigError(f"data.{name}: should name a column; received {text or 'nothing'}")
    chosen: dict[str, Any] = {name: None if text in ("", "null") else text for name, text in given.items()}
    return replace(columns, **chosen)


def _hashed(decoding: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each file that options of decoding name, by the option."""
    named = {name: expand_home(value) for name, value in decoding.items() if isinstance(value, str)}
    return {name: hash_file(path) for name, path in named.items() if name in FILES and path.is_file()}


def _read(folder: Path, inputs: Sequence[str], config: Columns, suffixes: frozenset[str]) -> Iterator[Path]:
    """Files that are read: the model's, and the inputs."""
    yield from (path for path in folder.rglob("*") if path.is_file())
    yield from input_files(inputs, config, suffixes=suffixes)


def parse_settings(overrides: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Options of decoding, and keys of ``data:``, out of ``decoding.KEY=VALUE`` and ``data.KEY=VALUE``.

    Values of decoding are JSON (numbers, ``true``, ``null``), and a text if they aren't.

    Raises:
        ConfigError: something else was given.
    """
    decoding: dict[str, Any] = {}
    data: dict[str, str] = {}
    for override in overrides:
        path, equals, text = override.partition("=")
        section, _, name = path.partition(".")
        if not equals or not name or section not in ("decoding", "data"):
            raise ConfigError(f"--set {override}: should be decoding.KEY=VALUE or data.KEY=VALUE")
        if section == "data":
            data[name] = text
            continue
        try:
            decoding[name] = json.loads(text)
        except ValueError:
            decoding[name] = text
    return decoding, data
