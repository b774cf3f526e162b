import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.checks.findings import Findings, shortened, usable
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError


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


def test_a_row_whose_source_shows_a_problem_is_not_looked_at() -> None:
    findings = Findings()
    bad = Row("r", None, number=2, problem=InputError("no target", "has none"))
    good, _ = usable([bad, Row("s", None, number=4)], examine_even, findings)
    assert [row.id for row in good] == ["s"]
    assert findings.problems == [(bad, "no target", "has none")]


def test_json_names_every_row() -> None:
    findings = Findings(rows=9)
    for number in range(1, 8):
        findings.add(Row(f"r{number}", None, number=number), InputError("late", f"too late {number}"))
        findings.warn(Row(f"r{number}", None, number=number), "odd", f"odd {number}")
    record = findings.to_json()
    assert (record["rows"], record["usable"]) == (9, 2)
    for level, kind in (("errors", "late"), ("warnings", "odd")):
        (found,) = record[level]
        assert (found["kind"], found["count"]) == (kind, 7)
        assert [(row["row"], row["id"]) for row in found["rows"]] == [(n, f"r{n}") for n in range(1, 8)]


def test_a_report_says_what_can_be_used_and_what_is_wrong() -> None:
    findings = Findings(rows=3, summary=["2 different targets"])
    assert findings.report("dev") == "dev: 3 of 3 rows can be used\n  2 different targets"
    findings.add(Row("r1", None, number=1, source="d.tsv"), InputError("late", "too late"))
    findings.warn(Row("r2", None, number=2, source="d.tsv"), "odd", "is odd")
    assert findings.report("dev").splitlines() == [
        "dev: 2 of 3 rows can be used",
        "  2 different targets",
        "  can't be used: 1",
        "    late: 1 of 3 rows",
        "      d.tsv, row 1 (r1): too late",
        "  warnings: 1, on rows that are used",
        "    odd: 1 of 3 rows",
        "      d.tsv, row 2 (r2): is odd",
    ]


def test_warnings_are_lines_of_their_own_and_end_nothing() -> None:
    findings = Findings(rows=2)
    findings.warn(Row("r", None, number=1, source="rows.tsv"), "odd", "is odd")
    assert findings.lines() == []
    assert findings.warning_lines() == ["odd: 1 of 2 rows", "  rows.tsv, row 1 (r): is odd"]
    findings.enforce(0.0)


def test_a_long_message_is_cut_for_people_and_whole_for_machines() -> None:
    findings = Findings(rows=1)
    findings.warn(Row("r", None, number=1), "odd", "x" * 5000)
    assert len(findings.warning_lines()[1]) < 400
    assert findings.to_json()["warnings"][0]["rows"][0]["message"] == "x" * 5000
    assert shortened("short") == "'short'"
    assert len(shortened(["O"] * 99)) == 100
