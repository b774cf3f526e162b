import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.errors import InputError
from seqpipe.text.splitting import checked_text
from seqpipe.text.validity import MAX_MARKS, undecoded, unfit


@given(st.binary().filter(lambda content: not content.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))))
def test_what_is_said_of_bytes_is_what_decoding_them_says(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    try:
        content.decode()
        expected = None
    except UnicodeDecodeError as error:
        expected = f"is not UTF-8 text (byte 0x{content[error.start]:02x})"
    assert undecoded(text) == expected
    assert (unfit(text) is None) == (undecoded(text) is None and b"\0" not in content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_unicode_is_named_by_its_byte_order_mark(encoding: str) -> None:
    content = ("" if encoding in ("utf-16", "utf-32") else "\ufeff") + "grün"
    said = unfit(content.encode(encoding).decode("utf-8-sig", "surrogateescape"))
    assert said is not None
    assert said.startswith(f"is not UTF-8 text but {encoding[:6].upper()}, by the byte order mark")


def test_half_a_surrogate_pair_and_a_null_character_are_named() -> None:
    assert unfit("a\ud83d") == "holds half a surrogate pair (U+D83D), which is no character"
    assert unfit("a\0b") == "holds a null character"
    assert unfit("naïve 🎉") is None


@pytest.mark.parametrize("marks", ["\u0323\u0301", "\u0301", "\u05b0\u05b1\u05b2"])
@pytest.mark.parametrize("before", [0, 1, 999, 1000, 1001, 5003])
def test_marks_without_end_are_refused_wherever_they_stand(marks: str, before: int) -> None:
    def pile(count: int) -> str:
        return "a" * before + (marks * count)[:count] + "b" * 2500

    assert unfit(pile(MAX_MARKS)) is None
    assert unfit(pile(MAX_MARKS + 1)) == "holds more than 1000 combining marks in a row"
    with pytest.raises(InputError, match="more than 1000 combining marks"):
        checked_text(["word", pile(200_000)])


def test_text_of_letters_with_marks_is_fit_however_long() -> None:
    assert unfit("a\u0323\u0301" * 100_000) is None
