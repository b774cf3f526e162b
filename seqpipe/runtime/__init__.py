"""Exported models, run without torch: numpy, onnxruntime, and what reads inputs.

Imports the rooms below it as far as these do without torch, pydantic, pandas and librosa; so do the modules that it
names by string. `seqpipe.export` writes what is read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqpipe.runtime.model import Model

__all__ = ["Model", "load"]


def load(folder: Any, **settings: Any) -> Model:
    """An exported model, ready to answer; see `seqpipe.runtime.model.Model`.

    Example:
        >>> model = seqpipe.runtime.load("exported/an4")              # doctest: +SKIP
        >>> for answer in model.predict(["a.flac", "b.flac"]):        # doctest: +SKIP
        ...     print(answer.id, answer.text)
    """
    from seqpipe.runtime.model import Model

    return Model.load(folder, **settings)


def __getattr__(name: str) -> Any:
    if name == "Model":
        from seqpipe.runtime.model import Model

        return Model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
