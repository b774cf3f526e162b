from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.config.recipe import load_recipe
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError
from seqpipe.pipeline import Pipeline


@pytest.fixture(scope="module")
def rows(tone_data: Path) -> list[Row]:
    recipe = load_recipe(tone_data / "tones.yaml")
    return list(read_rows("train.tsv", recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data))[:12]


@pytest.fixture(scope="module")
def trained(trained_run: Path) -> Pipeline:
    return Pipeline.load(trained_run)


def fitted(tone_data: Path, rows: list[Row], *overrides: str) -> Pipeline:
    pipeline = Pipeline(load_recipe(tone_data / "tones.yaml", overrides))
    pipeline.fit(rows)
    return pipeline


def same_weights(one: Pipeline, other: Pipeline) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_seed_decides_the_first_weights_and_nothing_else_does(tone_data: Path, rows: list[Row]) -> None:
    first = fitted(tone_data, rows)
    torch.rand(100)
    state = torch.random.get_rng_state()
    assert same_weights(first, fitted(tone_data, rows))
    assert torch.equal(torch.random.get_rng_state(), state)  # and the user's own randomness is left alone
    assert not same_weights(first, fitted(tone_data, rows, "training.seed=2"))


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("pipeline.frontend=null",),
        ("pipeline.encoder=null",),
        ("pipeline.frontend=null", "pipeline.encoder=null"),
        ("pipeline.features.Normalization.over=global",),
        ("pipeline.head.units=bpe", "pipeline.head.vocabulary_size=8"),
        ("pipeline.head.shortcut=0.5",),
        ("pipeline.encoder.layers=2", "pipeline.head.intermediate=0.3", "pipeline.head.intermediate_layers=[1]"),
        ("pipeline.frontend=[{stage: Conv1dFrontEnd}, {stage: Conv1dFrontEnd, strides: [1, 1]}]",),
    ],
    ids=str,
)
def test_saved_then_loaded_predictions_are_the_same(
    overrides: tuple[str, ...], tone_data: Path, rows: list[Row], tmp_path: Path
) -> None:
    pipeline = fitted(tone_data, rows, *overrides).eval()
    pipeline.save(tmp_path / "run")
    again = Pipeline.load(tmp_path / "run")
    assert same_weights(pipeline, again)
    assert not again.training
    prepared = [pipeline.features.prepare(row.input, None) for row in rows]
    arguments = [row.id for row in rows], [row.input for row in rows], prepared
    assert pipeline.answer_batch(*arguments) == again.answer_batch(*arguments)


def test_predictions_stand_in_the_order_of_the_rows(trained: Pipeline, rows: list[Row]) -> None:
    prepared = [trained.features.prepare(row.input, None) for row in rows]
    answers = trained.answer_batch([row.id for row in rows], [row.input for row in rows], prepared)
    assert [answer.id for answer in answers] == [row.id for row in rows]
    assert [answer.text for answer in answers] == [row.target for row in rows]  # it has learnt them


@settings(max_examples=20)
@given(lengths=st.lists(st.integers(1, 9000), min_size=1, max_size=4))
def test_encoded_lengths_are_what_comes_out(lengths: list[int], trained: Pipeline) -> None:
    batch = PaddedSequence.pad([torch.randn(length) for length in lengths])
    with torch.inference_mode():
        encoded = trained(batch)
    assert encoded.lengths.tolist() == trained.encoded_lengths(torch.tensor(lengths)).tolist()


def test_the_shortest_encoding_is_that_of_the_fastest_speed(tone_data: Path, rows: list[Row]) -> None:
    faster = "pipeline.features.1={stage: SpeedPerturbation, factors: [0.5, 2.0]}"
    pipeline = fitted(tone_data, rows, faster)
    assert pipeline.min_encoded_length(8000) == int(pipeline.encoded_lengths(torch.tensor([4000])))


def test_the_loss_of_a_batch_is_the_sum_of_its_rows(trained: Pipeline, rows: list[Row]) -> None:
    prepared = [trained.features.prepare(row.input, None) for row in rows]
    targets = [trained.head.encode_target(row.target) for row in rows]
    with torch.inference_mode():
        total, count = trained.loss(PaddedSequence.pad(prepared), targets)
        singles = [
            trained.loss(PaddedSequence.pad([item]), [target]) for item, target in zip(prepared, targets, strict=True)
        ]
    assert float(total) == pytest.approx(sum(float(loss) for loss, _ in singles), rel=1e-5, abs=1e-4)
    assert float(count) == sum(len(target) for target in targets) == sum(float(number) for _, number in singles)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pipeline.features=[{stage: LogMel}]", r"pipeline\.features.*LogMel needs sample_rate"),
        ("pipeline.frontend.kernels=[3, 3]", r"pipeline\.frontend .*one entry a layer; received 1, 2 and 1"),
        ("pipeline.frontend=[{stage: RecurrentEncoder}]", r"pipeline\.frontend .*RecurrentEncoder is a encoder stage"),
    ],
)
def test_stages_that_do_not_fit_together_are_told_with_their_place(
    override: str, message: str, tone_data: Path, rows: list[Row]
) -> None:
    with pytest.raises(ConfigError, match=message):
        fitted(tone_data, rows, override)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("pipeline.encoder.layers=2",), "2 is not one of .*RecurrentEncoder gives 1"),
        (("pipeline.encoder=null",), "no encoder gives 0"),
        (("pipeline.encoder={stage: PyramidalEncoder, hidden_size: 4, layers: 3}",), "PyramidalEncoder gives 0"),
    ],
    ids=str,
)
def test_layers_that_the_encoder_does_not_give_are_refused(
    overrides: tuple[str, ...], told: str, tone_data: Path, rows: list[Row]
) -> None:
    with pytest.raises(ConfigError, match=rf"pipeline\.head\.intermediate_layers.*{told}"):
        fitted(tone_data, rows, "pipeline.head.intermediate=0.3", "pipeline.head.intermediate_layers=[2]", *overrides)


def test_intermediate_layers_teach_the_encoder_and_change_no_answer(tone_data: Path, rows: list[Row]) -> None:
    deep = ("pipeline.encoder.layers=3", "pipeline.encoder.dropout=0", "pipeline.head.dropout=0")
    plain = fitted(tone_data, rows, *deep)
    taught = fitted(
        tone_data, rows, *deep, "pipeline.head.intermediate=0.5", "pipeline.head.intermediate_layers=[1, 2]"
    )
    taught.load_state_dict(plain.state_dict())
    batch = PaddedSequence.pad([plain.features.prepare(row.input, None) for row in rows])
    targets = [plain.head.encode_target(row.target) for row in rows]
    assert torch.equal(taught.eval()(batch).values, plain.eval()(batch).values)
    assert torch.equal(taught.loss(batch, targets)[0], plain.loss(batch, targets)[0])
    assert len(taught.train()(batch).layers) == 2
    assert taught.loss(batch, targets)[0] != plain.train().loss(batch, targets)[0]
