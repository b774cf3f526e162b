"""Telling that memory ran out from other errors."""

from __future__ import annotations


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is what Python or torch raise, of a GPU's memory or the machine's, when there is not enough."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # What torch says of a CPU's memory, and oneDNN of its own.
    return isinstance(error, RuntimeError) and any(
        part in str(error) for part in ("allocate memory", "could not create a memory", "out of memory")
    )
