"""What subtitles, time-marked files, column files and pages need of a prediction: words with times or tags, a text."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from seqpipe.core.measure import Measure
from seqpipe.errors import ConfigError
from seqpipe.inference.formats.table import field_types

Need = tuple[str, dict[str, type]]

_TIMES: Need = ("words with times", {"text": str, "start": float, "end": float})
_TEXT: Need = ("transcriptions", {"text": str})
NEEDS: dict[str, Need] = {
    "srt": _TIMES,
    "vtt": _TIMES,
    "textgrid": _TIMES,
    "ctm": _TIMES,
    "columns": ("words with tags", {"text": str, "tag": str}),
    "alto": _TEXT,
    "page": _TEXT,
}
"""Formats with what they need, in words, and the fields that it has: of each of ``words``, but for a text, which stands
in the prediction itself."""


def check_needs(kind: str, prediction: type, measure: Measure) -> None:
    """Whether predictions of this type have what a format of `NEEDS` writes.

    Times have to be in seconds: pixels of an image or points of a pen, written where a format has seconds, would be
    read as such.

    Raises:
        ConfigError: they don't.
    """
    what, wanted = NEEDS[kind]
    types = field_types(prediction) if is_dataclass(prediction) else {}
    found = types if what == _TEXT[0] else _word_types(types.get("words"))
    given = prediction.__name__
    if wanted.items() <= found.items():
        if "start" not in wanted or measure.is_time:
            return
        what, given = f"{what} in seconds", f"{measure.name}s"
    raise ConfigError(
        f"--format {kind}: needs {what}, and this model answers with {given}; --format jsonl, csv or parquet"
    )


def _word_types(words: Any) -> dict[str, Any]:
    """What a word of a prediction's ``words`` consists of; nothing where there are none."""
    inner = get_args(words)
    if get_origin(words) in (tuple, list) and inner and is_dataclass(inner[0]):
        return field_types(inner[0])  # type: ignore[arg-type]
    return {}
