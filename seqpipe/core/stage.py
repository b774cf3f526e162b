"""What a stage is, stages by name, and a constructor's signature as validated configuration."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from torch import Tensor, nn

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import config_model, parameters_of, upstream_parameters, validate, validated
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, did_you_mean, shown

_registry: dict[str, type[Stage]] = {}


class Stage(nn.Module):
    """One step of the chain: a `PaddedSequence` in, a `PaddedSequence` out (a head may give what its loss needs).

    A subclass declares its configuration once, as the keyword-only, annotated parameters of its constructor. They are
    validated whether the stage is imported or named in a recipe, and the class is found in recipes by its name.

    The methods below have the defaults of a stage that keeps its steps and learns nothing before training. In
    evaluation, no stage may let the padding, or who else is in the batch, change an answer.

    Attributes:
        role: the slot of a recipe that it fits: ``features``, ``frontend``, ``encoder`` or ``head``.
        version: raised with every change that gives the same options, or the same weights, another meaning; a model
            that was trained with another version isn't loaded.
        output_size: D, features of an outgoing step.
        needs_fit: whether `fit` has something to learn.
        constant: whether its buffers never change while it trains, so that steps needn't keep copies of them.
    """

    role: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs_fit: bool = False
    constant: bool = False
    output_size: int

    def __init_subclass__(cls, *, register: bool = True, **kwargs: Any) -> None:
        """Check the constructor's arguments, and let recipes find the class, unless it is a base of others alone."""
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = validated(cls.__init__)  # type: ignore[method-assign]
        if not register or cls.__name__.startswith("_"):
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

    def build(self) -> None:
        """Make the parameters whose sizes a stage before has learnt; called once it has, and before `fit`."""

    def fit(self, rows: Iterable[Any], targets: Iterable[Any] = ()) -> None:
        """Learn what must be known before training, from one streaming pass over the training rows.

        Args:
            rows: of a first stage the inputs, of a further one what the stages before made of each (a `PaddedSequence`
                of one row), of a head the targets.
            targets: of the same rows, for features that learn from these too.
        """

    def save_assets(self, folder: Path) -> None:
        """Write what `fit` learnt as files of an existing folder."""

    def load_assets(self, folder: Path) -> None:
        """Restore what `save_assets` wrote."""

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Steps out for steps in: ``[B]`` int64 -> ``[B]`` int64, exact."""
        return lengths

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Positions in steps of the output, as positions in the input (float64); ``prepared`` as the features made it.

        A step's centre is its number, so it reaches from half a step before that to half a step behind.
        """
        return steps

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """What `forward` computes in evaluation, as nodes of a graph (``seqpipe export``).

        Args:
            graph: to add nodes and weights to.
            sequence: what comes in.

        Returns:
            What goes out.

        Raises:
            ConfigError: the stage, or an option of it, has no counterpart in ONNX; which one, and what to do.
        """
        name = type(self).__name__
        raise ConfigError(
            f"{name} can't be exported: it doesn't say what it computes in ONNX. Give the class a method "
            "to_onnx(graph, sequence), or use the model with `seqpipe infer`"
        )

    def provided(self, attribute: str) -> Any:
        """What this stage tells the one behind it (see `Upstream`); None if it says nothing of the kind."""
        return getattr(self, attribute, None)


@runtime_checkable
class ReportsFit(Protocol):
    """A stage that has something to tell of what it has learnt."""

    def fit_messages(self) -> list[str]:
        """What the user should know, a line each."""


@runtime_checkable
class GivesLayers(Protocol):
    """An encoder of layers that heads may learn from one by one."""

    @property
    def inner_layers(self) -> int:
        """How many stand in front of the last one."""

    def layer_outputs(self, sequence: PaddedSequence) -> list[PaddedSequence]:
        """What each layer gives, all of the size of the last one's, which is what `Stage.forward` gives."""


@runtime_checkable
class CarriesState(Protocol):
    """An encoder that can go on where it ended: over a long row part by part, or step by step.

    A state is a tuple of tensors whose first dimension is the rows, so that choosing rows is indexing.
    """

    @property
    def carries_state(self) -> bool:
        """Whether it can with its options; one that looks ahead can't."""

    def initial_state(self, rows: int) -> tuple[Tensor, ...]:
        """The state before the first step of so many rows."""

    def forward_from(
        self, sequence: PaddedSequence, state: tuple[Tensor, ...]
    ) -> tuple[PaddedSequence, tuple[Tensor, ...]]:
        """What `Stage.forward` gives for steps that follow a state, and the state behind each row's last step."""


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
            raise ConfigError(f"should be a stage, e.g. {{stage: LogMel, n_mels: 80}}; received {shown(value)}")
        options = {key: option for key, option in value.items() if key != "stage"}
        stage = find_stage(value["stage"])
        return cls(value["stage"], validate(config_model(stage), options))

    def build(self, previous: Stage | None = None, **passed: Any) -> Any:
        """Build the stage; parameters marked `Upstream` come from ``previous`` or ``passed``.

        Raises:
            ConfigError: the stage before gives nothing that this one needs.
        """
        stage = find_stage(self.name)
        optional = {name for name, each in parameters_of(stage).items() if each.default is not ...}
        for name, attribute in upstream_parameters(stage).items():
            if name in passed:
                continue
            given = previous if not attribute else previous.provided(attribute) if previous is not None else None
            if given is None and attribute and name not in optional:
                raise ConfigError(
                    f"{self.name} needs {name} from the stage before it, and "
                    f"{type(previous).__name__ if previous is not None else 'nothing stands there, which'} gives none"
                )
            if given is not None or not attribute:
                passed[name] = given
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
