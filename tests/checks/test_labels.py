from pathlib import Path
from typing import Any

import pytest

from seqpipe.checks.labels import encode_label, fits
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.pipeline import Pipeline


def test_a_label_fits_as_long_as_it_needs_no_more_steps_than_there_are() -> None:
    fits(steps=5, needed=5)
    with pytest.raises(InputError, match=r"needs 6 steps, and 5 are left") as caught:
        fits(steps=5, needed=6)
    assert caught.value.kind == "too short for its label"


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("xyz", "unknown character"),
        (5, "bad value"),
        ("abc" * 20, "too short for its label"),  # 60 letters, and 51 frames in a second
    ],
)
def test_labels_that_a_trained_pipeline_could_not_learn(target: Any, kind: str, trained_run: Path) -> None:
    pipeline = Pipeline.load(trained_run)
    assert encode_label(Row("good", None, "ab c"), pipeline, 8000).tolist() == [2, 3, 1, 4]
    with pytest.raises(InputError) as caught:
        encode_label(Row("bad", None, target), pipeline, 8000)
    assert caught.value.kind == kind
