"""What a search asks a language model, whatever it is: n-grams of a file, or a network of a run."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from seqpipe.core.files import expand_home
from seqpipe.errors import ConfigError, did_you_mean

State = tuple[Tensor, ...]
"""Of N texts: tensors whose first dimension is N, so that choosing and repeating texts is indexing."""


@runtime_checkable
class LanguageModel(Protocol):
    """Log-probabilities of what comes next in many texts at a time, in nats.

    Attributes:
        vocabulary: the units, in the order of their numbers. A space is written ``▁`` in units that hold spaces; words
            are written as they are. The number behind the last one, ``len(vocabulary)``, is the end of the text.
    """

    vocabulary: Sequence[str]

    def initial_state(self, count: int) -> State:
        """The state before the first unit of ``count`` texts."""

    def scores(self, state: State) -> Tensor:
        """Of every unit, and of the end behind them: ``[N, V + 1]``, float32. Rows don't depend on each other."""

    def scores_of(self, state: State, units: Tensor) -> Tensor:
        """Of one unit, or the end, for each text: ``[N]`` of int64 ``[N]``. -1 is a unit that the vocabulary lacks."""

    def advance(self, state: State, units: Tensor) -> State:
        """The states behind those units, int64 ``[N]``; -1 is a unit that the vocabulary lacks."""


Loader = Callable[[Path], LanguageModel]
_loaders: dict[str, tuple[Callable[[Path], bool], Loader]] = {}


def register_language_model(name: str, holds: Callable[[Path], bool], load: Loader) -> None:
    """Let `load_language_model` read files or folders of which ``holds`` is true; ``name`` is said in messages."""
    _loaders[name] = holds, load


def load_language_model(path: Path) -> LanguageModel:
    """The language model of a file or folder.

    Raises:
        ConfigError: there is none.
        InputError: it can't be read.
    """
    import seqpipe

    if not path.exists():
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file or folder{did_you_mean(path.name, siblings)}")
    for module in seqpipe.LANGUAGE_MODELS:  # each registers what it reads
        importlib.import_module(module)
    for _, (holds, load) in sorted(_loaders.items()):
        if holds(path):
            return load(path)
    raise ConfigError(f"{path}: should be {' or '.join(sorted(_loaders)) or 'a language model'}")


_loaded: dict[tuple[Path, int], LanguageModel] = {}
_loading = threading.Lock()


def language_model(name: str) -> LanguageModel:
    """The language model of a path; what was loaded before is kept as long as the file is the same.

    Raises:
        ConfigError: there is none.
        InputError: it can't be read.
    """
    path = expand_home(name).resolve()
    with _loading:
        key = path, path.stat().st_mtime_ns if path.exists() else 0
        if key not in _loaded:
            found = load_language_model(path)
            for known in [known for known in _loaded if known[0] == path]:
                del _loaded[known]
            _loaded[key] = found
        return _loaded[key]
