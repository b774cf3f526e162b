"""The recurrent encoder against ``nn.LSTM`` on a packed batch, same weights, side by side in one run.

    python tools/bench_encoder.py [--rows 64] [--repeats 5]
    python tools/bench_encoder.py --cells                      # the cells side by side instead, on one thread

Prints a table of medians and ratios, how far the results agree, and the share of the machine's own matrix-product rate
that each reaches (multiplications of real steps only, so padding counts as waste). With --cells: milliseconds of a
layer both ways, in processor time, which other processes lengthen little, and how many times an LSTM's speed that is.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqpipe.core.sequence import PaddedSequence
from seqpipe.encoders.recurrent import Cell, RecurrentEncoder
from seqpipe.training.train import has_fast_bf16

INPUT, HIDDEN, LAYERS, STEPS = 160, 256, 4, 200
CELL_SHAPES = [(1, 200, 128), (8, 100, 128), (8, 400, 256), (32, 200, 256), (64, 100, 128), (64, 200, 512)]
"""Rows, steps and units of the comparison of cells."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--cells", action="store_true", help="compare the cells")
    options = parser.parse_args()
    torch.set_num_threads(1 if options.cells else options.threads)
    torch.manual_seed(0)
    device = torch.device(options.device)
    if options.cells:
        compare_cells(options.repeats, device)
        return

    lengths = torch.randint(STEPS // 2, STEPS + 1, (options.rows,))
    lengths[0] = STEPS
    values = torch.randn(options.rows, STEPS, INPUT, device=device)
    batch = PaddedSequence(values, lengths.to(device))
    encoder = RecurrentEncoder(input_size=INPUT, hidden_size=HIDDEN, layers=LAYERS).to(device)
    packed = copy_weights(encoder).to(device)

    agreement = compare(encoder, packed, batch)
    runs: dict[str, Callable[[], object]] = {}
    ways = (
        ("packed", ("fp32",), lambda: packed_forward(packed, batch)),
        ("seqpipe", ("fp32", "bf16"), lambda: encoder(batch).values),
    )
    for name, precisions, run in ways:
        for precision in precisions:
            runs[f"forward {name} {precision}"] = forward(run, precision, device)
            runs[f"train step {name} {precision}"] = train_step(run, precision, device)
    seconds = measure(runs, options.repeats, device)
    rates = {precision: product_rate(precision, device) for precision in ("fp32", "bf16")}

    print(f"{options.rows} rows of {STEPS // 2} to {STEPS} steps, {LAYERS} x {HIDDEN} both ways, input {INPUT}")
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{options.threads} threads"
    print(f"{where}, torch {torch.__version__}, median of {options.repeats}, all runs in turn")
    print(f"matrix product of this machine: {rates['fp32']:.0f} GFLOP/s in fp32, {rates['bf16']:.0f} in bf16")
    if device.type == "cpu" and not has_fast_bf16():
        print("this processor has no bf16 instructions: bf16 is emulated here")
    print("\n| | packed nn.LSTM | seqpipe fp32 | times | seqpipe bf16 | times |\n|---|---|---|---|---|---|")
    work = 2 * sum(4 * HIDDEN * (size + HIDDEN) * 2 for size in [INPUT] + [2 * HIDDEN] * (LAYERS - 1))
    work *= int(lengths.sum())
    for kind, passes in (("forward", 1), ("train step", 3)):
        base = seconds[f"{kind} packed fp32"]
        fp32, bf16 = (seconds[f"{kind} seqpipe {precision}"] for precision in ("fp32", "bf16"))
        print(f"| {kind} | {1e3 * base:.0f} ms | {1e3 * fp32:.0f} ms | {base / fp32:.1f} | "
              f"{1e3 * bf16:.0f} ms | {base / bf16:.1f} |")  # fmt: skip
        shares = [
            100 * passes * work / taken / 1e9 / rates[precision]
            for taken, precision in ((base, "fp32"), (fp32, "fp32"), (bf16, "bf16"))
        ]
        print(f"| ... share of the matrix product | {shares[0]:.0f} % | {shares[1]:.0f} % | | {shares[2]:.0f} % | |")
    print(f"\noutputs agree to {agreement[0]:.1e}, gradients to {agreement[1]:.1e} of the largest (fp32)")


def compare_cells(repeats: int, device: torch.device) -> None:
    """Print a table of all cells: a layer both ways, input as wide as it, over rows of half to all of the steps."""
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    print("| rows x steps x units | cell | forward | times lstm | train step | times lstm |\n|---|---|---|---|---|---|")
    for rows, steps, units in CELL_SHAPES:
        lengths = torch.randint(steps // 2, steps + 1, (rows,))
        lengths[0] = steps
        batch = PaddedSequence(torch.randn(rows, steps, units, device=device), lengths.to(device))
        runs: dict[str, Callable[[], object]] = {}
        for cell in get_args(Cell):
            encoder = RecurrentEncoder(input_size=units, hidden_size=units, layers=1, cell=cell).to(device)
            run = partial(encoded_values, encoder, batch)
            runs[f"forward {cell}"] = forward(run, "fp32", device)
            runs[f"train step {cell}"] = train_step(run, "fp32", device)
        seconds = measure(runs, repeats, device, clock)
        for cell in get_args(Cell):
            columns = [f"{rows} x {steps} x {units}", cell]
            for kind in ("forward", "train step"):
                taken, base = seconds[f"{kind} {cell}"], seconds[f"{kind} lstm"]
                columns += [f"{1e3 * taken:.1f} ms", f"{base / taken:.1f}"]
            print(f"| {' | '.join(columns)} |", flush=True)


def encoded_values(encoder: RecurrentEncoder, batch: PaddedSequence) -> Tensor:
    return encoder(batch).values


def copy_weights(encoder: RecurrentEncoder) -> nn.LSTM:
    """torch's own bidirectional LSTM with the encoder's weights."""
    packed = nn.LSTM(INPUT, HIDDEN, LAYERS, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for target, source in zip(packed.parameters(), ordered_parameters(encoder), strict=True):
            target.copy_(source)
    return packed


def ordered_parameters(encoder: RecurrentEncoder) -> list[nn.Parameter]:
    """The encoder's parameters in the order of torch's: layer by layer, forward before backward."""
    backward: Any = encoder.backward_layers
    return [
        parameter
        for layers in zip(encoder.forward_layers, backward, strict=True)
        for layer in layers
        for parameter in layer.parameters()
    ]


def packed_forward(lstm: nn.LSTM, batch: PaddedSequence) -> Tensor:
    packed = pack_padded_sequence(batch.values, batch.lengths.cpu(), batch_first=True, enforce_sorted=False)
    values, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=batch.values.shape[1])
    return values


def compare(encoder: RecurrentEncoder, packed: nn.LSTM, batch: PaddedSequence) -> tuple[float, float]:
    """Largest difference of outputs, and of gradients relative to the largest gradient."""
    own, reference = encoder(batch).values, packed_forward(packed, batch)
    weight = torch.randn_like(reference)
    own_gradients = torch.autograd.grad((own * weight).sum(), ordered_parameters(encoder))
    reference_gradients = torch.autograd.grad((reference * weight).sum(), list(packed.parameters()))
    largest = max(float(gradient.abs().max()) for gradient in reference_gradients)
    pairs = zip(own_gradients, reference_gradients, strict=True)
    return (
        float((own - reference).detach().abs().max()),
        max(float((first - second).abs().max()) for first, second in pairs) / largest,
    )


def forward(run: Callable[[], Tensor], precision: str, device: torch.device) -> Callable[[], object]:
    def once() -> object:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            return run()

    return once


def train_step(run: Callable[[], Tensor], precision: str, device: torch.device) -> Callable[[], object]:
    def once() -> object:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            result = run()
        result.float().square().mean().backward()
        return None

    return once


def measure(
    runs: dict[str, Callable[[], object]],
    repeats: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each, all in turn in every round, so that a drift of the machine meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(repeats + 1):
        for name, run in runs.items():
            started = clock()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if round_number:  # the first round warms up
                taken[name].append(clock() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def product_rate(precision: str, device: torch.device) -> float:
    """GFLOP/s of a matrix product of 2048 x 2048."""
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    first, second = (torch.randn(2048, 2048, device=device).to(dtype) for _ in range(2))
    seconds = measure({"product": lambda: first @ second}, 5, device)["product"]
    return 2 * 2048**3 / seconds / 1e9


if __name__ == "__main__":
    main()
