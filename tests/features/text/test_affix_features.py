"""What words begin and end with, and their shapes."""

from collections import Counter
from typing import Any

import pytest
import torch

from seqpipe import PaddedSequence
from seqpipe.core.chain import FeatureChain
from seqpipe.errors import ConfigError
from seqpipe.features.text.affix_features import AffixFeatures, hashed, runs
from seqpipe.features.text.tokens import Tokens

WORDS = [
    *("running", "Runner", "UNDONE", "abcdefghijkl", "12:30", "3.5", "Xavier"),
    *("xylophone", "ding", "a", "Ab", "ab-c", "A9"),
]
D = 4
BUCKETS = {"buckets": 2**18}  # so that no two affixes of these tests share a place


def chain(characters: int = 20, words: list[str] = WORDS, **options: Any) -> FeatureChain:
    stages: Any = [Tokens.configure(characters=characters), {"stage": "AffixFeatures", "size": D, **BUCKETS, **options}]
    features = FeatureChain(stages=stages)
    torch.manual_seed(1)
    features.fit([" ".join(words)])
    return features.eval()


@torch.no_grad()
def vectors(features: FeatureChain, words: list[str]) -> list[list[float]]:
    """One a word."""
    found: list[list[float]] = features(PaddedSequence.pad([features.prepare(words, None)])).values[0].tolist()
    return found


def assert_same_where(found: list[list[float]], keys: list[Any]) -> None:
    """Vectors are equal exactly where what they stand for is."""
    for one, first in zip(found, keys, strict=True):
        for other, second in zip(found, keys, strict=True):
            assert (one == other) == (first == second), (first, second)


@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_beginnings_and_ends_are_looked_up_lower_cased(length: int) -> None:
    words = [*WORDS, "RUNNING", "sing", "un", "u", "nu", "g", "ng", "AB-C"]
    prefixes = chain(prefixes=[length], suffixes=[], shape_size=0, words=words)
    assert_same_where(vectors(prefixes, words), [word.lower()[:length] for word in words])
    suffixes = chain(prefixes=[], suffixes=[length], shape_size=0, words=words)
    assert_same_where(vectors(suffixes, words), [word.lower()[-length:] for word in words])


def test_affixes_and_the_shape_stand_side_by_side() -> None:
    features = chain(prefixes=[2], suffixes=[1, 3], shape_size=5)
    found = vectors(features, ["running", "Runs"])
    assert len(found[0]) == features.output_size == 3 * D + 5
    assert found[0][:D] == found[1][:D]
    assert found[0][D : 2 * D] != found[1][D : 2 * D]
    assert found[0][3 * D :] != found[1][3 * D :]


def test_words_that_are_cut_keep_their_ends() -> None:
    whole, cut = (chain(characters=width, prefixes=[2], suffixes=[2], shape_size=0) for width in (20, 5))
    assert vectors(whole, ["abcdefghijkl"]) == vectors(cut, ["abcdefghijkl"])


def test_shapes_are_runs_of_capitals_letters_digits_and_signs() -> None:
    shapes = {
        "Xx": ["Runner", "Xavier", "Ab"],
        "x": ["running", "a", "ding"],
        "X": ["UNDONE", "A", "XX"],
        "d:d": ["12:30", "3.5", "1-12"],
        "d": ["12", "3"],
        "x:x": ["ab-c", "a:b"],
        "Xd": ["A9", "AB12"],
        "xXx": ["aBc", "iXx"],
    }
    words = [word for group in shapes.values() for word in group]
    features = chain(prefixes=[], suffixes=[], shape_size=D, words=words)
    assert_same_where(vectors(features, words), [shape for shape, group in shapes.items() for _ in group])


def test_unknown_characters_are_signs_that_are_all_alike() -> None:
    found = vectors(chain(suffixes=[1], prefixes=[]), ["a日", "b本", "ab"])
    assert found[0] == found[1] != found[2]


def test_company_and_padding_change_nothing() -> None:
    features = chain()
    with torch.no_grad():
        batch = features(PaddedSequence.pad([features.prepare(row, None) for row in (WORDS, ["ding"])])).values
    assert batch[0].tolist() == vectors(features, WORDS)
    assert batch[1, :1].tolist() == vectors(features, ["ding"])
    assert not batch[1, 1:].any()


def test_runs_by_hand() -> None:
    kinds = torch.tensor([[1, 1, 2, 2, 1, 0], [3, 0, 0, 0, 0, 0], [2, 3, 2, 3, 2, 3], [4, 4, 4, 4, 4, 4]])
    assert runs(kinds).tolist() == [[1, 2, 1, 0, 0, 0], [3, 0, 0, 0, 0, 0], [2, 3, 2, 3, 2, 3], [4, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_places_of_a_table_are_taken_evenly(length: int) -> None:
    """As evenly as by chance: chi-square of 64 places is 63 on average, with a deviation of 11."""
    side = {1: 6400, 2: 80, 4: 9}[length]
    rows = torch.cartesian_prod(*[torch.arange(1, side + 1)] * length).view(-1, length)
    places = hashed(rows, 64)
    assert torch.equal(hashed(rows, 64), places)
    counts = Counter(places.tolist())
    assert set(counts) == set(range(64))
    expected = len(rows) / 64
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 63 + 6 * 11
    assert len(set(hashed(rows, 2**40).tolist())) == len(rows)


def test_a_restored_chain_knows_the_same_characters(tmp_path: Any) -> None:
    features = chain()
    features.save_assets(tmp_path)
    stages: Any = [Tokens.configure(characters=20), {"stage": "AffixFeatures", "size": D, **BUCKETS}]
    again = FeatureChain(stages=stages)
    again.load_assets(tmp_path)
    again.load_state_dict(features.state_dict())
    assert vectors(again.eval(), WORDS) == vectors(features, WORDS)


def test_what_can_not_be_is_told() -> None:
    with pytest.raises(ConfigError, match=r"set Tokens\.characters"):
        AffixFeatures(previous=Tokens())
    with pytest.raises(ConfigError, match="give prefixes, suffixes or shape_size"):
        AffixFeatures(previous=Tokens(characters=4), prefixes=[], suffixes=[], shape_size=0)
    with pytest.raises(ConfigError, match="has no characters yet"):
        AffixFeatures(previous=Tokens(characters=4))(PaddedSequence.pad([torch.ones(2, 5, dtype=torch.int64)]))
