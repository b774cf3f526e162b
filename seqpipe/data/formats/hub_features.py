"""What columns of the Hugging Face Hub's data sets mean: numbers of classes, JSON in a text.

Source: `datasets` 4 and later, `Features.to_dict`, which stands in the metadata of Parquet files too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from seqpipe.errors import InputError

Meaning = Callable[[Any], Any]


def column_meanings(features: Mapping[str, Any]) -> dict[str, Meaning]:
    """For each column that doesn't say itself what it means, what turns its values into that.

    Of `ClassLabel` these are the classes' names, None for -1, which stands for no label; of `Json` the objects. Both
    may stand in lists and mappings, as tags of words do. Recordings, images and other files stay the bytes and paths
    that they are.

    Args:
        features: of a data set, as plain data.

    Example:
        >>> tag = {"_type": "ClassLabel", "names": ["O", "X"]}
        >>> column_meanings({"tags": {"_type": "List", "feature": tag}})["tags"]([1, 0])
        ['X', 'O']
    """
    return _of_parts(features)


def meant(record: Mapping[str, Any], meanings: Mapping[str, Meaning]) -> dict[str, Any] | InputError:
    """A row's columns as they are meant; an `InputError` (``bad value``) that names a column with a value of none."""
    columns = dict(record)
    for name in meanings.keys() & columns.keys():
        try:
            columns[name] = meanings[name](columns[name])
        except (ValueError, RecursionError) as error:
            return InputError("bad value", f"column {name}: {error}")
    return columns


def _of(feature: Any) -> Meaning | None:
    """Of a column or a part of one; None if it stays as it is."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"_type": "List", "feature": feature[0]}  # how lists were written once
    if not isinstance(feature, Mapping):
        return None
    kind = feature.get("_type")
    if not isinstance(kind, str):  # a mapping, which may have a part called so
        parts = _of_parts(feature)
        return partial(_parts, parts) if parts else None
    if kind == "ClassLabel" and isinstance(feature.get("names"), list):
        return partial(_class_name, feature["names"])
    if kind == "Json":
        return lambda value: json.loads(value) if isinstance(value, str) else value
    inner = _of(feature.get("feature"))  # of lists of whatever kind
    return partial(_each, inner) if inner else None


def _of_parts(features: Mapping[str, Any]) -> dict[str, Meaning]:
    return {name: meaning for name, feature in features.items() if (meaning := _of(feature))}


def _parts(meanings: Mapping[str, Meaning], value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: meanings[name](part) if name in meanings else part for name, part in value.items()}


def _each(meaning: Meaning, value: Any) -> Any:
    if isinstance(value, Mapping):  # lists of mappings used to be stored as mappings of lists
        return {name: [meaning({name: part})[name] for part in parts] for name, parts in value.items()}
    return [meaning(part) for part in value] if isinstance(value, list) else value


def _class_name(names: Sequence[str], value: Any) -> str | None:
    if value is None or value == -1:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and 0 <= value < len(names):
        return str(names[value])
    shown = ", ".join(map(str, names[:10])) + ", ..." * (len(names) > 10)
    raise ValueError(f"{value!r} is no class; there are 0 to {len(names) - 1} ({shown})")
