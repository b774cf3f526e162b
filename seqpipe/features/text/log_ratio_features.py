"""What the training rows say of a word and its neighbours: in which class they stand more often."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from seqpipe.core.assets import read_tensors
from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, DataError, InputError, RunError
from seqpipe.features.text.after_tokens import numbers_to_onnx, token_numbers, tokens_before
from seqpipe.features.text.ngrams import ngram_keys, ngram_keys_to_onnx, places_of
from seqpipe.layers.dropout import dropout
from seqpipe.text.classes import class_name


class LogRatioFeatures(Feature):
    """Naive Bayes' log-count ratios of each token, the pair that ends and the one that begins with it, by class.

    Bags of such ratios are hard to beat where training texts are few (Wang & Manning 2012); here they are features of
    a step, beside its embedding, so that a recurrent layer need not learn them, and can say where they don't hold. They
    are the logarithm of how much more often a text with this n-gram is of a class than of the others, with one added to
    each count.

    While training, a text's own count is left out of its ratios: they would give its class away. It is known by its
    tokens, so hide words (``Embedding.word_dropout``) behind this stage only; and `training.freeze` must not hold it.
    Both are refused.

    Args:
        previous: `Tokens`; passed by the pipeline.
        orders: lengths of n-grams; from 2 on each gives features twice, of that which ends and that which begins.
        min_count: n-grams in fewer training texts have a ratio of 0; so have those with an unknown token.
        dropout: probability, on the ratios while training.

    Shape: ``[B, T]`` or ``[B, T, 1 + W]`` numbers -> ``[B, T, n · K]``, n the number of n-grams that a token has; for
    two classes one ratio says all, so K is 1.
    """

    constant = True
    needs_fit = True
    needs_targets = True
    FILE = "log_ratios.safetensors"

    def __init__(
        self,
        *,
        previous: Annotated[Any, Upstream("")],
        orders: Annotated[list[Annotated[int, Field(gt=0, le=4)]], Field(min_length=1)] = [1, 2],  # noqa: B006
        min_count: Annotated[int, Field(ge=1)] = 2,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    ) -> None:
        super().__init__()
        self._previous = tokens_before(previous, self)
        tokens = self._previous[0]
        varied = {"word_dropout": tokens.word_dropout, "rare_dropout": tokens.rare_dropout}
        if "lowercase" not in tokens.rules:  # else the words are the same in either case
            varied["lowercase_share"] = tokens.lowercase_share
        changing = [name for name, amount in varied.items() if amount]
        if changing:
            raise ConfigError(
                f"LogRatioFeatures knows training texts by their tokens, and Tokens.{changing[0]} changes these; hide "
                "words by Embedding.word_dropout instead"
            )
        self.orders, self.min_count, self.dropout = orders, min_count, dropout
        none = torch.zeros(0, dtype=torch.int64)
        for name in ("keys", "counts", "totals", "texts", "labels"):
            self.register_buffer(name, none, persistent=False)
        self.keys: Tensor  # [G], sorted
        self.counts: Tensor  # [G, K], training texts of each class that have the n-gram
        self.totals: Tensor  # [K], sums of counts and one for each n-gram
        self.texts: Tensor  # [N], sorted; numbers that training texts are known by
        self.labels: Tensor  # [N], their classes

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """Known once the classes are."""
        return sum(1 if order == 1 else 2 for order in self.orders) * self._classes

    def fit(self, rows: Iterable[PaddedSequence], targets: Iterable[Any] = ()) -> None:
        """Count in how many training texts of each class each n-gram stands.

        Texts whose target names no class are left to the head to name.

        Raises:
            DataError: the targets are not the names of two classes or more.
        """
        names: dict[str, int] = {}
        odd: list[InputError] = []
        keys, owners, texts, labels = [], [], [], []
        for sequence, target in zip(rows, targets, strict=True):
            try:
                label = names.setdefault(class_name(target), len(names))
            except InputError as error:
                odd.append(error)
                continue
            found = torch.cat([ngram_keys(sequence, order, self._previous[0].size)[0] for order in self.orders])
            found = found[found >= 0].unique()
            keys.append(found)
            owners.append(torch.full_like(found, label))
            texts.append(text_number(sequence))
            labels.append(label)
        if len(names) < 2:
            count = "1 row names" if len(odd) == 1 else f"{len(odd):,} rows name"
            unread = f"; {count} none, the first of them: {odd[0]}" if odd else ""
            raise DataError(
                f"LogRatioFeatures needs two classes or more in the training rows; it found {len(names)}{unread}"
            )
        every, place = torch.cat(keys).unique(return_inverse=True)
        counts = torch.zeros(len(every) * len(names), dtype=torch.int64)
        counts.scatter_add_(0, place * len(names) + torch.cat(owners), torch.ones_like(place))
        counts = counts.view(len(every), len(names))
        kept = counts.sum(dim=1) >= self.min_count
        known, first = torch.cat(texts).unique(return_inverse=True)
        table = torch.zeros(len(known), dtype=torch.int64).scatter_(0, first, torch.tensor(labels))
        order = torch.tensor([names[name] for name in sorted(names)])
        renumbered = torch.argsort(order)
        self._build(every[kept], counts[kept][:, order], known, renumbered[table])

    def _build(self, keys: Tensor, counts: Tensor, texts: Tensor, labels: Tensor) -> None:
        self.keys, self.counts, self.texts, self.labels = keys, counts, texts, labels
        self.totals = counts.sum(dim=0) + len(keys)

    def save_assets(self, folder: Path) -> None:
        """Write the counts."""
        names = ("keys", "counts", "texts", "labels")
        save_file({name: getattr(self, name).cpu().contiguous() for name in names}, folder / self.FILE)

    def load_assets(self, folder: Path) -> None:
        """Restore the counts; raises `RunError` if the file is damaged."""
        path = folder / self.FILE
        found = read_tensors(path, {"keys": 1, "counts": 2, "texts": 1, "labels": 1})
        if len(found["counts"]) != len(found["keys"]) or len(found["labels"]) != len(found["texts"]):
            raise RunError(f"{path}: is damaged: its tables are not of one size; restore it")
        if found["counts"].shape[1] < 2 or (found["counts"] < 0).any():
            raise RunError(f"{path}: is damaged: counts are of two classes or more, and never negative; restore it")
        self._build(**found)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Look up the ratios."""
        if not len(self.totals):
            raise ConfigError("LogRatioFeatures has no counts yet: call fit or load_assets of the chain first")
        own = torch.zeros(len(sequence.lengths), len(self.totals), dtype=torch.int64, device=sequence.lengths.device)
        if self.training:
            place = places_of(text_number(sequence), self.texts)
            rows = torch.arange(len(own), device=own.device)
            own[rows, self.labels[place.clamp(min=0)]] = (place >= 0).to(torch.int64)
        parts = []
        for order in self.orders:
            place = places_of(ngram_keys(sequence, order, self._previous[0].size), self.keys)
            counts = self.counts[place.clamp(min=0)] - own[:, None, :] if len(self.keys) else own[:, None, :]
            # Where no n-gram was met often enough, totals are 0, and ratios no numbers.
            ratios = self._ratios(counts).masked_fill((place < 0).unsqueeze(-1), 0.0)
            parts.append(ratios)
            if order > 1:  # of the n-gram that begins here
                begins = torch.zeros_like(ratios)
                begins[:, : ratios.shape[1] - order + 1] = ratios[:, order - 1 :]
                parts.append(begins)
        values = dropout(torch.cat(parts, dim=-1), self.dropout, self.training)
        return PaddedSequence(values, sequence.lengths).masked()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        if not len(self.totals):
            raise ConfigError("LogRatioFeatures has no counts yet: call fit or load_assets of the chain first")
        numbers, lengths = numbers_to_onnx(graph, self._previous[0], sequence)
        known = self._ratios(self.counts[:, None])[:, 0]  # [G, K]
        table = torch.cat([torch.zeros_like(known[:1]), known]) if len(known) else torch.zeros(1, self._classes)
        parts = []
        for order in self.orders:
            keys = ngram_keys_to_onnx(graph, numbers, order, self._previous[0].size)
            ratios = graph.op("Gather", graph.constant(table.numpy()), graph.places(keys, self.keys.numpy()))
            parts.append(ratios)
            if order > 1:  # of the n-gram that begins here
                behind = graph.op("Pad", ratios, graph.constant([0, 0, 0, 0, order - 1, 0]), graph.constant(0.0))
                parts.append(graph.slice(behind, order - 1, np.iinfo(np.int64).max, 1))
        return Symbol(graph.concatenate(parts), lengths)

    @property
    def _classes(self) -> int:
        """K of the ratios of an n-gram; for two classes one says all."""
        return 1 if len(self.totals) == 2 else len(self.totals)

    def _ratios(self, counts: Tensor) -> Tensor:
        """``[B, T, K]`` counts -> ``[B, T, K]`` ratios, ``[B, T, 1]`` for two classes."""
        counts = counts.clamp(min=0).float() + 1
        totals = self.totals.float()
        if len(totals) == 2:
            return (counts[..., 1:] / counts[..., :1]).log() - (totals[1] / totals[0]).log()
        others, other_totals = counts.sum(dim=-1, keepdim=True) - counts, totals.sum() - totals
        return (counts / others).log() - (totals / other_totals).log()


def text_number(tokens: PaddedSequence) -> Tensor:
    """A number that a text is known by, ``[B]``: a polynomial of its tokens modulo 2^64."""
    numbers = (token_numbers(tokens.values) + 1).masked_fill(~tokens.mask(), 0)
    base = torch.full((numbers.shape[1],), 0x2545F4914F6CDD1D, dtype=torch.int64, device=numbers.device)
    return (numbers * base.cumprod(dim=0)).sum(dim=1)
