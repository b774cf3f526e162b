"""Tagged words as a column file: a word and its tag a line, as the CoNLL shared tasks have them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seqpipe.core.files import draft_file
from seqpipe.inference.formats.store import read_store, readable

_SEPARATORS = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
"""What ends a field or a line, here or for another program."""


def write_columns(store: Path, output: Path) -> None:
    r"""Word, tab and tag a line, a blank line after each input, in UTF-8; ``data: {format: columns}`` reads it back.

    An input that failed is a comment, ``# id: message``, so that as many blocks stand in the file as there were inputs.
    There are no confidences: programs that score such files take the last column for the tag. What would end a field or
    a line inside a word is written as ``_``; so are the blanks of a word that begins with ``#``, which is no comment.

    Raises:
        DataError: the store can't be read.
    """
    with draft_file(output) as file:
        for _, record in read_store(store):
            file.write(readable(column_text(record)).encode())


def column_text(record: dict[str, Any]) -> str:
    r"""The block of one answer.

    Example:
        >>> column_text({"id": "a", "words": [{"text": "in", "tag": "O"}, {"text": "Rome", "tag": "B-LOC"}]})
        'in\tO\nRome\tB-LOC\n\n'
    """
    if "error" in record:
        return f"# {_SEPARATORS.sub(' ', str(record['id']))}: {_SEPARATORS.sub(' ', str(record['message']))}\n\n"
    return "".join(f"{_field(word['text'])}\t{_field(word['tag'])}\n" for word in record["words"]) + "\n"


def _field(text: str) -> str:
    text = _SEPARATORS.sub("_", text)
    return text.replace(" ", "_") if text.startswith("#") else text
