"""The files that options of decoding name, as files of the exported model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from seqpipe.core.files import expand_home
from seqpipe.core.head import NamesFiles
from seqpipe.errors import ConfigError
from seqpipe.language.arpa import holds_arpa
from seqpipe.runtime.language_models import refuse_network
from seqpipe.runtime.manifest import ASSETS

FOLDER = f"{ASSETS}/decoding"


def carry_files(options: Any, folder: Path) -> dict[str, Any]:
    """Options of decoding as the manifest has them: what they name is copied, and named from the model's folder.

    A method that isn't beam search looks at none of these files: they are left out then, and so are their names, which
    are those of this machine.

    Args:
        options: of the head.
        folder: of the exported model.

    Raises:
        ConfigError: a file is missing, or a language model is no ARPA file.
    """
    told: dict[str, Any] = options.model_dump()
    is_used = told.get("method") == "beam"
    for name in options.files if isinstance(options, NamesFiles) else ():
        if not isinstance(told[name], str):
            continue
        if not is_used:
            told[name] = None
            continue
        path = expand_home(told[name])
        if name == "lm" and path.is_dir():
            refuse_network(path)
        if not path.is_file():
            raise ConfigError(f"{path}: no such file").within("decoding", name)
        if name == "lm" and not holds_arpa(path):
            raise ConfigError(f"{path}: exported models read ARPA files (.arpa, .arpa.gz)").within("decoding", name)
        target = folder / FOLDER / f"{name}{_suffix(name, path)}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        told[name] = target.relative_to(folder).as_posix()
    return told


def _suffix(option: str, path: Path) -> str:
    """By which the runtime knows what a file holds; the rest of a name may be anything, and isn't taken over."""
    if option != "lm":
        return ".txt"
    return ".arpa.gz" if path.name.lower().endswith(".gz") else ".arpa"
