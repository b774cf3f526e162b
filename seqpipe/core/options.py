"""A constructor's signature as validated configuration: checked when it is called, and when it is named in a recipe."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, validate_call
from torch import nn

from seqpipe.core.written import unwritten
from seqpipe.errors import MAX_PROBLEMS, ConfigError, did_you_mean, shown

_PYDANTIC = ConfigDict(arbitrary_types_allowed=True, extra="forbid", allow_inf_nan=False)
_models: dict[type[Any], type[BaseModel]] = {}


@dataclass(frozen=True)
class Upstream:
    """Marks a parameter that comes from the stage before: that stage's attribute, or (``""``) the stage."""

    attribute: str


InputSize = Annotated[int, Field(gt=0), Upstream("output_size")]
"""D, features of an incoming step; passed by the pipeline."""
InputRate = Annotated[int, Field(gt=0), Upstream("sample_rate")]
"""Samples a second of the incoming waveform, in hertz; passed by the pipeline."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a stage's constructor: its annotation, and its default (``...`` if it has none)."""

    hint: Any
    default: Any


def parameters_of(stage: type[Any]) -> dict[str, Parameter]:
    """The parameters of a stage's constructor by name.

    A constructor that ends with ``**options`` hands these to the next class that has one, whose parameters follow.

    Raises:
        ConfigError: a parameter is not keyword-only, or not annotated.
    """
    found: dict[str, Parameter] = {}
    for owner in stage.__mro__:
        if owner is nn.Module:  # the stage has no constructor of its own
            break
        constructor = owner.__dict__.get("__init__")
        if constructor is None:
            continue
        hints = typing.get_type_hints(constructor, include_extras=True)
        passes_on = False
        for name, parameter in inspect.signature(constructor).parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                passes_on = True
            elif name != "self" and name not in found:
                if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or name not in hints:
                    raise ConfigError(f"{stage.__name__}: parameter {name} must be keyword-only and annotated")
                default = ... if parameter.default is inspect.Parameter.empty else parameter.default
                found[name] = Parameter(hints[name], default)
        if not passes_on:
            break
    return found


def config_model(stage: type[Any]) -> type[BaseModel]:
    """The pydantic model of a stage's options, derived from its constructor; `Upstream` parameters are left out."""
    if stage not in _models:
        upstream = upstream_parameters(stage)
        fields: dict[str, Any] = {
            name: (parameter.hint, Field(default=parameter.default, validate_default=True))
            for name, parameter in parameters_of(stage).items()
            if name not in upstream
        }
        _models[stage] = create_model(stage.__name__, __config__=_PYDANTIC, **fields)
    return _models[stage]


def upstream_parameters(stage: type[Any]) -> dict[str, str]:
    """Parameters that the pipeline passes: name -> attribute of the stage before."""
    return {
        name: mark.attribute
        for name, parameter in parameters_of(stage).items()
        for mark in getattr(parameter.hint, "__metadata__", ())
        if isinstance(mark, Upstream)
    }


def validate(model: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """Validated options with defaults; raises `ConfigError` with a key path and, for unknown keys, the nearest one."""
    try:
        checked = model.model_validate(dict(options))
    except ValidationError as error:
        raise config_error(error, model.model_fields) from None
    return {name: unwritten(getattr(checked, name)) for name in model.model_fields}


def config_error(error: ValidationError, known: Iterable[str]) -> ConfigError:
    """pydantic's findings in the words of this project."""
    known = list(known)
    problems: list[tuple[tuple[str, ...], str]] = []
    for item in error.errors()[:MAX_PROBLEMS]:
        path = tuple(str(part) for part in item["loc"])
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, ConfigError):
            problems += inner.within(*path).problems
        elif item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            near = did_you_mean(path[-1], known) if len(path) == 1 else ""
            problems.append((path, f"is not known{near}"))
        elif item["type"] in ("missing", "missing_keyword_only_argument"):
            problems.append((path, "is required and was not given"))
        else:
            message = item["msg"][0].lower() + item["msg"][1:]
            problems.append((path, f"{message.removeprefix('value error, ')}; received {shown(item['input'])}"))
    return ConfigError(problems)


def validated(constructor: Callable[..., None]) -> Callable[..., None]:
    """The constructor, checking its arguments against its own annotations."""
    checked: Callable[..., None] | None = None

    @functools.wraps(constructor)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal checked
        if checked is None:  # at first use: annotations may name what the module defines further down
            checked = validate_call(config=_PYDANTIC)(constructor)
        try:
            checked(self, *args, **kwargs)
        except ValidationError as error:
            names = [name for name in inspect.signature(constructor).parameters if name != "self"]
            raise config_error(error, names).within(type(self).__name__) from None

    return __init__
