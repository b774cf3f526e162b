from collections.abc import Callable

import pytest

from seqpipe.checks.groups import compare_groups
from seqpipe.checks.part import Part
from seqpipe.config.recipe import DataConfig
from seqpipe.errors import DataError

MakePart = Callable[..., Part]
Named = Callable[[Part], list[tuple[int, str]]]


def speakers(make_part: MakePart, column: str = "speaker") -> list[Part]:
    train = make_part("train", ["x"] * 4, columns=[{column: name} for name in ("ann", "bob", "eve", "bob")])
    dev = make_part("dev", ["x"] * 3, columns=[{column: name} for name in ("tom", "bob", "")])
    return [train, dev]


def test_a_group_in_two_parts_is_named_once_in_each_with_its_first_rows(make_part: MakePart, named: Named) -> None:
    train, dev = speakers(make_part)
    compare_groups([train, dev], DataConfig(group="speaker"))
    assert named(train) == [(2, "speaker in dev too")]
    assert train.findings.warnings[0][2] == (
        "speaker bob has 2 rows here and 1 row there, the first dev.tsv, row 2 (r2)"
    )
    assert named(dev) == [(2, "speaker in train too")]
    assert train.findings.numbers["groups"] == {"column": "speaker", "count": 3, "shared": {"dev": 1}}


def test_numbers_of_groups_are_the_same_in_tables_that_hold_them_otherwise(make_part: MakePart, named: Named) -> None:
    train = make_part("train", ["x"] * 3, columns=[{"speaker": value} for value in ("0", "17", "")])
    dev = make_part("dev", ["x"] * 3, columns=[{"speaker": value} for value in (0.0, 17.0, None)])
    compare_groups([train, dev], DataConfig(group="speaker"))
    assert named(train) == [(1, "speaker in dev too"), (2, "speaker in dev too")]
    assert dev.findings.numbers["groups"]["count"] == 2


def test_a_usual_column_is_summarised_without_a_warning(make_part: MakePart) -> None:
    train, dev = speakers(make_part, "writer")
    compare_groups([train, dev], DataConfig())
    assert train.findings.warnings == dev.findings.warnings == []
    (line,) = train.findings.summary
    assert line == "3 different values of writer, 1 of them in dev too (data.group=writer makes a warning of it)"


def test_other_columns_are_left_alone(make_part: MakePart) -> None:
    parts = speakers(make_part, "colour")
    compare_groups(parts, DataConfig())
    assert not any(part.findings.summary or part.findings.warnings for part in parts)


def test_a_column_that_is_not_there_is_an_error_with_the_nearest(make_part: MakePart) -> None:
    with pytest.raises(DataError, match=r"train\.tsv: has no column speakr \(data\.group\); did you mean speaker\?"):
        compare_groups(speakers(make_part), DataConfig(group="speakr"))
