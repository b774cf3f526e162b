"""Who reads: threads of this process, or processes of their own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from seqpipe.inference.warm_up import worker_context

Prepare = Callable[[list[Any]], Any]

GRACE = 5.0
"""Seconds that a closed pool's processes have to end by themselves."""


class Workers:
    """A pool that prepares inputs.

    Args:
        prepare: what it does with a list of inputs; for processes it must be picklable.
        count: of threads or processes.
        processes: a pool of processes; otherwise of threads.
        modules: of the user's own, which hold stages; processes import them first.
        notice: told when a process has died.
    """

    def __init__(
        self,
        prepare: Prepare,
        *,
        count: int,
        processes: bool = False,
        modules: Sequence[str] = (),
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self.prepare, self.count, self.processes, self.modules = prepare, max(1, count), processes, tuple(modules)
        self.notice = notice
        # Closed with the pool: a process that was killed while it waited for work leaves the queue's lock taken, and
        # those that wait behind it would neither hear the pool's end nor let this process end.
        self._lifeline: connection.Connection | None = None
        self._pool = self._make()

    def submit(self, raws: list[Any]) -> Future[Any]:
        """Prepare these."""
        if not self.processes:
            return self._pool.submit(self.prepare, raws)
        try:
            return self._pool.submit(_prepare, raws)
        except BrokenProcessPool as error:  # it died before this was asked: the answer says so
            broken: Future[Any] = Future()
            broken.set_exception(error)
            return broken

    def submit_call(self, call: Callable[[], Any]) -> Future[Any]:
        """Have a worker call something else."""
        return self._pool.submit(call)

    def renew(self) -> None:
        """Other processes in place of a pool in which one has died; a pool that works is kept."""
        if not self.processes:
            return
        try:
            self.submit_call(os.getpid).result()
        except BrokenProcessPool as error:
            if self.notice is not None:
                self.notice(f"a process that reads inputs died ({error}); its inputs are read again")
            self.close()
            self._pool = self._make()

    def close(self) -> None:
        """End the pool; what is not begun is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    def _make(self) -> Executor:
        if not self.processes:
            return ThreadPoolExecutor(self.count, thread_name_prefix="seqpipe-read")
        context = worker_context()
        closed, self._lifeline = context.Pipe(duplex=False)
        return ProcessPoolExecutor(
            self.count,
            mp_context=context,
            initializer=_begin,
            initargs=(pickle.dumps(self.prepare), self.modules, list(sys.path), closed),
        )


# In a process of its own

_worker: Prepare | None = None


def _begin(prepare: bytes, modules: Sequence[str], path: list[str], closed: connection.Connection) -> None:
    global _worker
    for number in (signal.SIGINT, signal.SIGTERM):  # the terminal sends them to all: who reads goes on till told to end
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(closed,), daemon=True).start()
    import torch

    torch.set_num_threads(1)
    # As arrays: tensors would travel by shared memory, a file descriptor each.
    ForkingPickler.register(torch.Tensor, lambda tensor: (_tensor, (tensor.numpy(),)))
    sys.path[:] = path
    for name in modules:
        importlib.import_module(name)
    _worker = pickle.loads(prepare)


def _end_with_parent(closed: connection.Connection) -> None:
    """A pool's process waits for work for ever, also of a parent that was killed, or of a pool that has broken."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        if parent.sentinel not in connection.wait([parent.sentinel, closed]):
            connection.wait([parent.sentinel], timeout=GRACE)
        os._exit(1)


def _prepare(raws: list[Any]) -> Any:
    if _worker is None:
        raise RuntimeError("a worker was asked before it was made")
    return _worker(raws)


def _tensor(values: Any) -> Any:
    import torch

    return torch.from_numpy(values)
