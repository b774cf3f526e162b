"""ARPA files: what is read is what was written, and what is damaged is named by its line."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from seqpipe.errors import InputError
from seqpipe.language.arpa import open_arpa, write_arpa

GOOD = """# a comment, as KenLM allows

\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.25
-0.5\t</s>
-0.75\ta\t-0.5

\\2-grams:
-0.125\t<s> a
-0.375\ta </s>

\\end\\
"""


def read(path: Path) -> list[tuple[int, list[str], list[float], list[float]]]:
    with open_arpa(path) as reader:
        blocks = [block for section in reader.sections() for block in section]
    return [(b.line, b.words, b.log_probs.tolist(), b.backoffs.tolist()) for b in blocks]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.arpa"


def test_sections_are_read_with_their_lines(path: Path) -> None:
    path.write_text(GOOD)
    assert read(path) == [
        (8, ["<unk>", "<s>", "</s>", "a"], [-1.5, -99, -0.5, -0.75], [0, -0.25, 0, -0.5]),
        (14, ["<s>", "a", "a", "</s>"], [-0.125, -0.375], [0, 0]),
    ]


def test_line_ends_of_windows_and_packed_files_are_read(path: Path) -> None:
    path.write_text(GOOD)
    expected = read(path)
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert read(path) == expected
    packed = path.with_name("model.arpa.gz")
    packed.write_bytes(gzip.compress(GOOD.encode()))
    assert read(packed) == expected


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_every_number_comes_back_to_the_bit(tmp_path: Path, name: str) -> None:
    generator = np.random.default_rng(1)
    log_probs = -(10 ** generator.uniform(-8, 2, 5000)).astype(np.float32)
    backoffs = (10 ** generator.uniform(-8, 1, 5000)).astype(np.float32) * generator.choice([-1, 1], 5000)
    words = [f"é{number}" for number in range(5000)]
    path = tmp_path / name
    section = [(words[:3000], log_probs[:3000], backoffs[:3000]), (words[3000:], log_probs[3000:], backoffs[3000:])]
    write_arpa(path, [5000, 1], [section, [(["é0 é1"], np.array([-1.0]), np.zeros(1))]])
    (_, read_words, read_log_probs, read_backoffs), _ = read(path)
    assert read_words == words
    assert np.array_equal(np.float32(read_log_probs), log_probs)
    assert np.array_equal(np.float32(read_backoffs), np.float32(backoffs))
    first = path.read_bytes()
    write_arpa(path, [5000, 1], [section, [(["é0 é1"], np.array([-1.0]), np.zeros(1))]])
    assert path.read_bytes() == first


def test_a_writing_that_fails_leaves_what_was_there(path: Path) -> None:
    path.write_text("before")

    def broken():
        yield [(["a"], np.zeros(1), np.zeros(1))]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_arpa(path, [1, 1], broken())
    assert path.read_text() == "before"
    assert [item.name for item in path.parent.iterdir()] == ["model.arpa"]


BAD = {
    "empty": ("", "ends after line 0, before \\data\\"),
    "no header": (GOOD.replace("\\data\\", "data"), "line 3: is no ARPA file: \\data\\ should stand here"),
    "kenlm's binary form": ("mmap lm http://kheafield.com/code format version 5\n\0", "is KenLM's binary form"),
    "no counts": ("\\data\\\n\n\\end\\\n", "line 2: the header states no counts"),
    "a count is no number": (GOOD.replace("ngram 2=2", "ngram 2=two"), "line 5: should be ngram 2=NUMBER"),
    "counts in another order": (GOOD.replace("ngram 2=2", "ngram 3=2"), "line 5: should be ngram 2=NUMBER"),
    "a section is missing": (
        GOOD.replace("\\2-grams:\n", ""),
        "line 13: more than the 4 1-grams that the header states",
    ),
    "a section has another name": (
        GOOD.replace("\\2-grams", "\\3-grams"),
        "line 13: the section \\2-grams: should begin",
    ),
    "fewer": (GOOD.replace("ngram 1=4", "ngram 1=5"), "line 12: 4 1-grams stand above, and the header states 5"),
    "more": (GOOD.replace("ngram 1=4", "ngram 1=3"), "line 11: more than the 3 1-grams that the header states"),
    "more of the last": (GOOD.replace("ngram 2=2", "ngram 2=1"), "line 15: more than the 1 2-grams"),
    "truncated": (GOOD[: GOOD.index("-0.375")], "ends after line 14, before 2-gram 2 of 2"),
    "cut in a line": (GOOD[: GOOD.index("-0.375") + 8], "line 15: should hold a log-probability, 2 words"),
    "no end": (GOOD.replace("\\end\\\n", ""), "ends after line 16, before \\end\\"),
    "text behind the end": (GOOD + "more\n", "line 18: \\end\\ stands above"),
    "a malformed number": (GOOD.replace("-0.125", "-0,125"), "line 14: '-0,125' is no log-probability"),
    "a malformed back-off": (GOOD.replace("-0.25", "-0.2_5"), "line 9: '-0.2_5' is no back-off weight"),
    "no finite number": (GOOD.replace("-0.125", "nan"), "line 14: 'nan' is no log-probability"),
    "above 0": (GOOD.replace("-0.125", "0.125"), "line 14: the log-probability is above 0"),
    "a back-off of the highest order": (GOOD.replace("<s> a\n", "<s> a\t-1\n"), "line 14: the highest order has no"),
    "too many words": (GOOD.replace("a </s>", "a a a </s>"), "line 15: should hold a log-probability, 2 words"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_damaged_is_named_by_its_line(name: str, path: Path) -> None:
    text, message = BAD[name]
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_bytes_that_are_no_text_are_named(path: Path) -> None:
    path.write_bytes(GOOD.encode().replace(b"-0.75\ta", b"-0.75\t\xff"))
    with pytest.raises(InputError, match="line 11: is not UTF-8 text"):
        read(path)


def test_a_packed_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa.gz"
    path.write_bytes(gzip.compress(GOOD.encode())[:-20])
    with pytest.raises(InputError, match="can't be unpacked"):
        read(path)
    path.write_text(GOOD)
    with pytest.raises(InputError, match="can't be unpacked"):
        read(path)
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "other.arpa")
