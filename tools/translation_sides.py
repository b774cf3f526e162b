"""The two sides of `bench_translation.py`: the same translator as seqpipe's pipeline and as joeynmt's RNN.

Run as ``PYTHON tools/translation_sides.py SIDE JOB.json`` in a process of its own, whose Python has that library and
need not have the other's. See `side_process` for how calls come in.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from side_process import answer_calls, take_step

EMBEDDING, ENCODER, DECODER, LAYERS = 512, 256, 512, 2
"""Sizes: joeynmt ties its output layer to the embeddings only if these are as wide as its decoder."""
DROPOUT, LABEL_SMOOTHING = 0.2, 0.1
LEARNING_RATE, CLIP_NORM = 1e-3, 1.0
"""Of AdamW in its fused kernel, and of the gradient, on both sides."""
BEAM, LENGTH_POWER, MAX_RATIO = 5, 1.0, 1.5
"""Of the search: hypotheses, Wu et al.'s normalisation, and units at most, as a multiple of the source's; joeynmt takes
the longest source of the batch, seqpipe each one."""


WRITTEN = "written"
"""Among the weights: which of the units seqpipe's side writes."""


class Side(Protocol):
    """A translator that trains and translates."""

    model: Any

    def train(self, batch: Sequence[int]) -> float:
        """A step over these training pairs: from units in memory to changed weights. The loss of a unit."""
        ...

    def translate(self, size: int) -> list[str]:
        """Translations of all dev sentences, from units in memory to text, in batches of a size."""
        ...

    def load(self, weights: Path) -> None:
        """Go on with weights that a `SeqpipeSide` has saved."""
        ...

    def labels(self) -> int:
        """Units that the decoder chooses between."""
        ...


