"""Running a trained pipeline over any number of inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import AudioSpan, Row
from seqpipe.errors import ConfigError, InputError
from seqpipe.inference.failure import Failure
from seqpipe.pipeline import Pipeline
from seqpipe.recipe import decoding_options

WINDOW_INPUTS = 512
"""Inputs that are looked at together, to batch those of similar length."""
WINDOW_AMOUNT = 30 * 60 * 16_000
"""Prepared elements (audio samples) after which a window closes early: half an hour at 16 kHz, 115 MB."""


class Predictor:
    """A trained pipeline, ready to answer.

    Args:
        pipeline: loaded or trained.
        device: ``auto`` takes the GPU where there is one.
        precision: ``fp32``, or ``bf16`` (log-probabilities stay in fp32).
        batch_steps: budget of a batch: rows times feature steps of the longest.
        workers: threads that read and prepare.
        decoding: options that replace the recipe's.

    Example:
        >>> predictor = seqpipe.load("runs/an4")                     # doctest: +SKIP
        >>> for answer in predictor.predict(["a.flac", "b.flac"]):   # doctest: +SKIP
        ...     print(answer.id, answer.text)
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        device: str = "auto",
        precision: str = "fp32",
        batch_steps: int = 20_000,
        workers: int = 2,
        decoding: Mapping[str, Any] | None = None,
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError(f"device {device} was asked for, and torch sees no CUDA device")
        if precision not in ("fp32", "bf16"):
            raise ConfigError(f"precision should be fp32 or bf16; received {precision!r}")
        if device.startswith("cuda") and precision == "fp32":
            # cuDNN rounds to 10 bits of mantissa (TF32) by default; batch = single to 1e-4 needs all 23.
            torch.backends.cudnn.allow_tf32 = False
        self.pipeline = pipeline.to(device).eval()
        self.device = torch.device(device)
        self.precision, self.batch_steps, self.workers = precision, batch_steps, workers
        self.options = decoding_options(pipeline.head.decoding, {**pipeline.recipe.decoding, **(decoding or {})})

    def predict(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """Answers in the order of the inputs, lazily; a `Failure` in the place of each input that can't be used.

        Args:
            inputs: paths, `AudioSpan`, bytes, arrays (mappings with ``array`` and ``sampling_rate``), `Row`, or a
                `Failure`, which is handed through; any iterable, also one without end.
        """
        numbered = enumerate(inputs, 1)
        with ThreadPoolExecutor(max(1, self.workers)) as threads:
            while True:
                window = self._read_window(numbered, threads)
                if not window:
                    return
                yield from self._answer(window)

    def _read_window(self, inputs: Iterator[tuple[int, Any]], threads: ThreadPoolExecutor) -> list[_Prepared | Failure]:
        """The next inputs, prepared, up to a number and an amount, so that memory stays bounded."""
        window: list[_Prepared | Failure] = []
        amount = 0
        while len(window) < WINDOW_INPUTS and amount < WINDOW_AMOUNT:
            # A few at a time: one long recording must not come with 511 others.
            chunk = list(islice(inputs, min(4 * max(1, self.workers), WINDOW_INPUTS - len(window))))
            if not chunk:
                break
            for item in threads.map(self._prepare, chunk):
                window.append(item)
                amount += len(item.prepared) if isinstance(item, _Prepared) else 0
        return window

    def _prepare(self, numbered: tuple[int, Any]) -> _Prepared | Failure:
        number, given = numbered
        if isinstance(given, Failure):
            return given
        row_id, raw = _identify(given, number)
        try:
            if isinstance(given, Row) and given.problem is not None:
                raise given.problem
            return _Prepared(row_id, raw, self.pipeline.features.prepare(raw, None))
        except InputError as error:
            named = isinstance(given, Row) and given.source
            return Failure(row_id, error.kind, f"{given.where}: {error}" if named else str(error))

    def _answer(self, window: list[_Prepared | Failure]) -> Iterator[Any]:
        places = [place for place, item in enumerate(window) if isinstance(item, _Prepared)]
        items = [item for item in window if isinstance(item, _Prepared)]
        answers: list[Any] = list(window)
        lengths = torch.tensor([len(item.prepared) for item in items], dtype=torch.int64)
        steps = self.pipeline.features.output_lengths(lengths).tolist()
        for batch in plan_batches(steps, budget=self.batch_steps, most_rows=256):
            chosen = [items[index] for index in batch]
            bf16 = self.precision == "bf16"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
                predictions = self.pipeline.predict_batch(
                    [item.id for item in chosen],
                    [item.raw for item in chosen],
                    [item.prepared for item in chosen],
                    self.options,
                )
            for index, prediction in zip(batch, predictions, strict=True):
                answers[places[index]] = prediction
        yield from answers


@dataclass(frozen=True, slots=True)
class _Prepared:
    id: str
    raw: Any
    prepared: Tensor


def _identify(given: Any, number: int) -> tuple[str, Any]:
    """An id for what the user gave, and the input in it."""
    if isinstance(given, Row):
        return given.id, given.input
    if isinstance(given, (str, Path)):
        return str(given), given
    if isinstance(given, AudioSpan) and isinstance(given.source, Path):
        return str(given.source) if not given.start else f"{given.source}@{given.start:g}", given
    return str(number), given


def load(
    run: str | Path,
    *,
    device: str = "auto",
    precision: str = "fp32",
    decoding: Mapping[str, Any] | None = None,
    batch_steps: int = 20_000,
    workers: int = 2,
) -> Predictor:
    """The predictor of a run directory.

    Args:
        run: a run directory; nothing in it is unpickled, and no code that it names is run.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.
        decoding: options that replace the recipe's ``decoding:``.
        batch_steps: budget of a batch: rows times feature steps of the longest.
        workers: threads that read and prepare.

    Raises:
        RunError: there is no model, or one that is truncated, altered or of a newer version.
    """
    return Predictor(
        Pipeline.load(Path(run)),
        device=device,
        precision=precision,
        decoding=decoding,
        batch_steps=batch_steps,
        workers=workers,
    )
