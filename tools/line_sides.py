"""The two sides of `bench_handwriting.py`: the same line recogniser as seqpipe's pipeline and as Kraken's VGSL network.

Run as ``PYTHON tools/line_sides.py SIDE JOB.json`` in a process of its own, whose Python has that library and need
not have the other's. See `side_process` for how calls come in.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from side_process import answer_calls, take_step

HEIGHT = 64
"""Pixels; Kraken's own default is 120, which would enlarge these lines without need."""
SPEC = (
    f"[1,{HEIGHT},0,1 Cr3,13,32 Do0.1,2 Mp2,2 Cr3,13,32 Do0.1,2 Mp2,2 Cr3,9,64 Do0.1,2 Mp2,2 Cr3,9,64 Do0.1,2 "
    "S1(1x0)1,3 Lbx200 Do0.1,2 Lbx200 Do0.1,2 Lbx200 Do"
)
"""Kraken's default recogniser but for the height; the output layer is put behind it."""
LEARNING_RATE, CLIP_NORM = 1e-3, 1.0
"""Of AdamW in its fused kernel, and of the gradient (Kraken's trainer clips so), on both sides."""


class Side(Protocol):
    """A recogniser that trains and predicts."""

    model: Any

    def train(self, batch: Sequence[int]) -> float:
        """A step over these training lines: from line images in memory to changed weights. The loss."""
        ...

    def predict(self, size: int) -> list[str]:
        """Texts of all dev lines, from their files, in batches of a size (0: as the side thinks best)."""
        ...

    def labels(self) -> int:
        """Outputs of the last layer, which tells whether both sides have the same task."""
        ...


