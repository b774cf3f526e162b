"""What a decoder writes, and how well it predicts what it is shown: the answers of a head that generates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from seqpipe.answers.generated_text import GeneratedText, concatenated
from seqpipe.answers.generating import copied, generated
from seqpipe.core.head import Encoded
from seqpipe.core.input import Segment
from seqpipe.core.sequence import PaddedSequence, length_mask
from seqpipe.core.source import Location
from seqpipe.decoders.continuation import DecoderContinuation
from seqpipe.decoders.recurrent import RecurrentDecoder
from seqpipe.decoding.beam import beam_search
from seqpipe.decoding.ctc_prefixes import CTCPrefixes
from seqpipe.decoding.generated import Generated
from seqpipe.decoding.generation import GenerationDecoding
from seqpipe.decoding.sampling import key_of, write_on
from seqpipe.decoding.temperature import tempered
from seqpipe.errors import ConfigError
from seqpipe.heads.text_head import TextHead
from seqpipe.layers.dropout import dropout
from seqpipe.layers.vocabulary_loss import aligned_output
from seqpipe.text.vocabulary import UNKNOWN

CHUNK = 512
"""Labels whose probabilities exist at a time with teacher forcing."""


@dataclass(frozen=True, slots=True)
class DecodedText:
    """What was written for a row.

    Attributes:
        hypotheses: the best ones, best first.
        attended: for each label of each hypothesis the encoded step that got most attention; empty unless unknown
            words are to be copied.
        steps: encoded ones of the row.
    """

    hypotheses: list[Generated]
    attended: list[list[int]]
    steps: int


class DecodedTextHead(TextHead, register=False):
    """Mixed into a head that has a decoder and a table of labels: searches, answers, attention and probabilities.

    Attributes:
        decoder: the network.
        output, bias: the last layer, or its bias where its weights are the table's.
        ctc_output: the layer of a CTC loss on encoded steps, if there is one.
        copy_unknown: whether unknown words are replaced by those of the input.
        embedding_dropout, scheduled_sampling: probabilities, while training.
    """

    decoder: RecurrentDecoder
    output: nn.Linear | None
    bias: nn.Parameter | None
    ctc_output: nn.Linear | None
    copy_unknown: bool
    embedding_dropout: float
    scheduled_sampling: float

    @property
    def end(self) -> int:
        """The label that ends a text, and stands before its first unit."""
        return len(self.units)

    @abstractmethod
    def _table(self) -> Tensor:
        """Embeddings of all labels, ``[V, E]``."""

    def _output(self, table: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of the last layer."""
        return (table, self.bias) if self.output is None else (self.output.weight, self.output.bias)

    def _project(self, outputs: Tensor, table: Tensor) -> Tensor:
        """Logits."""
        return F.linear(outputs, *self._output(table))

    def _outputs(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The decoder over given targets: outputs, weights of attention, lengths with the end, and labels."""
        device = encoded.values.device
        end = torch.tensor([self.end])
        labels = pad_sequence(
            [torch.cat([target.cpu(), end]) for target in targets], batch_first=True, padding_value=self.end
        ).to(device)
        lengths = torch.tensor([len(target) + 1 for target in targets], device=device)
        shown = torch.cat([labels.new_full((len(labels), 1), self.end), labels[:, :-1]], dim=1)
        table = self._table()
        if self.training and self.scheduled_sampling:
            with torch.no_grad():
                outputs, _ = self.decoder(F.embedding(shown, table), encoded)
                guessed = self._project(outputs, table).argmax(dim=-1)[:, :-1]
            replaced = torch.rand(guessed.shape, device=device) < self.scheduled_sampling
            shown = torch.cat([shown[:, :1], torch.where(replaced, guessed, shown[:, 1:])], dim=1)
        written = dropout(F.embedding(shown, table), self.embedding_dropout, self.training)
        outputs, weights = self.decoder(written, encoded)
        return outputs, weights, lengths, labels

    @torch.no_grad()
    def decode(self, encoded: Encoded, options: GenerationDecoding | None = None) -> list[DecodedText]:
        """The best texts of every row.

        Args:
            encoded: ``[B, T, D]``; its columns may hold rows' own hot words. Of rows that are equal as they were
                prepared, the same is drawn while sampling, of others what is independent of each other; of rows of
                which nobody says how they were prepared, the same.
            options: of the search.
        """
        options = options or GenerationDecoding()
        table = self._table()
        continuation = DecoderContinuation(
            self.decoder,
            encoded,
            embed=lambda labels: F.embedding(labels, table),
            project=aligned_output(*self._output(table)),
        )
        if options.method == "beam":
            prefixes = CTCPrefixes(self._ctc_emissions(encoded)) if options.ctc_weight else None
            scorer = self.prefix_scorer(options, encoded)
            found = beam_search(continuation, encoded.lengths, self.end, options, prefixes, scorer)
            if impossible := [place for place, row in enumerate(found) if not row]:
                # By CTC nothing of the length that is asked for fits into these rows' steps.
                alone = options.model_copy(update={"ctc_weight": 0.0})
                for place, row in zip(impossible, self.decode(encoded.chosen(impossible), alone), strict=True):
                    found[place] = row.hypotheses
        else:
            prepared = encoded.prepared if options.method == "sample" else None
            keys = [key_of(row) for row in prepared.rows()] if prepared is not None else []
            found = write_on(continuation, encoded.lengths, self.end, options, keys)
        if self.temperature != 1.0:
            found = self._at_temperature(encoded, found)
        lengths = encoded.lengths.tolist()
        return [
            DecodedText(row, self._attended(encoded, place, row), lengths[place]) for place, row in enumerate(found)
        ]

    def _at_temperature(self, encoded: Encoded, found: list[list[Generated]]) -> list[list[Generated]]:
        """What was found by the distributions as they were learnt, with probabilities at the head's temperature."""
        places = [place for place, row in enumerate(found) for _ in row]
        labels = [torch.tensor(each.labels, dtype=torch.int64) for row in found for each in row]
        told = iter(self.target_log_probabilities(encoded.chosen(places), labels, [self.temperature])[0].tolist())
        return [[replace(each, log_probability=next(told)) for each in row] for row in found]

    def _ctc_emissions(self, encoded: PaddedSequence) -> PaddedSequence:
        if self.ctc_output is None:
            raise ConfigError("decoding.ctc_weight needs a head that was trained with CTC beside it (ctc_weight)")
        emissions = F.log_softmax(self.ctc_output(encoded.values).float(), dim=-1)
        return PaddedSequence(emissions, encoded.lengths)

    def _attended(self, encoded: PaddedSequence, place: int, found: list[Generated]) -> list[list[int]]:
        if not self.copy_unknown or not any(UNKNOWN in each.labels for each in found):
            return []
        rows = encoded.chosen([place] * len(found))
        return [weights.argmax(dim=1).tolist() for weights in self.attention_over(rows, [e.labels for e in found])]

    def attention_over(self, encoded: PaddedSequence, labels: Sequence[Sequence[int]]) -> list[Tensor]:
        """The weights that each label and the end give to each step of its row, ``[L + 1, T]`` of a row."""
        targets = [torch.tensor(row, dtype=torch.int64) for row in labels]
        _, weights, lengths, _ = self._outputs(encoded, targets)
        return [
            row[:length, :steps]
            for row, length, steps in zip(weights, lengths.tolist(), encoded.lengths.tolist(), strict=True)
        ]

    def attention_map(self, encoded: PaddedSequence, text: str) -> tuple[list[str], Tensor]:
        """The usual units of a text and the end, and the weights that each gives to the row's steps."""
        labels = self.encode_target(text).tolist()
        (weights,) = self.attention_over(encoded, [labels])
        return [*(self.units.piece(label) for label in labels), "∎"], weights

    def answer(self, row_id: str, hypothesis: DecodedText, location: Location) -> GeneratedText:
        """What was written as an answer."""
        return generated(
            row_id,
            hypothesis.hypotheses,
            hypothesis.attended,
            lambda labels, attended: self._text(labels, attended, location, hypothesis.steps),
            location.truncated,
        )

    def concatenate(self, row_id: str, parts: Sequence[tuple[Segment, GeneratedText]]) -> GeneratedText:
        """What was written for the parts of a text, in their order, as the whole's; see `concatenated`."""
        return concatenated(row_id, [answer for _, answer in parts])

    def _text(self, labels: Sequence[int], attended: Sequence[int], location: Location, steps: int) -> str:
        found = copied(labels, attended, location.items, steps, self.units)
        return found if found is not None else self._read(self.units.decode(labels))

    @torch.no_grad()
    def teacher_forced_scores(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> Tensor:
        """See `seqpipe.core.head.Autoregressive`."""
        outputs, _, lengths, labels = self._outputs(encoded, targets)
        real = length_mask(lengths, labels.shape[1])
        table, missed, right = self._table(), 0.0, 0.0
        for some, own in zip(outputs[real].split(CHUNK), labels[real].split(CHUNK), strict=True):
            emissions = F.log_softmax(self._project(some, table).float(), dim=-1)
            missed -= float(emissions.gather(1, own[:, None]).double().sum())
            right += float((emissions.argmax(dim=1) == own).sum())
        return torch.tensor([missed, right, float(lengths.sum())], dtype=torch.float64)

    @torch.no_grad()
    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's text: the product over its labels and the end."""
        found: list[float] = self.target_log_probabilities(encoded, targets, [self.temperature])[0].exp().tolist()
        return found

    @torch.no_grad()
    def target_log_probabilities(
        self, encoded: PaddedSequence, targets: Sequence[Tensor], temperatures: Sequence[float]
    ) -> Tensor:
        """See `seqpipe.core.head.Tempered`."""
        outputs, _, lengths, labels = self._outputs(encoded, targets)
        real = length_mask(lengths, labels.shape[1])
        table, found = self._table(), labels.new_zeros((len(temperatures), *labels.shape), dtype=torch.float64)
        chosen = [
            torch.stack([tempered(emissions, each).gather(1, own[:, None])[:, 0].double() for each in temperatures])
            for some, own in zip(outputs[real].split(CHUNK), labels[real].split(CHUNK), strict=True)
            for emissions in [F.log_softmax(self._project(some, table).float(), dim=-1)]
        ]
        found[:, real] = torch.cat(chosen, dim=1)
        return found.sum(dim=2)
