import pytest

from seqpipe.errors import InputError
from seqpipe.text.spelling import spell
from seqpipe.text.units import Characters, SentencePieceUnits

UNITS = Characters(sorted("abcdefghijklmnopqrstuvwxyz '"))


def words_of(text: str, units: Characters = UNITS, **options: object) -> list[list[str]]:
    """The pieces of each word."""
    spelling = spell(text, units, **options)
    found: list[list[str]] = [[] for _ in spelling.words]
    for piece, owner in zip(spelling.pieces, spelling.owners, strict=True):
        if owner is not None:
            found[owner].append(piece)
    return found


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("to be", [["t", "o"], ["b", "e"]]),
        ("  to\n\tbe ", [["t", "o"], ["b", "e"]]),
        ("To BE", [["t", "o"], ["b", "e"]]),
        ("é", [["e"]]),
        ("don't, \u201cbe\u201d!", [["d", "o", "n", "'", "t"], ["b", "e"]]),
        ("at 7 % -", [["a", "t"], ["7"], ["%"], ["-"]]),
        ("7th b2b", [["7", "t", "h"], ["b", "2", "b"]]),
        ("a-b", [["a", "b"]]),
        ("日本 a", [["日本"], ["a"]]),
    ],
)
def test_every_word_is_spelt_or_bridged(text: str, pieces: list[list[str]]) -> None:
    assert words_of(text) == pieces


def test_labels_are_units_and_wildcards() -> None:
    spelling = spell("a 7", UNITS)
    assert spelling.labels == [UNITS.encode("a")[0] + 1, UNITS.encode(" ")[0] + 1, len(UNITS) + 1]
    assert spelling.owners == [0, None, 1]
    assert spelling.wildcard == len(UNITS) + 1
    assert [(word.text, word.start) for word in spelling.words] == [("a", 0), ("7", 2)]


def test_what_the_rules_remove_keeps_its_place_without_labels() -> None:
    assert words_of("a - B, %", rules=["no_punctuation"]) == [["a"], [], ["b"], []]
    assert words_of("ﬁn a", rules=["nfkc"]) == [["f", "i", "n"], ["a"]]


def test_a_vocabulary_without_a_space_has_none_between_words() -> None:
    assert spell("a b", Characters(["a", "b"])).pieces == ["a", "b"]


def test_a_text_from_right_to_left_is_spelt_as_it_is_displayed() -> None:
    hebrew = Characters(sorted("אבגד "))
    spelling = spell("אב גד", hebrew, base_direction="rtl")
    assert spelling.pieces == list("דג בא")
    assert spelling.owners == [1, 1, None, 0, 0]


def test_subword_units() -> None:
    units = SentencePieceUnits.learn(["turn on the lights", "turn off the radio"] * 3, 24, "bpe")
    spelling = spell("Turn on 3 lights!", units)
    found = [
        "".join(piece for piece, own in zip(spelling.pieces, spelling.owners, strict=True) if own == word)
        for word in range(4)
    ]
    assert [text.strip() for text in found] == ["turn", "on", "3", "lights"]
    assert spelling.labels.count(spelling.wildcard) == 1
    assert len(spelling.labels) < len("turnon3lights")


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("", "empty", "is empty"),
        (" \n ", "empty", "is empty"),
        ("日本 7", "unknown character", "nothing can be spelt"),
        ("a\0b", "bad value", "null character"),
    ],
)
def test_texts_that_cannot_be_spelt(text: str, kind: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as raised:
        spell(text, UNITS)
    assert raised.value.kind == kind
