"""Modified Kneser-Ney: equal to a slow reference, to KenLM's lmplz, and to itself whatever the memory."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seqpipe.errors import ConfigError, DataError
from seqpipe.language.arpa import open_arpa
from seqpipe.language.kneser_ney import FALLBACK, estimate

Gram = tuple[str, ...]
TINY = ["a b a", "b a", "", "a", "c a b c c", "a b a"]


def made_texts(count: int) -> list[list[str]]:
    """Texts of 0 to 7 of some 80 words, by a linear congruential generator."""
    number, texts = 1, []

    def draw(below: int) -> int:
        nonlocal number
        number = (1103515245 * number + 12345) % 2**31
        return (number >> 16) % below

    for _ in range(count):
        texts.append([f"w{draw(9) * draw(9) * draw(9)}" for _ in range(draw(8))])
    return texts


def entries(path: Path) -> dict[Gram, tuple[float, float]]:
    found = {}
    with open_arpa(path) as reader:
        for section in reader.sections():
            for block in section:
                for place, values in enumerate(zip(block.log_probs, block.backoffs, strict=True)):
                    first = place * block.order
                    found[tuple(block.words[first : first + block.order])] = (float(values[0]), float(values[1]))
    return found


def reference(texts: Sequence[Sequence[str]], order: int, thresholds: Sequence[int]) -> dict[Gram, tuple[float, float]]:
    """What the papers say, with a dictionary for everything."""
    raw = [Counter[Gram]() for _ in range(order + 1)]
    for text in texts:
        padded = ["<s>", *text, "</s>"]
        for n in range(1, order + 1):
            raw[n].update(tuple(padded[i : i + n]) for i in range(len(padded) - n + 1))
    raw[1].pop(("<s>",))
    adjusted = [dict(counts) for counts in raw]
    for n in range(1, order):
        before = Counter(gram[1:] for gram in raw[n + 1])
        adjusted[n] = {gram: raw[n][gram] if gram[0] == "<s>" else before[gram] for gram in raw[n]}
    discounts = []
    for n in range(1, order + 1):
        t = Counter(adjusted[n].values())
        y = t[1] / (t[1] + 2 * t[2]) if t[1] else 0
        found = [k - (k + 1) * y * t[k + 1] / t[k] if t[k] else -1 for k in (1, 2, 3)]
        usable = all(0 <= value <= k for k, value in enumerate(found, 1))
        discounts.append([0.0, *(found if usable else FALLBACK)])
    words = [word for (word,) in raw[1]]

    def share(gram: Gram) -> tuple[float, float]:
        """Of an n-gram's discounted count in those of its context, and what the context leaves over."""
        n = len(gram)
        family = [(each, c) for each, c in adjusted[n].items() if each[:-1] == gram[:-1]]
        total = sum(c for _, c in family)
        kept = [(each, c) for each, c in family if raw[n][each] > thresholds[n - 1]]
        free = sum(discounts[n - 1][min(3, c)] for _, c in kept) + total - sum(c for _, c in kept)
        own = adjusted[n].get(gram, 0)
        return (own - discounts[n - 1][min(3, own)]) / total, free / total

    def probability(gram: Gram) -> float:
        first, free = share(gram)
        return first + free * (probability(gram[1:]) if len(gram) > 1 else 1 / (len(words) + 1))

    result: dict[Gram, tuple[float, float]] = {}
    contexts = {gram[:-1] for n in range(2, order + 1) for gram in raw[n]}
    for n in range(1, order + 1):
        for gram in [*raw[n], *([("<unk>",), ("<s>",)] if n == 1 else [])]:
            if n > 1 and raw[n][gram] <= thresholds[n - 1]:
                continue
            weight = math.log10(share((*gram, "</s>"))[1]) if gram in contexts else 0.0
            result[gram] = (-99.0 if gram == ("<s>",) else math.log10(probability(gram)), weight)
    return result


def assert_near(found: dict[Gram, tuple[float, float]], expected: dict[Gram, tuple[float, float]]) -> None:
    assert found.keys() == expected.keys()
    for gram, values in expected.items():
        assert found[gram] == pytest.approx(values, abs=2e-6), gram


