"""The rows of one part (train, dev, test), each looked at once."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqpipe.checks.findings import Findings, usable
from seqpipe.checks.labels import encode_label
from seqpipe.config.recipe import DataConfig
from seqpipe.core.chain import FeatureChain
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.core.warning import collecting_warnings
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, read_rows, training_rows, unread_files
from seqpipe.data.spans import shorter_than_read, unread_spans
from seqpipe.errors import InputError
from seqpipe.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of one input.

    Attributes:
        length: before any augmentation, in steps of the first stage (audio: samples).
        prepared: after the chain's first halves, without augmentation.
        content: a hash of what the first stage made of it; None where it was not read.
        warnings: (kind, message) of what is odd about it.
    """

    length: int
    prepared: int
    content: bytes | None = None
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass
class Part:
    """The rows of one part that can be used, and what was found.

    Attributes:
        name: ``train``, ``dev``, ``test``, or the source's own.
        source: where the rows are from.
        rows: that can be used so far.
        inspections: one per row.
        targets: one per row, once `encode` was called; None for a row that can be scored and not learnt from.
        findings: about all rows.
        max_length: a longer input can't be used; in seconds for audio, else in steps.
        measured: the lengths are final; not before the first stage has learnt the units that it measures in.
    """

    name: str
    source: str
    rows: list[Row]
    inspections: list[Inspection]
    targets: list[Tensor | None] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    max_length: float | None = None
    measured: bool = True

    @property
    def lengths(self) -> list[int]:
        """Of the inputs before augmentation, in steps of the first stage."""
        return [inspection.length for inspection in self.inspections]

    def encode(self, pipeline: Pipeline, *, refuse: Callable[[Row, InputError], None] | None = None) -> None:
        """Encode the targets; rows whose targets can't be spelt or don't fit go to the findings.

        Inputs whose units weren't known when they were looked at are measured first; and what is odd about those that
        a first stage that learns makes something of, is asked now.

        Args:
            pipeline: fitted.
            refuse: told of such rows instead; they stay, with None as target. Not those of a tagging head whose tags
                can't be set beside the words: they can't be scored either.
        """
        kept: list[tuple[Row, Inspection, Tensor | None]] = []
        for row, inspection in zip(self.rows, self.inspections, strict=True):
            try:
                if not self.measured:
                    inspection = _measured(row, inspection, pipeline.features, self.max_length)
            except InputError as error:
                self.findings.add(row, error)
                continue
            try:
                kept.append((row, inspection, encode_label(row, pipeline, inspection.prepared)))
            except InputError as error:
                if refuse is None or (pipeline.head.tags_items and error.kind != "unknown label"):
                    self.findings.add(row, error)
                else:
                    refuse(row, error)
                    kept.append((row, inspection, None))
        self.rows, self.inspections = [row for row, _, _ in kept], [inspection for _, inspection, _ in kept]
        reader = pipeline.features.reader
        if reader.needs_fit:
            for row in self.rows:
                for kind, message in reader.warnings(row.input, None):
                    self.findings.warn(row, kind, message)
        self.targets = [target for _, _, target in kept]
        self.measured = True
        self.findings.problems.sort(key=lambda problem: problem[0].place)
        unused = {row.place for row, _, _ in self.findings.problems}
        self.findings.warnings = [warning for warning in self.findings.warnings if warning[0].place not in unused]


def read_part(
    name: str,
    source: str,
    config: DataConfig,
    features: FeatureChain,
    *,
    root: Path | None = None,
    max_length: float | None = None,
    empty_targets: bool = False,
    progress: bool = False,
) -> Part:
    """Read the rows of a source, and look at each input: ``data.check`` says how closely.

    Args:
        name: of the part.
        source: as `read_rows` takes it; the recipe's train part brings ``data.train_also`` with it.
        config: the recipe's ``data``.
        features: whose first stage reads the inputs; needs no fitting.
        root: what a relative source is relative to.
        max_length: a longer input can't be used; in seconds for audio, else in steps.
        empty_targets: the head learns from an empty target too (`Stage.allows_empty_targets`).
        progress: show it on standard error, if that is a terminal.

    Raises:
        DataError: the source can't be opened, or lacks a column.
    """
    suffixes = features.reader.suffixes
    with collecting_warnings() as heard:
        if name == "train" and source == config.train:
            rows = list(training_rows(config, suffixes=suffixes, strict=False))
        else:
            rows = list(read_rows(source, config, suffixes=suffixes, strict=False, root=root))
    part = Part(name, source, [], [], max_length=max_length, measured=features.reader.has_lengths)
    whole = config.check == "full"

    def inspect(row: Row) -> Inspection:
        found = _inspect(row, features, max_length, whole)
        if row.target is None or (_is_empty(row.target) and not empty_targets):
            raise InputError("no target", f"the target is empty; received {row.target!r}")
        return found

    part.rows, part.inspections = usable(
        _with_bar(rows, name) if progress and sys.stderr.isatty() else rows, inspect, part.findings
    )
    _warn_of_spans(part, config, features)
    if part.rows and (message := unread_files(source, config, suffixes, root or data_root(config))):
        part.findings.warn_of_source(source, "files not read", message)
    for kind, message in heard:
        if part.rows:
            part.findings.warn_of_source(source, kind, message)
        else:
            part.findings.summary.append(message)
    for row, inspection in zip(part.rows, part.inspections, strict=True):
        for kind, message in inspection.warnings:
            part.findings.warn(row, kind, message)
    return part


