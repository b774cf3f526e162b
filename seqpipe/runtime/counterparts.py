"""Tables of what stands here for stages of the recipe."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from seqpipe.errors import RunError
from seqpipe.runtime.manifest import Part


def counterpart(known: Mapping[str, str], part: Part, what: str) -> Any:
    """The class or function that stands for a stage.

    Args:
        known: ``module:name`` by the class names of stages.
        part: of the manifest.
        what: the stage is, in messages.

    Raises:
        RunError: there is none.
    """
    if part.stage not in known:
        raise RunError(f"the exported model has the {what} {part.stage}, which this runtime doesn't know; upgrade it")
    module, _, name = known[part.stage].partition(":")
    return getattr(importlib.import_module(module), name)