@pytest.mark.parametrize(
    ("order", "prune"),
    [*((order, ()) for order in (1, 2, 3, 4, 6)), (2, (0, 1)), (3, (0, 0, 2)), (4, (0, 1)), (4, (0, 0, 1))],
)
def test_a_model_is_that_of_the_slow_reference(tmp_path: Path, order: int, prune: tuple[int, ...]) -> None:
    texts = made_texts(120)
    path = tmp_path / "model.arpa"
    estimate(texts, path, order=order, prune=prune)
    thresholds = [*prune, *[prune[-1] if prune else 0] * (order - len(prune))]
    assert_near(entries(path), reference(texts, order, thresholds))


def test_pruning_that_leaves_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--prune leaves no 2-grams; give lower numbers, or a lower --order"):
        estimate(made_texts(20), tmp_path / "model.arpa", order=3, prune=(0, 1000))
    assert list(tmp_path.iterdir()) == []


LMPLZ = """
-1 <unk> 0 | -0.6264193 </s> 0 | -0.6264193 a -0.13621975 | -0.7191734 b -0.17609124 | -0.6264193 c -0.26884535
-0.5871343 <s> </s> 0 | -0.51237714 a </s> 0 | -0.55111 c </s> 0 | -0.74036264 <s> a -0.25134224
-0.47228897 b a 0 | -0.55111 c a -0.19629467 | -0.65018606 <s> b -0.19629467 | -0.56205 a b -0.25134224
-0.5871343 <s> c -0.19629467 | -0.5066508 b c -0.19629467 | -0.55111 c c -0.19629467
-0.53237677 <s> a </s> 0 | -0.51237714 b a </s> 0 | -0.26557612 c c </s> 0 | -0.23797378 <s> b a 0
-0.29487097 a b a 0 | -0.26557612 <s> c a 0 | -0.32618824 <s> a b 0 | -0.2691531 c a b 0
-0.529006 a b c 0 | -0.26557612 b c c 0
"""
"""lmplz of KenLM 0.3.0, -o 3 --discount_fallback, of `TINY`; its log10 of <s> is 0 and left out."""

PRUNED = """
-2.4111483 <unk> 0 | -0.91918045 </s> 0 | -1.9228905 w42 -0.23315042 | -1.6892319 w12 -0.18175218
-1.851689 w90 -0.26855427 | -2.2637687 w216 -0.14429943 | -0.5694134 w336 </s> 0 | -1.465096 w20 w12 0
-2.2133925 w0 w50 0 | -1.972814 <s> w128 -0.014967827 | -0.36724463 w0 w60 </s> 0 | -1.9277385 w0 w0 w6 -0.30103
"""
WHOLE = """
-2.4111483 <unk> 0 | -0.7102904 w8 </s> 0 | -0.6993351 w28 w0 -0.027942363 | -1.8126955 w0 w8 -0.027942363
-1.1948297 <s> w18 w12 -0.30103 | -0.41199458 w384 w6 w0 -0.30103 | -0.81270814 w0 w175 w24 -0.30103
-1.02047 <s> w200 w126 -0.30103 | -0.19948229 w32 w80 w0 </s> 0 | -0.20001976 w84 w200 w48 w0 0
-1.2657533 w0 w0 w0 w96 0 | -0.24166623 w30 w40 w336 w160 0 | -0.2777309 w120 w36 w0 w18 0
"""
"""Some entries by it, -o 4 --discount_fallback, with and without --prune 0 0 1 1, of ``made_texts(200)``."""


def said(text: str) -> dict[Gram, tuple[float, float]]:
    rows = [entry.split() for line in text.strip().splitlines() for entry in line.split("|")]
    return {tuple(row[1:-1]): (float(row[0]), float(row[-1])) for row in rows}


