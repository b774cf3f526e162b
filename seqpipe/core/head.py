"""Heads: what is learnt from encoded steps, and answered."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from seqpipe.core.input import Segment
from seqpipe.core.metric import Metric
from seqpipe.core.onnx_graph import Connected, OnnxGraph
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.core.stage import Stage, find_stage
from seqpipe.errors import ConfigError


class NoDecoding(BaseModel):
    """``decoding:`` of a head that has no options there."""

    model_config = ConfigDict(extra="forbid")


class Encoded(PaddedSequence):
    """A batch as it reaches the head: encoded steps, with what they were made of.

    It is a `PaddedSequence` of the encoded steps, ``[B, T, D]``.

    Attributes:
        front: what the front-end gave, ``[B, T', D']``, for a loss of its own; None where nobody says.
        prepared: what the features prepared of the rows, ``[B, S]``; None where nobody says.
        layers: what each layer of the encoder gave, for losses of their own; empty where no head asks for it.
        columns: what the rows' sources say about them; empty where nobody says.
    """

    front: PaddedSequence | None
    prepared: PaddedSequence | None
    layers: list[PaddedSequence]
    columns: Sequence[Mapping[str, Any]]

    def __new__(
        cls,
        values: Tensor,
        lengths: Tensor,
        front: PaddedSequence | None = None,
        prepared: PaddedSequence | None = None,
        layers: Sequence[PaddedSequence] = (),
    ) -> Encoded:
        """Steps with what they were made of."""
        made: Encoded = super().__new__(cls, values, lengths)
        made.front, made.prepared, made.layers, made.columns = front, prepared, list(layers), ()
        return made

    def of_rows(self, columns: Sequence[Mapping[str, Any]]) -> Encoded:
        """The same, with what the rows' sources say about them."""
        self.columns = columns
        return self

    def chosen(self, rows: Sequence[int]) -> Encoded:
        """These rows alone, in this order, still padded."""
        chosen = Encoded(
            self.values[rows],
            self.lengths[rows],
            self.front.chosen(rows) if self.front is not None else None,
            self.prepared.chosen(rows) if self.prepared is not None else None,
            [layer.chosen(rows) for layer in self.layers],
        )
        return chosen.of_rows([self.columns[row] for row in rows] if self.columns else ())


class Distribution(NamedTuple):
    """What a head predicts at some steps: of the input, or of the target.

    Attributes:
        share: of the head's loss that it decides, 0 to 1.
        log_probabilities: of all labels at each step, ``[B, S, V]``.
    """

    share: float
    log_probabilities: PaddedSequence


