"""Files of a run directory, read back: what isn't as it was written is a `RunError` that names the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqpipe.errors import RunError, SeqpipeError

if TYPE_CHECKING:
    from torch import Tensor

# What checks files is imported where one is read: runtimes that read none of these go without.


def read_json(path: Path, form: Any) -> Any:
    """A JSON file of a run directory.

    Args:
        path: of the file.
        form: what it holds: a type as pydantic takes it, such as ``list[str]``; nothing is converted to it.

    Raises:
        RunError: the file is missing, is no JSON, or holds something else.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(form).validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        raise RunError(f"{path}: is missing from the run directory") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RunError(f"{path}: is damaged: {f'{place}: ' if place else ''}{first['msg']}; restore it") from None


def read_tensors(path: Path, forms: Mapping[str, int]) -> dict[str, Tensor]:
    """A safetensors file of a run directory, of whole numbers.

    Args:
        path: of the file.
        forms: names, and how many dimensions each has.

    Raises:
        RunError: the file is missing, is no such file, or holds something else.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except FileNotFoundError:
        raise RunError(f"{path}: is missing from the run directory") from None
    except SafetensorError as error:
        raise RunError(f"{path}: is damaged: {error}; restore it") from None
    for name, dimensions in forms.items():
        value = found.get(name)
        if value is None or value.dtype != torch.int64 or value.dim() != dimensions:
            what = "is missing" if value is None else f"is {value.dtype} {list(value.shape)}"
            raise RunError(f"{path}: is damaged: {name} {what}; restore it")
    return {name: found[name] for name in forms}


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """What goes wrong while something of a run directory is loaded, as a `RunError` that names its file or folder."""
    try:
        yield
    except RunError:
        raise
    except SeqpipeError as error:
        raise RunError(f"{path}: {error}") from None
    except Exception as error:  # a stage's own, a library's: SentencePiece, torch
        reason = f"{type(error).__name__}: {error}"
        raise RunError(f"{path}: can't be loaded ({reason}); restore it, or train again") from error
