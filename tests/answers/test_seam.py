import itertools

from hypothesis import given
from hypothesis import strategies as st

from seqpipe.answers.seam import find_seam
from seqpipe.answers.transcript import Word

BORDER, OVERLAP = 10.0, 1.0


def put_together(before: list[Word], after: list[Word]) -> list[str]:
    kept, first, _ = find_seam(before, after, BORDER, OVERLAP)
    return [word.text for word in (*before[:kept], *after[first:])]


def words(*placed: tuple[str, float, float]) -> list[Word]:
    return [Word(*item) for item in placed]


def test_a_word_that_both_have_is_kept_once_however_each_places_it() -> None:
    for left, right in itertools.product([9.75, 9.85, 9.95, 10.0], repeat=2):
        before, after = words(("go", left, left + 0.15)), words(("go", right, right + 0.15))
        assert put_together(before, after) == ["go"], (left, right)


def test_a_word_astride_the_border_is_kept_whole_and_once() -> None:
    before = words(("turn", 9.2, 9.6), ("right", 9.7, 10.4), ("n", 10.8, 11.0))
    after = words(("urn", 9.0, 9.6), ("right", 9.7, 10.4), ("now", 10.8, 11.2))
    assert put_together(before, after) == ["turn", "right", "now"]


def test_what_was_heard_differently_is_kept_once() -> None:
    assert put_together(words(("go", 9.7, 9.9)), words(("no", 9.72, 9.93))) == ["go"]
    assert put_together(words(("go", 10.1, 10.3)), words(("no", 10.12, 10.33))) == ["no"]
    torn = words(("to", 9.8, 9.9), ("day", 9.98, 10.3))
    assert put_together(torn, words(("today", 9.8, 10.3))) in (["to", "day"], ["today"])
    assert put_together(words(("today", 9.8, 10.3)), torn) in (["to", "day"], ["today"])


def test_what_one_side_alone_has_is_its_share_that_decides() -> None:
    word, late = ("go", 9.5, 9.7), ("go", 10.2, 10.4)
    assert put_together(words(word), []) == ["go"]
    assert put_together([], words(word)) == []
    assert put_together(words(late), []) == []
    assert put_together([], words(late)) == ["go"]
    assert put_together([], []) == []


def test_letters_spelt_in_a_row_are_not_taken_for_each_other() -> None:
    """The one at the edge of a piece's hearing is missed there."""
    spelt = [("e", 9.3 + 0.3 * number, 9.4 + 0.3 * number) for number in range(5)]
    assert put_together(words(*spelt[:4]), words(*spelt[1:])) == ["e"] * 5
    assert put_together(words(*spelt[:3]), words(*spelt[2:])) == ["e"] * 5


def test_the_distance_tells_that_there_is_no_seam() -> None:
    """One word over all that both hear, as in scripts without spaces."""
    *_, distance = find_seam(words(("abcdef", 2.0, 11.0)), words(("defghi", 9.0, 19.0)), BORDER, OVERLAP)
    assert distance > OVERLAP
    *_, distance = find_seam(words(("abc", 2.0, 9.8)), words(("def", 10.2, 19.0)), BORDER, OVERLAP)
    assert distance == 0


@given(
    lengths=st.lists(st.tuples(st.floats(0.05, 0.6), st.floats(0.09, 0.6), st.sampled_from("ab")), max_size=12),
    begin=st.floats(8.8, 9.4),
    shifts=st.lists(st.floats(-0.04, 0.04), min_size=24, max_size=24),
)
def test_every_word_is_there_once_in_its_order(
    lengths: list[tuple[float, float, str]], begin: float, shifts: list[float]
) -> None:
    """If both hear the words that lie within their hearing, each a step earlier or later, and tear those at its end."""
    said, place = [], begin
    for length, gap, text in lengths:
        said.append(Word(text, place, place + length))
        place += length + gap
    moved = iter(shifts)

    def heard(low: float, high: float) -> list[Word]:
        """Words between; of one that the edge cuts something else is heard."""
        found = []
        for word in said:
            if word.end > low and word.start < high:
                shift = next(moved)
                whole = low <= word.start and word.end <= high
                start, end = max(low, word.start + shift), min(high, word.end + shift)
                found.append(Word(word.text if whole else "x", min(start, end), end))
        return found

    before, after = heard(0.0, BORDER + OVERLAP), heard(BORDER - OVERLAP, 99.0)
    assert put_together(before, after) == [word.text for word in said]
