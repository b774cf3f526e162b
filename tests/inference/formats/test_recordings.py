from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.data.rows import Row
from seqpipe.inference.formats.recordings import NAME_BYTES, RecordingNames, recording_of


def named(*ids: str) -> list[str]:
    """What the recordings of these answers are called."""
    names = RecordingNames()
    return [names.of_answer(recording_of(row_id)) for row_id in ids]


def noted(*ids: str) -> RecordingNames:
    """Names of recordings, where all inputs have been told."""
    names = RecordingNames()
    assert [row.id for row in names.noting(Row(row_id, None) for row_id in ids)] == list(ids)
    return names


@pytest.mark.parametrize(
    ("row_id", "name", "channel"),
    [
        ("an251-fash-b", "an251-fash-b", "1"),
        ("fash/an251", "fash/an251", "1"),  # a row's own id
        ("a/b.flac", "b", "1"),
        ("/data/a/b.WAV", "b", "1"),
        ("../x", "x", "1"),
        ("/data/v1.2/talk", "talk", "1"),
        ("talk.v2", "talk.v2", "1"),
        ("a/talk.v2.wav", "talk.v2", "1"),
        ("a/b.wav@3.25", "b", "1"),
        ("a/b.wav@1e+06", "b", "1"),
        ("a/b.wav#2", "b", "2"),
        ("a/b.wav@3.2#2", "b", "2"),
        ("call-7#2", "call-7", "2"),
        ("take #b", "take_#b", "1"),
        ("list@3.2", "list@3.2", "1"),
        ("/data/rows.parquet:7", "rows.parquet:7", "1"),
        ("hub:org/set@train:7", "set@train:7", "1"),
        ("rows.parquet:7", "rows.parquet:7", "1"),
        ("my id", "my_id", "1"),
        ("a/b c\u2003d.wav", "b_c_d", "1"),
        (";;a", "__a", "1"),
        ("a/;b.wav", "_b", "1"),
        ("**", "__", "1"),
        ("", "_", "1"),
        ("/", "_", "1"),
        ("a\x00b\n", "a_b_", "1"),
        (b"caf\xe9.wav".decode("utf-8", "surrogateescape"), "caf\\udce9", "1"),
    ],
)
def test_a_recording_is_called_as_transcripts_call_it(row_id: str, name: str, channel: str) -> None:
    assert RecordingNames().of_answer(recording_of(row_id)) == name
    assert recording_of(row_id).channel == channel


def test_recordings_that_would_share_a_name_have_others() -> None:
    assert named("a/x.wav", "b/x.wav", "c/d/x.wav") == ["x", "b_x", "c_d_x"]
    assert named("a/x.wav", "A/X.wav") == ["x", "A_X"]  # sclite takes no notice of case
    first, second = named("a/x.wav", "a/x.flac")
    assert (first, second) == ("x", "a_x")
    assert named("x.wav", "x.flac")[1].startswith("x~")
    assert len(set(named("x.wav", "x.flac", "x.mp3", "X", "x"))) == 5
    assert named("x", "x", "y", "x") == ["x", "x~2", "y", "x~3"]


def test_parts_and_channels_of_a_recording_share_its_name() -> None:
    ids = ["a/x.wav", "a/x.wav@3.2", "b/x.wav#1", "b/x.wav#2", "b/x.wav@4#1"]
    assert named(*ids) == ["x", "x", "b_x", "b_x", "b_x"]
    assert [recording_of(row_id).channel for row_id in ids] == ["1", "1", "1", "2", "1"]


def test_names_depend_on_the_inputs_and_not_on_which_are_answered_here() -> None:
    ids = ["a/x.wav", "b/x.wav", "c/x.wav"]
    expected = dict(zip(ids, named(*ids), strict=True))
    for order in permutations(ids):
        names = noted(*ids)
        assert {row_id: names.of_answer(recording_of(row_id)) for row_id in order[:2]}.items() <= expected.items()


IDS = st.one_of(
    st.text(st.characters(), max_size=12),  # lone surrogates too
    st.text(alphabet="aAb/.~_;* ", max_size=6).map("{}.wav".format),
    st.sampled_from(["a.wav", "a.flac", "b/a.wav", "b_a.wav", "B/a", "x" * 400, "x" * 401 + ".wav", "é" * 300]),
)


@given(ids=st.lists(IDS, max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_two_recordings_share_a_name(ids: list[str]) -> None:
    names = named(*ids)
    owners: dict[str, set[str]] = {}
    for row_id, name in zip(ids, names, strict=True):
        owners.setdefault(name.casefold(), set()).add(recording_of(row_id).of)
        assert len(name.encode()) <= NAME_BYTES + 8
        assert len(name.split()) == 1
        assert not name.startswith((";", "*"))
    assert all(len(recordings) == 1 for recordings in owners.values())
    assert len(set(zip(ids, names, strict=True))) == len(ids)  # an id that stands twice too
    if len(set(ids)) == len(ids):
        told = noted(*ids)
        assert [told.of_answer(recording_of(row_id)) for row_id in reversed(ids)] == names[::-1]
