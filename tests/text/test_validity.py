from hypothesis import given
from hypothesis import strategies as st

from seqpipe.text.validity import undecoded, unfit


@given(st.binary())
def test_what_is_said_of_bytes_is_what_decoding_them_says(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    try:
        content.decode()
        expected = None
    except UnicodeDecodeError as error:
        expected = f"is not UTF-8 text (byte 0x{content[error.start]:02x})"
    assert undecoded(text) == expected
    assert (unfit(text) is None) == (undecoded(text) is None and b"\0" not in content)


def test_half_a_surrogate_pair_and_a_null_character_are_named() -> None:
    assert unfit("a\ud83d") == "holds half a surrogate pair (U+D83D), which is no character"
    assert unfit("a\0b") == "holds a null character"
    assert unfit("naïve 🎉") is None
