import json

from seqpipe.answers.regression import Regression
from seqpipe.core.measure import seconds
from seqpipe.inference.formats.choose import check_format


def test_answers_go_into_tables_and_json() -> None:
    found = Regression("r", (1 / 3, -2e9), (0.1, 1e-12), 2 / 3)
    record = json.loads(json.dumps(found.to_json()))
    assert record == {
        "id": "r",
        "values": [0.333333333, -2e9],
        "standard_deviations": [0.1, 1e-12],
        "confidence": 0.666667,
        "truncated": 0,
    }
    for kind in ("jsonl", "csv", "parquet"):
        check_format(kind, Regression, seconds(16_000))
