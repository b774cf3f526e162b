import numpy as np
import pytest

from seqpipe.decoding import unit_trie
from seqpipe.decoding.unit_trie import UnitTrie

SPELLINGS = [[1, 2, 3], [1, 2], [4], [1, 3, 3], [4]]


@pytest.mark.parametrize("most", [1 << 24, 0])
def test_words_are_found_by_their_spellings_in_a_table_and_by_search(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_trie, "MAX_TABLE", most)
    trie = UnitTrie(SPELLINGS, [10, 11, 12, 13, 14], 5)
    for spelling, word in zip(SPELLINGS, [10, 11, 12, 13, 12], strict=True):  # of two alike the first
        node = np.zeros(1, np.int64)
        for label in spelling:
            node = trie.step(node, np.array([label]))
        assert trie.word[node].tolist() == [word]
    assert trie.step(np.array([0, 0, -1]), np.array([2, 3, 1])).tolist() == [-1, -1, -1]
    assert int(trie.word[0]) == -1
