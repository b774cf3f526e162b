"""The linear-chain CRF against pytorch-crf, same scores, in turn in one process: loss with its gradients, and Viterbi.

    python tools/bench_crf.py [--threads 1] [--repeats 21]

Prints a table of medians and ratios, and how far the losses, the gradients and the best paths agree. Needs pytorch-crf:
pip install "seqpipe[bench]".
"""

from __future__ import annotations

import argparse
import copy
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqpipe.decoding.crf import crf_losses, viterbi

SIZES = ((9, 32, 30), (17, 32, 30), (50, 32, 30), (9, 64, 100), (17, 64, 100), (50, 64, 100))  # K, B, T


@dataclass(frozen=True)
class Scores:
    """A batch with its right tags, and the parameters of a CRF; lengths from T/2 to T."""

    emissions: Tensor
    lengths: Tensor
    mask: Tensor
    tags: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor

    @property
    def differentiated(self) -> tuple[Tensor, ...]:
        return self.emissions, self.transitions, self.start, self.end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    try:
        CRF = importlib.import_module("torchcrf").CRF
    except ImportError:
        sys.exit('tools/bench_crf.py needs pytorch-crf: pip install "seqpipe[bench]"')
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{options.threads} threads"
    print(f"{where}, torch {torch.__version__}, fp32 scores, median of {options.repeats}, all runs in turn\n")
    print("| K, B, T | loss + gradients: pytorch-crf | seqpipe | times | Viterbi: pytorch-crf | seqpipe | times |")
    print("|---|---|---|---|---|---|---|")
    differences: list[tuple[float, float, int]] = []
    for tags, rows, steps in SIZES:
        scores = draw(tags, rows, steps, device)
        reference = CRF(tags, batch_first=True).to(device)
        with torch.no_grad():
            reference.transitions.copy_(scores.transitions)
            reference.start_transitions.copy_(scores.start)
            reference.end_transitions.copy_(scores.end)
        differences.append(compare(reference, scores))
        seconds = measure(runs(reference, scores), options.repeats, device)
        loss, own_loss, best, own_best = (1e3 * seconds[name] for name in seconds)
        print(f"| {tags}, {rows}, {steps} | {loss:.2f} ms | {own_loss:.2f} ms | {loss / own_loss:.1f} | "
              f"{best:.2f} ms | {own_best:.2f} ms | {best / own_best:.1f} |")  # fmt: skip
    print(f"\nlosses agree to {max(first for first, _, _ in differences):.1e} of the largest, gradients to "
          f"{max(second for _, second, _ in differences):.1e} of the largest; "
          f"{sum(count for _, _, count in differences)} best paths differ")  # fmt: skip


def draw(tags: int, rows: int, steps: int, device: torch.device) -> Scores:
    generator = torch.Generator().manual_seed(tags)
    lengths = torch.randint(steps // 2, steps + 1, (rows,), generator=generator)
    lengths[0] = steps
    parameters = [torch.randn(shape, generator=generator) for shape in ((tags, tags), (tags,), (tags,))]
    emissions = 3 * torch.randn(rows, steps, tags, generator=generator)
    return Scores(
        emissions.to(device).requires_grad_(),
        lengths.to(device),
        (torch.arange(steps) < lengths[:, None]).to(device),
        torch.randint(tags, (rows, steps), generator=generator).to(device),
        *(parameter.to(device).requires_grad_() for parameter in parameters),
    )


def reference_loss(reference: Any, scores: Scores) -> Tensor:
    return -reference(scores.emissions, scores.tags, mask=scores.mask, reduction="none")


def own_loss(scores: Scores) -> Tensor:
    return crf_losses(scores.emissions, scores.lengths, scores.tags, scores.transitions, scores.start, scores.end)


def own_paths(scores: Scores) -> list[list[int]]:
    """The best paths as lists, as pytorch-crf gives them."""
    paths, _ = viterbi(scores.emissions, scores.lengths, scores.transitions, scores.start, scores.end)
    return [path[:length] for path, length in zip(paths.tolist(), scores.lengths.tolist(), strict=True)]


def runs(reference: Any, scores: Scores) -> dict[str, Callable[[], object]]:
    parameters = (reference.transitions, reference.start_transitions, reference.end_transitions)

    def reference_paths() -> object:
        with torch.no_grad():
            return reference.decode(scores.emissions, mask=scores.mask)

    return {
        "loss pytorch-crf": lambda: torch.autograd.grad(
            reference_loss(reference, scores).sum(), (scores.emissions, *parameters)
        ),
        "loss seqpipe": lambda: torch.autograd.grad(own_loss(scores).sum(), scores.differentiated),
        "viterbi pytorch-crf": reference_paths,
        "viterbi seqpipe": lambda: own_paths(scores),
    }


def compare(reference: Any, scores: Scores) -> tuple[float, float, int]:
    """Largest relative difference of losses and of gradients, and the number of best paths that differ.

    The reference computes in float64 for this: in fp32 its own gradients are off by 1e-4.
    """
    reference = copy.deepcopy(reference).double()
    losses, expected = own_loss(scores), reference_loss(reference, scores)
    gradients = torch.autograd.grad(losses.sum(), scores.differentiated)
    parameters = (reference.transitions, reference.start_transitions, reference.end_transitions)
    expected_gradients = torch.autograd.grad(expected.sum(), (scores.emissions, *parameters))
    paths = reference.decode(scores.emissions, mask=scores.mask)
    return (
        float(((losses - expected).abs().max() / expected.abs().max()).detach()),
        max(
            float((own - other).abs().max() / other.abs().max())
            for own, other in zip(gradients, expected_gradients, strict=True)
        ),
        sum(own != other for own, other in zip(own_paths(scores), paths, strict=True)),
    )


def measure(runs: dict[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each, all in turn in every round, so that a drift of the machine meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(repeats + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if round_number:  # the first round warms up
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


if __name__ == "__main__":
    main()