def test_all_entries_are_those_of_lmplz(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa"
    made = estimate([text.split() for text in TINY], path, order=3)
    assert made.texts == 6
    assert made.counts == (6, 11, 10)
    assert made.fallbacks == (1,)
    assert made.discounts[0] == FALLBACK
    assert made.discounts[1] == pytest.approx((0.538462, 1.46154, 3), abs=1e-5)
    assert made.discounts[2] == pytest.approx((0.636364, 1.04545, 3), abs=1e-5)
    found = entries(path)
    assert found.pop(("<s>",)) == pytest.approx((-99, -0.113943346))
    assert_near(found, said(LMPLZ))


@pytest.mark.parametrize(
    ("prune", "counts", "text"), [((), (81, 470, 611, 489), WHOLE), ((0, 0, 1, 1), (81, 470, 35, 7), PRUNED)]
)
def test_entries_are_those_of_lmplz(tmp_path: Path, prune: tuple[int, ...], counts: tuple[int, ...], text: str) -> None:
    path = tmp_path / "model.arpa"
    made = estimate(made_texts(200), path, order=4, prune=prune)
    assert made.counts == counts
    assert made.fallbacks == (4,)
    assert made.discounts[1] == pytest.approx((0.7173, 1.03646, 1.66104), abs=1e-5)
    found = entries(path)
    for gram, values in said(text).items():
        assert found[gram] == pytest.approx(values, abs=2e-6), gram


@pytest.mark.parametrize("block", [30, 400])
@pytest.mark.parametrize("prune", [(), (0, 0, 1)])
def test_many_runs_merged_give_the_same_bytes(tmp_path: Path, block: int, prune: tuple[int, ...]) -> None:
    texts = made_texts(200)
    whole, parted = tmp_path / "whole.arpa", tmp_path / "parted.arpa"
    estimate(texts, whole, order=4, prune=prune)
    estimate(iter(texts), parted, order=4, prune=prune, block=block)
    assert whole.read_bytes() == parted.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parted.arpa", "whole.arpa"]


def test_the_order_of_the_texts_changes_nothing_but_that_of_the_words(tmp_path: Path) -> None:
    texts = made_texts(100)
    estimate(texts, tmp_path / "a.arpa", order=3)
    estimate(texts[::-1], tmp_path / "b.arpa", order=3)
    assert entries(tmp_path / "a.arpa") == entries(tmp_path / "b.arpa")


def test_unknown_words_in_texts_are_counted_as_one(tmp_path: Path) -> None:
    texts = made_texts(100)
    marked = [["<unk>" if word == "w0" else word for word in text] for text in texts]
    estimate(marked, tmp_path / "a.arpa", order=2)
    estimate([["w0" if word == "<unk>" else word for word in text] for text in marked], tmp_path / "b.arpa", order=2)
    found, other = entries(tmp_path / "a.arpa"), entries(tmp_path / "b.arpa")
    assert len(found) == len(other) - 1  # there <unk> stands beside w0
    assert found[("<unk>",)][0] == pytest.approx(other[("w0",)][0], abs=0.02)


def test_a_stopped_estimation_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa"
    path.write_text("before")

    def texts():
        yield from made_texts(50)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimate(texts(), path, block=20)
    assert [item.name for item in tmp_path.iterdir()] == ["model.arpa"]
    assert path.read_text() == "before"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 0}, "--order should be 1 to 6; received 0"),
        ({"order": 7}, "--order should be 1 to 6; received 7"),
        ({"prune": (1, 1)}, "--prune 1,1: should begin with 0"),
        ({"prune": (0, 2, 1)}, "--prune 0,2,1: should begin with 0"),
        ({"order": 2, "prune": (0, 0, 1)}, "--prune 0,0,1: has 3 numbers for 2 orders"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        estimate([["a"]], tmp_path / "model.arpa", **options)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "there are no texts"),
        ([["a"], ["b", "</s>"]], "text 2 holds </s>"),
        ([["<s>"]], "text 1 holds <s>"),
        ([["a"], ["b"]], "no text has 2 units, so there are no 4-grams; take a lower order"),
    ],
)
def test_texts_that_make_no_model_are_named(tmp_path: Path, texts: list[list[str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        estimate(texts, tmp_path / "model.arpa")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        estimate([["a"]], tmp_path / "nowhere" / "model.arpa")


def test_numbers_are_finite(tmp_path: Path) -> None:
    estimate([["a"]] * 50, tmp_path / "model.arpa", order=3)
    assert np.isfinite(list(entries(tmp_path / "model.arpa").values())).all()
