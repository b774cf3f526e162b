import json

import pytest

from seqpipe import ConfigError
from seqpipe.answers.classification import Classification, ClassProbability, MultiClassification
from seqpipe.core.measure import seconds
from seqpipe.inference.formats.choose import check_format


def test_a_class_goes_into_tables_and_json() -> None:
    found = Classification("r", "good", 0.5, (ClassProbability("good", 0.5), ClassProbability("bad", 1 / 3)), 2)
    record = json.loads(json.dumps(found.to_json()))
    assert record == {
        "id": "r",
        "label": "good",
        "confidence": 0.5,
        "probabilities": [{"label": "good", "probability": 0.5}, {"label": "bad", "probability": 0.333333}],
        "truncated": 2,
    }
    for kind in ("jsonl", "csv", "parquet"):
        check_format(kind, Classification, seconds(16_000))
    with pytest.raises(ConfigError, match="needs words with times"):
        check_format("srt", Classification, seconds(16_000))


def test_labels_go_into_tables_and_json() -> None:
    found = MultiClassification("r", ("sun",), 1 / 3, (ClassProbability("sun", 2 / 3), ClassProbability("rain", 0.5)))
    assert json.loads(json.dumps(found.to_json())) == {
        "id": "r",
        "labels": ["sun"],
        "confidence": 0.333333,
        "probabilities": [{"label": "sun", "probability": 0.666667}, {"label": "rain", "probability": 0.5}],
        "truncated": 0,
    }
    for kind in ("jsonl", "csv", "parquet"):
        check_format(kind, MultiClassification, seconds(16_000))