class SeqpipeSide:
    """The pipeline as a recipe would build it."""

    def __init__(self, job: dict[str, Any], precision: str) -> None:
        import torch

        from seqpipe.config.recipe import Recipe
        from seqpipe.data.rows import Row
        from seqpipe.pipeline import Pipeline
        from seqpipe.training.optimization import make_optimizer

        torch.manual_seed(1)
        recipe = Recipe.model_validate(
            {"pipeline": pipeline(job["vocabulary"], job["threshold"]), "training": {"learning_rate": LEARNING_RATE}}
        )
        rows = [Row(str(place), source, target) for place, (source, target) in enumerate(job["train"])]
        self.model = Pipeline(recipe)
        self.model.fit(rows, {"features": Path(job["features"])})
        prepare, encode = self.model.features.prepare, self.model.head.encode_target
        wanted = {place for batch in [*job["batches"], *job["training_batches"]] for place in batch}
        self.pairs = {place: (prepare(rows[place].input, None), encode(rows[place].target)) for place in wanted}
        self.dev = [prepare(source, None) for source, _ in job["dev"]]
        self.bf16 = precision == "bf16"
        self.optimizer = make_optimizer(self.model.parameters(), recipe.training)
        self.options = self.model.head.decoding(
            beam=BEAM,
            length_normalization="gnmt",
            length_power=LENGTH_POWER,
            max_ratio=MAX_RATIO,
            max_extra=0,
            min_length=1,
        )

    def train(self, batch: Sequence[int]) -> float:
        import torch

        from seqpipe.core.sequence import PaddedSequence

        self.model.train()
        inputs = PaddedSequence.pad([self.pairs[place][0] for place in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            total, count = self.model.loss(inputs, [self.pairs[place][1] for place in batch])
        return take_step(self.model, self.optimizer, total / count, CLIP_NORM)

    def translate(self, size: int) -> list[str]:
        import torch

        from seqpipe.core.sequence import PaddedSequence

        self.model.eval()
        head: Any = self.model.head
        texts = [""] * len(self.dev)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            for places in by_length(self.dev, size):
                encoded = self.model(PaddedSequence.pad([self.dev[place] for place in places]))
                for place, found in zip(places, head.decode(encoded, self.options), strict=True):
                    texts[place] = head.units.decode(found.hypotheses[0].labels)
        return texts

    def save(self, weights: Path) -> None:
        """Write the weights."""
        import torch

        head: Any = self.model.head
        units = head.units
        written = getattr(units, "kept", range(len(units)))
        torch.save({**self.model.state_dict(), WRITTEN: torch.tensor(written)}, weights)

    def load(self, weights: Path) -> None:
        import torch

        found = torch.load(weights, weights_only=True)
        del found[WRITTEN]
        self.model.load_state_dict(found)

    def labels(self) -> int:
        size: int = self.model.head.output_size
        return size


def pipeline(vocabulary: int, threshold: int) -> dict[str, Any]:
    """Of a recipe; the units are learnt once, for both sides."""
    return {
        "features": [
            {"stage": "Tokens", "units": "unigram", "vocabulary_size": vocabulary, "shared": True},
            {"stage": "Embedding", "size": EMBEDDING, "dropout": DROPOUT},
        ],
        "encoder": {"stage": "RecurrentEncoder", "hidden_size": ENCODER, "layers": LAYERS, "dropout": DROPOUT},
        "head": {
            "stage": "AttentionHead",
            "units": "shared",
            "vocabulary_threshold": threshold,
            "embedding_size": EMBEDDING,
            "hidden_size": DECODER,
            "attention": "general",
            "bridge": "zero",
            "tied": "all",
            "dropout": DROPOUT,
            "embedding_dropout": DROPOUT,
            "label_smoothing": LABEL_SMOOTHING,
        },
    }


class JoeySide:
    """joeynmt's recurrent model, its loss, its batches and its beam search.

    Its plain loop is the loss, the gradient and the step, which is the least that its trainer does.
    """

    def __init__(self, job: dict[str, Any], *, input_feeding: bool) -> None:
        import sentencepiece
        import torch
        from joeynmt.model import build_model
        from joeynmt.vocabulary import Vocabulary

        torch.manual_seed(1)
        self.units = sentencepiece.SentencePieceProcessor(model_file=job["model"])
        special = SimpleNamespace(
            unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None, lang_tags=[],
            unk_id=0, pad_id=1, bos_id=2, eos_id=3, sep_id=None,
        )  # fmt: skip
        pieces = [self.units.id_to_piece(number) for number in range(1, len(self.units))]  # 0 is the unknown one
        self.vocabulary = Vocabulary(pieces, special)
        embeddings = {"embedding_dim": EMBEDDING, "scale": False, "dropout": DROPOUT}
        config = {
            "tied_embeddings": True,
            "tied_softmax": True,
            "encoder": {
                "type": "recurrent", "rnn_type": "lstm", "hidden_size": ENCODER, "bidirectional": True,
                "num_layers": LAYERS, "dropout": DROPOUT, "embeddings": embeddings,
            },
            "decoder": {
                "type": "recurrent", "rnn_type": "lstm", "hidden_size": DECODER, "num_layers": 1, "dropout": DROPOUT,
                "hidden_dropout": DROPOUT, "attention": "luong", "init_hidden": "zero",
                "input_feeding": input_feeding, "embeddings": embeddings,
            },
        }  # fmt: skip
        self.model = build_model(config, self.vocabulary, self.vocabulary)
        self.model.loss_function = ("crossentropy", LABEL_SMOOTHING)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        wanted = {place for batch in job["batches"] for place in batch}
        self.pairs = {place: tuple(map(self._encoded, job["train"][place])) for place in wanted}
        self.dev = [self._encoded(source) for source, _ in job["dev"]]

    def _encoded(self, text: str) -> list[int]:
        """With joeynmt's numbers: four special ones stand first in place of one."""
        return [number + 3 if number else 0 for number in self.units.encode(text)]

    def _batch(self, sources: Sequence[list[int]], targets: Sequence[list[int]] | None) -> Any:
        import torch
        from joeynmt.batch import Batch
        from torch.nn.utils.rnn import pad_sequence

        def padded(rows: Sequence[list[int]]) -> Any:
            return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=1)

        # joeynmt's own loader puts an end behind the source; without it both sides encode as many steps.
        return Batch(
            src=padded(sources), src_length=torch.tensor([len(row) for row in sources]), src_prompt_mask=None,
            trg=None if targets is None else padded([[2, *row, 3] for row in targets]), trg_prompt_mask=None,
            indices=torch.arange(len(sources)), device=torch.device("cpu"), pad_index=1, eos_index=3,
            is_train=targets is not None,
        )  # fmt: skip

    def train(self, batch: Sequence[int]) -> float:
        self.model.train()
        rows = self._batch([self.pairs[place][0] for place in batch], [self.pairs[place][1] for place in batch])
        rows.sort_by_src_length()
        loss, *_ = self.model(return_type="loss", **vars(rows))
        return take_step(self.model, self.optimizer, rows.normalize(loss, "tokens"), CLIP_NORM)

    def translate(self, size: int) -> list[str]:
        import torch
        from joeynmt.search import search

        self.model.eval()
        texts = [""] * len(self.dev)
        with torch.inference_mode():
            for places in by_length(self.dev, size):
                rows = self._batch([self.dev[place] for place in places], None)
                back = rows.sort_by_src_length()
                found, *_ = search(
                    model=self.model,
                    batch=rows,
                    max_output_length=-1,
                    beam_size=BEAM,
                    beam_alpha=LENGTH_POWER,
                    n_best=1,
                )
                for place, line in zip(places, (found[where] for where in back), strict=True):
                    numbers = line.tolist()
                    numbers = numbers[: numbers.index(3)] if 3 in numbers else numbers
                    texts[place] = self.units.decode([number - 3 for number in numbers if number > 3])
        return texts

    def load(self, weights: Path) -> None:
        """What both sides have, whatever the other calls it.

        Where joeynmt's layers have more: the special units get what the unknown one and the end have, and a bias that
        never lets them be written, as it does those that seqpipe's side doesn't write; a bias of the attentive layer is
        0, and so are the columns of input feeding. Where they have less: the last layer gets the other's bias.
        """
        import torch

        found = torch.load(weights, weights_only=True)
        model, end = self.model, found["head.embedding"]
        units = found["features.stages.1.weight"]
        never = torch.tensor([-1e4])
        bias, layer = never.repeat(len(units) + 1), torch.nn.Linear(DECODER, len(self.vocabulary))
        bias[found[WRITTEN]], bias[-1] = found["head.bias"][:-1], found["head.bias"][-1]
        layer.weight = model.trg_embed.lut.weight
        model.decoder.output_layer = layer
        own = model.decoder.rnn.weight_ih_l0
        parts = {
            layer.weight: torch.cat([units[:1], end, end, end, units[1:]]),
            layer.bias: torch.cat([bias[:1], never, never, bias[-1:], bias[1:-1]]),
            own: torch.nn.functional.pad(found["head.decoder.layers.0.weight_ih_l0"], (0, own.shape[1] - EMBEDDING)),
            **{
                getattr(model.decoder.rnn, name): found[f"head.decoder.layers.0.{name}"]
                for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            },
            model.decoder.attention.key_layer.weight: found["head.decoder.attention.key.weight"],
            model.decoder.att_vector_layer.weight: torch.cat(
                found["head.decoder.output.weight"].split([2 * ENCODER, DECODER], dim=1)[::-1], dim=1
            ),  # joeynmt has the decoder's state before the context
            model.decoder.att_vector_layer.bias: torch.zeros(DECODER),
        }
        for name, parameter in model.encoder.rnn.named_parameters():
            way = "backward" if name.endswith("_reverse") else "forward"
            kind, number = name.removesuffix("_reverse").rsplit("_l", 1)
            parts[parameter] = found[f"encoder.{way}_layers.{number}.{kind}_l0"]
        with torch.no_grad():
            for parameter, values in parts.items():
                parameter.copy_(values)

    def labels(self) -> int:
        return len(self.vocabulary)


def by_length(sources: Sequence[Any], size: int) -> list[list[int]]:
    """Places of sentences, those of similar length together."""
    order = sorted(range(len(sources)), key=lambda place: -len(sources[place]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def main() -> None:
    name, path = sys.argv[1:]
    job = json.loads(Path(path).read_text())

    def make() -> Any:
        import torch

        torch.set_num_threads(job["threads"])
        side: Side = JoeySide(job, input_feeding=name == "feeding") if name in JOEY else SeqpipeSide(job, name)

        def answer(kind: str, argument: int) -> dict[str, Any]:
            if kind == "train":
                return {"loss": side.train(job["batches"][argument])}
            if kind == "translate":
                return {"texts": side.translate(argument)}
            if kind == "teach":  # of a SeqpipeSide
                for batch in job["training_batches"]:
                    side.train(batch)
                return {}
            if kind in ("save", "load"):
                getattr(side, kind)(Path(path).with_name("weights.pt"))
                return {}
            return {
                "labels": side.labels(),
                "parameters": sum(parameter.numel() for parameter in side.model.parameters()),
                "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }

        return answer

    answer_calls(make)


JOEY = ("joeynmt", "feeding")


if __name__ == "__main__":
    main()
