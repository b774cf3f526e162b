import io

from hypothesis import given
from hypothesis import strategies as st

from seqpipe.features.speech.byte_ranges import ByteRanges, Part

PART = st.one_of(
    st.binary(max_size=5), st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda at: (min(at), max(at)))
)


@given(parts=st.lists(PART, max_size=6), places=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5))
def test_parts_read_as_one_file(parts: list[Part], places: list[tuple[int, int]]) -> None:
    content = bytes(range(20))
    whole = b"".join(part if isinstance(part, bytes) else content[part[0] : part[1]] for part in parts)
    inner = io.BytesIO(content)
    with ByteRanges(inner, parts) as file:
        assert file.seek(0, io.SEEK_END) == len(whole)
        for at, count in places:
            assert file.seek(at) == file.tell() == at
            assert file.read(count) == whole[at : at + count]
            assert file.tell() == at + len(whole[at : at + count])
        file.seek(0)
        assert file.read() == whole
    assert inner.closed
