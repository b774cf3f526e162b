"""Two recurrent layers at once, each on half of the processor's cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Run = Callable[[nn.Module, Tensor], Tensor]
Result = TypeVar("Result")


def run_side_by_side(run: Run, layers: Sequence[nn.Module], inputs: Sequence[Tensor]) -> list[Tensor]:
    """``[run(layer, values) for layer, values in zip(layers, inputs)]`` for two layers, at the same time.

    A recurrent layer is a chain of small matrix products. Cores that share one must wait for each other after every
    step; cores that have a layer each never do. With one thread (``torch.get_num_threads()``) or off the CPU the layers
    run in turn. Results and gradients are the same either way, to rounding; gradients of gradients are refused.

    Args:
        run: computes a layer's output; it may be called in another thread.
        layers: two modules that share no parameters.
        inputs: what each takes.
    """
    threads = torch.get_num_threads()
    if threads < 2 or inputs[0].device.type != "cpu":
        return [run(layer, values) for layer, values in zip(layers, inputs, strict=True)]
    if not torch.is_grad_enabled():
        return _outputs(run, layers, inputs, threads)
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    outputs: tuple[Tensor, ...] = _SideBySide.apply(run, layers, threads, *inputs, *parameters)
    return list(outputs)


_retaining = threading.local()


@contextmanager
def retaining() -> Iterator[None]:
    """What runs side by side meanwhile can be walked back more than once, as ``retain_graph=True`` asks for.

    Otherwise what a layer has kept is let go of with its first backward pass, whatever that asks for.
    """
    before = getattr(_retaining, "on", False)
    _retaining.on = True
    try:
        yield
    finally:
        _retaining.on = before


class _SideBySide(torch.autograd.Function):
    """The layers' own graphs are built and walked in the workers; autograd's engine sees one node."""

    @staticmethod
    def forward(ctx: Any, run: Run, layers: Sequence[nn.Module], threads: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs = [values.detach().requires_grad_(values.requires_grad) for values in tensors[: len(layers)]]
        with torch.enable_grad():
            outputs = _outputs(run, layers, inputs, threads)
        ctx.threads, ctx.outputs = threads, outputs
        ctx.retain = getattr(_retaining, "on", False)
        ctx.sources = [[values, *layer.parameters()] for layer, values in zip(layers, inputs, strict=True)]
        return tuple(output.detach() for output in outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # as it is with create_graph=True
            raise RuntimeError(
                "gradients of gradients don't pass through layers that run side by side: "
                "call torch.set_num_threads(1) first"
            )
        if ctx.outputs is None:
            raise RuntimeError(
                "layers that run side by side were walked back already: run them within "
                "seqpipe.layers.parallel_directions.retaining(), or call torch.set_num_threads(1) first"
            )
        tasks = [
            partial(_walk, output, sources, gradient, ctx.retain)
            for output, sources, gradient in zip(ctx.outputs, ctx.sources, gradients, strict=True)
        ]
        results = _both(tasks, ctx.threads)
        if not ctx.retain:
            ctx.outputs = None  # what the layers kept for this is free now
        return (None, None, None, *(result[0] for result in results), *(g for result in results for g in result[1:]))


def _outputs(run: Run, layers: Sequence[nn.Module], inputs: Sequence[Tensor], threads: int) -> list[Tensor]:
    """The layers' outputs under the caller's modes, which belong to the caller's thread alone."""
    gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def output(layer: nn.Module, values: Tensor) -> Tensor:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients), torch.autocast("cpu", dtype, autocast):
            return run(layer, values)

    return _both([partial(output, layer, values) for layer, values in zip(layers, inputs, strict=True)], threads)


def _walk(output: Tensor, sources: Sequence[Tensor], gradient: Tensor, retain: bool) -> list[Tensor | None]:
    """The gradients of a layer's input and parameters; None where none is wanted."""
    wanted = [source for source in sources if source.requires_grad]
    if not wanted:
        return [None] * len(sources)
    found = iter(torch.autograd.grad(output, wanted, gradient, allow_unused=True, retain_graph=retain or None))
    return [next(found) if source.requires_grad else None for source in sources]


class _Workers:
    """Two threads, made at the first use in a process."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="seqpipe-direction")
        self.share = 0  # threads of each worker

    def set_share(self, share: int, threads: int) -> None:
        """Give both workers ``share`` threads; the caller keeps its ``threads``."""
        if self.share == share:
            return
        meeting = threading.Barrier(2)  # so that each worker takes one of the tasks

        def adopt() -> None:
            meeting.wait()
            torch.get_num_threads()  # a thread's first use of torch sets its number: let that be over
            torch.set_num_threads(share)

        for done in [self.pool.submit(adopt) for _ in range(2)]:
            done.result()
        # What a worker sets for itself is also what threads to come would start with: put that back.
        torch.set_num_threads(threads)
        self.share = share


_workers: _Workers | None = None
_setting_up = threading.Lock()


def _forget_workers() -> None:
    """A forked process has none of its parent's threads."""
    global _workers, _setting_up
    _workers, _setting_up = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_workers)


def _both(tasks: Sequence[Callable[[], Result]], threads: int) -> list[Result]:
    global _workers
    with _setting_up:
        if _workers is None:
            _workers = _Workers()
        _workers.set_share(max(1, threads // 2), threads)
    futures = [_workers.pool.submit(task) for task in tasks]
    return [future.result() for future in futures]
