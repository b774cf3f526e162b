"""Batches through the model, several side by side on a CPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from seqpipe.core.sequence import PaddedSequence
from seqpipe.inference.decoding import Responder
from seqpipe.inference.settings import Settings
from seqpipe.inference.slot import Unit
from seqpipe.pipeline import Pipeline


class Clock:
    """Seconds by what they were spent on, summed over threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, what: str, seconds: float) -> None:
        """Spent on this."""
        with self._lock:
            self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    def read(self) -> Mapping[str, float]:
        """So far."""
        with self._lock:
            return dict(self.seconds)


class Compute:
    """Answers batches; may be shared by threads, each with inputs of its own.

    On a CPU every batch has one thread, and as many batches are computed at once as there are threads: cores that share
    a batch wait for each other. A batch that comes alone has all threads.

    Args:
        pipeline: in evaluation mode, on its device.
        settings: device, precision, threads.
        responder: answers what is encoded.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings, responder: Responder) -> None:
        self.pipeline, self.settings, self.responder = pipeline, settings, responder
        self.device = torch.device(settings.device)
        self.clock = Clock()
        cpu = self.device.type == "cpu"
        self._many = ThreadPoolExecutor(settings.threads if cpu else 1, thread_name_prefix="seqpipe-batch")
        self._alone = ThreadPoolExecutor(1, thread_name_prefix="seqpipe-alone") if cpu else self._many
        self._ready = threading.local()

    def submit(self, units: list[Unit], alone: bool) -> Future[list[Any]]:
        """The units' predictions, in order; ``alone`` if no other batch comes with this one."""
        pool = self._alone if alone else self._many
        return pool.submit(self._answer, units, self.settings.threads if alone else 1)

    def free_memory(self) -> None:
        """Give back what torch keeps for later."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def close(self) -> None:
        """End the threads; what is not begun is dropped."""
        for pool in (self._many, self._alone):
            pool.shutdown(wait=True, cancel_futures=True)

    def _answer(self, units: list[Unit], threads: int) -> list[Any]:
        self._set_threads(threads)
        pipeline, prepared = self.pipeline, [unit.prepared for unit in units]
        bf16 = self.settings.precision == "bf16"
        times = [time.perf_counter()]
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            batch = PaddedSequence.pad(prepared).to(self.device)
            features = pipeline.features(batch)
            times.append(self._now())
            encoded = pipeline.encode(features, batch).of_rows([unit.slot.columns for unit in units])
            times.append(self._now())
            answers = self.responder.respond(units, encoded)
            times.append(self._now())
        for what, start, stop in zip(("features", "model", "decoding"), times, times[1:], strict=False):
            self.clock.add(what, stop - start)
        return answers

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _set_threads(self, threads: int) -> None:
        """Once a thread. What a thread sets for itself, later ones start with: that is put back."""
        if self.device.type != "cpu" or getattr(self._ready, "threads", 0) == threads:
            return
        before = torch.get_num_threads()  # a thread's first use of torch sets its number: let that be over
        torch.set_num_threads(threads)
        self._ready.threads = threads
        if before != threads:
            outside = threading.Thread(target=torch.set_num_threads, args=(before,))
            outside.start()
            outside.join()
