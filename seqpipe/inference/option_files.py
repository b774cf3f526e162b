"""Whether files that options of decoding name are the ones that a run began with."""

from __future__ import annotations

from typing import Any

from seqpipe.core.files import expand_home
from seqpipe.core.head import NamesFiles
from seqpipe.inference.same_inputs import content_of
from seqpipe.model_file import MODEL


def fingerprint_options(options: Any) -> dict[str, str]:
    """SHA-256 of each file that options of ``decoding:`` name, by the option; of a run directory, that of its model."""
    found = {}
    for name in options.files if isinstance(options, NamesFiles) else ():
        value = getattr(options, name)
        if isinstance(value, str):
            path = expand_home(value)
            path = path / MODEL if path.is_dir() else path
            if path.is_file():
                found[name] = content_of([path])["sha256"]
    return found
