"""Examples of several rows: which rows stand in them, what they hold, and that batches keep their bounds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import FeatureChain, Waveform
from seqpipe.core.input import FileSpan
from seqpipe.core.randomness import RowKey
from seqpipe.data.concatenation import Concatenation
from seqpipe.data.loader import Batch, Example, Examples, Share, TrainingBatches, TrainingLoader, collate
from seqpipe.data.rows import Row
from seqpipe.errors import InputError

SEED, BUDGET, SEPARATOR = 3, 500, 99
PAUSE = (800, 4000)  # samples: 0.1 to 0.5 s


def concatenation(
    share: float = 0.6, most: int = 3, pause: tuple[int, int] = PAUSE, max_length: int | None = None, seed: int = SEED
) -> Concatenation:
    return Concatenation(seed, share, most, pause, torch.tensor([SEPARATOR]), max_length)


def batches_of(lengths: list[int], features: FeatureChain, whole: Concatenation, **options: object) -> TrainingBatches:
    bounds = {"budget": BUDGET, "max_rows": 8, **options}
    return TrainingBatches(lengths, features, seed=SEED, concatenation=whole, **bounds)  # type: ignore[arg-type]


def examples_of(rows: Sequence[Row], features: FeatureChain, whole: Concatenation | None) -> Examples:
    return Examples(rows, [torch.tensor([index]) for index in range(len(rows))], features, SEED, None, whole)


def rows_in(batches: TrainingBatches, epoch: int) -> list[tuple[int, ...]]:
    return [batches.rows_of(epoch, example) for batch in batches.plan(epoch) for example in batch]


@given(
    rows=st.integers(1, 60),
    share=st.floats(0.01, 1.0),
    most=st.integers(2, 6),
    epoch=st.integers(0, 100),
    seed=st.integers(0, 2**31 - 1),
    longest=st.integers(1, 6),
)
def test_every_row_is_in_one_example_and_the_share_is_the_most_that_is_put_together(
    rows: int, share: float, most: int, epoch: int, seed: int, longest: int
) -> None:
    own = concatenation(share, most, seed=seed)
    found = own.examples(epoch, rows, lambda some: len(some) <= longest)
    assert sorted(row for example in found for row in example) == list(range(rows))
    together = [example for example in found if len(example) > 1]
    assert sum(map(len, together)) <= round(share * rows)
    assert all(len(example) <= min(most, longest) for example in together)
    assert concatenation(share, most, seed=seed).examples(epoch, rows, lambda some: len(some) <= longest) == found


def test_so_many_rows_are_put_together_as_were_asked_for_and_others_each_epoch() -> None:
    found = [concatenation(0.3, 4).examples(epoch, 1000, lambda rows: True) for epoch in range(3)]
    for epoch in found:
        sizes = [len(example) for example in epoch if len(example) > 1]
        assert 297 <= sum(sizes) <= 300  # the last of those that were drawn may be left alone
        assert set(sizes) == {2, 3, 4}
    assert len({str(epoch) for epoch in found}) == 3


def test_the_plan_depends_on_seed_and_epoch_alone(lengths: list[int], features: FeatureChain) -> None:
    gone_through = batches_of(lengths, features, concatenation())
    for epoch in (4, 0, 2, 4):
        asked_once = batches_of(lengths, features, concatenation())
        assert gone_through.plan(epoch) == asked_once.plan(epoch)
        assert rows_in(gone_through, epoch) == rows_in(asked_once, epoch)


def test_what_comes_is_as_long_as_planned_and_keeps_the_budgets(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    targets = [1 + row % 3 for row in range(len(rows))]
    own = concatenation(share=1.0, most=4)
    batches = batches_of(lengths, features, own, targets=targets, target_budget=9)
    examples = Examples(rows, [torch.arange(size) for size in targets], features, SEED, None, own)
    together = 0
    for epoch in range(3):
        assert sorted(row for example in rows_in(batches, epoch) for row in example) == list(range(len(rows)))
        for planned in batches.plan(epoch):
            batch = collate([examples[key] for key in batches.keys(epoch, planned)])
            assert batch.inputs is not None
            assert batch.rows == planned
            assert batch.inputs.lengths.tolist() == [batches.example_length(epoch, each) for each in planned]
            steps = int(features.output_lengths(batch.inputs.lengths).max())
            assert len(planned) * steps <= BUDGET
            assert len(planned) * max(len(target) for target in batch.targets if target is not None) <= 9
            assert [batch.rows_of(place) for place in range(len(planned))] == [
                batches.rows_of(epoch, example) for example in planned
            ]
            together += sum(len(behind) for behind in batch.behind)
    assert together > 10


def test_an_example_holds_its_rows_bit_by_bit_with_pauses_between(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    own = concatenation()
    batches, examples = batches_of(lengths, features, own), examples_of(rows, features, own)
    pauses = []
    for key in batches.keys(1, [example for batch in batches.plan(1) for example in batch]):
        epoch, *places = key
        found = examples[key]
        assert isinstance(found.input, torch.Tensor)
        assert found.target is not None
        assert (found.row, *found.behind) == tuple(places)
        drawn = [batches.augmented_length(epoch, row) for row in range(len(rows))]
        at = 0
        for number, place in enumerate(places):
            alone = features.prepare(rows[place].input, RowKey(SEED, epoch, place))
            begin = own.length(epoch, places[: number + 1], drawn) - len(alone)
            if number:
                pauses.append(found.input[at:begin])
            at = begin + len(alone)
            assert torch.equal(found.input[begin:at], alone)
        assert at == len(found.input)
        between = [label for place in places for label in (SEPARATOR, place)][1:]
        assert found.target.tolist() == between
    assert len(pauses) > 5
    assert all(PAUSE[0] <= len(pause) <= PAUSE[1] for pause in pauses)
    assert {bool(pause.any()) for pause in pauses} == {True, False}  # silence, and faint noise
    assert max(float(pause.abs().max()) for pause in pauses) < 0.3  # of the tones


def test_nothing_stands_between_where_no_pause_is_wanted(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    own = concatenation(pause=(0, 0))
    found = examples_of(rows, features, own)[2, 5, 1, 7]
    parts = [features.prepare(rows[row].input, RowKey(SEED, 2, row)) for row in (5, 1, 7)]
    assert isinstance(found.input, torch.Tensor)
    assert torch.equal(found.input, torch.cat(parts))


def test_no_example_of_several_rows_is_longer_than_allowed(lengths: list[int], features: FeatureChain) -> None:
    allowed = 2 * max(lengths)
    own = concatenation(share=1.0, most=6, max_length=allowed)
    for epoch in range(4):
        batches = batches_of(lengths, features, own, budget=10_000)
        found = [batches.example_length(epoch, rows[0]) for rows in rows_in(batches, epoch) if len(rows) > 1]
        assert 0 < max(found) <= allowed
        free = batches_of(lengths, features, concatenation(share=1.0, most=6), budget=10_000)
        assert allowed < max(free.example_length(epoch, rows[0]) for rows in rows_in(free, epoch))
        assert max(free.example_length(epoch, rows[0]) for rows in rows_in(free, epoch)) <= 6 * max(lengths)


def test_rows_whose_targets_would_not_fit_stay_alone(lengths: list[int], features: FeatureChain) -> None:
    asked: list[tuple[tuple[int, ...], int]] = []

    def suits(rows: Sequence[int], length: int) -> bool:
        asked.append((tuple(rows), length))
        return 0 not in rows and 1 not in rows

    own = concatenation(share=1.0)
    batches = batches_of(lengths, features, own, suits=suits)
    found = rows_in(batches, 0)
    assert {(0,), (1,)} <= set(found)
    assert sorted(row for example in found for row in example) == list(range(len(lengths)))
    drawn = [batches.augmented_length(0, row) for row in range(len(lengths))]
    assert asked
    assert all(length == own.length(0, rows, drawn) for rows, length in asked)


def load(rows: list[Row], lengths: list[int], features: FeatureChain, workers: int, share: Share | None) -> list[Batch]:
    own = concatenation()
    batches = batches_of(lengths, features, own)
    return list(TrainingLoader(examples_of(rows, features, own), batches, lambda: 1, workers, share))


def test_workers_change_no_bit_and_processes_share_the_batches_of_one(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    alone, helped = load(rows, lengths, features, 0, None), load(rows, lengths, features, 2, None)
    assert any(any(batch.behind) for batch in alone)
    for one, other in zip(alone, helped, strict=True):
        assert one.inputs is not None
        assert other.inputs is not None
        assert torch.equal(one.inputs.values, other.inputs.values)
        assert (one.rows, list(one.behind)) == (other.rows, list(other.behind))
        assert [target.tolist() for target in one.targets if target is not None] == [
            target.tolist() for target in other.targets if target is not None
        ]
    shares = [load(rows, lengths, features, 0, Share(rank, 2)) for rank in range(2)]
    for whole, *parts in zip(alone, *shares, strict=True):
        of_parts = [part.rows_of(place) for part in parts for place in range(len(part.rows))]
        assert sorted(of_parts) == sorted(whole.rows_of(place) for place in range(len(whole.rows)))


def test_a_loader_goes_on_behind_what_another_has_handed_out(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    own = concatenation()

    def loader() -> TrainingLoader:
        return TrainingLoader(examples_of(rows, features, own), batches_of(lengths, features, own), lambda: 2, 0)

    def heard(batches: Sequence[Batch]) -> list[list[tuple[int, ...]]]:
        return [[batch.rows_of(place) for place in range(len(batch.rows))] for batch in batches]

    whole, stopped = list(loader()), loader()
    begun = [batch for _, batch in zip(range(2), stopped, strict=False)]
    goes_on = loader()
    goes_on.load_state_dict(stopped.state_dict())
    assert heard([*begun, *goes_on]) == heard(whole)


def test_a_broken_file_takes_nothing_with_it(rows: list[Row], features: FeatureChain, tmp_path: Path) -> None:
    mixed = [Row("x", FileSpan(tmp_path / "gone"), ""), rows[0], rows[1], Row("y", FileSpan(tmp_path / "lost"), "")]
    examples = examples_of(mixed, features, concatenation(pause=(0, 0)))
    batch = collate([examples[0, 0, 1, 2], examples[0, 3, 0]])
    assert [batch.rows_of(place) for place in range(len(batch.rows))] == [(1, 2)]
    assert [(row, error.kind) for row, error in batch.failures] == [(0, "missing"), (3, "missing"), (0, "missing")]
    assert [target.tolist() for target in batch.targets if target is not None] == [[1, SEPARATOR, 2]]


def test_rows_of_another_shape_are_named(features: FeatureChain) -> None:
    class Arrays(FeatureChain):
        def prepare(self, raw: torch.Tensor, key: RowKey | None) -> torch.Tensor:
            return raw

    given = [Row(str(size), torch.zeros(4, size)) for size in (3, 3, 2)]
    examples = examples_of(given, Arrays(stages=[Waveform.configure()]), concatenation(pause=(0, 0)))
    found: Example = examples[0, 0, 2, 1]
    assert (found.row, found.behind) == (0, (1,))
    ((row, error),) = found.failures
    assert row == 2
    assert isinstance(error, InputError)
    assert "[T, 2] torch.float32 and another row as [T, 3] torch.float32" in str(error)


def test_an_empty_target_leaves_no_separator() -> None:
    own = concatenation()
    parts = [torch.tensor(labels, dtype=torch.int64) for labels in ([1, 2], [], [3], [])]
    assert own.target(parts).tolist() == [1, 2, SEPARATOR, 3]
    assert own.target_length([len(part) for part in parts]) == 4
    assert own.target(parts[1::2]).tolist() == []
    assert own.target_length([0, 0]) == 0
