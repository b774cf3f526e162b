"""A comparison as a page."""

from __future__ import annotations

from pathlib import Path

from seqpipe.core.files import check_place, check_replaced, write_text
from seqpipe.evaluation.report.examples import verdict
from seqpipe.evaluation.report.page import fill
from seqpipe.evaluation.scores.compare import Comparison
from seqpipe.evaluation.scores.compare_table import fact_text, p_text

ROWS = 20


def write_comparison(comparison: Comparison, output: str | Path) -> Path:
    """Write a comparison as one HTML file that needs nothing else.

    Raises:
        ConfigError: ``output`` is a folder, lies in none, or would replace what was compared.
        OSError: the file can't be written.
    """
    path = Path(output)
    check_place("--output", path)
    files = (file for found in comparison.evaluations for row in found.rows for file in row.files)
    check_replaced("--output", [path], files)
    items = [next(iter(found.aligned.values())) for found in comparison.evaluations]
    evaluation = comparison.evaluations[0]
    rows = [
        {
            "id": evaluation.rows[index].id,
            "reference": evaluation.references[index],
            "words": evaluation.words(index),
            "text": None if evaluation.words(index) else evaluation.text(index),
            "answers": [
                (name, verdict(found, index), aligned[index])
                for name, found, aligned in zip(comparison.names, comparison.evaluations, items, strict=True)
            ],
        }
        for index in comparison.most_different(ROWS)
    ]
    page = fill(
        "compare.html.j2",
        comparison=comparison,
        first=evaluation,
        kinds=evaluation.metric.kinds,
        main=evaluation.metric.main,
        facts={name: [fact_text(name, value) for value in values] for name, values in comparison.facts.items()},
        p_text=p_text,
        rows=rows,
    )
    write_text(path, page)
    return path
