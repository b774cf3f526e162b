"""The attention head: texts written unit by unit, of any length, by a recurrent decoder that looks at the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.chain import FeatureChain, find_stages
from seqpipe.core.head import Distribution
from seqpipe.core.onnx_graph import Connected, Form, OnnxGraph, Symbol
from seqpipe.core.options import InputSize, Upstream
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence, length_mask
from seqpipe.decoders.attention import AttentionKind
from seqpipe.decoders.decoder_nodes import embedded, memory_forms, start, state_forms, step
from seqpipe.decoders.recurrent import Bridge, DecoderCell, RecurrentDecoder
from seqpipe.decoding.ctc import ctc_losses, refuse_too_short
from seqpipe.decoding.ctc_hypothesis import frames_needed
from seqpipe.decoding.fusion import FusionOptions
from seqpipe.decoding.generation import GenerationDecoding
from seqpipe.errors import ConfigError
from seqpipe.features.text.embedding import Embedding
from seqpipe.features.text.tokens import Tokens
from seqpipe.heads.decoded_text import DecodedTextHead
from seqpipe.heads.learnt import learnt
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.vocabulary_loss import vocabulary_loss
from seqpipe.metrics.text import TextMetric
from seqpipe.metrics.transcription import TranscriptionMetric
from seqpipe.metrics.translation import TranslationMetric
from seqpipe.text.bidi import BaseDirection
from seqpipe.text.limited_units import LimitedUnits
from seqpipe.text.rules import TextRule
from seqpipe.text.subword_sampling import SampledSpelling, check_sampling, sampled_spelling
from seqpipe.text.target_text import written
from seqpipe.text.units import SentencePieceUnits, Units
from seqpipe.text.word_units import WordUnits

TargetUnits = Literal["shared", "unigram", "bpe", "characters", "words"]
"""What a text is written in: the features' own SentencePiece units, which must have been learnt from both sides
(``shared``); SentencePiece units of its own (``unigram``, ``bpe``); characters; or words between white space."""
SCORES: dict[str, type[TextMetric]] = {"translation": TranslationMetric, "transcription": TranscriptionMetric}
CTC_WEIGHTS = (0.0, 0.95)
"""In which the share of CTC in a search is searched."""
Probability = Annotated[float, Field(ge=0, lt=1)]


class AttentionHead(DecodedTextHead):
    """Write a text with an attentive recurrent decoder (Bahdanau et al. 2015; Luong et al. 2015).

    The units are learnt from the training texts by `fit`, or come with `load_assets`; the decoder is made then.

    Args:
        input_size: D, features of an encoded step.
        units: see `TargetUnits`.
        vocabulary_size: how many units of ``unigram`` and ``bpe``, and words at most.
        vocabulary_threshold: of ``shared`` units, only those are written that training's targets hold so often, what is
            rarer is spelt in shorter ones; with 0 all are, those of the source's language too.
        text: rules applied to the training texts, and to both sides before scoring; see `TextRule`.
        base_direction: texts are written in display order, as `CTCHead` says. Attention may go through an image in any
            direction, so this is for ``ctc_weight``, which may not, and ``location``, which hardly does; not for
            ``shared`` units and words.
        embedding_size: E, of units that were written, and of the decoder's output.
        hidden_size: H, units of a layer of the decoder.
        layers: of the decoder.
        cell: ``lstm`` or ``gru``.
        attention: see `AttentionKind`.
        heads: of ``multi_head``.
        input_feeding: the output goes into the next step (Luong et al. 2015); training is then step by step.
        bridge: what the decoder's first state is made of; see `Bridge`.
        tied: the output layer's weights are the embeddings (``output``, Press & Wolf 2017), and the features' own too
            (``all``, with ``shared`` units and an `Embedding` of the same size); or not (``none``).
        dropout: probability, on encoded steps, between the decoder's layers and on its output.
        dropout_kind: of the encoded steps; see `DropoutKind`.
        embedding_dropout: probability, on embeddings of what was written.
        attention_dropout: probability, on the weights of attention.
        label_smoothing: share of the target's probability that goes to all units alike (Szegedy et al. 2016).
        scheduled_sampling: probability that the decoder, while training, is shown its own likeliest unit in place of
            the true one (Bengio et al. 2015), by a first pass over the true ones (Mihaylova & Martins 2019).
        ctc_weight: share of a CTC loss over the same units on the encoded steps, 0 to below 1 (Watanabe et al. 2017).
        bpe_dropout, unigram_sampling: while training, targets are spelt in other units in every epoch; see `Tokens`.
            Not beside a CTC loss, which the longer ones might not fit.
        copy_unknown: an unknown word in the answer is replaced by the word of the input that got most attention (Luong
            et al. 2015, "Addressing the rare word problem"); for ``words``.
        scores: ``translation`` (BLEU, chrF, exact matches) or ``transcription`` (word and character errors).
        features: the chain's features; passed by the pipeline.

    Shape: ``[B, T, D]`` -> log-probabilities ``[B, L + 1, V]`` of given labels and the end, which is label V - 1.
    """

    decoding = GenerationDecoding

    def __init__(
        self,
        *,
        input_size: InputSize,
        units: TargetUnits = "unigram",
        vocabulary_size: Annotated[int, Field(gt=1)] = 8000,
        vocabulary_threshold: Annotated[int, Field(ge=0)] = 0,
        text: list[TextRule] = [],  # noqa: B006
        base_direction: BaseDirection | None = None,
        embedding_size: Annotated[int, Field(gt=0)] = 256,
        hidden_size: Annotated[int, Field(gt=0)] = 256,
        layers: Annotated[int, Field(gt=0)] = 1,
        cell: DecoderCell = "lstm",
        attention: AttentionKind = "general",
        heads: Annotated[int, Field(gt=0)] = 4,
        input_feeding: bool = False,
        bridge: Bridge = "mean",
        tied: Literal["none", "output", "all"] = "output",
        dropout: Probability = 0.0,
        dropout_kind: DropoutKind = "elements",
        embedding_dropout: Probability = 0.0,
        attention_dropout: Probability = 0.0,
        label_smoothing: Probability = 0.0,
        scheduled_sampling: Annotated[float, Field(ge=0, le=1)] = 0.0,
        ctc_weight: Probability = 0.0,
        bpe_dropout: Probability = 0.0,
        unigram_sampling: Annotated[float, Field(ge=0)] | None = None,
        copy_unknown: bool = False,
        scores: Literal["translation", "transcription"] = "translation",
        features: Annotated[FeatureChain | None, Upstream("features")] = None,
    ) -> None:
        super().__init__()
        if base_direction is not None and units in ("shared", "words"):
            message = f"goes with units: characters, unigram or bpe; they are {units}"
            raise ConfigError(message).within("base_direction")
        self.base_direction = base_direction
        if tied == "all" and units != "shared":
            raise ConfigError(f"all goes with units: shared; they are {units}").within("tied")
        if copy_unknown and units != "words":
            raise ConfigError(f"goes with units: words; of {units}, none is unknown").within("copy_unknown")
        tokens = _tokens_of(features)
        if copy_unknown and tokens is not None and not tokens.words_are_steps:
            message = "needs a step for each word: Tokens of words, or with word_pooling"
            raise ConfigError(message).within("copy_unknown")
        if units == "shared" and features is None:
            raise ConfigError("shared needs a pipeline whose features have SentencePiece units").within("units")
        spelt = units if units != "shared" else tokens.units if tokens is not None else ""
        if units != "shared" or tokens is not None:
            check_sampling(spelt, bpe_dropout=bpe_dropout, unigram_sampling=unigram_sampling)
        if vocabulary_threshold and units != "shared":
            raise ConfigError(f"goes with units: shared; they are {units}").within("vocabulary_threshold")
        if bpe_dropout or unigram_sampling is not None:
            refusal = "doesn't go with bpe_dropout or unigram_sampling"
            if vocabulary_threshold:
                raise ConfigError(f"{refusal}, which write all units").within("vocabulary_threshold")
            if ctc_weight:
                raise ConfigError(f"{refusal} of the targets").within("ctc_weight")
        self.bpe_dropout, self.unigram_sampling, self.spelt_in = bpe_dropout, unigram_sampling, spelt
        self.kind, self.vocabulary_size, self.rules = units, vocabulary_size, text
        self.vocabulary_threshold = vocabulary_threshold
        self.tied, self.copy_unknown = tied, copy_unknown
        self.dropout, self.dropout_kind, self.embedding_dropout = dropout, dropout_kind, embedding_dropout
        self.label_smoothing, self.scheduled_sampling = label_smoothing, scheduled_sampling
        self.ctc_weight, self.embedding_size = ctc_weight, embedding_size
        self.text_metric = SCORES[scores](text)
        self._features = (features,)  # in a tuple: no part of this module, whose parameters would be there twice
        self.decoder = RecurrentDecoder(
            memory_size=input_size,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            output_size=embedding_size,
            layers=layers,
            cell=cell,
            attention=attention,
            heads=heads,
            input_feeding=input_feeding,
            bridge=bridge,
            dropout=dropout,
            attention_dropout=attention_dropout,
        )
        self.input_size = input_size
        self.register_buffer("_places", None, persistent=False)
        self.embedding: nn.Parameter | None = None
        self.output: nn.Linear | None = None
        self.bias: nn.Parameter | None = None
        self.ctc_output: nn.Linear | None = None

    @classmethod
    def unfitted_metric(cls, options: Mapping[str, Any]) -> TextMetric:
        """What ``scores`` says."""
        return SCORES[options.get("scores", "translation")]()

    # What is learnt

    def _learn(self, texts: Iterable[str]) -> Units:
        if self.kind == "shared":
            known, least = self._shared_units(), self.vocabulary_threshold
            return LimitedUnits.learn(known, texts, least) if least else known
        return WordUnits.learn(texts, self.vocabulary_size) if self.kind == "words" else super()._learn(texts)

    def _shared_units(self) -> SentencePieceUnits:
        tokens = _tokens_of(self._features[0])
        known = tokens.known if tokens is not None and tokens.subwords and tokens.needs_targets else None
        if not isinstance(known, SentencePieceUnits):
            message = "shared needs features that begin with Tokens of unigram or bpe units and shared: true"
            raise ConfigError(message).within("units")
        return known

    def _build(self, units: Units) -> None:
        self._use(units)
        if isinstance(units, LimitedUnits):
            self._places = torch.tensor(units.kept)
        size = len(units) + 1
        self.output_size = size
        deviation = self.embedding_size**-0.5
        if self.tied == "all":
            self._source_table()  # so that what doesn't fit is told now
        own = 1 if self.tied == "all" else size
        self.embedding = nn.Parameter(torch.randn(own, self.embedding_size) * deviation)
        if self.tied == "none":
            self.output = nn.Linear(self.embedding_size, size)
        else:
            self.bias = nn.Parameter(torch.zeros(size))
        if self.ctc_weight:
            self.ctc_output = nn.Linear(self.input_size, size)

    def _source_table(self) -> Tensor:
        """The features' embeddings of the units that are written, ``[V - 1, E]``."""
        features = self._features[0]
        for stage in find_stages(features, Embedding) if features is not None else ():
            weight = stage.weight
            if weight is not None and weight.shape == (len(self._shared_units()), self.embedding_size):
                return weight if self._places is None else weight.index_select(0, self._places)
        message = f"all needs an Embedding of size {self.embedding_size} (embedding_size) among the features"
        raise ConfigError(message).within("tied")

    def _table(self) -> Tensor:
        """Embeddings of all labels, ``[V, E]``."""
        own = learnt(self, self.embedding, "units", "texts")
        return torch.cat([self._source_table(), own]) if self.tied == "all" else own

    def save_assets(self, folder: Path) -> None:
        """Write the units, unless they are all of the features'."""
        if self.kind != "shared" or self.vocabulary_threshold:
            super().save_assets(folder)

    def load_assets(self, folder: Path) -> None:
        """Restore the units."""
        if self.kind == "shared":
            known = self._shared_units()
            self._build(LimitedUnits.load(known, folder) if self.vocabulary_threshold else known)
        elif self.kind == "words":
            self._build(WordUnits.load(folder))
        else:
            super().load_assets(folder)

    # Targets

    def encode_target(self, raw: Any) -> Tensor:
        """A text as labels ``[L]`` int64, each in 0 to V - 2.

        Raises:
            InputError: it is no text, or holds characters that units of characters lack.
        """
        text, units = self.read_target(raw), self.units
        numbers = units.encode_with_unknown(text) if isinstance(units, SentencePieceUnits) else units.encode(text)
        return torch.tensor(numbers, dtype=torch.int64)

    def sampled_targets(self) -> Callable[[Any, RowKey], Tensor] | None:
        """With BPE dropout or unigram sampling: a target in units that are drawn."""
        sampled = sampled_spelling(
            self.units, self.spelt_in, bpe_dropout=self.bpe_dropout, unigram_sampling=self.unigram_sampling
        )
        if sampled is None:
            return None
        return partial(_sampled_target, sampled, tuple(self.rules), self.base_direction)

    @property
    def follows_input(self) -> bool:
        """Where a CTC loss takes part; attention may go through the input in any direction."""
        return bool(self.ctc_weight)

    def min_steps(self, target: Tensor) -> int:
        """One is enough; a CTC loss needs one for each label, and one between equal ones."""
        return frames_needed((target + 1).tolist()) if self.ctc_weight else 1

    # A batch

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """One step for each row: that of the first label, which is known without targets."""
        return torch.ones_like(lengths)

    def forward(self, encoded: PaddedSequence, targets: Sequence[Tensor] = ()) -> PaddedSequence:
        """Log-probabilities of each label of the targets and of the end, given what stands before: ``[B, L + 1, V]``.

        Without targets, those of the first label.
        """
        labels = list(targets) or [torch.empty(0, dtype=torch.int64)] * len(encoded.values)
        outputs, _, lengths, _ = self._outputs(self._dropped(encoded), labels)
        return PaddedSequence(F.log_softmax(self._project(outputs, self._table()).float(), dim=-1), lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """The encoded steps, which `further_graphs` go on from."""
        return graph.masked(sequence)

    def further_graphs(self, new: Callable[[], OnnxGraph]) -> dict[str, Connected]:
        """See `seqpipe.core.head.ExportsGraphs`: ``start``, once for a row, and ``step``, for each label.

        ``start`` gives, by name, what ``step`` takes: memory ``[rows, steps, ...]``, and a state ``[rows, 1, ...]`` of
        hypotheses without a label; and log-probabilities by CTC, ``ctc``, if there is such a loss. ``step`` takes the
        labels that were written last too, and lengths, and gives ``logits`` ``[rows, hypotheses, V]``, the
        ``normalizer`` ``[rows, hypotheses]`` to be subtracted from these, weights of ``attention``
        ``[rows, hypotheses, steps]``, and the state that follows, ``next_`` before each name.
        """
        table, size = self._table().detach(), self.input_size
        graph = new()
        outputs = start(graph, self.decoder, Symbol("encoded", "lengths"), size)
        if self.ctc_output is not None:
            emitted = graph.linear("encoded", self.ctc_output.weight.detach(), self.ctc_output.bias.detach())
            form = Form("float32", ("rows", "steps", self.ctc_output.out_features))
            outputs["ctc"] = graph.op("LogSoftmax", emitted, axis=-1), form
        lengths = Form("int64", ("rows",))
        inputs = {"encoded": Form("float32", ("rows", "steps", size)), "lengths": lengths}
        first = Connected(graph, inputs, outputs)

        graph = new()
        written = embedded(graph, table, "last")
        made = step(graph, self.decoder, written, "lengths")
        weight, bias = self._output(table)
        logits = graph.linear(made.output, weight.detach(), bias.detach() if bias is not None else None)
        forms = state_forms(self.decoder)
        inputs = {
            "last": Form("int64", ("rows", "hypotheses")),
            "lengths": lengths,
            **memory_forms(self.decoder, size),
            **forms,
        }
        found = {
            "logits": (logits, Form("float32", ("rows", "hypotheses", len(table)))),
            "normalizer": (
                graph.reduce("ReduceLogSumExp", logits, [2], keep=False),
                Form("float32", ("rows", "hypotheses")),
            ),
            "attention": (made.weights, Form("float32", ("rows", "hypotheses", "steps"))),
            **{f"next_{name}": (node, forms[name]) for name, node in made.state.items()},
        }
        return {"start": first, "step": Connected(graph, inputs, found)}

    def _dropped(self, encoded: PaddedSequence) -> PaddedSequence:
        values = dropout(encoded.values, self.dropout, self.training, self.dropout_kind)
        return PaddedSequence(values, encoded.lengths)

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the labels' cross entropies, ends included, in nats, and the number of labels and ends.

        With ``ctc_weight`` w it is 1 - w of this, and w of the rows' CTC losses.

        Raises:
            InputError: a target doesn't fit into its row's steps by CTC; the message names its position in the batch.
        """
        encoded = self._dropped(encoded)
        outputs, _, lengths, labels = self._outputs(encoded, targets)
        real = length_mask(lengths, labels.shape[1])
        smoothing = self.label_smoothing if self.training else 0.0
        total = vocabulary_loss(outputs[real], *self._output(self._table()), labels[real], smoothing)
        if self.ctc_weight:
            total = (1 - self.ctc_weight) * total + self.ctc_weight * self._ctc_loss(
                self._ctc_emissions(encoded), targets
            )
        return total, lengths.sum().to(total.dtype)

    @property
    def has_distributions(self) -> bool:
        """True: over the next label, and with ``ctc_weight`` over the labels of each step."""
        return True

    @property
    def predicts_steps(self) -> bool:
        """With a CTC loss beside the decoder's."""
        return self.ctc_weight > 0

    def predict(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[Distribution]:
        """Each label and the end, given those before, ``[B, L + 1, V]``, and CTC's of each step, ``[B, T, V + 1]``."""
        encoded = self._dropped(encoded)
        outputs, _, lengths, _ = self._outputs(encoded, targets)
        written = F.log_softmax(self._project(outputs, self._table()).float(), dim=-1)
        found = [Distribution(1 - self.ctc_weight, PaddedSequence(written, lengths))]
        if self.ctc_weight:
            found.append(Distribution(self.ctc_weight, self._ctc_emissions(encoded)))
        return found

    def predicted_loss(
        self, predicted: Sequence[Distribution], encoded: PaddedSequence, targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `loss`."""
        values, lengths = predicted[0].log_probabilities
        real = length_mask(lengths, values.shape[1])
        end = torch.tensor([self.end])
        labels = torch.cat([part for target in targets for part in (target, end)]).to(values.device)
        smoothing = self.label_smoothing if self.training else 0.0
        total = F.cross_entropy(values[real], labels, reduction="sum", label_smoothing=smoothing)
        if self.ctc_weight:
            side = self._ctc_loss(predicted[1].log_probabilities, targets)
            total = (1 - self.ctc_weight) * total + self.ctc_weight * side
        return total, lengths.sum().to(total.dtype)

    def _ctc_loss(self, emissions: PaddedSequence, targets: Sequence[Tensor]) -> Tensor:
        labels = [(target + 1).tolist() for target in targets]
        refuse_too_short(labels, emissions.lengths, " for CTC")
        return ctc_losses(*emissions, labels).sum()

    def search_weights(self, options: FusionOptions) -> Mapping[str, tuple[float, float]]:
        """See `seqpipe.core.head.WeighsSearch`; with a CTC loss, its share in the search too."""
        return {**super().search_weights(options), **({"ctc_weight": CTC_WEIGHTS} if self.ctc_weight else {})}

    @classmethod
    def check_decoding(cls, options: Mapping[str, Any], decoding: Mapping[str, Any]) -> None:
        """A search by CTC needs its loss in training."""
        if decoding.get("ctc_weight") and not options.get("ctc_weight"):
            message = "needs a head with a CTC loss (pipeline.head.ctc_weight)"
            raise ConfigError(message).within("decoding", "ctc_weight")


def _sampled_target(
    spelling: SampledSpelling, rules: Sequence[TextRule], base_direction: BaseDirection | None, raw: str, key: RowKey
) -> Tensor:
    """A text as labels ``[L]`` int64, in units that are drawn."""
    return torch.tensor(spelling.encode(written(raw, rules, base_direction), key.child("target")), dtype=torch.int64)


def _tokens_of(features: FeatureChain | None) -> Tokens | None:
    """The features' `Tokens`, if they read text."""
    return features.reader if features is not None and isinstance(features.reader, Tokens) else None
