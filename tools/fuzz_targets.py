"""What `fuzz.py` feeds with broken files: recipes, run directories, journals, and (`fuzz_readers.py`) readers.

A target makes small valid inputs in a folder, once; then it takes a broken one in the place of one of them and says
what came of it. What it raises is looked at by `fuzz.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import random
import shutil
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from seqpipe.config.recipe import Recipe, load_recipe
from seqpipe.data.rows import Row
from seqpipe.errors import SeqpipeError
from seqpipe.pipeline import Pipeline

INPUTS, RUN = "inputs", "run"
SMALL = {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1}
TEXTS = ["he saw the small cat", "she saw a dog there", "the dog sat down here", "a small cat sat there"] * 3


class FaultError(Exception):
    """What no input may lead to, though nothing was raised."""


class Target(ABC):
    """One kind of thing that is read."""

    def make(self, folder: Path) -> None:
        """Write valid inputs into ``folder / INPUTS``, and what else is needed beside it; the same ones each time."""
        (folder / INPUTS).mkdir(parents=True)
        for name, data in self.inputs().items():
            (folder / INPUTS / name).write_bytes(data)

    def inputs(self) -> dict[str, bytes]:
        """The valid inputs, by name."""
        return {}

    def names(self, folder: Path) -> list[str]:
        """Of what is broken, below ``folder / INPUTS``."""
        found = (folder / INPUTS).rglob("*")
        return sorted(str(path.relative_to(folder / INPUTS)) for path in found if path.is_file())

    def open(self, folder: Path) -> None:
        """Get ready, in the process that runs the cases."""
        self.folder = folder

    @abstractmethod
    def run(self, name: str, data: bytes, scratch: Path, draw: random.Random | None = None) -> str:
        """Read ``data`` in the place of the input ``name``, in an empty folder: what came of it, in a word.

        Args:
            name: of the input.
            data: what it is now.
            scratch: an empty folder.
            draw: for what else is altered; None leaves all but the input as it was.

        Raises:
            FaultError: it was taken for something that it is not.
            SeqpipeError: it was refused.
        """


def finite(value: Any) -> None:
    """Raise `FaultError` where a JSON value holds NaN or an infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        raise FaultError(f"{value} in an answer")
    if isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            finite(inner)


class RecipeFile(Target):
    """Recipes: read, checked, written out and read again."""

    def inputs(self) -> dict[str, bytes]:
        from seqpipe.config.recipe import recipe_folders

        folder = next(iter(recipe_folders()))
        names = ("speech/an4", "speech/starter", "sentiment/mr", "tagging/wnut17", "translation/starter")
        found = {name.replace("/", "_") + ".yaml": folder / f"{name}.yaml" for name in names}
        searched = "search: {training.learning_rate: {low: 0.001, high: 0.1, log: true}, training.epochs: [1, 2]}\n"
        data = "data:\n  train: !!str a.tsv\n  columns: &a [x, 'y']\n  max_length: 1_000\n  dev: |\n    a b\n"
        values = f"{data}search:\n  training.seed: *a\n  training.epochs: [0x1f, 0b1, 1:30, 1.5e+3, .5, null]\n"
        small = "pipeline:\n  features: [Tokens, Embedding]\n  encoder: RecurrentEncoder\n  head: ClassifierHead\n"
        return {name: path.read_bytes() for name, path in found.items() if path.is_file()} | {
            "search.yaml": (small + searched).encode(),
            "decoding.yaml": f"{small}decoding: {{}}\ndata: {{train: x.tsv, columns: [a, b]}}\n".encode(),
            "values.yaml": (values + small).encode(),
        }

    def run(self, name: str, data: bytes, scratch: Path, draw: random.Random | None = None) -> str:
        path = scratch / name
        path.write_bytes(data)
        try:
            recipe = load_recipe(path)
        except SeqpipeError as error:
            if str(path) not in str(error):
                raise FaultError(f"the file is not named: {error}") from None
            raise
        (scratch / "again.yaml").write_text(recipe.dump(), encoding="utf-8")
        if load_recipe(scratch / "again.yaml") != recipe:
            raise FaultError("what was dumped is another recipe")
        return "read"


