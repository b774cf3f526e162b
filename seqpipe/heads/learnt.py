"""What heads learn from the training targets before they have parameters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from seqpipe.core.head import Head
from seqpipe.errors import ConfigError, InputError
from seqpipe.text.classes import Classes

Learnt = TypeVar("Learnt")


def learnt(head: Head, found: Learnt | None, what: str, of: str = "targets") -> Learnt:
    """What a head has learnt; raises `ConfigError` if neither `fit` nor `load_assets` has been called."""
    if found is None:
        raise ConfigError(f"{type(head).__name__} has no {what} yet: call fit({of}) or load_assets(folder) first")
    return found


def usable(rows: Iterable[Any], parse: Callable[[Any], Learnt]) -> Iterator[Learnt]:
    """Targets as ``parse`` reads them; those that it refuses are left to `Head.encode_target` to name."""
    for raw in rows:
        with suppress(InputError):
            yield parse(raw)


class NamingHead(Head, register=False):
    """A head whose targets are names, which it learns: of classes, labels or tags.

    Attributes:
        named: what they are, in messages.
        weights: of each in the loss, ``[K]``.
    """

    needs_fit = True
    named: ClassVar[str] = "classes"
    weights: Tensor
    _classes: Classes | None = None

    @property
    def classes(self) -> Classes:
        """What is told apart.

        Raises:
            ConfigError: neither `fit` nor `load_assets` has been called.
        """
        return learnt(self, self._classes, self.named)

    def _adopt(self, classes: Classes, weights: Tensor) -> None:
        self._classes = classes
        self.register_buffer("weights", weights, persistent=False)
        self.output_size = len(classes)

    @abstractmethod
    def _build(self, classes: Classes) -> None:
        """Adopt the names, and make the layers that tell them apart."""

    def save_assets(self, folder: Path) -> None:
        """Write the names."""
        self.classes.save(folder)

    def load_assets(self, folder: Path) -> None:
        """Restore the names."""
        self._build(Classes.load(folder))
