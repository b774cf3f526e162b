from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.errors import DataError
from seqpipe.text.vocabulary import UNKNOWN, Vocabulary

TEXTS = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=6), min_size=1, max_size=8)


@given(TEXTS, st.integers(1, 4), st.none() | st.integers(1, 5))
def test_the_most_frequent_entries_come_first_and_all_tokens_are_counted(
    texts: list[list[str]], min_count: int, most: int | None
) -> None:
    every = [entry for text in texts for entry in text]
    enough = sorted({entry for entry in every if every.count(entry) >= min_count})
    if not enough:
        with pytest.raises(DataError, match=rf"none occurs {min_count} times \(min_count\)"):
            Vocabulary.learn(texts, min_count=min_count, most=most)
        return
    words = Vocabulary.learn(texts, min_count=min_count, most=most)
    assert words.entries == sorted(enough, key=lambda entry: -every.count(entry))[:most]
    assert words.counts == [every.count(entry) for entry in words.entries]
    assert sum(words.counts) + words.unknown == len(every)
    assert [words.number(entry) for entry in words.entries] == list(range(1, len(words)))
    assert all(words.number(entry) == UNKNOWN for entry in [*(set(every) - set(words.entries)), "other"])


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [["b", "a"], ["c"], ["c", "d"]]
    assert Vocabulary.learn(rows).entries == Vocabulary.learn(rows[::-1]).entries == ["c", "a", "b", "d"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, min_size=1))
def test_saving_keeps_it(tmp_path_factory: pytest.TempPathFactory, entries: list[str]) -> None:
    path: Path = tmp_path_factory.mktemp("vocabulary") / "words.json"
    words = Vocabulary(entries, range(len(entries)), 7)
    words.save(path)
    again = Vocabulary.load(path)
    assert (again.entries, again.counts, again.unknown) == (words.entries, words.counts, 7)
    assert again.numbers(entries) == list(range(1, len(words)))
