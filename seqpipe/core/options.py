"""A constructor's signature as validated configuration: checked when it is called, and when it is named in a recipe."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, validate_call

from seqpipe.errors import ConfigError, did_you_mean

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


def config_model(stage: type[Any]) -> type[BaseModel]:
    """The pydantic model of a stage's options, derived from its constructor; `Upstream` parameters are left out."""
    if stage in _models:
        return _models[stage]
    fields: dict[str, Any] = {}
    hints = typing.get_type_hints(stage.__init__, include_extras=True)
    for name, parameter in inspect.signature(stage.__init__).parameters.items():
        if name == "self" or name in upstream_parameters(stage):
            continue
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or name not in hints:
            raise ConfigError(f"{stage.__name__}: parameter {name} must be keyword-only and annotated")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], Field(default=default, validate_default=True))
    _models[stage] = create_model(stage.__name__, __config__=_PYDANTIC, **fields)
    return _models[stage]


def upstream_parameters(stage: type[Any]) -> dict[str, str]:
    """Parameters that the pipeline passes: name -> attribute of the stage before."""
    hints = typing.get_type_hints(stage.__init__, include_extras=True)
    return {
        name: mark.attribute
        for name, hint in hints.items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, Upstream)
    }


def validate(model: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """Validated options with defaults; raises `ConfigError` with a key path and, for unknown keys, the nearest one."""
    try:
        checked = model.model_validate(dict(options))
    except ValidationError as error:
        raise config_error(error, model.model_fields) from None
    return {name: getattr(checked, name) for name in model.model_fields}


def config_error(error: ValidationError, known: Iterable[str]) -> ConfigError:
    """pydantic's findings in the words of this project."""
    known = list(known)
    problems: list[tuple[tuple[str, ...], str]] = []
    for item in error.errors():
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
            problems.append((path, f"{message.removeprefix('value error, ')}; received {item['input']!r}"))
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
