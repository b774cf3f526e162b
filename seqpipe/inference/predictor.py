"""Running a trained pipeline over any number of inputs, from Python."""

from __future__ import annotations

import difflib
import inspect
import reprlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch
from torch import Tensor

from seqpipe.answers.alignment import THRESHOLD
from seqpipe.config.recipe import override_decoding
from seqpipe.core.calibration import Calibration
from seqpipe.core.feature import Reader
from seqpipe.core.head import AlignsTexts, ConcatenatesParts, JoinsSegments, PreparesDecoding, ReadsColumns
from seqpipe.core.input import Input
from seqpipe.core.measure import TOKENS
from seqpipe.core.warning import warn
from seqpipe.data.rows import Row
from seqpipe.decoding.trigraphs import Trigraphs
from seqpipe.errors import RENAMED, ConfigError, did_you_mean
from seqpipe.features.speech.channels import Channels
from seqpipe.features.speech.waveform import Waveform
from seqpipe.hub.fetch import local_run
from seqpipe.inference import reading
from seqpipe.inference.aligning import Aligning
from seqpipe.inference.alignment_text import text_row
from seqpipe.inference.calibration_file import deciding, read_calibration
from seqpipe.inference.compute import Compute
from seqpipe.inference.decoding import Decoding
from seqpipe.inference.engine import Engine
from seqpipe.inference.reading import Preparation
from seqpipe.inference.settings import Settings, check_segments, limits_of
from seqpipe.inference.slot import make_slot, unbound
from seqpipe.inference.window import Window
from seqpipe.inference.word_borders import read_borders
from seqpipe.inference.workers import Workers
from seqpipe.model_file import CALIBRATION
from seqpipe.pipeline import Pipeline


