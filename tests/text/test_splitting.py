"""Words of texts and their places, over all of Unicode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.errors import InputError
from seqpipe.text.splitting import Split, checked_text, joined, split_words

PIECES = [
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1\ufe0f\u20e3"),
    *(
        "\U0001f1e9\U0001f1ea",
        "e\u0301",
        "\u0301",
        "\u200d",
        "\u05e9\u05dc\u05d5\u05dd",
        "\u0645\u0631\u062d\u0628\u0627",
    ),
    *(
        "\u200f",
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u65e5\u672c",
        "ﬁ",
        "İ",
        "n't",
        "'s",
        "U.S.",
        "3.5",
        ":-)",
        "http://",
    ),
    *("a@b.c", "...", "-", "_", "'", "\u2019", "@", "#", " ", "\u00a0", "\u3000", "\t", "\n", "\x85", "word", "WORD"),
]
TEXTS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.sampled_from(PIECES)).map("".join))
SPLITS: list[Split] = ["whitespace", "punctuation", "signs"]


@pytest.mark.parametrize("split", SPLITS)
@given(TEXTS)
def test_words_stand_where_they_say_and_nothing_but_white_space_between_them(split: Split, text: str) -> None:
    items = split_words(text, split)
    assert all(text[item.start : item.end] == item.text != "" for item in items)
    assert "".join(item.text for item in items) == "".join(text.split())
    borders = [0, *(place for item in items for place in (item.start, item.end)), len(text)]
    assert borders == sorted(borders)
    assert not any(sign.isspace() for item in items for sign in item.text)


@given(TEXTS)
def test_white_space_splits_as_python_does(text: str) -> None:
    assert [item.text for item in split_words(text, "whitespace")] == text.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, can't won\u2019t I'M she'll", "Do n't go , ca n't wo n\u2019t I 'M she 'll"),
        ("Motorola's O'Brien o'clock y'all rock'n'roll dogs'", "Motorola 's O'Brien o'clock y'all rock'n'roll dogs '"),
        ("the 1980's, IT'S", "the 1980 's , IT 'S"),
        ("the U.S. is, e.g., at 5 a.m.", "the U.S. is , e.g. , at 5 a.m."),
        ("$3.50 or 1,000.5 at 12:30, 9/10", "$ 3.50 or 1,000.5 at 12:30 , 9/10"),
        ("2MP 10th 8.15pm MST3K", "2MP 10th 8.15pm MST3K"),
        ("minutes.MAJOR PROBLEMS!!", "minutes . MAJOR PROBLEMS !!"),
        ("very good.4. well...", "very good . 4 . well ..."),
        ("real-world state-of-the-art me--at", "real-world state-of-the-art me -- at"),
        ("great:-) :( ;-P <3 :D", "great :-) :( ;-P <3 :D"),
        ("two things:(a)", "two things : ( a )"),
        ("see http://a.bc/d?e=f, (www.foo.org).", "see http://a.bc/d?e=f , ( www.foo.org ) ."),
        ("mail bob.x@y.co.uk!", "mail bob.x@y.co.uk !"),
        ("@user likes #topic, C# and #1", "@user likes #topic , C # and # 1"),
        ('the "clip" (odd)', 'the " clip " ( odd )'),
        ("\u201cna\u00efve\u201d cafe\u0301!", "\u201c na\u00efve \u201d cafe\u0301 !"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940\u0964", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0964"),
        (
            "\u00ab\u03b9\u03b4\u03ad\u03b1\u00bb",
            "\u00ab \u03b9\u03b4\u03ad\u03b1 \u00bb",
        ),  # U+0345, a mark, folds to iota
        ("(\u0399\u03a3\u03a7\u03a5\u03a3)", "( \u0399\u03a3\u03a7\u03a5\u03a3 )"),
        ("ok\U0001f44d\U0001f3fd\u2764\ufe0f", "ok \U0001f44d\U0001f3fd \u2764\ufe0f"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467x", "\U0001f468\u200d\U0001f469\u200d\U0001f467 x"),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f1e9\U0001f1ea \U0001f1eb\U0001f1f7"),
    ],
)
def test_what_stays_whole_and_what_comes_apart(text: str, words: str) -> None:
    assert [item.text for item in split_words(text, "punctuation")] == words.split(" ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, it's John’s", "Do n't go , it 's John ’s"),
        ("state-of-the-art me--at", "state - of - the - art me - - at"),
        ("the U.S. at 3.50... 12:30", "the U . S . at 3 . 50 . . . 12 : 30"),
        ("great:-) <3", "great : - ) < 3"),
        ("http://a.bc x_y @user", "http : / / a . bc x _ y @ user"),
        ("café हिन्दी", "café हिन्दी"),
        ("ok👍🏽❤️", "ok 👍🏽 ❤️"),
        ("«ιδέα»", "« ιδέα »"),
    ],
)
def test_signs_of_every_kind_part_words(text: str, words: str) -> None:
    assert [item.text for item in split_words(text, "signs")] == words.split(" ")


# Were any of it quadratic, 100,000 characters would take minutes.
@pytest.mark.parametrize("split", ["punctuation", "signs"])
@pytest.mark.parametrize(
    "piece", ["a", "a.", "a-", "a_", "n't", "e\u0301", "\u200d", "1.", ":D", "=(", "^_", "a@b", "http://)"]
)
def test_long_texts_of_one_kind_come_apart(piece: str, split: Split) -> None:
    text = ":" + piece * (100_000 // len(piece)) + "x"
    assert "".join(item.text for item in split_words(text, split)) == text


@given(st.lists(TEXTS))
def test_lists_of_words_are_joined_by_spaces(words: list[str]) -> None:
    text = " ".join(words)
    assert [item.text for item in joined(words)] == words
    assert all(text[item.start : item.end] == item.text for item in joined(words))


class TestCheckedText:
    @given(st.one_of(TEXTS.filter(lambda text: "\0" not in text)))
    def test_strings_are_taken_as_they_are(self, text: str) -> None:
        assert checked_text(text) == text

    def test_words_may_come_as_a_tuple(self) -> None:
        assert checked_text(("a", "b")) == ["a", "b"]

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            ("a\0b", "a null character, at offset 1"),
            (["a", "\0"], "a null character, at offset 0"),
            ("ab\ud800", "not valid Unicode, at offset 2"),
            (["a", "\udcff"], "not valid Unicode"),
            (["a", "", "b"], "word 2 of 3 is empty"),
            (["a", " \t"], "word 2 of 2 is empty"),
            (["a", 3], r"a text \(or a list of words\) is wanted; received list"),
            (None, "received NoneType None"),
            (b"bytes", "received bytes"),
            (3.5, "received float 3.5"),
        ],
    )
    def test_what_is_no_text_is_refused(self, raw: object, message: str) -> None:
        with pytest.raises(InputError, match=message) as caught:
            checked_text(raw)
        assert caught.value.kind == "bad value"


def test_a_text_longer_than_a_line_may_be_is_refused() -> None:
    """Before it comes apart, which takes a hundred times its memory."""
    for raw in ("a" * (MAX_LINE_BYTES + 1), ["a" * MAX_LINE_BYTES, "b"]):
        with pytest.raises(InputError, match="has 4,194,305 characters; 4,194,304 are allowed") as caught:
            checked_text(raw)
        assert caught.value.kind == "too long"
