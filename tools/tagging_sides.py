"""The two sides of `bench_text.py`: the same BiLSTM-CRF tagger as seqpipe's pipeline and as Flair's `SequenceTagger`.

Run as ``PYTHON tools/tagging_sides.py SIDE JOB.json`` in a process of its own, whose Python has the side's library and
need not have the other's. Calls come in on standard input, a JSON list a line; answers go out on standard output.
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

WORD_SIZE, CHARACTER_SIZE, HIDDEN_SIZE = 100, 25, 256
WORD_DROPOUT, DROPOUT = 0.05, 0.5
"""Of whole words, and of a feature at all steps of a sentence, before the BiLSTM and after it: Flair's defaults."""
LEARNING_RATE, CLIP_NORM = 1e-3, 5.0
"""Of AdamW in its fused kernel, and of the gradient (Flair's trainer clips so), on both sides."""
WORD_LETTERS = 20
"""Characters of a word that seqpipe's recipes for tagging read; Flair reads all."""

Sentence = tuple[list[str], list[str]]  # words and their tags


class Side(Protocol):
    """A tagger that trains and predicts; times are seconds."""

    model: Any

    def train(self, batch: Sequence[int]) -> float:
        """A step over these training sentences: from words in memory to changed weights. The mean loss of a word."""
        ...

    def predict(self, size: int) -> list[list[str]]:
        """Tags of all dev sentences, from their words, in batches of a size (0: as the side thinks best)."""
        ...

    def predict_ready(self, size: int) -> list[list[str]]:
        """The same, but from what can be made of the words before: tensors, or Flair's sentences."""
        ...

    def sizes(self) -> dict[str, int]:
        """What tells whether both sides have the same task."""
        ...


