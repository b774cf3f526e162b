"""Numbers of words (or characters, or units) as vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import numbers_to_onnx, token_numbers, tokens_before
from seqpipe.features.text.vectors import Coverage, read_vectors
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.text.vocabulary import UNKNOWN


class Embedding(Feature):
    """A trainable vector for each token; or one that comes from a file of word vectors.

    Args:
        previous: the stage before, which knows the vocabulary; passed by the pipeline.
        size: D, features of a token; that of the vectors where a file is given.
        vectors: file of pre-trained word vectors (GloVe ``.txt``, fastText ``.vec``, word2vec text or ``.bin``, also
            ``.gz``); see `read_vectors`. It is read once the vocabulary is learnt, the rows of known words alone, and
            not needed afterwards. A relative path is one from the folder where the command runs.
        tuned: train the vectors further; otherwise those from the file stay as they are, and so do those of words that
            it lacks.
        standard_deviation: of the normally distributed vectors that training starts with. Words that a file of vectors
            lacks start with the deviation of those that it has (Kim 2014), whatever stands here.
        word_dropout: probability that a token is hidden while training, as the unknown one, from this stage alone.
        dropout: probability, on the vectors while training.
        dropout_kind: ``elements``, ``variational`` or ``steps`` (whole tokens); see `DropoutKind`.

    Shape: ``[B, T]`` or ``[B, T, 1 + W]`` numbers -> ``[B, T, size]``; characters beside the number are not looked at.
    """

    stepwise = True

    def __init__(
        self,
        *,
        previous: Annotated[Any, Upstream("")],
        size: Annotated[int, Field(gt=0)] = 100,
        vectors: Path | None = None,
        tuned: bool = True,
        standard_deviation: Annotated[float, Field(gt=0)] = 0.1,
        word_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
    ) -> None:
        super().__init__()
        self._previous = tokens_before(previous, self)
        self.output_size = size
        self.vectors, self.tuned, self.standard_deviation = vectors, tuned, standard_deviation
        self.word_dropout, self.dropout, self.dropout_kind = word_dropout, dropout, dropout_kind
        self.needs_fit = vectors is not None
        # A buffer if it never learns: whatever thaws parameters, decays or penalises them, leaves it alone.
        self.constant = self.needs_fit and not tuned
        if self.constant:
            self.register_buffer("weight", None)
        else:
            self.register_parameter("weight", None)
        self.weight: Tensor | None
        self.coverage: Coverage | None = None

    def build(self) -> None:
        """Make the table, a row for each token."""
        rows = self._previous[0].size
        weight = torch.randn(rows, self.output_size) * self.standard_deviation
        self.weight = weight if self.constant else nn.Parameter(weight)

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Take the vectors of the known words from the file; the training rows themselves aren't looked at.

        Raises:
            DataError: the file is no file of vectors, or a line of it has another dimension; file and line are named.
        """
        if self.vectors is None or self.weight is None:
            return
        tokens = self._previous[0]
        # Files of SentencePiece units write its mark where our pieces have a space.
        entries = [entry.replace(" ", "\u2581") for entry in tokens.vocabulary]
        numbers = {entry: number for number, entry in enumerate(entries) if entry}
        coverage = read_vectors(self.vectors, numbers, self.weight, rules=tokens.rules, counts=tokens.counts)
        spread = float(self.weight.detach()[coverage.found].std(correction=0)) if coverage.known else 0.0
        if spread:
            with torch.no_grad():
                self.weight[~coverage.found] *= spread / self.standard_deviation
        self.coverage = coverage

    def fit_messages(self) -> list[str]:
        """How many of the words the file of vectors knows."""
        return [str(self.coverage)] if self.coverage is not None else []

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Look up, and drop out if training."""
        if self.weight is None:
            raise ConfigError("Embedding has no vectors yet: call fit or load_assets of the chain first")
        values, lengths = sequence.masked(0)
        numbers = token_numbers(values)
        if self.training and self.word_dropout:
            hidden = torch.rand(numbers.shape, device=numbers.device) < self.word_dropout
            numbers = numbers.masked_fill(hidden, UNKNOWN)
        values = F.embedding(numbers, self.weight)  # [B, T, D]
        return PaddedSequence(dropout(values, self.dropout, self.training, self.dropout_kind), lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        if self.weight is None:
            raise ConfigError("Embedding has no vectors yet: call fit or load_assets of the chain first")
        numbers, lengths = numbers_to_onnx(graph, self._previous[0], sequence)
        return Symbol(graph.op("Gather", graph.constant(self.weight.detach().numpy()), numbers), lengths)


class OneHot(Feature):
    """Tokens as vectors of zeros with a single one: for alphabets of a few signs, such as those of DNA.

    Args:
        previous: the stage before, which knows the vocabulary; passed by the pipeline.

    Shape: ``[B, T]`` numbers -> ``[B, T, V]``; the first feature is that of unknown tokens.
    """

    stepwise = True

    def __init__(self, *, previous: Annotated[Any, Upstream("")]) -> None:
        super().__init__()
        self._previous = tokens_before(previous, self)

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """V, known once the vocabulary is."""
        return int(self._previous[0].size)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Spread out."""
        values, lengths = sequence.masked(0)
        numbers = token_numbers(values)
        values = F.one_hot(numbers, self.output_size).to(torch.get_default_dtype())
        return PaddedSequence(values, lengths).masked()

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        numbers, lengths = numbers_to_onnx(graph, self._previous[0], sequence)
        values = graph.op("OneHot", numbers, graph.constant(self.output_size), graph.constant([0.0, 1.0]))
        return Symbol(values, lengths)
