"""A comparison as a page."""

from __future__ import annotations

from pathlib import Path

from seqpipe.errors import ConfigError
from seqpipe.evaluation.compare import Comparison
from seqpipe.evaluation.compare_table import fact_text, p_text
from seqpipe.evaluation.report.examples import verdict
from seqpipe.evaluation.report.page import fill, write_page

ROWS = 20


def write_comparison(comparison: Comparison, output: str | Path) -> Path:
    """Write a comparison as one HTML file that needs nothing else.

    Raises:
        ConfigError: ``output`` is a folder.
        OSError: the file can't be written.
    """
    path = Path(output)
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; --output names a file")
    items = [next(iter(found.aligned.values())) for found in comparison.evaluations]
    rows = [
        {
            "id": comparison.evaluations[0].rows[index].id,
            "reference": comparison.evaluations[0].references[index],
            "answers": [
                (name, verdict(found, index), aligned[index])
                for name, found, aligned in zip(comparison.names, comparison.evaluations, items, strict=True)
            ],
        }
        for index in comparison.most_different(ROWS)
    ]
    first = comparison.evaluations[0]
    page = fill(
        "compare.html.j2",
        comparison=comparison,
        first=first,
        kinds=first.head.score_kinds,
        main=first.head.main_score,
        facts={name: [fact_text(name, value) for value in values] for name, values in comparison.facts.items()},
        p_text=p_text,
        rows=rows,
    )
    write_page(path, page)
    return path
