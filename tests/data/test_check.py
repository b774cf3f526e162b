from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.data.check import Findings, examine_whole, fits, usable
from seqpipe.data.rows import AudioSpan, Row
from seqpipe.errors import DataError, InputError
from seqpipe.pipeline import Pipeline


def examine_even(row: Row) -> int:
    """Accepts rows with an even number."""
    if row.number % 2:
        raise InputError("odd", f"{row.number} is odd")
    return row.number


@given(numbers=st.lists(st.integers(0, 100), max_size=30))
def test_every_row_is_either_usable_or_found(numbers: list[int]) -> None:
    findings = Findings()
    rows = [Row(str(number), None, number=number) for number in numbers]
    good, results = usable(iter(rows), examine_even, findings)
    assert [row.number for row in good] == results == [number for number in numbers if number % 2 == 0]
    assert [row.number for row, _, _ in findings.problems] == [number for number in numbers if number % 2]
    assert findings.rows == len(numbers)


@given(bad=st.integers(0, 20), good=st.integers(0, 20), share=st.floats(0, 1))
def test_more_than_the_share_is_an_error_and_no_less(bad: int, good: int, share: float) -> None:
    findings = Findings()
    rows = [Row(str(number), None, number=number) for number in [1] * bad + [2] * good]
    usable(rows, examine_even, findings)
    if bad and bad / (bad + good) > share:
        with pytest.raises(DataError, match=rf"{bad} of {bad + good} rows"):
            findings.enforce(share)
    else:
        findings.enforce(share)


def test_lines_count_by_kind_and_name_the_first_rows() -> None:
    findings = Findings(rows=10)
    for number in range(1, 8):
        findings.add(
            Row(f"r{number}", None, number=number, source="rows.tsv"), InputError("late", f"too late {number}")
        )
    findings.add(Row("r9", None, number=9, source="rows.tsv"), InputError("early", "too early"))
    assert findings.lines(most=2) == [
        "late: 7 of 10 rows",
        "  rows.tsv, row 1 (r1): too late 1",
        "  rows.tsv, row 2 (r2): too late 2",
        "  and 5 more",
        "early: 1 of 10 rows",
        "  rows.tsv, row 9 (r9): too early",
    ]


def test_a_label_fits_as_long_as_it_needs_no_more_steps_than_there_are() -> None:
    fits(steps=5, needed=5)
    with pytest.raises(InputError, match=r"needs 6 steps, and 5 are left") as caught:
        fits(steps=5, needed=6)
    assert caught.value.kind == "too short for its label"


def test_examine_whole_names_what_a_trained_pipeline_could_not_use(trained_run: Path, tmp_path: Path) -> None:
    pipeline = Pipeline.load(trained_run)
    good = tmp_path / "good.wav"
    soundfile.write(good, np.full(8000, 0.1), 8000)
    (tmp_path / "text.wav").write_text("no audio")
    examine_whole(Row("good", AudioSpan(good), "ab c"), pipeline)
    for row, kind in [
        (Row("1", AudioSpan(tmp_path / "gone.wav"), "a"), "missing"),
        (Row("2", AudioSpan(tmp_path / "text.wav"), "a"), "undecodable"),
        (Row("3", AudioSpan(good), "xyz"), "unknown character"),
        (Row("4", AudioSpan(good), 5), "bad value"),
        (Row("5", AudioSpan(good), "abc" * 20), "too short for its label"),  # 60 letters, and 51 frames in a second
        (Row("6", AudioSpan(good, 2.0), "a"), "bad value"),
    ]:
        with pytest.raises(InputError) as caught:
            examine_whole(row, pipeline)
        assert caught.value.kind == kind