class Predictor:
    """A trained pipeline, ready to answer: loaded once, and called by as many threads as you like.

    Args:
        pipeline: loaded or trained.
        device: ``auto`` takes the GPU where there is one.
        precision: ``fp32``, or ``bf16`` (log-probabilities stay in fp32).
        threads: of the CPU; torch's own number when None.
        batch_steps: budget of a batch: rows times feature steps of the longest.
        window: inputs that are looked at together, to batch those of similar length (fewer at first): 512 when None, or
            4,096 texts.
        segment_seconds: recordings of more than twice as much are cut at silences into segments of at most this, whose
            answers are stitched; None leaves them whole.
        segment_tokens: texts of more tokens are answered sentence by sentence, and sentences of more in parts that end
            behind clauses or words; what is written for these is put together. None leaves texts whole.
        max_seconds: longer recordings are answered by a `Failure`; 6 hours when None.
        max_tokens: longer texts are; 100,000 tokens when None.
        max_steps: longer inputs of other kinds are; 100,000 when None (of images, columns as the model reads them).
        channels: of recordings, in the place of the recipe's: ``mix``, ``first``, ``loudest``, or ``each``, which
            answers every channel by itself (`Waveform`).
        workers: threads that read and prepare.
        decoding: options that replace the recipe's.
        calibration: of confidences; see `seqpipe.core.calibration`. The head has its temperature from now on.
        trigraphs: that tell `align` where words begin and end; see `seqpipe.inference.word_borders`.

    Attributes:
        notices: what should be known about the answers to come.

    Raises:
        ConfigError: a setting is wrong, or of another kind of input than the model's; or there is no such device.

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
        threads: int | None = None,
        batch_steps: int = Settings.batch_steps,
        window: int | None = None,
        segment_seconds: float | None = Settings.segment_seconds,
        segment_tokens: int | None = None,
        max_seconds: float | None = None,
        max_tokens: int | None = None,
        max_steps: int | None = None,
        channels: str | None = None,
        workers: int = 2,
        decoding: Mapping[str, Any] | None = None,
        calibration: Calibration | None = None,
        trigraphs: Trigraphs | None = None,
    ) -> None:
        self.trigraphs = trigraphs
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError(f"device {device} was asked for, and torch sees no CUDA device")
        measure, head = pipeline.features.measure, pipeline.head
        limits = limits_of(measure, max_seconds=max_seconds, max_tokens=max_tokens, max_steps=max_steps)
        check_segments(measure, segment_seconds)
        if segment_tokens is not None and not (measure is TOKENS and isinstance(head, ConcatenatesParts)):
            raise ConfigError(
                "segment_tokens (--segment-tokens) is for models that write a text for a text, with an AttentionHead; "
                f"this one has a {type(head).__name__} and reads {measure.kind}"
            )
        if channels is not None:
            _choose_channels(pipeline.features.reader, channels)
        self.settings = Settings(
            device=device,
            precision=precision,
            threads=threads or torch.get_num_threads(),
            batch_steps=batch_steps,
            window=window if window is not None else measure.window,
            segment_seconds=segment_seconds if isinstance(head, JoinsSegments) else None,
            segment_tokens=segment_tokens,
            channels=channels,
            **limits,
        )
        if device.startswith("cuda") and precision == "fp32":
            # cuDNN rounds to 10 bits of mantissa (TF32) by default; batch = single to 1e-4 needs all 23.
            torch.backends.cudnn.allow_tf32 = False
        self.pipeline = pipeline.to(device).eval()
        self.workers = workers
        self.options = override_decoding(pipeline.recipe, decoding or {})
        if isinstance(head, PreparesDecoding):
            head.prepare_decoding(self.options)
        self.compute = Compute(self.pipeline, self.settings, Decoding(self.pipeline, self.options))
        self.notices: list[str] = []
        self.calibration = calibration
        self.pipeline.head.temperature = calibration.temperature if calibration is not None else 1.0

    @property
    def preparation(self) -> Preparation:
        """What readers do with an input."""
        features = self.pipeline.features
        max_segment, whole = self.settings.max_segment(features.measure)
        return Preparation(
            features,
            max_length=self.settings.max_length(features.measure),
            max_segment=max_segment,
            whole=whole,
        )

    @property
    def columns(self) -> Sequence[str]:
        """Of an input's source, those columns that its answer depends on."""
        return self.options.columns if isinstance(self.options, ReadsColumns) else ()

    def predict(self, inputs: Iterable[Any], *, unbind: bool = True) -> Iterator[Any]:
        """Answers in the order of the inputs, lazily; a `Failure` in the place of each input that can't be used.

        May be called in several threads at once. Inputs are read ahead by at most two windows. What is odd about an
        input that is answered, whoever takes the answers hears (`seqpipe.core.warning.collecting_warnings`).

        Args:
            inputs: of a model for speech paths, `FileSpan`, bytes, arrays (mappings with ``array`` and
                ``sampling_rate``); of one for handwriting paths, bytes, arrays ``[H, W]``; of one for text strings and
                lists of words, whose answers are called after their number, from 1; of all `Row`, or a `Failure`, which
                is handed through. Any iterable, also one without end.
            unbind: an input that holds several (pages; channels, where each is asked for) has an answer for each, whose
                ids have ``#1``, ``#2``, ... behind its own. Else it has one, as in training.

        Raises:
            TypeError: one input was given in the place of several.
        """
        if isinstance(inputs, (str, bytes, Path, Input, Row, Mapping, np.ndarray, Tensor)):
            raise TypeError(
                f"predict takes a list of inputs, or another iterable; received one: {reprlib.repr(inputs)}"
            )
        return self._answers(inputs, unbind)

    def align(self, pairs: Iterable[tuple[Any, str]], *, threshold: float = THRESHOLD) -> Iterator[Any]:
        """Places of known texts in their inputs, lazily: an `Alignment` or a `Failure` for each pair.

        Args:
            pairs: an input as `predict` takes it, and its text, or the name of a file with it (``.txt``, ``.srt``,
                ``.vtt``). Or rows, whose targets are the texts.
            threshold: nats a unit; a text that is less likely than free decoding by more is not in the input.

        Raises:
            ConfigError: the model has no head that aligns texts: `CTCHead`.
            TypeError: something is no pair.

        Example:
            >>> for found in seqpipe.load("runs/an4").align([("a.flac", "go on")]):    # doctest: +SKIP
            ...     print(found.words[0].start, found.verdict.found)
        """
        return self._aligned(self._text_rows(pairs), Aligning(self.pipeline, threshold, self.trigraphs))

    def _text_rows(self, pairs: Iterable[Any]) -> Iterator[Row]:
        for number, pair in enumerate(pairs, 1):
            if isinstance(pair, Row):
                yield text_row(pair, Path())
                continue
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError(f"align takes pairs of an input and its text; received {reprlib.repr(pair)}")
            named = make_slot(pair[0], number, reads_files=bool(self.pipeline.features.reader.suffixes))
            yield text_row(Row(named.id, named.raw, pair[1]), Path())

    def _aligned(self, rows: Iterable[Row], responder: Aligning) -> Iterator[Any]:
        with closing(Compute(self.pipeline, self.settings, responder)) as compute:
            yield from self._answers(rows, True, compute)

    def _answers(self, inputs: Iterable[Any], unbind: bool, compute: Compute | None = None) -> Iterator[Any]:
        calibration = self.calibration if compute is None else None  # alignments have no confidences to map
        engine = Engine(self.pipeline, self.settings, compute or self.compute, calibration=calibration)
        with closing(Workers(self.preparation, count=self.workers)) as workers:
            rows = unbound(inputs, self.pipeline.features.reader) if unbind else inputs
            for window in engine.windows(reading.Reader(self.preparation, workers, self.columns), rows):
                if isinstance(window, Window):
                    for kind, message in window.warnings:
                        warn(kind, message)
                    yield from window.answers

    def close(self) -> None:
        """End the threads that compute; nothing can be asked after that."""
        self.compute.close()


