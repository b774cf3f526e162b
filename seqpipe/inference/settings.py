"""What decides how inputs are batched and computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqpipe.core.measure import Measure
from seqpipe.errors import ConfigError

FIRST_WINDOW = 32
"""Inputs of the first window; each further one has twice as many, up to the setting, so that answers come soon."""


LIMITS = {"max_seconds": "--max-seconds", "max_tokens": "--max-tokens", "max_steps": "--max-steps"}
"""How long an input may be: the setting, and the option of ``seqpipe infer``."""

LIMITED = {"max_seconds": "recordings", "max_tokens": "text", "max_steps": "images and other inputs"}
"""What each of these is for."""

SEGMENTS = {"max_seconds": ("segment_seconds", 2.0), "max_tokens": ("segment_tokens", 1.0)}
"""For inputs that a limit is for: the setting that says how long a segment is, and how many segments' lengths an input
may have and stay whole. A seam of recordings costs more than what somewhat longer ones cost a model."""


@dataclass(frozen=True)
class Settings:
    """All that the answers depend on, down to their last bits, beside model, inputs, machine and versions.

    Attributes:
        device: ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.
        threads: batches that are computed side by side on a CPU, a thread each; a batch alone has all of them.
        batch_steps: budget of a batch: rows times feature steps of the longest.
        window: inputs that are looked at together, to batch those of similar length; those that the reader's `Measure`
            names, if nothing else is said.
        segment_seconds: inputs of more than twice as much are cut at silences into segments of at most this; None
            leaves them whole.
        segment_tokens: texts of more tokens are answered sentence by sentence; None leaves them whole.
        max_seconds: longer recordings are refused.
        max_tokens: longer texts are refused.
        max_steps: longer inputs of other kinds are refused: images of lines by their columns, scaled to the height
            that the model reads.
        channels: what becomes of the channels of a recording; None leaves that to the recipe (`Waveform`).
    """

    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    batch_steps: int = 14_000
    window: int = 512
    segment_seconds: float | None = 20.0
    segment_tokens: int | None = None
    max_seconds: float = 6 * 3600.0
    max_tokens: int = 100_000
    max_steps: int = 100_000
    channels: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16"):
            raise ConfigError(f"precision should be fp32 or bf16; received {self.precision!r}")
        for name in ("threads", "batch_steps", "window", "segment_seconds", "segment_tokens"):
            value, least = getattr(self, name), 5 if name == "segment_seconds" else 1
            if value is not None and value < least:
                raise ConfigError(f"{name} should be at least {least}; received {value:g}")
        for name in LIMITS:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} should be above 0; received {getattr(self, name):g}")

    def window_inputs(self, number: int) -> int:
        """How many inputs the window with this number, from 0 on, has."""
        return min(self.window, FIRST_WINDOW << min(number, 20))

    def max_length(self, measure: Measure) -> float:
        """How long an input may be, in this measure."""
        return float(getattr(self, measure.limit))

    def max_segment(self, measure: Measure) -> tuple[float | None, float]:
        """How long a segment of an input may be, None of those that stay whole; and how many segments stay whole."""
        name, whole = SEGMENTS.get(measure.limit, ("", 1.0))
        return getattr(self, name) if name else None, whole


def limits_of(measure: Measure, **given: float | None) -> dict[str, Any]:
    """Those of the `Settings` that were given; an actor of a cluster is handed all, those of other measures too.

    Args:
        measure: of the model's inputs.
        given: by the names of `LIMITS`; None of those that weren't.

    Raises:
        ConfigError: one is for inputs of another measure, and not its default.
    """
    right = measure.limit
    for name, value in given.items():
        if name != right and value not in (None, getattr(Settings, name)):
            raise ConfigError(
                f"{name} ({LIMITS[name]}) is for {LIMITED[name]}, and this model reads {measure.kind}; {right} "
                f"({LIMITS[right]}) limits that"
            )
    return {name: value for name, value in given.items() if value is not None}


def check_segments(measure: Measure, seconds: float | None) -> None:
    """Refuse a length of segments for what isn't cut; raises `ConfigError`."""
    if seconds not in (None, Settings.segment_seconds) and not measure.is_time:
        raise ConfigError(
            f"segment_seconds (--segment-seconds) is for recordings, and this model reads {measure.kind}, which "
            "stays whole"
        )
