"""``calibration.json`` of a run directory: what makes its confidences those that they say they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from seqpipe.core.assets import read_json
from seqpipe.core.calibration import Calibration
from seqpipe.core.files import hash_file, write_text
from seqpipe.errors import RunError
from seqpipe.model_file import CALIBRATION, MODEL

FORMAT = 1
SHOWN = ("top", "among", "n_best")
"""Options of ``decoding:`` that say how much of an answer is shown, or what it is chosen from; whatever they are, the
answer's confidence is of the same distribution."""

Bin = tuple[float, float, float, float, int]
"""Mean confidence, share of right ones, its 95 % interval's ends, and how many."""


@dataclass(frozen=True)
class Figures:
    """How far confidences of one kind of part could be believed, on rows that the fit had not seen.

    Attributes:
        count: parts.
        right: of these.
        mapped: whether they have a map of their own, beside the temperature.
        before: expected calibration error as the model has it, in per cent.
        before_interval: 95 %, by bootstrap.
        after: the same, calibrated by what was fitted to the other folds.
        after_interval: likewise.
        chance: what as many parts have, in the mean, if their confidences, as calibrated, are exactly right.
        bins_before, bins_after: for a picture, as many parts in each.
    """

    count: int
    right: int
    mapped: bool
    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    chance: float
    bins_before: Sequence[Bin] = ()
    bins_after: Sequence[Bin] = ()


@dataclass(frozen=True)
class Fit:
    """A calibration with what it was fitted on.

    Attributes:
        decoding: options in whose answers it was fitted.
        source: of the rows.
        rows: how many.
        group: column whose rows stood in one fold; None: each by itself.
        folds: of the figures.
        calibration: what was fitted to all rows.
        figures: by kind of part: ``answers``, ``words``, ``tokens``, ``spans``.
        notes: what should be known.
    """

    decoding: Mapping[str, Any]
    source: str
    rows: int
    group: str | None
    folds: int
    calibration: Calibration
    figures: Mapping[str, Figures]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class CalibrationFile:
    """What the file holds.

    Attributes:
        format: of the file.
        model: SHA-256 of the model file that it was fitted to.
        fits: for each set of options of decoding, the last one.
    """

    format: int
    model: str
    fits: Sequence[Fit] = field(default_factory=list)

    def fit_for(self, decoding: Mapping[str, Any]) -> Fit | None:
        """The fit for answers that are decoded so."""
        wanted = deciding(decoding)
        return next((fit for fit in self.fits if deciding(fit.decoding) == wanted), None)


def deciding(decoding: Mapping[str, Any]) -> dict[str, Any]:
    """The options of decoding on which a calibration depends, as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(decoding), default=str))
    return {name: value for name, value in plain.items() if name not in SHOWN}


def read_calibration(run: Path) -> CalibrationFile | None:
    """The calibration of a run directory, if it has one.

    Raises:
        RunError: it is damaged, of a newer format, or was fitted to other weights.
    """
    path = run / CALIBRATION
    if not path.is_file():
        return None
    version = read_json(path, dict[str, Any]).get("format")
    if version != FORMAT:
        raise RunError(f"{path}: is of format {version!r}, and this seqpipe reads {FORMAT}; {_way_out(run)}")
    found: CalibrationFile = read_json(path, CalibrationFile)
    if found.model != hash_file(run / MODEL):
        raise RunError(f"{path}: was fitted to another model than {run / MODEL} holds now; {_way_out(run)}")
    return found


def _way_out(run: Path) -> str:
    return (
        f"run `seqpipe calibrate {run}` again, or leave it out for once (--no-calibration, in Python calibrated=False)"
    )


def add_fit(run: Path, fit: Fit) -> Path:
    """Write a fit into a run directory, in the place of an earlier one for the same options of decoding."""
    try:
        kept = read_calibration(run)
    except RunError:  # damaged, or another model's: what is written now is to be used
        kept = None
    model = hash_file(run / MODEL)
    others = [each for each in (kept.fits if kept else ()) if deciding(each.decoding) != deciding(fit.decoding)]
    content = CalibrationFile(FORMAT, model, [*others, replace(fit, decoding=deciding(fit.decoding))])
    write_text(run / CALIBRATION, json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n")
    return run / CALIBRATION


def plain(value: Any) -> Any:
    """A dataclass of this file as JSON has it."""
    return TypeAdapter(Any).dump_python(asdict(value), mode="json")