class SeqpipeSide:
    """The pipeline as a recipe would build it."""

    def __init__(self, job: dict[str, Any], precision: str) -> None:
        import torch

        from seqpipe.config.recipe import Recipe
        from seqpipe.data.loader import Examples
        from seqpipe.data.rows import Row
        from seqpipe.inference.predictor import Predictor
        from seqpipe.pipeline import Pipeline
        from seqpipe.training.optimization import make_optimizer

        recipe = Recipe.model_validate({"pipeline": PIPELINE, "training": {"learning_rate": LEARNING_RATE}})
        rows = [Row(str(number), *sentence) for number, sentence in enumerate(job["train"])]
        self.model = Pipeline(recipe)
        self.model.fit(rows)
        self.dev = [words for words, _ in job["dev"]]
        targets = [self.model.head.encode_target(row.target) for row in rows]
        self.examples = Examples(rows, targets, self.model.features, seed=1)
        self.bf16, self.epoch = precision == "bf16", 0
        self.optimizer = make_optimizer(self.model.parameters(), recipe.training)
        self.predictor = Predictor(self.model, device="cpu", precision=precision, threads=torch.get_num_threads())
        prepared = [self.model.features.prepare(words, None) for words in self.dev]
        order = sorted(range(len(prepared)), key=lambda place: len(prepared[place]))
        self.ready = [(place, prepared[place]) for place in order]

    def train(self, batch: Sequence[int]) -> float:
        import torch

        from seqpipe.data.loader import collate

        self.model.train()
        self.epoch += 1  # other words are hidden each time
        rows: Any = collate([self.examples[self.epoch, row] for row in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            total, count = self.model.loss(rows.inputs, rows.targets)
        return take_step(self.model, self.optimizer, total / count, CLIP_NORM)

    def predict(self, size: int) -> list[list[str]]:
        self.model.eval()
        return [[word.tag for word in answer.words] for answer in self.predictor.predict(self.dev)]

    def predict_ready(self, size: int) -> list[list[str]]:
        import torch

        self.model.eval()
        found: list[list[str]] = [[] for _ in self.ready]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            for start in range(0, len(self.ready), size):
                group = self.ready[start : start + size]
                raws = [self.dev[place] for place, _ in group]
                answers = self.model.answer_batch([""] * len(group), raws, [item for _, item in group])
                for (place, _), answer in zip(group, answers, strict=True):
                    found[place] = [word.tag for word in answer.words]
        return found

    def sizes(self) -> dict[str, int]:
        tokens: Any = self.model.features.reader
        return {
            "words": tokens.size,
            "characters": len(tokens.known_characters) - 2,
            "tags": self.model.head.output_size,
        }


PIPELINE = {
    "features": [
        {"stage": "Tokens", "units": "words", "characters": WORD_LETTERS, "word_dropout": 0.0},
        {
            "stage": "Concatenation",
            "stages": [
                {"stage": "Embedding", "size": WORD_SIZE},
                {"stage": "CharacterFeatures", "kind": "bilstm", "size": CHARACTER_SIZE, "filters": [CHARACTER_SIZE]},
            ],
        },
        {"stage": "FeatureDropout", "probability": WORD_DROPOUT, "kind": "steps"},
        {"stage": "FeatureDropout", "probability": DROPOUT, "kind": "variational"},
    ],
    "encoder": {"stage": "RecurrentEncoder", "hidden_size": HIDDEN_SIZE, "layers": 1},
    "head": {"stage": "TaggerHead", "decoder": "crf", "dropout": DROPOUT, "dropout_kind": "variational"},
}


class FlairSide:
    """Flair's tagger, with word vectors and a character LSTM that are trained from the start.

    Its plain loop is the loss, the gradient and the step, and forgetting the embeddings behind it, all that its
    `ModelTrainer` does of need: so it is the faster of the two.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        import flair
        import torch
        from flair.data import Dictionary
        from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
        from flair.models import SequenceTagger

        flair.device = torch.device("cpu")
        torch.manual_seed(1)

        def dictionary(entries: Sequence[str], *, unknown: bool) -> Any:
            found = Dictionary(add_unk=unknown)
            for entry in entries:
                found.add_item(entry)
            return found

        words = dictionary(sorted({word for words, _ in job["train"] for word in words}), unknown=True)
        letters = dictionary(sorted({letter for words, _ in job["train"] for letter in "".join(words)}), unknown=True)
        tags = dictionary(sorted({tag for _, tags in job["train"] for tag in tags}), unknown=False)
        self.counts = {"words": len(words), "characters": len(letters) - 1, "tags": len(tags)}
        characters = CharacterEmbeddings(letters, CHARACTER_SIZE, CHARACTER_SIZE)
        embeddings = StackedEmbeddings([OneHotEmbeddings(words, embedding_length=WORD_SIZE), characters])
        self.model = SequenceTagger(
            embeddings=embeddings,
            tag_dictionary=tags,
            tag_type="upos",
            hidden_size=HIDDEN_SIZE,
            rnn_layers=1,
            use_crf=True,
            reproject_embeddings=False,  # a further layer before the BiLSTM, which seqpipe's side hasn't
            word_dropout=WORD_DROPOUT,
            locked_dropout=DROPOUT,
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, fused=True)
        self.sentences = [self._sentence(*sentence) for sentence in job["train"]]
        self.dev = [words for words, _ in job["dev"]]
        self.ready = [self._sentence(words) for words in self.dev]

    def _sentence(self, words: list[str], tags: Sequence[str] = ()) -> Any:
        from flair.data import Sentence as FlairSentence

        sentence = FlairSentence(words)
        for token, tag in zip(sentence, tags, strict=False):
            token.add_label("upos", tag)
        return sentence

    def train(self, batch: Sequence[int]) -> float:
        from flair.training_utils import store_embeddings

        self.model.train()
        sentences = [self.sentences[row] for row in batch]
        total, count = self.model.forward_loss(sentences)
        loss = take_step(self.model, self.optimizer, total / count, CLIP_NORM)
        store_embeddings(sentences, "none")
        return loss

    def predict(self, size: int) -> list[list[str]]:
        return self._predict([self._sentence(words) for words in self.dev], size)

    def predict_ready(self, size: int) -> list[list[str]]:
        return self._predict(self.ready, size)

    def _predict(self, sentences: list[Any], size: int) -> list[list[str]]:
        self.model.eval()
        self.model.predict(sentences, mini_batch_size=size, label_name="predicted")
        return [[token.get_label("predicted").value for token in sentence] for sentence in sentences]

    def sizes(self) -> dict[str, int]:
        return self.counts


SIDES: dict[str, Callable[[dict[str, Any]], Side]] = {
    "flair": FlairSide,
    "fp32": lambda job: SeqpipeSide(job, "fp32"),
    "bf16": lambda job: SeqpipeSide(job, "bf16"),
}


def make(name: str, job: dict[str, Any]) -> Callable[[str, int], dict[str, Any]]:
    """What answers this side's calls."""
    import torch

    warnings.simplefilter("ignore")
    logging.disable()  # Flair tells every word of its dictionaries
    torch.set_num_threads(job["threads"])
    side = SIDES[name](job)

    def answer(kind: str, argument: int) -> dict[str, Any]:
        if kind == "facts":
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            parameters = sum(each.numel() for each in side.model.parameters())
            return {**side.sizes(), "parameters": parameters, "megabytes": megabytes}
        started = time.perf_counter()
        if kind == "train":
            return {"loss": side.train(job["batches"][argument]), "seconds": time.perf_counter() - started}
        found = getattr(side, kind)(argument)
        seconds = time.perf_counter() - started
        pairs = [zip(wanted, tags, strict=True) for (_, wanted), tags in zip(job["dev"], found, strict=True)]
        return {"right": sum(tag == other for pair in pairs for tag, other in pair), "seconds": seconds}

    return answer


if __name__ == "__main__":
    answer_calls(lambda: make(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
