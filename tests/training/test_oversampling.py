"""Rows that an epoch has several times: which these are, and that each time is augmented anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqpipe.checks.part import Inspection, Part
from seqpipe.config.recipe import OversamplingConfig, load_recipe
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, DataError
from seqpipe.training.oversampling import oversample
from seqpipe.training.preparing import prepare_training

TrainTones = Callable[..., dict[str, Any]]


def part(*targets: Any) -> Part:
    rows = [Row(f"row {number}", "", target) for number, target in enumerate(targets)]
    return Part("train", "", rows, [Inspection(number, number) for number in range(len(rows))], [None] * len(rows))


def test_what_matches_as_a_whole_comes_so_often() -> None:
    found = part("STOP", "Stop", "GO", "STOPS!", "A")
    messages = oversample(found, [OversamplingConfig(target="[A-Z]{2,}", times=3)])
    assert [row.target for row in found.rows] == ["STOP", "Stop", "GO", "STOPS!", "A", "STOP", "GO", "STOP", "GO"]
    assert found.lengths == [0, 1, 2, 3, 4, 0, 2, 0, 2]  # as their rows
    assert len(found.targets) == 9
    assert messages == ["an epoch has 2 rows 3 times: targets '[A-Z]{2,}'"]


def test_a_row_that_several_mean_has_the_greatest_number_not_the_product() -> None:
    found = part("aa", "ab")
    oversample(found, [OversamplingConfig(target="a.", times=2), OversamplingConfig(target=".b", times=4)])
    assert [row.target for row in found.rows] == ["aa", "ab", "aa", "ab", "ab", "ab"]


def test_of_tags_one_is_enough() -> None:
    found = part(["O", "B-person"], ["O", "O"])
    oversample(found, [OversamplingConfig(target="B-.*", times=2)])
    assert [row.id for row in found.rows] == ["row 0", "row 1", "row 0"]


def test_nothing_is_repeated_unasked() -> None:
    found = part("a", "b")
    assert oversample(found, []) == []
    assert len(found.rows) == 2


def test_what_no_row_has_is_refused_with_what_there_is() -> None:
    with pytest.raises(DataError, match=r"no target of train matches 'B-\.\*' as a whole; the first one is 'go'"):
        oversample(part("go"), [OversamplingConfig(target="B-.*", times=2)])


@pytest.mark.parametrize(
    ("entry", "complaint"), [("{target: '(', times: 2}", "regular expression"), ("{target: a, times: 1}", "2")]
)
def test_what_means_nothing_is_refused(tone_data: Path, entry: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        load_recipe(tone_data / "tones.yaml", [f"data.oversample=[{entry}]"])
    assert "data.oversample.0" in str(refused.value)


def test_copies_have_lengths_and_augmentation_of_their_own(tone_data: Path) -> None:
    overrides = ["data.train=few.tsv", "data.oversample=[{target: '.*', times: 2}]"]
    recipe = load_recipe(tone_data / "tones.yaml", overrides)
    notices: list[str] = []
    prepared = prepare_training(recipe, None, notices.append)
    half = len(prepared.training.rows) // 2
    assert any(notice.startswith(f"an epoch has {half} rows 2 times") for notice in notices)
    planned = [row for batch in prepared.batches(recipe.training).plan(0) for row in batch]
    assert sorted(planned) == list(range(2 * half))
    examples = prepared.examples(recipe.training)
    assert any(not _equal(examples[0, row][1], examples[0, row + half][1]) for row in range(half))


def _equal(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and (one == other).all())


def test_a_training_that_was_stopped_ends_with_the_same_bits(
    train_tones: TrainTones,
    train_stopped: TrainTones,
    same_weights: Callable[[Path, Path], bool],
    tmp_path: Path,
) -> None:
    often = ["data.oversample=[{target: '.*', times: 2}]"]
    whole = train_tones(tmp_path / "whole", *often)
    assert train_stopped(tmp_path / "stopped", *often)["dev"] == whole["dev"]
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")
