"""The language model: what follows each step of a text, over whatever units the features read it in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.answers.scored_text import ScoredText
from seqpipe.core.chain import FeatureChain, find_stages
from seqpipe.core.head import Encoded, Head
from seqpipe.core.options import InputSize, Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.errors import ConfigError
from seqpipe.features.text.after_tokens import token_numbers
from seqpipe.features.text.embedding import Embedding
from seqpipe.features.text.tokens import Tokens
from seqpipe.heads.learnt import learnt
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.precision import product_types
from seqpipe.layers.vocabulary_loss import MAX_LOGITS, aligned_output, vocabulary_loss
from seqpipe.metrics.language_model import LanguageModelMetric
from seqpipe.text.rules import apply_rules
from seqpipe.text.splitting import checked_text
from seqpipe.text.vocabulary import UNKNOWN

Probability = Annotated[float, Field(ge=0, lt=1)]
CODE_POINTS = 0x110000 - 0x800
"""That Unicode has, but for halves of surrogate pairs: what an unknown character is one of."""


class Predicted(NamedTuple):
    """What was predicted of a text.

    Attributes:
        nats: -log p of each label, the end included, ``[L]`` float64.
        right: of which the true one was the likeliest.
        unknown: places of units that the vocabulary lacks.
    """

    nats: Tensor
    right: int
    unknown: list[int]


class LanguageModelHead(Head):
    """Predict each unit of a text given those before it, and its end (Mikolov et al. 2010; Merity et al. 2018).

    Units are those that the features' `Tokens` read: characters, words or SentencePiece units. The target is the
    input's own text, so ``data.target`` names the same column as ``data.input``. No stage before the head may look
    ahead: the encoder goes one way. What comes first is predicted from a vector that is learnt.

    Args:
        input_size: D, features of an encoded step.
        tied: the output layer's weights are the features' `Embedding` (Press & Wolf 2017; Inan et al. 2017); where that
            has another size than D, a linear layer stands between.
        dropout: probability, on the encoded steps.
        dropout_kind: what is dropped together; see `DropoutKind`.
        label_smoothing: share of the target's probability that goes to all units alike, while training.
        features: the chain's features; passed by the pipeline. A head by itself reads characters.

    Shape: ``[B, T, D]`` -> log-probabilities ``[B, T, V + 1]`` of what follows each step; 0 is the unknown unit, and V
    the end.

    Example:
        >>> head = LanguageModelHead(input_size=8)
        >>> head.fit(["abba"])
        >>> head.encode_target("abx").tolist()
        [1, 2, 0, 3]
    """

    needs_fit = True
    causal = True
    unfitted = LanguageModelMetric()

    def __init__(
        self,
        *,
        input_size: InputSize,
        tied: bool = False,
        dropout: Probability = 0.0,
        dropout_kind: DropoutKind = "elements",
        label_smoothing: Probability = 0.0,
        features: Annotated[FeatureChain | None, Upstream("features")] = None,
    ) -> None:
        super().__init__()
        reader = features.reader if features is not None else Tokens(units="characters")
        if not isinstance(reader, Tokens):
            raise ConfigError(f"needs features that begin with Tokens; they begin with {type(reader).__name__}")
        for name, given in (
            ("bpe_dropout", reader.bpe_dropout),
            ("unigram_sampling", reader.unigram_sampling is not None),
            ("overflow", reader.overflow == "truncate"),
        ):
            if given:
                raise ConfigError(f"learns the text as it is, so it doesn't go with Tokens.{name}")
        self.input_size, self.tied = input_size, tied
        self.dropout, self.dropout_kind, self.label_smoothing = dropout, dropout_kind, label_smoothing
        self._features = (features,)  # in a tuple: stages of the chain, no parts of this one
        self._tokens = (reader,)
        self.start: nn.Parameter | None = None
        self.output: nn.Linear | None = None
        self.projection: nn.Linear | None = None
        self.end: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None

    @property
    def tokens(self) -> Tokens:
        """What the text is read by."""
        return self._tokens[0]

    @property
    def metric(self) -> LanguageModelMetric:
        """Bits per character, and the rest."""
        return LanguageModelMetric()

    # What is learnt

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Make the output layer; the units are the features'. A head by itself learns the characters of the texts."""
        if self._features[0] is None:
            self.tokens.fit(rows)
        self._build()

    def save_assets(self, folder: Path) -> None:
        """Nothing, but for a head by itself."""
        if self._features[0] is None:
            self.tokens.save_assets(folder)

    def load_assets(self, folder: Path) -> None:
        """Make the output layer."""
        if self._features[0] is None:
            self.tokens.load_assets(folder)
        self._build()

    def _build(self) -> None:
        size = self.tokens.size
        self.output_size = size + 1
        self.start = nn.Parameter(torch.zeros(self.input_size))
        if not self.tied:
            self.output = nn.Linear(self.input_size, self.output_size)
            return
        width = self._table().shape[1]
        self.end = nn.Parameter(torch.randn(1, width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(self.output_size))
        if width != self.input_size:
            self.projection = nn.Linear(self.input_size, width)

    def _table(self) -> Tensor:
        """The features' embeddings of all units, ``[V, E]``."""
        features = self._features[0]
        for stage in find_stages(features, Embedding) if features is not None else ():
            if stage.weight is not None:
                return stage.weight
        raise ConfigError("needs an Embedding among the features").within("tied")

    # A batch

    def read_target(self, raw: Any) -> str | list[str]:
        """A text; raises `InputError` if it is none."""
        return checked_text(raw)

    def encode_target(self, raw: Any) -> Tensor:
        """A text as labels ``[L + 1]`` int64, the end behind them.

        Raises:
            InputError: it is no text, or holds none.
        """
        numbers = self.tokens.prepare(raw, None)
        return torch.cat([token_numbers(numbers[None])[0], torch.tensor([self.tokens.size])])

    def min_steps(self, target: Tensor) -> int:
        """A step for each unit; the end needs none of its own."""
        return max(1, len(target) - 1)

    def target_of(self, target: Tensor, start: int, stop: int) -> Tensor:
        """The labels behind steps ``start`` to ``stop``; the first part has the text's first unit too."""
        return target[start + 1 if start else 0 : stop + 1]

    def forward(self, encoded: PaddedSequence) -> PaddedSequence:
        """Log-probabilities ``[B, T, V + 1]`` of what follows each step, in fp32 whatever the precision around it."""
        values = dropout(encoded.values, self.dropout, self.training, self.dropout_kind)
        return PaddedSequence(self.log_probabilities(values), encoded.lengths)

    def log_probabilities(self, steps: Tensor) -> Tensor:
        """Of all units and the end behind steps ``[..., D]``: ``[..., V + 1]``."""
        return F.log_softmax(F.linear(self._projected(steps), *self._output()).float(), dim=-1)

    @torch.no_grad()
    def predictor(self) -> Callable[[Tensor], Tensor]:
        """`log_probabilities` for many calls without gradients, with weights as they are now, made ready once."""
        logits = aligned_output(*self._output())
        return lambda steps: F.log_softmax(logits(self._projected(steps)), dim=-1)

    @property
    def first_step(self) -> Tensor:
        """What stands in the place of a step before the first unit, ``[D]``."""
        return learnt(self, self.start, "units", "texts")

    def _projected(self, steps: Tensor) -> Tensor:
        return self.projection(steps) if self.projection is not None else steps

    def _output(self) -> tuple[Tensor, Tensor]:
        """Weights ``[V + 1, E]`` and biases of the output layer."""
        if self.output is not None:
            return self.output.weight, self.output.bias
        end = learnt(self, self.end, "units", "texts")
        return torch.cat([self._table(), end]), learnt(self, self.bias, "units", "texts")

    def loss(self, encoded: Encoded, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of -log p in nats, and the number of labels.

        Args:
            encoded: ``[B, T, D]``: whole texts, or parts of them (`target_of`).
            targets: labels; of a row's beginning one more than it has steps, else as many.

        Raises:
            ConfigError: a target has another length, so it isn't the input's own text.
        """
        values = dropout(encoded.values, self.dropout, self.training, self.dropout_kind)
        steps = torch.cat(self._aligned(values, encoded.lengths, targets))
        labels = torch.cat(list(targets)).to(steps.device)
        smoothing = self.label_smoothing if self.training else 0.0
        total = vocabulary_loss(self._projected(steps), *self._output(), labels, smoothing)
        return total, torch.tensor(float(len(labels)), device=total.device)

    def _aligned(self, values: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> list[Tensor]:
        """The steps of each row that its labels are predicted from, ``[L, D]``."""
        found = []
        for row, length, target in zip(values, lengths.tolist(), targets, strict=True):
            if len(target) not in (length, length + 1):
                raise ConfigError(
                    f"data.target should be what data.input is: LanguageModelHead learns the input's own text, and "
                    f"got {len(target)} labels for {length} units"
                )
            steps = row[:length]
            if len(target) > length:
                steps = torch.cat([self.first_step.to(steps.dtype)[None], steps])
            found.append(steps)
        return found

    # Answers

    def predicted(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[Predicted]:
        """How probable each label of each row was; ``targets`` as of `loss`."""
        weight, bias = self._output()
        _, exact = product_types(encoded.values)
        at_once = max(1, MAX_LOGITS // len(weight))
        found = []
        for steps, target in zip(self._aligned(*encoded[:2], targets), targets, strict=True):
            labels, nats, right = target.to(steps.device), [], 0
            for begin in range(0, len(labels), at_once):
                own = labels[begin : begin + at_once, None]
                logits = F.linear(self._projected(steps[begin : begin + at_once]), weight, bias).to(exact)
                nats.append(-F.log_softmax(logits, dim=-1).gather(1, own)[:, 0].double())
                right += int((logits.argmax(dim=-1) == own[:, 0]).sum())
            unknown = (labels == UNKNOWN).nonzero()[:, 0].tolist()
            found.append(Predicted(torch.cat(nats).cpu(), right, unknown))
        return found

    def decode(self, encoded: Encoded, options: Any = None) -> list[Predicted]:
        """How probable each row's own text is.

        Raises:
            ConfigError: nobody says what the features prepared (`Encoded.prepared`).
        """
        if encoded.prepared is None:
            raise ConfigError("LanguageModelHead scores the input itself, so it needs Encoded.prepared")
        end = torch.tensor([self.tokens.size])
        rows = PaddedSequence(token_numbers(encoded.prepared.values), encoded.prepared.lengths).rows()
        return self.predicted(encoded, [torch.cat([row.cpu(), end]) for row in rows])

    def answer(self, row_id: str, hypothesis: Predicted, location: Location) -> ScoredText:
        """What was predicted of a text, as an answer."""
        rules, nats = self.tokens.rules, hypothesis.nats
        items = location.items if hypothesis.unknown else ()
        lengths = [len(apply_rules(items[place].text, rules)) for place in hypothesis.unknown]
        # A character ends by itself; of words and units, that no further character comes is one more choice.
        alone = self.tokens.units == "characters"
        choices = sum(lengths) if alone else sum(lengths) + len(lengths)
        total = float(nats.sum())
        return ScoredText(
            id=row_id,
            confidence=math.exp(-total / len(nats)),
            log_probability=-total,
            units=len(nats),
            right_units=hypothesis.right,
            unknown=len(hypothesis.unknown),
            spelling=-choices * math.log(CODE_POINTS + (not alone)),
            characters=len(apply_rules(location.text, rules)),
        )

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The geometric mean of the probabilities of each row's labels, 0 to 1, as answers have it for confidence."""
        return [math.exp(-float(item.nats.mean())) for item in self.predicted(encoded, targets)]
