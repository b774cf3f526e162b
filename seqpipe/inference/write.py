"""Answers into a JSON lines file, in input order."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqpipe.errors import ConfigError
from seqpipe.inference.failure import Failure


def write_answers(answers: Iterable[Any], output: str) -> tuple[int, Counter[str]]:
    """Write each answer as a line as soon as it is there.

    A file is written under ``<output>.partial`` and renamed when all is done, so that a finished name means a finished
    list.

    Args:
        answers: predictions and failures.
        output: a file, or ``-`` for standard output.

    Returns:
        How many answers were written, and the failures by kind.

    Raises:
        ConfigError: ``output`` is a folder; nothing has been asked of ``answers`` yet.
    """
    if Path(output).is_dir():
        raise ConfigError(f"--output {output}: is a folder; name a file in it")
    failures: Counter[str] = Counter()
    count = 0
    partial = Path(f"{output}.partial")
    if output != "-":
        partial.parent.mkdir(parents=True, exist_ok=True)
    file = sys.stdout if output == "-" else partial.open("w", encoding="utf-8")
    try:
        for answer in answers:
            line = json.dumps(answer.to_json(), ensure_ascii=False)
            # A file's name may be no UTF-8: its odd bytes, surrogates in Python, are written as JSON's own escapes.
            file.write(line.encode("utf-8", "backslashreplace").decode() + "\n")
            count += 1
            if isinstance(answer, Failure):
                failures[answer.kind] += 1
                print(f"failed: {answer.message}", file=sys.stderr)
    finally:
        file.flush()
        if output != "-":
            file.close()
    if output != "-":
        partial.replace(output)
    return count, failures
