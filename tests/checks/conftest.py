"""Parts made by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from seqpipe.checks.findings import Findings
from seqpipe.checks.part import Inspection, Part
from seqpipe.data.rows import Row

MakePart = Callable[..., Part]


@pytest.fixture
def make_part() -> MakePart:
    """``make_part("train", targets, lengths=..., contents=..., columns=...)``: rows r1, r2, ... of train.tsv."""

    def make(
        name: str,
        targets: Sequence[Any],
        *,
        lengths: Sequence[int] | None = None,
        contents: Sequence[bytes | None] | None = None,
        warnings: Sequence[tuple[tuple[str, str], ...]] | None = None,
        columns: Sequence[dict[str, Any]] | None = None,
    ) -> Part:
        count = len(targets)
        source = f"{name}.tsv"
        rows = [
            Row(f"r{number}", None, target, number, source, columns[number - 1] if columns else {})
            for number, target in enumerate(targets, 1)
        ]
        inspections = [
            Inspection(
                lengths[index] if lengths else 100,
                lengths[index] if lengths else 100,
                contents[index] if contents else None,
                warnings[index] if warnings else (),
            )
            for index in range(count)
        ]
        return Part(name, source, rows, inspections, findings=Findings(rows=count))

    return make


@pytest.fixture
def named() -> Callable[[Part], list[tuple[int, str]]]:
    """Row number and kind of each warning of a part."""
    return lambda part: [(row.number, kind) for row, kind, _ in part.findings.warnings]
