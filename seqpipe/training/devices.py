"""Several processes: who they are, and how one command starts them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from seqpipe import errors
from seqpipe.core.stage import stage_modules
from seqpipe.errors import SeqpipeError


@dataclass(frozen=True)
class World:
    """This process among those that train together.

    Attributes:
        rank: counted from 0; the first prepares, and writes the run directory.
        size: number of processes, on all machines.
        local_size: on this machine.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @classmethod
    def from_environment(cls) -> World:
        """As ``torchrun`` says it (RANK, WORLD_SIZE, LOCAL_WORLD_SIZE); one process where it says nothing."""
        if not started_by_torchrun():
            return cls()
        return cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")))


def started_by_torchrun() -> bool:
    """Whether this process is one of several already."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def joined(world: World, device: str) -> Iterator[None]:
    """While this lasts, the processes can talk to each other."""
    if world.size == 1:
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    yield
    # Not after an error: the others would fail too, for the lost connection, before this one has told its reason.
    if torch.distributed.is_initialized():  # Lightning's exit may have ended it
        torch.distributed.destroy_process_group()


@contextmanager
def first_goes_ahead(world: World) -> Iterator[None]:
    """The first process does this alone; then the others do."""
    if world.size > 1 and world.rank > 0:
        torch.distributed.barrier()
    yield
    if world.size > 1 and world.rank == 0:
        torch.distributed.barrier()


def launch(processes: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in several processes of this machine, as ``torchrun`` would; returns what the first returns.

    Args:
        processes: how many.
        function: of a module, since new processes import it.
        arguments: picklable.

    Raises:
        SeqpipeError: one of them raised it.
        KeyboardInterrupt: a signal ended them.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=f"seqpipe-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="spawn",
    )
    # Modules outside seqpipe that define stages: new processes must import them too.
    modules = [name for name in stage_modules() if not name.startswith("seqpipe.") and name != "__main__"]
    try:
        results = elastic_launch(config, _call)(modules, function, arguments)
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        said = failure.error_file_data.get("message", failure.message)
        if isinstance(said, dict):  # with a traceback beside it
            said = said.get("message")
        name, _, text = str(said).partition(": ")
        kind = getattr(errors, name.rpartition(".")[2], None)
        if isinstance(kind, type) and issubclass(kind, SeqpipeError):
            raise kind(text) from None
        raise SeqpipeError(f"process {rank} of {processes} failed: {said}") from error
    return results[0]


def _call(modules: Sequence[str], function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    sys.path.insert(0, "")
    for name in modules:
        importlib.import_module(name)
    return function(*arguments)