class SeqpipeSide:
    """The pipeline as a recipe would build it."""

    def __init__(self, job: dict[str, Any], precision: str) -> None:
        import torch

        from seqpipe.config.recipe import Recipe
        from seqpipe.core.input import FileSpan
        from seqpipe.data.loader import Examples
        from seqpipe.data.rows import Row
        from seqpipe.inference.predictor import Predictor
        from seqpipe.pipeline import Pipeline
        from seqpipe.training.optimization import make_optimizer

        torch.manual_seed(1)
        recipe = Recipe.model_validate({"pipeline": PIPELINE, "training": {"learning_rate": LEARNING_RATE}})
        rows = [Row(path, FileSpan(Path(path)), text) for path, text in job["train"]]
        self.model = Pipeline(recipe)
        self.model.fit(rows)
        targets = [self.model.head.encode_target(row.target) for row in rows]
        wanted = {place for batch in job["batches"] for place in batch}
        examples = Examples(rows, targets, self.model.features, seed=1)
        self.examples = {place: examples[0, place] for place in wanted}
        self.bf16 = precision == "bf16"
        self.optimizer = make_optimizer(self.model.parameters(), recipe.training)
        self.dev = [FileSpan(Path(path)) for path, _ in job["dev"]]
        self.predictor = Predictor(self.model, device="cpu", precision=precision, threads=torch.get_num_threads())

    def train(self, batch: Sequence[int]) -> float:
        import torch

        from seqpipe.data.loader import collate

        self.model.train()
        rows: Any = collate([self.examples[place] for place in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            total, count = self.model.loss(rows.inputs, rows.targets)
        return take_step(self.model, self.optimizer, total / count, CLIP_NORM)

    def predict(self, size: int) -> list[str]:
        self.model.eval()
        return [answer.text for answer in self.predictor.predict(self.dev)]

    def labels(self) -> int:
        count: int = self.model.head.output_size
        return count


PIPELINE = {
    "features": [{"stage": "LineImage", "height": HEIGHT}],
    "frontend": {
        "stage": "Conv2dFrontEnd",
        "channels": [32, 32, 64, 64],
        "kernels": [[13, 3], [13, 3], [9, 3], [9, 3]],
        "strides": [[1, 1]] * 4,
        "pools": [[2, 2], [2, 2], [2, 2], [1, 1]],
        "normalization": "none",
        "activation": "relu",
        "dropout": 0.1,
        "dropout_kind": "channels",
    },
    "encoder": {"stage": "RecurrentEncoder", "hidden_size": 200, "layers": 3, "dropout": 0.1},
    "head": {"stage": "CTCHead", "dropout": 0.5},
}


class KrakenSide:
    """Kraken's network, its transforms, its way to make a batch, and its greedy decoder.

    Its plain loop is the loss, the gradient and the step, which is the least that its trainer does.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        import torch
        from kraken.lib.codec import PytorchCodec
        from kraken.lib.dataset import ImageInputTransforms
        from kraken.lib.vgsl import TorchVGSLModel

        torch.manual_seed(1)
        self.codec = PytorchCodec(sorted({sign for _, text in job["train"] for sign in text}))
        self.model = TorchVGSLModel(vgsl=f"{SPEC} O1c{self.codec.max_label + 1}]")
        self.model.init_weights()
        self.transforms = ImageInputTransforms(1, HEIGHT, 0, 1, (0, 0), valid_norm=False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, fused=True)
        self.ready = {
            place: {"image": self._read(job["train"][place][0]), "target": self.codec.encode(job["train"][place][1])}
            for batch in job["batches"]
            for place in batch
        }
        self.dev = [path for path, _ in job["dev"]]

    def _read(self, path: str) -> Any:
        from PIL import Image

        with Image.open(path) as image:
            return self.transforms(image)

    def train(self, batch: Sequence[int]) -> float:
        from kraken.lib.dataset import collate_sequences

        self.model.train()
        lines = collate_sequences([self.ready[place] for place in batch])
        output, lengths = self.model(lines["image"], lines["seq_lens"])
        scores = output.log_softmax(1).squeeze(2).permute(2, 0, 1)
        loss = self.model.criterion(scores, lines["target"], lengths, lines["target_lens"])
        return take_step(self.model, self.optimizer, loss, CLIP_NORM)

    def predict(self, size: int) -> list[str]:
        import torch
        from kraken.lib.ctc_decoder import greedy_decoder
        from kraken.lib.dataset import collate_sequences

        self.model.eval()
        texts: list[str] = []
        with torch.inference_mode():
            for start in range(0, len(self.dev), size):
                paths = self.dev[start : start + size]
                # The batch is sorted by width; the "text" tells whose line is where.
                lines = collate_sequences(
                    [{"image": self._read(path), "target": str(place)} for place, path in enumerate(paths)]
                )
                output, lengths = self.model(lines["image"], lines["seq_lens"])
                found = greedy_decoder(output.softmax(1).squeeze(2), lengths)
                said = ["".join(sign for sign, *_ in self.codec.decode(labels)) for labels in found]
                by_place = dict(zip(map(int, lines["target"]), said, strict=True))
                texts += [by_place[place] for place in range(len(paths))]
        return texts

    def labels(self) -> int:
        count: int = self.codec.max_label + 1
        return count


SIDES: dict[str, Callable[[dict[str, Any]], Side]] = {
    "kraken": KrakenSide,
    "fp32": lambda job: SeqpipeSide(job, "fp32"),
    "bf16": lambda job: SeqpipeSide(job, "bf16"),
}


def make(name: str, job: dict[str, Any]) -> Callable[[str, int], dict[str, Any]]:
    """What answers this side's calls."""
    import torch

    warnings.simplefilter("ignore")
    logging.disable()
    torch.set_num_threads(job["threads"])
    side = SIDES[name](job)

    def answer(kind: str, argument: int) -> dict[str, Any]:
        if kind == "facts":
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            parameters = sum(each.numel() for each in side.model.parameters())
            return {"labels": side.labels(), "parameters": parameters, "megabytes": megabytes}
        started = time.perf_counter()
        if kind == "train":
            return {"loss": side.train(job["batches"][argument]), "seconds": time.perf_counter() - started}
        texts = side.predict(argument)
        return {"lines": len(texts), "seconds": time.perf_counter() - started}

    return answer


if __name__ == "__main__":
    answer_calls(lambda: make(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