def _warn_of_spans(part: Part, config: DataConfig, features: FeatureChain) -> None:
    """Where columns say that rows are parts of recordings, and whole ones are read."""
    for row in part.rows:
        if message := unread_spans(row, config):
            part.findings.warn(row, "spans not read", message)
            return  # one row speaks for all
    if not features.reader.suffixes & AUDIO_SUFFIXES:
        return
    for row, inspection in zip(part.rows, part.inspections, strict=True):
        if message := shorter_than_read(row, features.measure.amount(inspection.length), config):
            part.findings.warn(row, "spans not read", message)


def _with_bar(rows: list[Row], name: str) -> Iterable[Row]:
    """The rows, with a bar on standard error while they are gone through."""
    from rich.console import Console
    from rich.progress import track

    return track(rows, description=f"reading {name}", console=Console(stderr=True), transient=True)


def _inspect(row: Row, features: FeatureChain, max_length: float | None, whole: bool) -> Inspection:
    """Inspection at one row; raises `InputError` if it can't be used."""
    if max_length is not None and features.reader.has_lengths:
        _short_enough(features, features.length(row.input), max_length)  # before reading: it may not fit into memory
    if whole:
        inspection = _read(row.input, features)
    else:
        length = features.length(row.input)
        inspection = Inspection(length, length)
    if inspection.length == 0 or inspection.prepared == 0:
        raise InputError("empty", f"{row.input}: holds nothing")
    return inspection


def _measured(row: Row, inspection: Inspection, features: FeatureChain, max_length: float | None) -> Inspection:
    """A inspection with its length in units that have been learnt."""
    length = features.length(row.input)
    if max_length is not None:
        _short_enough(features, length, max_length)
    return replace(inspection, length=length, prepared=length)


def _is_empty(target: Any) -> bool:
    return (hasattr(target, "__len__") and not len(target)) or not str(target).strip()


def _short_enough(features: FeatureChain, length: int, max_length: float) -> None:
    if (amount := features.measure.amount(length)) > max_length:
        unit = features.measure.suffix
        raise InputError("too long", f"the input has {amount:g}{unit}; data.max_length allows {max_length:g}{unit}")


def _read(raw: Any, features: FeatureChain) -> Inspection:
    first = features.reader
    if first.needs_fit:  # what it makes of an input is not known yet
        length = features.length(raw)
        return Inspection(length, length, content_hash(raw))
    with collecting_warnings() as heard:
        prepared = first.prepare(raw, None)
    if not isinstance(prepared, Tensor):
        return Inspection(len(prepared), len(prepared), content_hash(prepared))
    if prepared.is_floating_point() and not bool(torch.isfinite(prepared).all()):
        raise InputError("non-finite", f"{raw}: holds values that are no finite numbers")
    length = len(prepared)
    warnings = (*heard, *first.warnings(raw, prepared)) if length else ()
    content = content_hash(prepared)
    for stage in features.stages[1:]:
        prepared = stage.prepare(prepared, None)
    return Inspection(length, len(prepared), content, warnings)


def content_hash(value: Any) -> bytes:
    """128 bits that are equal for equal tensors, arrays or plain values, and practically never else."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(value, (Tensor, np.ndarray)):
        array = np.ascontiguousarray(value)
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.data)
    else:
        digest.update(value if isinstance(value, bytes) else repr(value).encode())
    return digest.digest()
