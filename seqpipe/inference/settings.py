"""What decides how inputs are batched and computed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from seqpipe.errors import ConfigError

FIRST_WINDOW = 32
"""Inputs of the first window; each further one has twice as many, up to the setting, so that answers come soon."""


LIMITS = {"longest_seconds": "--max-seconds", "longest_tokens": "--max-tokens", "longest_steps": "--max-steps"}
"""How long an input may be: the setting, and the option of ``seqpipe infer``."""

LIMITED = {"longest_seconds": "recordings", "longest_tokens": "text", "longest_steps": "images and other inputs"}
"""What each of these is for."""


def limit_of(unit: str) -> str:
    """The setting that limits inputs which are measured in this unit."""
    return {"second": "longest_seconds", "token": "longest_tokens"}.get(unit, "longest_steps")


def default_window(unit: str) -> int:
    """Inputs of a window, for features that measure in this unit: of texts more, since they are short and small.

    Of 512 sentences a batch has those of half of all lengths, and a third of its steps is padding; of 4,096 a tenth.
    """
    return 4096 if unit == "token" else Settings.window


@dataclass(frozen=True)
class Settings:
    """All that the answers depend on, down to their last bits, beside model, inputs, machine and versions.

    Attributes:
        device: ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.
        threads: batches that are computed side by side on a CPU, a thread each; a batch alone has all of them.
        batch_steps: budget of a batch: rows times feature steps of the longest.
        window: inputs that are looked at together, to batch those of similar length; see `default_window`.
        piece_seconds: inputs of more than twice as much are cut at silences into pieces of at most this; None leaves
            them whole.
        piece_tokens: texts of more tokens are answered sentence by sentence; None leaves them whole.
        longest_seconds: longer recordings are refused.
        longest_tokens: longer texts are refused.
        longest_steps: longer inputs of other kinds are refused: images of lines by their columns, scaled to the height
            that the model reads.
    """

    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    batch_steps: int = 14_000
    window: int = 512
    piece_seconds: float | None = 20.0
    piece_tokens: int | None = None
    longest_seconds: float = 6 * 3600.0
    longest_tokens: int = 100_000
    longest_steps: int = 100_000

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16"):
            raise ConfigError(f"precision should be fp32 or bf16; received {self.precision!r}")
        for name in ("threads", "batch_steps", "window"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} should be at least 1; received {getattr(self, name)}")
        if self.piece_seconds is not None and self.piece_seconds < 5:
            raise ConfigError(f"piece_seconds should be at least 5; received {self.piece_seconds:g}")
        if self.piece_tokens is not None and self.piece_tokens < 1:
            raise ConfigError(f"piece_tokens should be at least 1; received {self.piece_tokens}")
        for name in LIMITS:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} should be above 0; received {getattr(self, name):g}")

    def window_inputs(self, number: int) -> int:
        """How many inputs the window with this number, from 0 on, has."""
        return min(self.window, FIRST_WINDOW << min(number, 20))

    def longest(self, unit: str) -> float:
        """How long an input may be, in the features' unit."""
        return float(getattr(self, limit_of(unit)))

    def as_json(self) -> dict[str, Any]:
        """For a journal."""
        return asdict(self)
