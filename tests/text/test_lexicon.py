from pathlib import Path

import pytest

from seqpipe.errors import ConfigError, DataError
from seqpipe.text.lexicon import phrases_of_cell, read_lexicon, read_phrases


def written(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_and_their_spellings(tmp_path: Path) -> None:
    path = written(tmp_path, "on\n\noff\to f f\r\noff\t▁of f\n")
    entries = read_lexicon(path)
    assert [entry[:2] for entry in entries] == [("on", None), ("off", ("o", "f", "f")), ("off", ("▁of", "f"))]
    assert entries[1].where == f"{path}, line 3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on\nturn off\n", "line 2: .*'turn off' holds a space"),
        ("\to n\n", "line 1: .* has no word"),
        ("on\t\n", "line 1: .* has no spelling behind its tab"),
        ("\n\n", "holds no words"),
    ],
)
def test_lines_that_are_no_words_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_lexicon(written(tmp_path, text))


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    path = written(tmp_path, "on\n")
    with pytest.raises(ConfigError, match=r"word.txt: no such file; did you mean words.txt\?"):
        read_lexicon(tmp_path / "word.txt")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="can't be read as text in UTF-8"):
        read_lexicon(path)


def test_phrases_of_a_list_a_file_and_a_cell(tmp_path: Path) -> None:
    path = written(tmp_path, "new york\n off \n")
    assert [phrase for phrase, _ in read_phrases(str(path))] == ["new york", "off"]
    assert [phrase for phrase, _ in read_phrases(["new york", " off"])] == ["new york", "off"]
    assert phrases_of_cell("new york; off;") == phrases_of_cell(["new york", "off"]) == ["new york", "off"]
    assert phrases_of_cell(None) == phrases_of_cell("") == phrases_of_cell(float("nan")) == []


def test_an_empty_phrase_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="item 2 of 2 is empty; leave it out"):
        read_phrases(["on", "  "])
    with pytest.raises(DataError, match="holds no words"):
        read_phrases(str(written(tmp_path, "\n")))
