"""Language models by the names of their files and folders."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from pathlib import Path

from seqpipe.core.files import expand_home
from seqpipe.core.language_model import LanguageModel
from seqpipe.errors import ConfigError, did_you_mean

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
