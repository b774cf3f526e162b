"""How long inputs are: what a length counts, and what follows from it for batches, windows and messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # runtimes without torch measure too
    from torch import Tensor


@dataclass(frozen=True)
class Measure:
    """What the lengths of a reader's inputs count.

    Attributes:
        name: of one, in the singular: ``second``, ``token``, ``pixel``.
        symbol: behind a number, ``s`` for seconds; empty where the name is written out.
        per_unit: elements of a prepared input in one: samples in a second.
        inputs: what is measured, for messages: ``sound``, ``text``.
        limit: the setting of `seqpipe.inference.settings.Settings` that says how long an input may be.
        window: inputs that are batched together at a time in inference. Of short ones more, so that those of a batch
            are of similar length.
        window_length: how much input closes a window early, in this measure, so that what is done is soon safe.
        trivial: inputs of at most this length are alike by chance, so equal ones are no duplicates.
        scaled: said of a length in messages, where it isn't the input's own: ``as scaled by the recipe``.
        from_left: whether inputs run from left to right, whatever the direction in which they were written.
    """

    name: str
    symbol: str = ""
    per_unit: float = 1.0
    inputs: str = ""
    limit: str = "max_steps"
    window: int = 512
    window_length: float = 500_000
    trivial: int = 0
    scaled: str = ""
    from_left: bool = False

    @property
    def is_time(self) -> bool:
        """Whether places in inputs are times."""
        return self.name == "second"

    @property
    def kind(self) -> str:
        """What is measured, in words."""
        return self.inputs or f"what is measured in {self.name}s"

    def amount(self, length: float | Tensor) -> float:
        """A number of elements, or the sum of several, in this measure."""
        return float(length if isinstance(length, (int, float)) else length.sum()) / self.per_unit

    def text(self, amount: float, decimals: int = 2) -> str:
        """An amount in words: ``2.50 s``, ``12 tokens``."""
        return f"{amount:.{decimals}f} {self.symbol}" if self.symbol else f"{amount:g} {self.name}s"

    def total(self, amount: float) -> str:
        """The length of many inputs in words: ``1.5 h``, ``1200 tokens``."""
        if not self.is_time:
            return self.text(amount)
        if amount < 120:
            return f"{amount:.1f} s"
        return f"{amount / 3600:.1f} h" if amount >= 7200 else f"{amount / 60:.1f} min"

    @property
    def suffix(self) -> str:
        """Behind a number: `` s``, `` tokens``."""
        return f" {self.symbol or self.name + 's'}"


STEPS = Measure("step")
TOKENS = Measure("token", inputs="text", limit="max_tokens", window=4096, trivial=4)
PIXELS = Measure("pixel", inputs="images of lines", scaled=" as scaled by the recipe", from_left=True)
POINTS = Measure("point", inputs="pen strokes")


def seconds(sample_rate: int) -> Measure:
    """Of recordings, whose elements are samples, ``sample_rate`` of them in a second."""
    return Measure("second", "s", float(sample_rate), inputs="sound", limit="max_seconds", window_length=2 * 3600.0)
