"""What subtitles, time-marked files and column files need of a prediction: words with times, or with tags."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from seqpipe.core.measure import Measure
from seqpipe.errors import ConfigError
from seqpipe.inference.formats.table import field_types


def check_words(kind: str, prediction: type, measure: Measure) -> None:
    """Whether predictions of this type have ``words``, each with ``text``, ``start`` and ``end``, in seconds.

    Pixels of an image or points of a pen, written where a format has seconds, would be read as such.

    Raises:
        ConfigError: they don't.
    """
    types = _word_types(prediction)
    if not (types.get("text") is str and types.get("start") is float and types.get("end") is float):
        raise ConfigError(
            f"--format {kind}: needs words with times, and this model answers with {prediction.__name__}; "
            "--format jsonl, csv or parquet"
        )
    if not measure.is_time:
        raise ConfigError(
            f"--format {kind}: needs words with times in seconds, and this model answers with {measure.name}s; "
            "--format jsonl, csv or parquet"
        )


def check_text(kind: str, prediction: type) -> None:
    """Whether predictions of this type have a ``text``.

    Raises:
        ConfigError: they don't.
    """
    if not is_dataclass(prediction) or field_types(prediction).get("text") is not str:
        raise ConfigError(
            f"--format {kind}: needs transcriptions, and this model answers with {prediction.__name__}; "
            "--format jsonl, csv or parquet"
        )


def check_tags(prediction: type) -> None:
    """Whether predictions of this type have ``words``, each with ``text`` and ``tag``.

    Raises:
        ConfigError: they don't.
    """
    types = _word_types(prediction)
    if not (types.get("text") is str and types.get("tag") is str):
        raise ConfigError(
            f"--format columns: needs words with tags, and this model answers with {prediction.__name__}; "
            "--format jsonl, csv or parquet"
        )


def _word_types(prediction: type) -> dict[str, Any]:
    """What a word of a prediction consists of; nothing where it has none."""
    words = field_types(prediction).get("words") if is_dataclass(prediction) else None
    inner = get_args(words)
    if get_origin(words) in (tuple, list) and inner and is_dataclass(inner[0]):
        return field_types(inner[0])  # type: ignore[arg-type]
    return {}
