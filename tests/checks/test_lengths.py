from collections.abc import Callable

import numpy as np
import pytest

from seqpipe.checks.lengths import find_long_inputs, find_unusual_rates
from seqpipe.checks.part import Part
from seqpipe.heads.ctc import CTCHead

MakePart = Callable[..., Part]
Named = Callable[[Part], list[tuple[int, str]]]


def healthy(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Texts, half of them spelled letters, and lengths that go with them, give or take a fifth."""
    draws = np.random.default_rng(seed)
    texts, lengths = [], []
    for number in range(count):
        words = draws.integers(1, 8)
        text = " ".join("a" * (1 if number % 2 else int(draws.integers(3, 7))) for _ in range(words))
        usual = 300 + 60 * len(text) + 100 * text.count(" ")
        texts.append(text)
        lengths.append(int(usual * np.exp(0.2 * np.clip(draws.standard_normal(), -3, 3))))
    return texts, lengths


@pytest.mark.parametrize("seed", range(5))
def test_healthy_rows_are_not_named(seed: int, make_part: MakePart) -> None:
    texts, lengths = healthy(400, seed)
    part = make_part("train", texts, lengths=lengths)
    find_unusual_rates([part], CTCHead(input_size=1), str)
    find_long_inputs([part], str)
    assert part.findings.warnings == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
def test_swapped_and_cut_labels_are_named_whatever_the_unit(
    seed: int, scale: float, make_part: MakePart, named: Named
) -> None:
    texts, lengths = healthy(400, seed)
    texts[7], texts[9] = "a", "a" * 60
    lengths[7], lengths[9] = 4000, 600
    dev = make_part("dev", ["a" * 80, "a"], lengths=[round(700 * scale), round(360 * scale)])
    part = make_part("train", texts, lengths=[max(1, round(length * scale)) for length in lengths])
    find_unusual_rates([part, dev], CTCHead(input_size=1), str)
    assert named(part) == [(8, "too few characters for its length"), (10, "too many characters for its length")]
    assert named(dev) == [(1, "too many characters for its length")]


def test_a_few_rows_are_too_few_to_say_what_is_usual(make_part: MakePart) -> None:
    texts, lengths = healthy(20, 0)
    part = make_part("train", [*texts, "a"], lengths=[*lengths, 100_000])
    find_unusual_rates([part], CTCHead(input_size=1), str)
    find_long_inputs([part], str)
    assert part.findings.warnings == []


def test_targets_that_are_no_text_are_passed_over(make_part: MakePart) -> None:
    texts, lengths = healthy(100, 0)
    part = make_part("train", [5, *texts], lengths=[100_000, *lengths])
    find_unusual_rates([part], CTCHead(input_size=1), str)
    assert part.findings.warnings == []


def test_an_input_many_times_as_long_as_the_median_is_named(make_part: MakePart, named: Named) -> None:
    train = make_part("train", ["a"] * 40, lengths=[100] * 38 + [1000, 1001])
    dev = make_part("dev", ["a"] * 2, lengths=[100, 5000])
    find_long_inputs([train, dev], str)
    assert named(train) == [(40, "far longer than others")]
    assert named(dev) == [(2, "far longer than others")]
    assert "1001; the median is 100" in train.findings.warnings[0][2]
