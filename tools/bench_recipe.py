"""The whole training step and inference of a recipe against SpeechBrain, on the same batches of the same recordings.

    uv pip install -e '.[bench]'
    python tools/bench_recipe.py speech/an4 data.root=data/an4

A training step is features, forward pass, CTC loss, backward pass, clipping and AdamW. Inference is features, forward
pass and greedy decoding; seqpipe's also finds posteriors and times, which SpeechBrain's doesn't. Everything is fp32, on
waveforms that are in memory. Each side runs in a process of its own; they take turns batch by batch while the others
sleep, so that a drift of the machine meets all alike. Times are medians over the repeats, added up over the batches.
Peaks of memory are above what the process held with its model and batches loaded.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

SIDES = {
    "seqpipe": "seqpipe",
    "layers": "SpeechBrain, same layers",
    "packed": "same layers, packed",
    "crdnn": "CRDNN, same sizes",
    "defaults": "CRDNN, its defaults",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "recipe", nargs="?", default="speech/an4", help="a recipe, or a run directory for trained weights"
    )
    parser.add_argument("overrides", nargs="*", help="key.path=value, as for seqpipe train")
    parser.add_argument("--batches", type=positive, default=4, help="of the recipe's first epoch (default 4)")
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--sides", type=side_names, default=list(SIDES), metavar="SIDE,...",
                        help=f"which of {','.join(SIDES)}; the ratios are to the first")  # fmt: skip
    options = parser.parse_intermixed_args()
    if options.sides != ["seqpipe"] and find_spec("speechbrain") is None:
        parser.error("SpeechBrain is not installed: uv pip install -e '.[bench]', or --sides seqpipe")
    # As the seqpipe command does, and for both: threads that wait don't spin for long.
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    sides = {name: Side(name, options) for name in options.sides}
    tables = {kind: measure(sides, kind, options.repeats) for kind in ("infer", "infer_singly", "train")}
    facts = {name: side.call("facts") for name, side in sides.items()}
    for side in sides.values():
        side.close()
    report(options, tables, facts)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def side_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - SIDES.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(SIDES)}")
    return names


class Side:
    """A process that runs one of the models, and waits between calls."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(name, options, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.batches: int = self._receive()

    def call(self, kind: str, batch: int = 0) -> Any:
        self.connection.send((kind, batch))
        return self._receive()

    def _receive(self) -> Any:
        try:
            return self.connection.recv()
        except EOFError:  # its own message stands on standard error already
            sys.exit(1)

    def close(self) -> None:
        self.connection.send(None)
        self.process.join()


def measure(sides: dict[str, Side], kind: str, repeats: int) -> dict[str, float]:
    """Seconds of each side for all batches, the sides in turn."""
    count = next(iter(sides.values())).batches
    taken: dict[str, list[list[float]]] = {name: [[] for _ in range(count)] for name in sides}
    for side in sides.values():
        side.call(kind, 0)  # warms up
    for _ in range(repeats):
        for batch in range(count):
            for name, side in sides.items():
                taken[name][batch].append(side.call(kind, batch))
    return {name: sum(map(statistics.median, times)) for name, times in taken.items()}


# What runs in a side's own process


def serve(name: str, options: argparse.Namespace, connection: Connection) -> None:
    """Answer calls: seconds that a step took, or the facts at the end."""
    import torch

    from seqpipe.errors import SeqpipeError

    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    try:
        contestant = make(name, options)
    except SeqpipeError as error:
        sys.exit(f"{name}: {error}")
    before = peak_memory()
    peaks: dict[str, float] = {}
    connection.send(len(contestant.batches))
    for kind, batch in iter(connection.recv, None):
        if kind == "facts":
            connection.send({**contestant.facts(), "peaks": peaks})
            continue
        started = time.perf_counter()
        getattr(contestant, kind)(batch)
        connection.send(time.perf_counter() - started)
        peaks[kind] = peak_memory() - before


