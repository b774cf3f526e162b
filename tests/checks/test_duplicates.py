from collections.abc import Callable

from seqpipe.checks.duplicates import find_duplicates, find_equal_ids
from seqpipe.checks.part import Part, content_hash
from seqpipe.core.measure import TOKENS, seconds

MakePart = Callable[..., Part]
Named = Callable[[Part], list[tuple[int, str]]]


def test_the_later_row_is_named_with_the_first(make_part: MakePart, named: Named) -> None:
    part = make_part("train", ["one", "two", "one", "three"], contents=[b"a", b"b", b"a", b"a"])
    find_duplicates([part])
    assert named(part) == [(3, "duplicate"), (4, "duplicate, with another target")]
    assert part.findings.warnings[0][2] == "the same input as train.tsv, row 1 (r1), and the same target"
    assert "row 1 (r1), with the target 'three', there 'one'" in part.findings.warnings[1][2]


def test_what_is_in_two_parts_is_named_on_both_sides(make_part: MakePart, named: Named) -> None:
    train = make_part("train", ["one", "two", "three"], contents=[b"a", b"b", b"c"])
    dev = make_part("dev", ["three", "none", "other"], contents=[b"c", b"d", b"b"])
    find_duplicates([train, dev])
    assert named(train) == [(2, "in dev too, with another target"), (3, "in dev too")]
    assert sorted(named(dev)) == [(1, "in train too"), (3, "in train too, with another target")]
    assert "dev.tsv, row 1 (r1)" in train.findings.warnings[1][2]


def test_targets_are_the_same_in_tables_that_hold_them_otherwise(make_part: MakePart, named: Named) -> None:
    train = make_part("train", ["1", [1, 2], "1.0"], contents=[b"a", b"b", b"c"])
    dev = make_part("dev", [1.0, ["1", 2.0], 1.0], contents=[b"a", b"b", b"c"])
    find_duplicates([train, dev])
    assert named(train) == [(1, "in dev too"), (2, "in dev too"), (3, "in dev too, with another target")]


def test_the_same_text_is_no_finding(make_part: MakePart) -> None:
    part = make_part("train", ["yes"] * 9, contents=[bytes([number]) for number in range(9)])
    find_duplicates([part])
    assert part.findings.warnings == []


def test_inputs_that_were_not_read_and_silence_are_not_compared(make_part: MakePart) -> None:
    silent = (("silent", "nothing is heard"),)
    part = make_part("train", ["x"] * 4, contents=[None, None, b"a", b"a"], warnings=[(), (), silent, silent])
    find_duplicates([part])
    assert part.findings.warnings == []


def test_an_id_that_stands_twice(make_part: MakePart, named: Named) -> None:
    part = make_part("train", ["x", "y", "z"])
    part.rows.append(part.rows[1])
    find_equal_ids(part)
    assert named(part) == [(2, "duplicate id")]


def test_lists_of_words_and_tags_are_compared_as_they_are(make_part: MakePart, named: Named) -> None:
    inputs = [["a", "b"], ["a b"], ["a", "b"], ["a", "b"]]
    targets = [["X", "Y"], ["X"], ["X", "Y"], ["X", "X"]]
    train = make_part("train", targets, contents=[content_hash(words) for words in inputs])
    find_duplicates([train])
    assert named(train) == [(3, "duplicate"), (4, "duplicate, with another target")]


def test_of_long_targets_what_differs_is_shown(make_part: MakePart) -> None:
    tags = ["O"] * 200
    texts = ["a" * 300 + "b" + "a" * 300, "a" * 300 + "c" + "a" * 300]
    part = make_part("train", [tags, [*tags[:-1], "B-X"], *texts], contents=[b"a", b"a", b"b", b"b"])
    find_duplicates([part])
    of_tags, of_texts = (message for _, _, message in part.findings.warnings)
    assert "with the target 'B-X' at word 200, there 'O'" in of_tags
    assert "aba" in of_texts
    assert "aca" in of_texts
    assert max(len(of_tags), len(of_texts)) < 300


def test_short_texts_are_alike_by_chance(make_part: MakePart, named: Named) -> None:
    def parts() -> list[Part]:
        train = make_part(
            "train", ["x", "x", "y", "x", "x"], lengths=[1, 1, 1, 9, 9], contents=[*[b"a"] * 3, b"b", b"b"]
        )
        return [train, make_part("dev", ["x", "x"], lengths=[1, 9], contents=[b"a", b"b"])]

    train, dev = parts()
    find_duplicates([train, dev], TOKENS)
    assert sorted(named(train)) == [(3, "duplicate, with another target"), (4, "in dev too"), (5, "duplicate")]
    assert named(dev) == [(2, "in train too")]
    assert train.findings.summary == ["1 of the rows repeat an earlier text of at most 4 tokens, with its target"]
    train, dev = parts()
    find_duplicates([train, dev], seconds(8000))
    assert (1, "in dev too") in named(train)
