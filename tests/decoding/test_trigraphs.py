"""Trigraphs learn from texts alone where characters are, though they start from places that are all too early."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest

from seqpipe.decoding.trigraphs import STATES, SpokenText, best_paths, fit_trigraphs, trigraphs_of

SIGNS, FRAME = "abcde", 6


def made(count: int, seed: int, late: float = 15.0) -> tuple[list[SpokenText], list[np.ndarray]]:
    """Texts of two words; each character sounds for some frames as it does, pauses as silence; CTC is early."""
    generator = np.random.default_rng(seed)
    sounds = {sign: np.random.default_rng(number).normal(0, 2, FRAME) for number, sign in enumerate(SIGNS)}
    texts, borders = [], []
    for _ in range(count):
        words = ["".join(generator.choice(list(SIGNS), generator.integers(2, 5))) for _ in range(2)]
        frames, starts = [np.zeros((int(generator.integers(8, 20)), FRAME))], []
        for word in words:
            for sign in word:
                starts.append(sum(map(len, frames)))
                frames.append(np.tile(sounds[sign], (int(generator.integers(4, 9)), 1)))
            frames.append(np.zeros((int(generator.integers(8, 20)), FRAME)))
        values = np.concatenate(frames)
        values = (values + generator.normal(0, 0.3, values.shape)).astype(np.float32)
        places = np.maximum(0.0, np.array(starts) + 3 - late)
        texts.append(SpokenText(values, [each for word in words for each in trigraphs_of(word)], places))
        borders.append(np.array(starts))
    return texts, borders


def test_places_are_found_that_nobody_has_told() -> None:
    learnt, _ = made(60, seed=1)
    trigraphs = fit_trigraphs(learnt)
    texts, wanted = made(20, seed=2)
    errors = []
    for text, starts in zip(texts, wanted, strict=True):
        found, stops = trigraphs.spans([text])[0]
        assert (stops > found).all()
        assert (found[1:] >= stops[:-1]).all()
        errors += np.abs(found - starts).tolist()
    assert np.mean(errors) < 4.0, "frames; what it started from is 12 frames off"


def test_what_was_never_met_is_bridged_and_contexts_fall_back_to_their_character() -> None:
    trigraphs = fit_trigraphs(made(40, seed=1)[0])
    assert trigraphs.number(("z", "a", "z")) == trigraphs.number(("", "a", ""))
    assert trigraphs.number(("#", "z", "#")) is None
    (text,), (starts,) = made(1, seed=3)
    unknown = [("#", "z", "#") if place == 1 else each for place, each in enumerate(text.trigraphs)]
    found, _ = trigraphs.spans([replace(text, trigraphs=unknown)])[0]
    assert np.abs(found[2:] - starts[2:]).mean() < 4.0
    wild = [None if place == 1 else each for place, each in enumerate(text.trigraphs)]
    assert trigraphs.spans([replace(text, trigraphs=wild)])[0][0].tolist() == found.tolist()


def test_the_same_texts_give_the_same_bits() -> None:
    texts, _ = made(30, seed=4)
    one, other = fit_trigraphs(texts), fit_trigraphs(texts)
    assert np.array_equal(one.weights, other.weights)
    assert one.numbers == other.numbers


@pytest.mark.parametrize(("word", "wanted"), [("a", [("#", "a", "#")]), ("ab", [("#", "a", "b"), ("a", "b", "#")])])
def test_trigraphs_of_a_word(word: str, wanted: list[tuple[str, str, str]]) -> None:
    assert trigraphs_of(word) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_the_best_path_is_that_of_enumeration(seed: int) -> None:
    generator = np.random.default_rng(seed)
    may_skip = np.array([True, False, False, seed % 2 == 0, False, True])
    scores = generator.normal(0, 1, (int(generator.integers(4, 8)), len(may_skip))).astype(np.float32)
    needed = set(np.flatnonzero(~may_skip).tolist())
    paths = [path for path in combinations_with_replacement(range(6), len(scores)) if needed <= set(path)]
    totals = [scores[np.arange(len(scores)), list(path)].sum() for path in paths]
    wanted = list(paths[int(np.argmax(totals))])
    assert best_paths([scores], [may_skip])[0].tolist() == wanted
    other = generator.normal(0, 1, (11, 9)).astype(np.float32), np.arange(9) % 3 == 0
    assert best_paths([other[0], scores], [other[1], may_skip])[1].tolist() == wanted, "whatever else is in the batch"


def test_each_character_has_its_frames_and_pauses_have_theirs() -> None:
    trigraphs = fit_trigraphs(made(60, seed=1)[0])
    for text in made(10, seed=5)[0]:
        starts, stops = trigraphs.spans([text])[0]
        assert (stops - starts >= STATES).all()
        begins = np.array([each[0] == "#" for each in text.trigraphs])[1:]
        assert (starts[1:] - stops[:-1])[begins].min() > 4, "between words are 8 frames of silence and more"