CHAINS: dict[str, dict[str, Any]] = {
    "classes": {
        "features": [
            {"stage": "Tokens", "characters": 8},
            {
                "stage": "Concatenation",
                "stages": [
                    {"stage": "Embedding", "size": 4},
                    {"stage": "NGramFeatures", "size": 3, "min_count": 1},
                    {"stage": "LogRatioFeatures", "min_count": 1},
                ],
            },
        ],
        "encoder": SMALL,
        "head": {"stage": "ClassifierHead"},
    },
    "translation": {
        "features": [
            {"stage": "Tokens", "units": "bpe", "vocabulary_size": 40, "shared": True},
            {"stage": "Embedding", "size": 8},
        ],
        "encoder": SMALL,
        "head": {
            "stage": "AttentionHead",
            "units": "shared",
            "vocabulary_threshold": 1,
            "embedding_size": 8,
            "hidden_size": 8,
        },
    },
    "words": {
        "features": [{"stage": "Tokens", "units": "characters"}, {"stage": "OneHot"}],
        "encoder": SMALL,
        "head": {"stage": "AttentionHead", "units": "words", "embedding_size": 8, "hidden_size": 8},
    },
    "characters": {
        "features": [{"stage": "Tokens"}, {"stage": "Embedding", "size": 4}],
        "encoder": SMALL,
        "head": {"stage": "AttentionHead", "units": "characters", "embedding_size": 8, "hidden_size": 8},
    },
    "number": {
        "features": [
            {"stage": "Tokens"},
            {"stage": "Embedding", "size": 4},
            {"stage": "Normalization", "over": "global"},
        ],
        "encoder": SMALL,
        "head": {"stage": "RegressionHead"},
    },
}
"""Runs with assets of all kinds."""


def target_of(chain: str, number: int) -> Any:
    """A target of the kind that the chain learns."""
    return {"classes": ["small", "large"][number % 2], "number": number % 7}.get(chain, TEXTS[number])


class RunDirectory(Target):
    """Run directories, a file of which is broken; mostly one for which the model file vouches all the same."""

    def make(self, folder: Path) -> None:
        for chain, stages in CHAINS.items():
            pipeline = Pipeline(Recipe.model_validate({"data": {"train": ""}, "pipeline": stages}))
            pipeline.fit([Row(str(number), text, target_of(chain, number)) for number, text in enumerate(TEXTS)])
            pipeline.save(folder / INPUTS / chain)

    def run(self, name: str, data: bytes, scratch: Path, draw: random.Random | None = None) -> str:
        from seqpipe.inference.predictor import Predictor

        chain, _, file = name.partition("/")
        run = Path(shutil.copytree(self.folder / INPUTS / chain, scratch / RUN))
        sealed = draw is not None and draw.random() < 0.85
        if file == "model.safetensors" and draw is not None and sealed:
            self._alter_model(run, draw)
        else:
            (run / file).write_bytes(data)
            if sealed:
                self._seal(run)
        try:
            pipeline = Pipeline.load(run)
        except SeqpipeError as error:
            if str(run) not in str(error):
                raise FaultError(f"the run directory is not named: {error}") from None
            raise
        predictor = Predictor(pipeline, device="cpu", threads=1, workers=1)
        for answer in predictor.predict(["he saw a dog", "x", "the"]):
            finite(answer.to_json())
        predictor.close()
        return "answered"

    def _seal(self, run: Path, other_weights: Any = (), other_metadata: Any = ()) -> None:
        """Let the model file vouch for what lies beside it, as somebody who knows the format would."""
        from safetensors import safe_open
        from safetensors.torch import save_file

        from seqpipe.model_file import hash_weights

        with safe_open(run / "model.safetensors", framework="pt") as file:
            metadata = dict(file.metadata())
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        weights.update(other_weights)
        beside = [run / "recipe.yaml", *(path for path in (run / "assets").rglob("*") if path.is_file())]
        hashes = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in beside}
        metadata |= {"files": json.dumps(hashes), "weights": hash_weights(weights), **dict(other_metadata)}
        save_file(weights, run / "model.safetensors", metadata)

    def _alter_model(self, run: Path, draw: random.Random) -> None:
        """Other weights or metadata, with checksums that are right."""
        import torch
        from fuzz_mutations import WRITTEN, mutate
        from safetensors import safe_open

        with safe_open(run / "model.safetensors", framework="pt") as file:
            metadata = dict(file.metadata())
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if draw.random() < 0.5:
            key = draw.choice(sorted(metadata))
            value = metadata[key].encode()
            broken = draw.choice((mutate(value, [value], draw), draw.choice(WRITTEN)))
            self._seal(run, other_metadata={key: broken.decode(errors="replace").replace("\0", "?")})
            return
        name = draw.choice(sorted(weights))
        value = weights[name].clone()
        filled = [torch.full_like(value, number) for number in (math.nan, math.inf, 1e38)]
        shaped = [value.flatten()[:1], value.unsqueeze(0), value[:0], torch.zeros(())]
        typed = [value.half(), value.double(), (100 * value).to(torch.int64), value > 0]
        other = draw.choice([*filled, *shaped, *typed])
        self._seal(run, {name: other.contiguous()})