def peak_memory() -> float:
    """Of this process, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@dataclass
class Contestant:
    """A model with what both sides do alike: the batches, the optimizer, and the order of a step."""

    batches: list[Any]
    model: Any
    optimizer: Any
    clip_norm: float
    loss: Callable[[Any], Any]
    decode: Callable[[Any, list[int]], object]
    rate: int
    seed: int

    def train(self, index: int) -> None:
        import torch

        self.model.train()
        self.optimizer.zero_grad()
        self.loss(self.batches[index]).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()

    def infer(self, index: int) -> None:
        self._infer(index, [list(range(len(self.batches[index].rows)))])

    def infer_singly(self, index: int) -> None:
        self._infer(index, [[row] for row in range(len(self.batches[index].rows))])

    def _infer(self, index: int, groups: list[list[int]]) -> None:
        import torch

        self.model.eval()
        with torch.inference_mode():
            for group in groups:
                self.decode(self.batches[index], group)

    def facts(self) -> dict[str, Any]:
        from seqpipe.run_directory import environment

        lengths = [length for batch in self.batches for length in batch.inputs.lengths.tolist()]
        return {
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "products": count_products(self) / float(self.batches[0].inputs.lengths.sum()) * self.rate,
            "rows": len(lengths),
            "batches": len(self.batches),
            "seed": self.seed,
            "processor": environment()["machine"]["processor"],
            "seconds": sum(lengths) / self.rate,
        }


def make(name: str, options: argparse.Namespace) -> Contestant:
    """The side's model, and the batches of the recipe's first epoch, augmented as training does it."""
    from pathlib import Path

    import torch

    from seqpipe.config.recipe import load_recipe
    from seqpipe.core.sequence import PaddedSequence
    from seqpipe.data.loader import collate
    from seqpipe.pipeline import Pipeline
    from seqpipe.training.optimization import make_optimizer
    from seqpipe.training.preparing import prepare_training
    from seqpipe.training.train import say

    recipe = load_recipe(options.recipe, options.overrides)
    config = recipe.training
    config.learning_rate /= 25  # where one_cycle starts
    prepared = prepare_training(recipe, None, say)
    pipeline, data = prepared.pipeline, prepared.training
    trained = Path(options.recipe)
    if (trained / "model.safetensors").is_file():
        pipeline = Pipeline.load(trained)
    planned, examples = prepared.batches(config), prepared.examples(config)
    plan = planned.plan(0)[: options.batches]
    batches: list[Any] = [collate([examples[key] for key in planned.keys(0, rows)]) for rows in plan]
    torch.manual_seed(config.seed)
    model: Any
    if name == "seqpipe":
        model = pipeline

        def loss(batch: Any) -> Any:
            total, count = pipeline.loss(batch.inputs, batch.targets)
            return total / count

        def decode(batch: Any, group: list[int]) -> object:
            rows = [data.rows[batch.rows[index]] for index in group]
            return pipeline.answer_batch(
                [row.id for row in rows], [row.input for row in rows], [batch.inputs.rows()[index] for index in group]
            )
    else:
        from speechbrain_models import MODELS, Shape

        model = MODELS[name](Shape.of(pipeline))
        head: Any = pipeline.head

        def loss(batch: Any) -> Any:
            return model.loss(batch.inputs, batch.targets)

        def decode(batch: Any, group: list[int]) -> object:
            found = model.decode(PaddedSequence.pad([batch.inputs.rows()[index] for index in group]))
            return [head.units.decode([label - 1 for label in labels]) for labels in found]

    optimizer = make_optimizer(model.parameters(), config)
    reader: Any = pipeline.features.reader
    return Contestant(
        batches, model, optimizer, config.clip_norm or float("inf"), loss, decode, reader.sample_rate, config.seed
    )


def count_products(contestant: Contestant) -> float:
    """Multiplications of the convolutions, recurrent and linear layers in a forward pass of the first batch."""
    from torch import nn

    if hasattr(contestant.model, "uncompile"):
        contestant.model.uncompile()  # compiled modules tell nothing

    total = 0.0

    def note(module: Any, inputs: Any, output: Any) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += output.numel() * module.in_features
        else:
            values = inputs[0]
            steps = len(values.data) if isinstance(values, nn.utils.rnn.PackedSequence) else values.shape[:2].numel()
            total += steps * sum(weight.numel() for weight in module.parameters() if weight.dim() > 1)

    hooks: list[Any] = [
        module.register_forward_hook(note)
        for module in contestant.model.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.LSTM))
    ]
    contestant.infer(0)
    for hook in hooks:
        hook.remove()
    return total


# The table


def report(options: argparse.Namespace, tables: dict[str, dict[str, float]], facts: dict[str, Any]) -> None:
    first, *others = options.sides
    fact = facts[first]
    print(f"{options.recipe}: {fact['batches']} batches, {fact['rows']} recordings, {fact['seconds']:.0f} s of audio, "
          f"seed {fact['seed']}")  # fmt: skip
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "speechbrain") if find_spec(name))
    print(f"{fact['processor']}, {options.threads} threads, fp32, {versions}, "
          f"median of {options.repeats}, all sides in turn")  # fmt: skip
    print("\n| |" + "".join(f" {SIDES[name]} |{' times |' if name in others else ''}" for name in options.sides))
    print("|---|" + "---|" * (1 + 2 * len(others)))
    audio = {
        kind: {name: facts[name]["seconds"] / seconds for name, seconds in table.items()}
        for kind, table in tables.items()
    }
    rows: list[tuple[str, dict[str, float], bool]] = [
        ("training, seconds of audio a second", audio["train"], True),
        ("inference, the same batches", audio["infer"], True),
        ("inference, one recording at a time", audio["infer_singly"], True),
    ]
    for kind, title in (("train", "peak memory of training, MB"), ("infer", "... of inference, MB")):
        rows.append((title, {name: facts[name]["peaks"][kind] for name in facts}, False))
    rows.append(("parameters, millions", {name: facts[name]["parameters"] / 1e6 for name in facts}, False))
    rows.append(("multiplications, millions a second of audio",
                 {name: facts[name]["products"] / 1e6 for name in facts}, False))  # fmt: skip
    for title, values, faster in rows:
        cells = [f"{values[first]:.3g}"]
        for name in others:
            ratio = values[first] / values[name] if faster else values[name] / values[first]
            cells += [f"{values[name]:.3g}", f"{ratio:.1f}"]
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