def _choose_channels(reader: Reader, channels: str) -> None:
    """What becomes of a recording's channels from now on."""
    if not isinstance(reader, Waveform):
        raise ConfigError(f"channels (--channels) are those of recordings, and this model reads {reader.measure.kind}")
    if channels not in get_args(Channels):
        raise ConfigError(f"channels should be one of {', '.join(get_args(Channels))}; received {channels!r}")
    reader.channels = cast(Channels, channels)


def load(run: str | Path, *, calibrated: bool = True, **settings: Any) -> Predictor:
    """The predictor of a run directory.

    Args:
        run: a run directory, or ``hub:OWNER/NAME[@REVISION]`` for one on the Hugging Face Hub; nothing in it is
            unpickled, and no code that it names is run.
        calibrated: confidences are those of ``seqpipe calibrate``, if it was run for answers that are decoded so.
        settings: device, precision, decoding and others: see `Predictor`.

    Raises:
        RunError: there is no model, or one that is truncated, altered or of a newer version; it was calibrated, and has
            other weights now.
        ConfigError: a setting is wrong.
    """
    run = local_run(run)
    pipeline = Pipeline.load(run)
    known = set(inspect.signature(Predictor).parameters) - {"pipeline", "calibration", "trigraphs"}
    for name in settings:
        if name not in known:
            raise ConfigError(_unknown(name, known, pipeline.head.decoding.model_fields))
    found = read_calibration(Path(run)) if calibrated else None
    settings = {**settings, "trigraphs": read_borders(Path(run)) if isinstance(pipeline.head, AlignsTexts) else None}
    if found is None:
        return Predictor(pipeline, **settings)
    decoding = override_decoding(pipeline.recipe, settings.get("decoding") or {}).model_dump()
    fit = found.fit_for(decoding)
    predictor = Predictor(pipeline, calibration=fit.calibration if fit is not None else None, **settings)
    if fit is None:
        predictor.notices.append(
            f"{Path(run) / CALIBRATION}: holds nothing for answers that are decoded by {deciding(decoding)}, so their "
            "confidences are as the model has them; `seqpipe calibrate` with these options adds it"
        )
    return predictor


def _unknown(name: str, known: Collection[str], options: Collection[str]) -> str:
    """What to say of a setting that there is not."""
    meant = difflib.get_close_matches(name, options, n=1)
    if name not in RENAMED and meant and not difflib.get_close_matches(name, known, n=1, cutoff=0.8):
        return f"{name}: is no setting; options of the answer are given as decoding={{{meant[0]!r}: ...}}"
    return f"{name}: is no setting{did_you_mean(name, known)}"
