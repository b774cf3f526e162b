"""What ``seqpipe align`` does: the places of known texts in their inputs, with the safety of ``seqpipe infer``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from seqpipe.answers.alignment import THRESHOLD, Alignment
from seqpipe.config.recipe import DataConfig
from seqpipe.core.files import check_replaced, hash_file
from seqpipe.core.input import FileSpan
from seqpipe.core.interruption import Interruption
from seqpipe.core.suffixes import TEXT_SUFFIXES, Suffixes
from seqpipe.data.formats.subtitles import SUBTITLE_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.aligning import Aligning
from seqpipe.inference.alignment_text import text_row
from seqpipe.inference.formats.choose import check_format, choose_format
from seqpipe.inference.infer import LocalEngine, concluded, is_begun, model_and_machine
from seqpipe.inference.inputs import count_inputs
from seqpipe.inference.job import Job, Summary
from seqpipe.inference.predictor import load
from seqpipe.inference.progress import Progress
from seqpipe.inference.same_inputs import fingerprint_inputs
from seqpipe.inference.slot import unbound
from seqpipe.model_file import BORDERS, model_files

COLUMNS = ("input", "target", "id", "start", "end", "duration", "channel", "format")
"""Keys of ``data`` that say what manifests hold."""
FORMATS = ("jsonl", "textgrid", "ctm", "srt", "vtt")


def align(
    run: str | Path,
    sources: Sequence[str],
    output: str,
    *,
    text: str | None = None,
    kind: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    quiet: bool = False,
    threshold: float = THRESHOLD,
    workers: int | None = None,
    modules: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Summary:
    """Find where the words of known texts are in their inputs, and write it.

    Args:
        run: run directory of a model with a CTC head.
        sources: manifests, folders, data sets, pages, with a text for each input (`read_rows`); or one input.
        output: a file, or a folder for ``textgrid``, ``srt``, ``vtt`` and ``ctm``, or ``-`` for standard output.
        text: of the one input: a file, ``.txt``, ``.srt`` or ``.vtt``.
        kind: one of `FORMATS`; by the output's name when None.
        resume, overwrite, strict, quiet, workers, modules: as `seqpipe.inference.infer.infer` takes them.
        threshold: nats a unit; a text that is less likely than free decoding by more than that is not in the input.
        data: keys of ``data:`` that replace the recipe's.
        settings: of the `Predictor`.

    Returns:
        What it came to; not ``finished`` if a signal ended it.

    Raises:
        ConfigError: a setting is wrong, the model has no CTC head, the output is there.
        DataError: a source can't be read or has no column of texts; a failure, if strict.
        RunError: there is no model.
    """
    kind = choose_format(output, kind)
    if kind not in FORMATS:
        raise ConfigError(f"--format {kind}: alignments are written as {', '.join(FORMATS)}")
    if not threshold < 0:
        raise ConfigError(f"--threshold should be below 0; received {threshold:g}")
    if data and (unknown := sorted(data.keys() - set(COLUMNS))):
        raise ConfigError(f"data.{unknown[0]}: only {', '.join(COLUMNS)} of data can be set here")
    predictor = load(run, **settings)
    pipeline = predictor.pipeline
    predictor.compute.responder = Aligning(pipeline, threshold, predictor.trigraphs)
    measure = pipeline.features.measure
    check_format(kind, Alignment, measure)
    config = DataConfig.model_validate({**pipeline.recipe.data.model_dump(), **(data or {})})
    suffixes = pipeline.features.reader.suffixes
    if text is not None and len(sources) != 1:
        raise ConfigError(f"--text is the text of one input; received {len(sources)} of them")
    if text is not None and Path(text).suffix.lower() not in TEXT_SUFFIXES | SUBTITLE_SUFFIXES:
        raise ConfigError(f"--text {text}: should end with .srt, .txt or .vtt")

    def rows() -> Iterator[Row]:
        return _rows(sources, config, suffixes, text)

    _check(rows())
    progress = Progress(measure, lambda: count_inputs(sources, config, suffixes), quiet=quiet)
    job = Job(
        output,
        kind,
        Alignment,
        {
            **model_and_machine(run),
            **asdict(predictor.settings),
            "task": "align",
            "threshold": threshold,
            "borders": hash_file(Path(run) / BORDERS) if predictor.trigraphs is not None else None,
            "columns": config.model_dump(include=set(COLUMNS)),
            "inputs": fingerprint_inputs([*sources, *([text] if text else [])]),
        },
        strict=strict,
        on_window=progress.update,
    )
    if job.journal is not None and (overwrite or not (Path(output).exists() or job.journal.store.exists())):
        outputs = [Path(output), job.journal.store, job.journal.path]
        check_replaced(
            "--output", outputs, [*model_files(Path(run)), *map(Path, sources), *([Path(text)] if text else [])]
        )
    interruption = Interruption()
    with interruption.listening(), progress, ExitStack() as stack:
        if not is_begun(job, progress, resume=resume, overwrite=overwrite):
            return job.summary
        engine = stack.enter_context(closing(LocalEngine(predictor, job, progress, workers, modules)))
        job.run(unbound(rows(), pipeline.features.reader), engine.windows, interruption)
        spent = engine.spent()
    return concluded(job.summary, spent, progress, measure, quiet=quiet)


def _check(rows: Iterator[Row]) -> None:
    """Look at the first rows, for a source that can't be read or has no texts, before anything else is done."""
    if not any(True for _ in islice(rows, 1)):
        raise DataError("there are no rows to align")


def _rows(sources: Iterable[str], config: DataConfig, suffixes: Suffixes, text: str | None) -> Iterator[Row]:
    """Rows with their texts (`AlignmentText`); one whose text can't be had has a problem."""
    for source in sources:
        if text is not None:
            yield text_row(Row(source, FileSpan(Path(source)), text), Path())
            continue
        if not source.startswith(("hub:", "starter:", "trees:")):
            if Path(source).suffix.lower() in suffixes and not Path(source).is_dir():
                raise ConfigError(f"{source}: is an input, not a manifest; give its text with --text FILE")
            if not Path(source).exists() and not any(sign in source for sign in "*?["):
                raise DataError(f"{source}: there is no such manifest or folder")
        folder = Path(source) if Path(source).is_dir() else Path(source).parent
        for row in read_rows(source, config, suffixes=suffixes, needs_id=False, strict=False):
            yield text_row(row, folder)