class JournalFiles(Target):
    """What a stopped run has left, broken, and then gone on with by the command, to the bytes of a run left alone."""

    FORMATS = ("jsonl", "csv", "parquet")

    def make(self, folder: Path) -> None:
        from seqpipe import cli

        stages = {"features": CHAINS["number"]["features"][:2], "encoder": SMALL, "head": {"stage": "TaggerHead"}}
        pipeline = Pipeline(Recipe.model_validate({"data": {"train": ""}, "pipeline": stages}))
        pipeline.fit([Row(text, text.split(), ["X", "O", "O", "O", "Y"]) for text in TEXTS])
        pipeline.save(folder / "text" / RUN)
        lines = [" ".join(TEXTS[number % 5].split()[number % 3 :]) for number in range(200)]
        (folder / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
        (folder / INPUTS).mkdir()
        with contextlib.redirect_stderr(io.StringIO()):
            for kind in self.FORMATS:
                assert cli.main(self._command(folder, f"whole.{kind}")) == 0  # noqa: S101
                self._stop(folder, kind)

    def _command(self, folder: Path, output: str, *more: str) -> list[str]:
        inputs = [str(folder / "lines.txt"), "--output", str(folder / output), "--quiet", "--workers", "0"]
        return ["infer", str(folder / "text" / RUN), *inputs, "--window", "16", "--threads", "1", *more]

    def _stop(self, folder: Path, kind: str) -> None:
        """A run that ends in its middle, as one that is killed: not its end, nor the output."""
        from seqpipe import cli
        from seqpipe.inference.job import Job

        windows = 0
        whole = Job._take

        def take(job: Job, window: Any) -> None:
            nonlocal windows
            whole(job, window)
            windows += 1
            if windows == 7:
                raise KeyboardInterrupt

        Job._take = take  # type: ignore[method-assign, assignment]
        try:
            cli.main(self._command(folder, f"{INPUTS}/out.{kind}"))
        finally:
            Job._take = whole  # type: ignore[method-assign]

    def run(self, name: str, data: bytes, scratch: Path, draw: random.Random | None = None) -> str:
        from seqpipe import cli

        kind = name.split(".")[1]
        for beside in self.names(self.folder):
            if beside.startswith(f"out.{kind}."):
                shutil.copy(self.folder / INPUTS / beside, scratch / beside)
        is_summed = draw is not None and name.endswith(".journal") and draw.random() < 0.5
        (scratch / name).write_bytes(self._summed(data) if is_summed else data)
        output = scratch / f"out.{kind}"
        command = self._command(self.folder, "", "--resume")
        command[command.index("--output") + 1] = str(output)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            status = cli.main(command)
        if "Traceback" in said.getvalue():
            raise FaultError(f"a traceback of the command: {said.getvalue()}")
        if status == 0:
            if output.read_bytes() != (self.folder / f"whole.{kind}").read_bytes():
                raise FaultError("status 0, and the output is not that of a run left alone")
            return "went on" if said.getvalue() else "went on, silent"
        if str(scratch) not in said.getvalue():
            raise FaultError(f"status {status}, and no file is named: {said.getvalue()}")
        return f"status {status}"

    @staticmethod
    def _summed(data: bytes) -> bytes:
        """Lines with checksums that are right, as somebody who knows the format would write them."""
        from seqpipe.inference import journal

        checksum, lines = 0, []
        for line in data.splitlines(keepends=True):
            text = line.rstrip(b"\n")[9:]
            checksum = zlib.crc32(text, checksum if journal.FORMAT > 1 else 0)
            lines.append(b"%08x %s\n" % (checksum, text))
        return b"".join(lines)
