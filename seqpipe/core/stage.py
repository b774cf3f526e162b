"""What a stage is, stages by name, and a constructor's signature as validated configuration."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from torch import Tensor, nn

from seqpipe.core.item import Item
from seqpipe.core.options import config_model, upstream_parameters, validate, validated
from seqpipe.core.picture import Drawing, Picture, Sound
from seqpipe.core.randomness import Draw
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, did_you_mean

_registry: dict[str, type[Stage]] = {}


class Stage(nn.Module):
    """One step of the chain: a `PaddedSequence` in, a `PaddedSequence` out.

    A subclass declares its configuration once, as the keyword-only, annotated parameters of its constructor. They are
    validated whether the stage is imported or named in a recipe, and the class is found in recipes by its name.

    The methods below have the defaults of a stage that keeps its steps and learns nothing from data. In evaluation, no
    stage may let the padding, or who else is in the batch, change an answer.

    Attributes:
        role: the slot of a recipe that it fits: ``features``, ``frontend``, ``encoder`` or ``head``.
        output_size: D, features of an outgoing step.
        learns: whether `fit` has something to learn.
        learns_targets: whether a feature stage's `fit` takes the training rows' targets too, as a second argument.
        takes_empty_targets: whether an empty target says something to this head: that there are no labels, say.
        reads_files: endings of the files that `prepare` reads (then inputs are paths); none of a stage that reads none.
        foretells: whether this head writes label by label, so that `target_fit` has an answer, and `decode` takes the
            rows that `prepare` has made as a third argument: what is drawn depends on them.
        augments: whether it changes inputs while training alone, and does nothing else.
        constant: whether its buffers never change while it trains, so that steps needn't keep copies of them.
    """

    role: ClassVar[str] = ""
    reads_files: ClassVar[frozenset[str]] = frozenset()
    takes_empty_targets: ClassVar[bool] = False
    foretells: ClassVar[bool] = False
    augments: ClassVar[bool] = False
    learns: bool = False
    learns_targets: bool = False
    constant: bool = False
    output_size: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = validated(cls.__init__)  # type: ignore[method-assign]
        if cls.__name__.startswith("_"):
            return
        known = _registry.get(cls.__name__)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ConfigError(
                f"a stage named {cls.__name__} exists already ({known.__module__}); stages are found by class name, "
                f"so {cls.__module__} needs another one"
            )
        _registry[cls.__name__] = cls

    @classmethod
    def configure(cls, **options: Any) -> StageConfig:
        """The stage by name with checked options, built later, when what comes before it is known."""
        return StageConfig.parse({"stage": cls.__name__, **options})

    # Learning from data, before parameters exist

    def fit(self, rows: Iterable[Any]) -> None:
        """Learn what must be known before training from one streaming pass over the training rows."""

    def grow(self) -> None:
        """Make the parameters whose sizes the stage before has learnt; called once it has, and before `fit`."""

    def notices(self) -> list[str]:
        """What the user should know of what was learnt, a line each."""
        return []

    def save_assets(self, folder: Path) -> None:
        """Write what `fit` learnt as files of an existing folder."""

    def load_assets(self, folder: Path) -> None:
        """Restore what `save_assets` wrote."""

    # One example, on the CPU, in a loader worker

    def prepare(self, raw: Any, draw: Draw | None) -> Any:
        """One example towards a tensor ``[T, ...]``; ``draw`` is its randomness while training, else None."""
        return raw

    def drawn_length(self, length: int, draw: Draw) -> int:
        """How long `prepare` with this draw makes an input of ``length``; lets batches be planned without reading."""
        return length

    def shortest_length(self, length: int) -> int:
        """The least length that any draw can make of an input; a label that fits into it always fits."""
        return length

    def drawn_targets(self) -> Callable[[Any, Draw], Tensor] | None:
        """Encodes a target anew in every epoch of training, for a head that augments them; None for one that doesn't.

        It travels to loader workers, so it should hold no more than it needs.
        """
        return None

    # What `seqpipe check` asks

    @property
    def knows_lengths(self) -> bool:
        """Whether `measure` counts in the steps that it will have; else rows are measured again after `fit`."""
        return True

    def suspicions(self, raw: Any, prepared: Any) -> list[tuple[str, str]]:
        """What is odd about an input that can be used, as (a short fixed kind, a message); asked of the first stage.

        Args:
            raw: the input.
            prepared: what `prepare` made of it, without a draw.
        """
        if isinstance(prepared, Tensor) and prepared.is_floating_point() and len(prepared) > 1:
            step = prepared[0].flatten().tolist()
            if bool((prepared == prepared[:1]).all()):
                return [
                    ("constant", f"all its {len(prepared)} steps are equal ({', '.join(f'{x:g}' for x in step[:5])})")
                ]
        return []

    def symbols(self, target: Any) -> Sequence[str] | None:
        """The characters that a target is spelt in, if more input is expected for more of them; asked of the head.

        None (the default) for a target that is one label, or as long as its input anyway.
        """
        return None

    def labels_of(self, target: Any) -> list[str]:
        """The classes that a target names: one, or one for each word; asked of the head.

        Raises:
            InputError: it names none.
        """
        return [target if isinstance(target, str) else repr(target)]

    def target_suspicions(self, target: Any) -> list[tuple[str, str]]:
        """What is odd about a target that can be used, as `suspicions` says it of inputs; asked of the head."""
        return []

    @classmethod
    def main_score_of(cls, options: Mapping[str, Any]) -> tuple[str, bool] | None:
        """The main score of a head with these options, and whether lower is better, without building it.

        None (the default) if it has to be built, with sizes of one, and asked.
        """
        return None

    @classmethod
    def check_decoding(cls, options: Mapping[str, Any], decoding: Mapping[str, Any]) -> None:
        """Whether a recipe's ``decoding`` goes with the head's own options; asked of the head.

        Raises:
            ConfigError: it doesn't.
        """

    # What training tells a head

    def watch(self, front: PaddedSequence) -> None:
        """What the front-end gave, ``[B, T, D]``, before the loss of the same batch; for a loss on it beside."""

    def watch_only(self, rows: Sequence[int]) -> None:
        """The loss will be of these rows of the batch alone."""

    # What reports ask of a head, beyond what `seqpipe.core.metric.ScoringHead` demands

    @property
    def told_apart(self) -> Sequence[str]:
        """The classes that answers may have, for a confusion matrix; none where answers are no classes."""
        return ()

    def choices(self, prediction: Any) -> Sequence[tuple[str, float]]:
        """What an answer chose between, with probabilities, falling; none where there is too much to name."""
        return ()

    def item_confidences(self, prediction: Any) -> Sequence[float]:
        """The confidence of each item that `aligned` shows, 0 to 1; none where only the whole answer has one."""
        return ()

    def span_errors(self, target: Any, prediction: Any) -> Sequence[Any]:
        """What is wrong with an answer's spans, as `seqpipe.metrics.span_errors.SpanError`; none without spans."""
        return ()

    def answer_score(self, encoded: PaddedSequence) -> Tensor | None:
        """How much each row's steps ``[B, T, D]`` speak for what was answered, ``[B]``, to be differentiated.

        None (the default) where there is no such single score.
        """
        return None

    def attention(self, encoded: PaddedSequence) -> Tensor | None:
        """The weight that the answer gives to each step, ``[B, T]``, 0 in the padding; None without attention."""
        return None

    def target_fit(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> Tensor | None:
        """How well targets are foretold label by label, each given what stands before it in the target.

        None (the default) of a head that doesn't write label by label (``foretells``).

        Returns:
            Of all labels of the batch, ends included: the sum of -log p in nats, how many are the likeliest ones, and
            how many there are, ``[3]`` float64.
        """
        return None

    def attention_map(self, encoded: PaddedSequence, text: str) -> tuple[list[str], Tensor] | None:
        """What a writing head looked at for each unit of a text; None (the default) of others.

        Args:
            encoded: of one row, ``[1, T, D]``.
            text: what was written.

        Returns:
            The units, the end included, and their weights ``[units, T]``, which add up to 1 for each.
        """
        return None

    # What an input is to eye and ear, for reports

    def picture(self, raw: Any) -> Picture | Drawing | str:
        """What an input looks like; the first feature stage, which knows its kind, is asked. Text by default."""
        return str(raw)

    def picture_of(self, values: Tensor) -> Picture | Drawing | None:
        """What one row looks like on its way through the features, asked of the first stage; None if like nothing.

        Args:
            values: the row without padding, ``[T, ...]``, as this stage or one behind it gives it, on the CPU.
        """
        return None

    def sound(self, raw: Any) -> Sound | None:
        """What an input sounds like, if it does."""
        return None

    def items(self, raw: Any) -> Sequence[Item]:
        """What an input is a sequence of, if it has parts that a person would name: the words of a text."""
        return []

    # Where things are

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Steps out for steps in: ``[B]`` int64 -> ``[B]`` int64, exact."""
        return lengths

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Positions in steps of the output, as positions in the input (float64); ``prepared`` as `prepare` made it."""
        return steps

    def pool(self, prepared: PaddedSequence, encoded: PaddedSequence) -> PaddedSequence:
        """Encoded steps as the head sees them; asked of the first stage, which may have parted its input further."""
        return encoded


@dataclass(frozen=True)
class StageConfig:
    """A stage by its class name with its validated options, not built yet.

    Attributes:
        name: class name.
        options: all options, defaults included.
    """

    name: str
    options: dict[str, Any]

    @classmethod
    def parse(cls, value: Any) -> StageConfig:
        """Check ``{"stage": NAME, option: value, ...}`` (or a bare NAME) against the constructor's signature.

        Raises:
            ConfigError: unknown stage or option (the nearest known name is given), or a value out of its range.
        """
        if isinstance(value, StageConfig):
            return value
        if isinstance(value, str):
            value = {"stage": value}
        if not isinstance(value, Mapping) or not isinstance(value.get("stage"), str):
            raise ConfigError(f"should be a stage, e.g. {{stage: LogMel, n_mels: 80}}; received {value!r}")
        options = {key: option for key, option in value.items() if key != "stage"}
        stage = find_stage(value["stage"])
        return cls(value["stage"], validate(config_model(stage), options))

    def build(self, previous: object | None = None, **passed: Any) -> Stage:
        """Build the stage; parameters marked `Upstream` come from ``previous`` or ``passed``.

        Raises:
            ConfigError: the stage before gives nothing that this one needs.
        """
        stage = find_stage(self.name)
        parameters = inspect.signature(stage.__init__).parameters
        optional = {name for name, each in parameters.items() if each.default is not inspect.Parameter.empty}
        for name, attribute in upstream_parameters(stage).items():
            if name in passed or (name in optional and attribute and not hasattr(previous, attribute)):
                continue
            if not attribute:
                passed[name] = previous
                continue
            if not hasattr(previous, attribute):
                raise ConfigError(
                    f"{self.name} needs {name} from the stage before it, and "
                    f"{type(previous).__name__ if previous is not None else 'nothing stands there, which'} gives none"
                )
            passed[name] = getattr(previous, attribute)
        return stage(**self.options, **passed)

    def dump(self) -> dict[str, Any]:
        """Plain data, as it stands in a recipe."""
        return {"stage": self.name, **{key: _plain(value) for key, value in self.options.items()}}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)


def find_stage(name: str) -> type[Stage]:
    """The stage class of that name: a built-in one, or one that the user's code has defined.

    Raises:
        ConfigError: there is none, or ``name`` is not a bare class name. Nothing is ever imported by a dotted name.
    """
    import seqpipe

    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ConfigError(
            f"{name!r} is not a stage name; stages are given by class name alone, and code of your own comes in with "
            "--import MODULE on the command line"
        )
    if name not in _registry and name in seqpipe.STAGES:
        importlib.import_module(seqpipe.STAGES[name])
    if name not in _registry:
        raise ConfigError(
            f"{name} is not a known stage{did_you_mean(name, stage_names())} "
            "(a stage of your own comes in with --import MODULE)"
        )
    return _registry[name]


def stage_names() -> list[str]:
    """All stages that can be named in a recipe now."""
    import seqpipe

    for module in sorted(set(seqpipe.STAGES.values())):
        importlib.import_module(module)
    return sorted(_registry)


def stage_modules() -> list[str]:
    """Modules that have defined stages so far."""
    return sorted({stage.__module__ for stage in _registry.values()})


def _plain(value: Any) -> Any:
    if isinstance(value, StageConfig):
        return value.dump()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value
