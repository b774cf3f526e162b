"""Files of word vectors as GloVe, fastText and word2vec write them, and as they come when something went wrong."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.errors import DataError
from seqpipe.features.text.binary_vectors import BLOCK
from seqpipe.features.text.vector_entry import LONGEST_WORD
from seqpipe.features.text.vectors import Coverage, read_vectors

Entries = dict[str, list[float]]
KNOWN: Entries = {"the": [0.5, -1.25, 3.0], "café": [1e-3, 2.0, -0.75], "of": [0.0, 1.0, 2.0]}


def glove(entries: Entries) -> bytes:
    return "".join(f"{word} {' '.join(map(repr, vector))}\n" for word, vector in entries.items()).encode()


def fasttext(entries: Entries) -> bytes:
    """With a header, and a space at the end of lines."""
    size = len(next(iter(entries.values())))
    return f"{len(entries)} {size}\n".encode() + glove(entries).replace(b"\n", b" \n")


def binary(entries: Entries, end: bytes = b"\n") -> bytes:
    size = len(next(iter(entries.values())))
    content = [f"{len(entries)} {size}\n".encode()]
    for word, vector in entries.items():
        content += [word.encode(), b" ", np.array(vector, dtype="<f4").tobytes(), end]
    return b"".join(content)


WRITERS: dict[str, Callable[[Entries], bytes]] = {
    "glove": glove,
    "glove-crlf": lambda entries: glove(entries).replace(b"\n", b"\r\n"),
    "glove-tabs": lambda entries: glove(entries).replace(b" ", b"\t"),
    "glove-bom": lambda entries: b"\xef\xbb\xbf" + glove(entries),
    "glove-no-end": lambda entries: glove(entries).rstrip(),
    "fasttext": fasttext,
    "word2vec": lambda entries: f"{len(entries)} 3\n".encode() + glove(entries),
    "binary": binary,
    "binary-without-newlines": lambda entries: binary(entries, b""),
}


def read(path: Path, words: list[str], size: int = 3, **options: object) -> tuple[Coverage, Tensor]:
    """Words are rows 1, 2, ...; what no vector was found for stays 9."""
    table = torch.full((len(words) + 1, size), 9.0)
    numbers = {word: number for number, word in enumerate(words, 1)}
    return read_vectors(path, numbers, table, **options), table  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_vectors_whatever_the_files_name(kind: str, zipped: bool, tmp_path: Path) -> None:
    content = WRITERS[kind](KNOWN)
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(content) if zipped else content)
    coverage, table = read(path, ["of", "absent", "the", "café"])
    assert table.tolist() == torch.tensor([[9.0] * 3, KNOWN["of"], [9.0] * 3, KNOWN["the"], KNOWN["café"]]).tolist()
    assert (coverage.known, coverage.total, coverage.undecodable) == (3, 4, 0)
    assert coverage.found.tolist() == [False, True, False, True, True]


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6),
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=5, max_size=5),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([glove, fasttext, binary]),
)
def test_words_and_values_survive(
    tmp_path_factory: pytest.TempPathFactory, entries: Entries, write: Callable[[Entries], bytes]
) -> None:
    if write is binary:  # told apart by their bytes, vectors of round numbers alone might be text
        entries = {word: [value * 1.7 if abs(value) < 1e10 else 0.1 for value in row] for word, row in entries.items()}
        entries["\U0001f600"] = [0.1, -0.2, 0.3, -0.4, 0.5]
        entries = dict(reversed(entries.items()))
    path = tmp_path_factory.mktemp("vectors") / "v"
    path.write_bytes(write(entries))
    words = list(entries)
    coverage, table = read(path, words, 5)
    assert coverage.known == len(words)
    assert torch.equal(table[1:], torch.tensor([entries[word] for word in words], dtype=torch.float32))


def test_words_may_hold_spaces_and_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "glove.840B.txt"
    path.write_text("the 1 2 3\nat name@domain.com 4 5 6\n. . . 7 8 9\n10 000 1 1 1\n2 2 2 2\n  5 5 5\n\n")
    words = ["at name@domain.com", ". . .", "10 000", "2", "the"]
    coverage, table = read(path, words)
    assert table[1:].tolist() == [[4, 5, 6], [7, 8, 9], [1, 1, 1], [2, 2, 2], [1, 2, 3]]
    assert coverage.known == 5


@pytest.mark.parametrize(
    "lines",
    [
        ["route 66 1 2 3", "the 4 5 6", "of 7 8 9"],  # which alone would be a vector of four
        ["the 4 5 6", "of 7 8 9", "route 66 1 2 3"],
        ["3 3", "route 66 1 2 3 ", "of 7 8 9 ", "the 4 5 6 "],
    ],
)
def test_a_word_that_ends_with_a_number_is_told_by_the_lines_around_it(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "vec.txt"
    path.write_text("\n".join(lines))
    _, table = read(path, ["route 66", "the", "of"])
    assert table[1:].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_number_and_its_one_value_are_no_line_of_counts(tmp_path: Path) -> None:
    path = tmp_path / "vec.txt"
    path.write_text("5 7\nthe 1\n")
    assert read(path, ["the", "5"], 1)[1][1:].tolist() == [[1], [7]]


SPACED = [
    "new york",
    ". . .",
    "at name@domain.com",
    "10\u00a0000",
    "a\u2003b",
    "a b",
    "a bc",
    "a bcd",
    "a bcde",
    " x",
    "x ",
    " ",
    "",
]


@pytest.mark.parametrize("kind", ["normal", "float16", "ternary", "with zeros"])
@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("first", SPACED[:9])
def test_words_of_binary_files_may_hold_spaces(first: str, end: bytes, kind: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(len(first))
    words = list(dict.fromkeys([first, *(word for spaced in SPACED for word in (spaced, f"after{spaced}"))]))
    values = generator.normal(0.0, 0.3, (len(words), 24))
    if kind == "float16":
        values = values.astype(np.float16).astype(float)
    elif kind == "ternary":
        values = generator.integers(-1, 2, values.shape).astype(float)
    elif kind == "with zeros":
        values[:, 12:] = 0.0
    path = tmp_path / "vectors.bin"
    path.write_bytes(binary(dict(zip(words, values.tolist(), strict=True)), end))
    coverage, table = read(path, words, 24)
    assert coverage.known == len(words)
    assert torch.equal(table[1:], torch.tensor(values, dtype=torch.float32))


def test_very_small_values_are_no_sign_of_a_space_in_the_word(tmp_path: Path) -> None:
    values = [1e-19, -1e-25, 1e-42, 0.0, 0.5] * 2
    for end in (b"\n", b""):
        path = tmp_path / "vectors.bin"
        path.write_bytes(binary({"the": values, "of": values, "und": [0.1] * 10}, end))
        _, table = read(path, ["the", "of"], 10)
        assert torch.equal(table[1:], torch.tensor([values] * 2))


class TestRules:
    def test_the_word_itself_counts_before_its_other_spellings(self, tmp_path: Path) -> None:
        path = tmp_path / "cased.txt"
        path.write_text("The 1 1 1\nPARIS 2 2 2\nthe 3 3 3\nParis 4 4 4\nTHE 5 5 5\nthe 6 6 6\n")
        coverage, table = read(path, ["the", "paris", "london"], rules=["lowercase"])
        assert table[1:].tolist() == [[3, 3, 3], [2, 2, 2], [9, 9, 9]]
        assert coverage.known == 2

    def test_without_rules_no_other_spelling_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "cased.txt"
        path.write_text("The 1 1 1\n")
        coverage, _ = read(path, ["the"])
        assert coverage.known == 0
        assert str(coverage).endswith("spelt as Tokens.text makes the words?")

    def test_composed_and_parted_marks(self, tmp_path: Path) -> None:
        path = tmp_path / "nfd.txt"
        path.write_text("cafe\u0301 1 1 1\n")
        assert read(path, ["caf\u00e9"], rules=["nfc"])[0].known == 1


class TestCoverage:
    def test_tokens_are_counted_with_the_unknown_ones(self, tmp_path: Path) -> None:
        path = tmp_path / "vec.txt"
        path.write_bytes(glove(KNOWN))
        coverage, _ = read(path, ["the", "of", "rare"], counts=[10, 60, 20, 10])
        assert coverage.share == pytest.approx(0.8)
        assert str(coverage) == f"{path}: vectors for 2 of 3 words of the vocabulary (80.0 % of the training tokens)"

    @pytest.mark.parametrize("write", [glove, fasttext, binary])
    def test_words_that_are_no_utf8_are_counted(self, write: Callable[[Entries], bytes], tmp_path: Path) -> None:
        path = tmp_path / "vec"
        path.write_bytes(write(KNOWN).replace("é".encode(), b"\xe9"))
        coverage, table = read(path, ["of", "café"])
        assert (coverage.known, coverage.undecodable) == (1, 1)
        assert table[1].tolist() == KNOWN["of"]
        assert "1 words of the file are no UTF-8" in str(coverage)


class TestErrors:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b"\n \n", "is empty"),
            (b"the 1 2\n", r"line 1: has 2 values after its word, Embedding.size is 3; Embedding.size should be the"),
            (b"the 1 2 3 4\n", r"line 1: has 4 values after its word, Embedding.size is 3"),
            (b"the 1 2 3\nof 1 2\n", r"line 2: has 2 values .*; other lines have that many"),
            (b"2 4\nthe 1 2 3 4\nof 1 2 3 4\n", "line 1: speaks of vectors of 4 values, Embedding.size is 3"),
            (b"3 3\nthe 1 2 3\nof 1 2 3\n", "holds 2 vectors of the 3 that its first line promises"),
            (b"3 3\n", "holds 0 vectors of the 3"),
            (b"of 1 2 3\nthe 1 x 3\n", "line 2: the value 'x' is no number"),
            (b"2 3\nof 1 2 3\nthe 1 nan 3\n", "line 3: the value nan is no finite number"),
            (b"the 1 -inf 3\n", "line 1: the value -inf is no finite number"),
            (b"the 1 1e39 3\n", r"line 1: the value 1e\+39 is no finite number"),
            (b"the" + b"x" * 2 * LONGEST_WORD, "line 1: is longer than"),
            (b"PK\x03\x04 and more", "is a zip archive; unpack it"),
            (b"\xba\x16\x4f\x2f\x0c\0\0\0", "is a whole fastText model; its vectors are in the .vec"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is no file of word vectors"),
            (binary(KNOWN)[:-10], "vector 3: is cut off, of the 3 that the first line promises"),
            (binary({"the": [1.0, float("inf"), 2.0]}), "vector 1: the value inf is no finite number"),
            (b"the 1 2 3\nof 1 2 3 4 5 6 7\n", "line 2: has 8 fields, as two lines that lack the line break"),
            (b"the 1 1_0 3\n", "line 1: the value '1_0' is no number"),
            ("the 1 2 3\nthe\xa01 2 3\n".encode(), "line 2: has 2 values after its word"),
            (
                binary({"the": [0.1, 2e20, 0.1], "of": [0.1] * 3}),
                r"vector 1: the value 2e\+20 is none of a word vector",
            ),
            (binary(KNOWN).replace(b"\0\0\x40\xbf", b"\0\x40\xbf"), "vector 2: is garbled: wherever its word may end"),
            (b"2 3\nthe " + b"\0" * 12 + b"x" * 2 * LONGEST_WORD, "vector 2: has no word"),
            (gzip.compress(glove(KNOWN), mtime=0)[:-12], "the gzip file is damaged or cut off"),
        ],
    )
    def test_file_and_line_are_named(self, content: bytes, message: str, tmp_path: Path) -> None:
        path = tmp_path / "vec.txt"
        path.write_bytes(content)
        with pytest.raises(DataError, match=message) as caught:
            read(path, ["the"])
        assert str(caught.value).startswith(str(path))

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"absent\.txt: there is no such file of word vectors"):
            read(tmp_path / "absent.txt", ["the"])

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="can't be read: Is a directory"):
            read(tmp_path, ["the"])


@pytest.mark.parametrize("write", [glove, fasttext, binary])
def test_memory_does_not_grow_with_the_file(write: Callable[[Entries], bytes], tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=300).astype(np.float32).tolist()
    path = tmp_path / "large"
    path.write_bytes(write({f"word{number}": values for number in range(4000)}))
    assert path.stat().st_size > 16 * BLOCK
    tracemalloc.start()
    coverage, table = read(path, ["word3999", "word0"], 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert coverage.known == 2
    assert table[1:].tolist() == [values, values]
    assert peak < 5 * BLOCK