class Head(Stage, metaclass=ABCMeta, register=False):
    """The last stage: it owns its targets, loss, hypotheses and answers, and names the metric that scores them.

    What is abstract here must be there; a head that lacks some of it can't be built, and the message names all of it.

    Attributes:
        decoding: the model of the recipe's ``decoding:``.
        allows_empty_targets: whether an empty target says something to this head: that there are no labels, say.
        unfitted: the metric before anything is learnt, where it doesn't depend on the options.
        causal: whether it predicts what follows each step, so that no stage before it may look ahead.
        tags_items: whether a target is a label for each item of the input, so that their numbers must agree.
        temperature: of the probabilities that are told, in a head that is `Tempered`; 1 changes nothing.
    """

    role = "head"
    decoding: ClassVar[type[BaseModel]] = NoDecoding
    allows_empty_targets: ClassVar[bool] = False
    causal: ClassVar[bool] = False
    tags_items: ClassVar[bool] = False
    unfitted: ClassVar[Metric | None] = None
    temperature: float = 1.0

    def __new__(cls, *args: Any, **kwargs: Any) -> Head:
        """Refuse to be built without all that a head needs."""
        if missing := sorted(cls.__abstractmethods__):
            raise ConfigError(
                f"{cls.__name__} can't be built: a head needs {', '.join(missing)} (seqpipe.core.head.Head says what "
                "each does)"
            )
        return super().__new__(cls)

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """What scores answers."""

    def read_target(self, raw: Any) -> Any:
        """What a target says to this kind of head, which need not be fitted: the name of a class, numbers, tags.

        By default the target itself.

        Raises:
            InputError: it says nothing to it, whatever the training rows hold.
        """
        return raw

    @abstractmethod
    def encode_target(self, raw: Any) -> Tensor:
        """A target as a tensor ``[L]``.

        Raises:
            InputError: it can't be learnt from.
        """

    def export_arrays(self) -> dict[str, NDArray[Any]]:
        """What `decode` needs beside what `forward` gives, the options and assets, where that is no part of a graph."""
        return {}

    def min_steps(self, target: Tensor) -> int:
        """Encoded steps that an encoded target takes at least."""
        return 1

    @abstractmethod
    def loss(self, encoded: Encoded, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the losses of a batch, and the number (of labels, rows) that it is divided by."""

    @abstractmethod
    def decode(self, encoded: Encoded, options: Any = None) -> Sequence[Any]:
        """A hypothesis for each row, in encoded steps; ``options`` is a `decoding`."""

    @abstractmethod
    def answer(self, row_id: str, hypothesis: Any, location: Location) -> Any:
        """A hypothesis as an answer (`seqpipe.core.answer.Answer`), with places in the input."""

    @abstractmethod
    def posteriors(self, encoded: Encoded, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's target given its input, 0 to 1; of what was answered, it is the confidence."""

    @classmethod
    def unfitted_metric(cls, options: Mapping[str, Any]) -> Metric | None:
        """The metric of a head with these options, without building it; None if it has to be built and asked."""
        found: Any = cls.metric
        return cls.unfitted if isinstance(found, property) else found

    @classmethod
    def check_decoding(cls, options: Mapping[str, Any], decoding: Mapping[str, Any]) -> None:
        """Whether a recipe's ``decoding`` goes with the head's own options.

        Raises:
            ConfigError: it doesn't.
        """


def find_head(name: str) -> type[Head]:
    """The head of that class name.

    Raises:
        ConfigError: there is no such stage, or it is no head.
    """
    found = find_stage(name)
    if not issubclass(found, Head):
        raise ConfigError(f"should be a head stage; {name} is a {found.role or 'nameless'} stage")
    return found


# What some heads can do besides.


@runtime_checkable
class JoinsSegments(Protocol):
    """Answers of an input's overlapping segments can be put together."""

    def join(self, row_id: str, parts: Sequence[tuple[Segment, Any]]) -> Any:
        """The whole's answer out of those of its segments, in their order."""


@runtime_checkable
class ConcatenatesParts(Protocol):
    """Answers of an input's parts, which don't overlap, can be put together."""

    def concatenate(self, row_id: str, parts: Sequence[tuple[Segment, Any]]) -> Any:
        """The whole's answer out of those of its parts, in their order."""


@runtime_checkable
class ExportsGraphs(Protocol):
    """Goes through what its `to_onnx` gives by further graphs, which are run again and again: a decoder's."""

    def further_graphs(self, new: Callable[[], OnnxGraph]) -> dict[str, Connected]:
        """Those graphs by name.

        Args:
            new: begins one, of the precision that is wanted.
        """


@runtime_checkable
class AlignsTexts(Protocol):
    """Says what is at each step of its input, so that known texts can be laid along it (`seqpipe.decoding.ctc`)."""

    def emissions(self, encoded: PaddedSequence) -> PaddedSequence:
        """Log-probabilities ``[B, T, V]`` of the blank, which is label 0, and of the units."""

    def spell(self, text: str) -> Any:
        """A text as labels (`seqpipe.text.spelling.Spelling`).

        Raises:
            InputError: nothing in it can be spelt.
        """

    def aligned(self, row_id: str, spelling: Any, path: Any, borders: Any, threshold: float) -> Any:
        """A path of a spelling's labels (`seqpipe.decoding.ctc_alignment.CTCPath`) as an answer.

        Args:
            row_id: of the row.
            spelling: of its text.
            path: of the labels over T steps.
            borders: of the steps, as places in the input, ``[T + 1]``.
            threshold: of verdicts: nats a unit.
        """


@runtime_checkable
class PredictsDistributions(Protocol):
    """Its loss is one of distributions, in which two passes over a batch, or two models, can be compared."""

    @property
    def has_distributions(self) -> bool:
        """Whether it is so with the head's options."""

    @property
    def predicts_steps(self) -> bool:
        """Whether one of them is of each step of the input, so that only what has the same steps can be compared."""

    def predict(self, encoded: Encoded, targets: Sequence[Tensor]) -> Sequence[Distribution]:
        """What is predicted of each row; of labels that are written one by one, each given those before it."""

    def predicted_loss(
        self, predicted: Sequence[Distribution], encoded: Encoded, targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """`Head.loss`, of what `predict` gave."""


@runtime_checkable
class Tempered(Protocol):
    """Its distributions can be made flatter (temperature above 1) or steeper, by dividing logits (Guo et al. 2017).

    That changes probabilities, `Head.posteriors` among them, and nothing that is answered: what is searched for, and
    the loss, go by the distributions as they were learnt.
    """

    temperature: float

    def target_log_probabilities(
        self, encoded: Encoded, targets: Sequence[Tensor], temperatures: Sequence[float]
    ) -> Tensor:
        """ln of the probability of each row's target at each temperature, ``[G, B]`` float64; -inf of what can't be."""


@runtime_checkable
class UsesLayers(Protocol):
    """A head that learns from layers inside the encoder."""

    @property
    def used_layers(self) -> Sequence[int]:
        """Which, counted from 1; none where there is no loss of theirs."""


@runtime_checkable
class Autoregressive(Protocol):
    """Writes label by label."""

    def teacher_forced_scores(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> Tensor:
        """How probable targets are label by label, each given what stands before it in the target.

        Returns:
            Of all labels of the batch, ends included: the sum of -log p in nats, how many are the likeliest ones, and
            how many there are, ``[3]`` float64.
        """

    def attention_map(self, encoded: PaddedSequence, text: str) -> tuple[list[str], Tensor]:
        """Attention of each unit of a text.

        Args:
            encoded: of one row, ``[1, T, D]``.
            text: what was written.

        Returns:
            The units, the end included, and their weights ``[units, T]``, which add up to 1 for each.
        """


@runtime_checkable
class SpellsTargets(Protocol):
    """Targets are spelt: more input is expected for more characters."""

    def target_characters(self, target: Any) -> Sequence[str] | None:
        """The characters of a target; None of what is no text."""


@runtime_checkable
class OrdersTargets(Protocol):
    """Texts may be put into display order, from left to right, before they are learnt."""

    @property
    def base_direction(self) -> str | None:
        """Of texts that are; None where they stay in the order in which they are read."""

    @property
    def follows_input(self) -> bool:
        """Whether what is learnt of a text goes through the input from its beginning to its end."""

    def read_back(self, target: str) -> str:
        """A text after the rules as it would be answered, if it were recognised without an error."""


@runtime_checkable
class SamplesTargets(Protocol):
    """Targets may be encoded anew in every epoch of training."""

    def sampled_targets(self) -> Callable[[Any, RowKey], Tensor] | None:
        """Encodes a target for an epoch; None where it stays the same.

        It travels to loader workers, so it should hold no more than it needs.
        """


@runtime_checkable
class PartsTargets(Protocol):
    """A long row can be learnt part by part."""

    def target_of(self, target: Tensor, start: int, stop: int) -> Tensor:
        """What is learnt of an encoded target at the row's steps ``start`` to ``stop``; parts add up to the whole."""


@runtime_checkable
class ConcatenatesTargets(Protocol):
    """Of inputs that stand one behind another, the targets do so too."""

    def target_separator(self) -> Tensor:
        """Labels ``[N]`` int64 between the encoded targets of two inputs; none where nothing stands there.

        Raises:
            ConfigError: what should stand there is none of the labels.
        """


@runtime_checkable
class PreparesDecoding(Protocol):
    """What a search needs besides the model is read from files, once."""

    def prepare_decoding(self, options: Any) -> None:
        """Read what a search by these options needs; raises what is wrong with it."""


@runtime_checkable
class WeighsSearch(Protocol):
    """What its search goes by is weighed, and the weights can be searched on labelled rows."""

    def search_weights(self, options: Any) -> Mapping[str, tuple[float, float]]:
        """Options of ``decoding:`` that are weights in use, each with its least and greatest value."""


@runtime_checkable
class ReadsColumns(Protocol):
    """Options of ``decoding:`` by which answers depend on what a row's source says about it."""

    columns: Sequence[str]


@runtime_checkable
class NamesFiles(Protocol):
    """Options of ``decoding:`` among which some name files."""

    files: Sequence[str]


@runtime_checkable
class SearchMethods(Protocol):
    """Options of ``decoding:`` among which some are for some methods alone."""

    of_methods: Mapping[str, tuple[str, ...]]
    method: str


@runtime_checkable
class Explains(Protocol):
    """An answer's reasons can be asked for."""

    def predicted_log_odds(self, encoded: PaddedSequence) -> Tensor:
        """How much each row's steps ``[B, T, D]`` speak for what was answered, ``[B]``, to be differentiated."""

    def attention(self, encoded: PaddedSequence) -> Tensor | None:
        """The weight that the answer gives to each step, ``[B, T]``, 0 in the padding; None without attention."""
