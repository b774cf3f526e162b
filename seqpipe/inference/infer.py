"""What ``seqpipe infer`` does: inputs, engine, output and progress put together."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_type_hints

import torch

from seqpipe.config.recipe import DataConfig
from seqpipe.core.answer import Answer
from seqpipe.core.files import companion, hash_file
from seqpipe.core.interruption import Interruption
from seqpipe.core.measure import Measure
from seqpipe.core.naming import KEYS
from seqpipe.core.suffixes import Suffixes
from seqpipe.errors import ConfigError
from seqpipe.hub.fetch import local_run
from seqpipe.inference.calibration_file import plain
from seqpipe.inference.engine import Engine
from seqpipe.inference.formats.choose import RECORDINGS, check_format, choose_format
from seqpipe.inference.formats.recordings import RecordingNames, recording_group
from seqpipe.inference.inputs import check_inputs, count_inputs, input_files
from seqpipe.inference.job import Job, Summary
from seqpipe.inference.option_files import fingerprint_options
from seqpipe.inference.predictor import Predictor, load
from seqpipe.inference.progress import Progress, describe
from seqpipe.inference.reading import Reader
from seqpipe.inference.settings import Settings
from seqpipe.inference.shard import group_of, parse_shard, shard
from seqpipe.inference.slot import Pause
from seqpipe.inference.stream import check_replacing, fingerprint_place, given_rows, streamed
from seqpipe.inference.window import Budget, Window
from seqpipe.inference.workers import Workers
from seqpipe.model_file import MODEL, model_files

SPENT = ("reading", "features", "model", "decoding", "writing")


def infer(
    run: str | Path,
    inputs: Sequence[str],
    output: str,
    *,
    kind: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    quiet: bool = False,
    part: str | None = None,
    workers: int | None = None,
    modules: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
    engine: Literal["local", "ray"] = "local",
    calibrated: bool = True,
    **settings: Any,
) -> Summary:
    """Run a trained model over inputs, and write its answers.

    Args:
        run: run directory, or ``hub:OWNER/NAME[@REVISION]``.
        inputs: files, folders, globs, manifests, pages in ALTO or PAGE, ``hub:`` data sets, ``-`` for standard input.
        output: a file, or a folder for subtitles, TextGrids, CTM and pages, or ``-`` for standard output.
        kind: one of `seqpipe.inference.formats.choose.ENDINGS`; by the output's name when None.
        resume: go on with a run that was stopped; one that is finished is left alone.
        overwrite: begin anew whatever is there; an output stays till the new one is whole.
        strict: end at the first input that can't be answered.
        quiet: show nothing while it goes on.
        part: ``2/8`` for the second of eight parts of about equal length.
        workers: processes that read (local; a thread if 0), or actors (ray); by the machine and the input when None.
        modules: of the user's own, which hold stages.
        data: keys of ``data:`` that replace the recipe's.
        engine: ``local``, or ``ray`` for a cluster.
        calibrated: see `seqpipe.load`.
        settings: of the `Predictor`.

    Returns:
        What it came to; not ``finished`` if a signal ended it.

    Raises:
        ConfigError: a setting is wrong; the output is there; a run was begun otherwise.
        DataError: a source can't be read; a failure, if strict.
        RunError: there is no model.
    """
    run = local_run(run)
    if output != "-":
        companion(Path(output), ".journal")
    kind = choose_format(output, kind)
    place = parse_shard(part) if part else None
    if data and (unknown := sorted(data.keys() - set(KEYS))):
        raise ConfigError(f"data.{unknown[0]}: only {', '.join(KEYS)} of data can be set here")
    # Of a cluster, the machine that starts it only measures and names.
    here = settings if engine == "local" else {**settings, "device": "cpu"}
    predictor = load(run, calibrated=calibrated, **here)
    pipeline = predictor.pipeline
    chosen = predictor.settings if engine == "local" else of_cluster(predictor.settings, settings)
    prediction = get_type_hints(pipeline.head.answer).get("return", Answer)
    measure = pipeline.features.measure
    check_format(kind, prediction, measure)
    config = DataConfig.model_validate({**pipeline.recipe.data.model_dump(), **(data or {})})
    suffixes = pipeline.features.reader.suffixes
    check_inputs(inputs, config, suffixes=suffixes)
    progress = Progress(measure, lambda: _total(inputs, config, suffixes, place), quiet=quiet)
    job = Job(
        output,
        kind,
        prediction,
        {
            **model_and_machine(run),
            **asdict(chosen),
            "engine": engine,
            "shard": part,
            "columns": config.model_dump(include=set(KEYS)),
            "decoding": predictor.options.model_dump(),
            **fingerprint_place(inputs),
            **({"calibration": plain(predictor.calibration)} if predictor.calibration is not None else {}),
            **({"files of decoding": named} if (named := fingerprint_options(predictor.options)) else {}),
        },
        columns=predictor.columns,
        strict=strict,
        on_window=progress.update,
    )
    check_replacing(job, chain(model_files(Path(run)), input_files(inputs, config, suffixes=suffixes)), overwrite)
    interruption = Interruption()
    with interruption.listening(), progress, ExitStack() as stack:
        source: Any
        if engine == "ray":  # first of all: a cluster that can't be reached leaves no trace
            from seqpipe.inference.ray.run import RayEngine

            decoding = settings.get("decoding")
            cluster = RayEngine(
                run,
                chosen,
                decoding=decoding,
                calibrated=calibrated,
                actors=workers,
                modules=modules,
                columns=predictor.columns,
                notice=progress.say,
            )
            source = stack.enter_context(closing(cluster))
        if not is_begun(job, progress, predictor.notices, resume=resume, overwrite=overwrite):
            return job.summary
        rows = given_rows(inputs, config, pipeline.features.reader, job, progress.say)
        if place is not None:
            if kind == "ctm":  # all shards are to name recordings as one command would
                job.recordings = RecordingNames()
                rows = job.recordings.noting(rows)
            together = recording_group if kind in RECORDINGS else group_of
            rows = shard(rows, *place, lambda row: measure.amount(pipeline.features.length(row.input)), together)
        if "-" in inputs:
            rows = streamed(rows, output, interruption)
        if engine == "local":
            source = stack.enter_context(closing(LocalEngine(predictor, job, progress, workers, modules)))
        job.run(rows, source.windows, interruption)
        spent = source.spent()
    return concluded(job.summary, spent, progress, measure, quiet=quiet)


def model_and_machine(run: str | Path) -> dict[str, str]:
    """What any answer depends on: a run that is resumed has to have the same."""
    return {
        "model": hash_file(Path(run) / MODEL),
        **{f"version of {name}": metadata.version(name) for name in ("seqpipe", "torch")},
        "processor": platform.machine() + " " + torch.backends.cpu.get_cpu_capability(),
    }


def is_begun(job: Job, progress: Progress, notices: Sequence[str] = (), *, resume: bool, overwrite: bool) -> bool:
    """Open the journal (`Job.begin`) and say what should be known; False if all is done already."""
    is_left = job.begin(resume=resume, overwrite=overwrite)
    for notice in notices:
        progress.say(notice)
    if job.journal is not None and job.journal.damage is not None:
        progress.say(job.journal.damage)
    if not is_left:
        progress.say(f"{job.output} is finished already")
        job.summary.finished = True
    return is_left


def concluded(
    summary: Summary, engine: Mapping[str, float], progress: Progress, measure: Measure, *, quiet: bool
) -> Summary:
    """The summary with the seconds that the engine has spent too; unless ``quiet``, it is said."""
    spent = {**engine, "writing": summary.spent.get("writing", 0.0)}
    summary.spent = {name: spent[name] for name in SPENT if name in spent}
    if not quiet:
        progress.say(describe(summary, measure, summary.spent))
    return summary


class LocalEngine:
    """The engine of this machine, with processes that read.

    Args:
        predictor: answers.
        job: whose journal notes smaller budgets, and who knows the columns that answers depend on.
        progress: told of them.
        workers: processes that read; when None a quarter of the threads in number, and of texts none but a thread.
        modules: of the user's own, which hold stages.
    """

    def __init__(
        self, predictor: Predictor, job: Job, progress: Progress, workers: int | None, modules: Sequence[str]
    ) -> None:
        self.predictor, self.job, self.progress = predictor, job, progress
        cores = torch.get_num_threads()
        # Texts are prepared so fast that handing them over to a process costs as much as it saves, and its start more.
        most = max(1, cores // 4) if predictor.preparation.reads_files else 0
        count = workers if workers is not None else most
        self.workers = Workers(
            predictor.preparation, count=max(1, count), processes=count > 0, modules=modules, notice=progress.say
        )
        self.reader = Reader(predictor.preparation, self.workers, job.columns)

    def windows(self, rows: Iterable[Any], first: int) -> Iterator[Window | Pause]:
        """Answers to inputs."""
        predictor = self.predictor
        engine = Engine(
            predictor.pipeline,
            predictor.settings,
            predictor.compute,
            calibration=predictor.calibration,
            on_budget=self._lower,
        )
        if self.job.journal is not None:
            engine.budgets = list(self.job.journal.budgets)
        return engine.windows(self.reader, rows, first=first)

    def spent(self) -> dict[str, float]:
        """Seconds by stage."""
        return {"reading": self.reader.seconds, **self.predictor.compute.clock.read()}

    def close(self) -> None:
        """End processes and threads."""
        self.workers.close()
        self.predictor.close()

    def _lower(self, budget: Budget) -> None:
        if self.job.journal is not None:
            self.job.journal.lower_budget(budget)
        self.progress.say(f"out of memory: batches have at most {budget.steps} padded steps from here on")


def of_cluster(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """Settings of a cluster's actors: ``cuda`` may be asked for where the command starts without a GPU."""
    device = given.get("device", "auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return replace(settings, device=device)


def _total(inputs: Sequence[str], config: DataConfig, suffixes: Suffixes, place: tuple[int, int] | None) -> int | None:
    count = count_inputs(inputs, config, suffixes)
    return count if count is None or place is None else round(count / place[1])
