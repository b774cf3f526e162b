import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import cli
from seqpipe.config.plain_yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, dump_yaml, parse_yaml, read_yaml
from seqpipe.errors import ConfigError

TAGS = ("int", "float", "bool", "null", "timestamp", "binary", "set", "omap", "pairs", "map", "seq", "str", "merge")


def multiplied(levels: int, width: int = 10) -> str:
    """Lists of aliases of lists of aliases: ``width ** levels`` values in a few lines."""
    first = f"a0: &a0 [{', '.join('x' * width)}]\n"
    rest = (f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * width)}]\n" for n in range(levels - 1))
    return first + "".join(rest)


MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(9))

FAULTS = {
    "a control character": ("a: 1\nb: \x1b[2J", "U+001B is not allowed (line 2, column 4)"),
    "a null character": ("a: 1\n\nb: c\0", "U+0000 is not allowed (line 3, column 5)"),
    "a null character by its escape": ('a:\n  b: "c\\0"', "holds a null character (line 2, column 6)"),
    "half a surrogate pair": (
        'a: "\\ud800"',
        "half a surrogate pair (U+D800), which is no character (line 1, column 4)",
    ),
    "no character": ('a: "\\UFFFFFFFF"', "(line 1, column 7)"),
    "5,000 digits": ("a:\n  b: " + "9" * 5000, "is no int (ValueError: Exceeds the limit"),
    "more than 64 bits": ("a: 1\nb: -" + "9" * 19, "a number of 20 digits is too large; put quotation marks around"),
    "5,000 digits of a version": ("%YAML 1." + "9" * 5000 + "\n---\na: 1", "(line 1, column"),
    "an impossible date": (
        "a: 1\nb: !!timestamp 2024-13-45",
        "is no timestamp (ValueError: month must be in 1..12)",
    ),
    "an impossible zone": ("a: !!timestamp 2001-01-01 00:00:00 +99:99", "is no timestamp"),
    "a number that is none": ("a: !!int x", "'x' is no int"),
    "a truth that is none": ("a: !!bool x", "'x' is no bool"),
    "a list as a set": ("a: !!set [1]", "what stands here is no set"),
    "a text as a mapping": ("a: 1\nb: !!map x", "'x' is no map (ValueError"),
    "a list as a key": ("a: {[1]: 2}", "[1] can't be a key (line 1, column 5)"),
    "lists in one another": ("a: " + "[" * 100_000, f"more than {MAX_DEPTH} levels in one another (line 1, column 53)"),
    "mappings in one another": ("{a: " * 100_000, "levels in one another"),
    "items in one another": ("- " * 100_000 + "a", "levels in one another"),
    "aliases that multiply": (multiplied(9), f"more than {MAX_NODES} values (aliases count each time) (line 5"),
    "merges that multiply": (MERGED, f"more than {MAX_NODES} values"),
    "an alias within itself": ("a: &a [*a]", "*a stands in what it stands for (line 1, column 8)"),
    "two documents": ("a: 1\n---\nb: 1", "another document (line 2, column 1)"),
}


def fault(text: str) -> str:
    """What is said of a text; of one that is read, "(line 1, column 1)"."""
    try:
        parse_yaml(text)
    except ConfigError as error:
        return str(error)
    return "(line 1, column 1)"


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_told_with_file_and_line_at_once(name: str, tmp_path: Path) -> None:
    text, message = FAULTS[name]
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    started = time.perf_counter()
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(tmp_path))}/r\.yaml: .*{re.escape(message)}") as caught:
        read_yaml(tmp_path / "r.yaml")
    assert time.perf_counter() - started < 3  # under one on a machine that does nothing else
    assert re.search(r"\(line \d+, column \d+\)$", str(caught.value))


@pytest.mark.parametrize("value", ["x", "[1]", "{a: 1}", '""', "'2001-01-01'", "{a: {b: 1}}", "[[1, 2]]", "-", "~"])
@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_on_no_value_is_more_than_an_error(tag: str, value: str) -> None:
    assert "(line 1, column" in fault(f"a: !!{tag} {value}")


@given(st.text(st.sampled_from("ab1.-:[]{}&*!|>?%@`'\"\\#,~<= \n\t\0\x1b\x85\ud800\ufeff9_x"), max_size=60))
def test_no_text_is_more_than_an_error(text: str) -> None:
    assert "(line " in fault(text)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé \n'\"#:-\U0001f600")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab: ", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True)) == value


@pytest.mark.parametrize("text", ["a\x85b", "\u2028", "\ufeff", "é 😀", "a\x85é"])
def test_texts_that_are_dumped_read_as_they_were(text: str) -> None:
    assert parse_yaml(dump_yaml([text])) == [text]
    assert parse_yaml(dump_yaml({"key": text}, default_flow_style=True)) == {"key": text}


def test_dates_are_text_whether_there_are_such_or_not() -> None:
    assert parse_yaml("[2024-13-45, 2024-02-01]") == ["2024-13-45", "2024-02-01"]


def test_aliases_that_stay_within_bounds_are_read() -> None:
    assert parse_yaml("a: &a [x, {y: 1}]\nb: *a\nc: [*a, *a]") == {
        "a": ["x", {"y": 1}],
        "b": ["x", {"y": 1}],
        "c": [["x", {"y": 1}]] * 2,
    }
    assert len(parse_yaml(multiplied(4))["a3"]) == 10


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "r.yaml").open("wb") as file:
        file.truncate(10 * MAX_BYTES)
    with pytest.raises(ConfigError, match=r"r\.yaml: is no recipe: it has more than 1,000,000 bytes"):
        read_yaml(tmp_path / "r.yaml")


@pytest.mark.parametrize("name", ["a control character", "5,000 digits", "aliases that multiply", "an impossible date"])
def test_the_command_says_so_without_a_traceback(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.yaml").write_text(FAULTS[name][0], encoding="utf-8")
    assert cli.main(["check", str(tmp_path / "r.yaml")]) == 2
    assert f"seqpipe check: {tmp_path}/r.yaml: is not valid YAML" in capfd.readouterr().err
