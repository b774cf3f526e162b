"""The encoder that shortens: how many steps are left, where they lie, and what each of them is made of."""

from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seqpipe import Bypass, Chain, ConfigError, InputError, PaddedSequence, Parallel, PyramidalEncoder, RecurrentEncoder
from seqpipe.checks.findings import Findings
from seqpipe.checks.part import Inspection, Part
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.stage import Stage, StageConfig
from seqpipe.data.rows import Row
from seqpipe.encoders.pyramidal import join_steps
from seqpipe.layers.minimal_cells import MinGRU
from seqpipe.pipeline import Pipeline

D = 5
RAGGED = [9, 1, 40, 2, 7, 300, 8] + [5, 12, 3] * 4
SHAPES = [(1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (1, 5)]  # layers and factor
OPTIONS: list[dict[str, Any]] = [
    {},
    {"layers": 3},
    {"cell": "gru", "layers": 1, "factor": 3, "layer_norm": True},
    {"cell": "rnn_tanh", "factor": 3},
    {"cell": "mingru", "chrono_steps": 20},
]
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "mingru": MinGRU}


def encoder_of(**options: Any) -> PyramidalEncoder:
    torch.manual_seed(0)
    encoder = PyramidalEncoder(input_size=D, **{"hidden_size": 4, **options})
    with torch.no_grad():  # norms that show
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return encoder.eval()


def rows_of(lengths: list[int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, D, generator=generator) for length in lengths]


def config(name: str = "PyramidalEncoder", **options: Any) -> StageConfig:
    return StageConfig.parse({"stage": name, "hidden_size": 4, **options})


# Lengths and places


@torch.no_grad()
@pytest.mark.parametrize(("layers", "factor"), SHAPES)
def test_steps_are_divided_and_rounded_up(layers: int, factor: int) -> None:
    encoder = encoder_of(layers=layers, factor=factor)
    lengths = torch.arange(1, 41)
    promised = encoder.output_lengths(lengths)
    assert promised.dtype == torch.int64
    assert promised.tolist() == [-(-length // factor**layers) for length in lengths.tolist()]
    batch = PaddedSequence.pad(rows_of(lengths.tolist()))
    found = encoder(batch)
    assert found.lengths.tolist() == promised.tolist()
    assert found.values.shape == (40, int(promised.max()), encoder.output_size)
    for row, length in zip(batch.rows(), promised.tolist(), strict=True):
        assert len(encoder(PaddedSequence.pad([row])).rows()[0]) == length


@pytest.mark.parametrize(("layers", "factor"), SHAPES)
def test_a_step_lies_in_the_middle_of_those_that_it_joins(layers: int, factor: int) -> None:
    encoder = encoder_of(layers=layers, factor=factor)
    count = factor**layers * 7
    places = PaddedSequence.pad([torch.arange(count, dtype=torch.float64)[:, None]])
    for _ in range(layers):
        places = join_steps(places, factor)
    joined = places.values[0]  # [T', steps that are joined]
    assert joined.flatten().tolist() == list(range(count))
    steps = torch.arange(len(joined), dtype=torch.float64)
    located = encoder.locate(torch.empty(0), steps)
    assert located.tolist() == joined.mean(dim=1).tolist()
    assert (located.diff() > 0).all()
    # Half a step before and behind is where the joined ones begin and end.
    assert encoder.locate(torch.empty(0), steps - 0.5).tolist() == (joined[:, 0] - 0.5).tolist()
    assert encoder.locate(torch.empty(0), steps + 0.5).tolist() == (joined[:, -1] + 0.5).tolist()


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4), factor=st.integers(2, 4))
def test_what_is_missing_at_the_end_of_a_row_is_zeros(lengths: list[int], factor: int) -> None:
    batch = PaddedSequence.pad(rows_of(lengths)).extended(5).masked(float("nan"))
    found = join_steps(batch, factor)
    assert not found.values[~found.mask()].any()
    for row, joined in zip(batch.rows(), found.rows(), strict=True):
        steps = joined.reshape(-1, D)
        assert torch.equal(steps[: len(row)], row)
        assert len(steps) - len(row) < factor
        assert not steps[len(row) :].any()


# What is computed


@torch.no_grad()
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_recurrent_layers_over_joined_steps(options: dict[str, Any]) -> None:
    encoder = encoder_of(**options)
    assert len(encoder.layers) == options.get("layers", 2)
    for layer in encoder.layers:
        assert isinstance(layer.forward_layers[0], CELLS[options.get("cell", "lstm")])
        assert (layer.norms is not None) == ("layer_norm" in options)
    rows = rows_of(RAGGED)
    for row, got in zip(rows, encoder(PaddedSequence.pad(rows)).rows(), strict=True):
        values = row
        for layer in encoder.layers:
            missing = -len(values) % encoder.factor
            values = torch.cat([values, values.new_zeros(missing, values.shape[1])])
            values = values.reshape(-1, encoder.factor * values.shape[1])[None]
            backward = layer.backward_layers[0](values.flip(1))[0].flip(1)
            values = torch.cat([layer.forward_layers[0](values)[0], backward], dim=-1)[0]
            values = layer.norms[0](values) if layer.norms is not None else values
        torch.testing.assert_close(got, values, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("more", "garbage"), [(0, 0.0), (1, 1e3), (13, float("nan")), (250, float("inf"))])
def test_padding_order_and_company_change_nothing(more: int, garbage: float, options: dict[str, Any]) -> None:
    encoder = encoder_of(**options)
    rows = rows_of(RAGGED)
    alone = [encoder(PaddedSequence.pad([row])).rows()[0] for row in rows]
    by_length = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    for order in (list(range(len(rows))), by_length, by_length[::-1]):
        batch = PaddedSequence.pad([rows[place] for place in order])
        found = encoder(batch.extended(batch.values.shape[1] + more).masked(garbage))
        assert not found.values[~found.mask()].any()
        for place, row in zip(order, found.rows(), strict=True):
            assert row.shape == alone[place].shape
            assert float((row - alone[place]).abs().max()) <= 1e-5


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_reach_all_weights_and_every_step_and_no_padding(options: dict[str, Any]) -> None:
    gradients = []
    for garbage in (0.0, float("nan")):
        encoder = encoder_of(**options).train()
        batch = PaddedSequence.pad(rows_of([9, 1, 23, 2])).extended(32).masked(garbage)
        values = batch.values.requires_grad_()
        found = encoder(PaddedSequence(values, batch.lengths))
        found.values[found.mask()].square().sum().backward()
        assert values.grad is not None
        assert torch.equal(values.grad.abs().sum(dim=2) > 0, batch.mask())
        weights = [parameter.grad for parameter in encoder.parameters()]
        assert all(gradient is not None and bool(gradient.any()) for gradient in weights)
        gradients.append([values.grad, *weights])
    for clean, spoilt in zip(*gradients, strict=True):
        assert torch.equal(clean, spoilt)


def test_dropout_stands_between_the_layers_and_spares_evaluation() -> None:
    batch = PaddedSequence.pad(rows_of([80] * 8))
    encoder = encoder_of(hidden_size=32, layers=2, dropout=0.25)
    entered: list[PaddedSequence] = []
    encoder.layers[1].register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    output = encoder.train()(batch)
    kept = encoder.eval()(batch)
    dropped, whole = (sequence.values for sequence in entered)
    zero = dropped == 0
    assert float(zero.float().mean()) == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(dropped[~zero], whole[~zero] / 0.75)
    assert output.values.all(), "of what the last layer gives, nothing is dropped"
    assert torch.equal(kept.values, encoder_of(hidden_size=32, layers=2)(batch).values)
    single = encoder_of(layers=1, dropout=0.9)
    assert torch.equal(single.train()(batch).values, single.eval()(batch).values)


# With others

RECIPE = """
pipeline:
  features: [{stage: Waveform, sample_rate: 8000}, {stage: LogMel, n_mels: 6}]
  frontend: {stage: Conv1dFrontEnd, channels: [8], kernels: [3], strides: [2]}
  encoder:
    - {stage: PyramidalEncoder, hidden_size: 4}
    - {stage: RecurrentEncoder, hidden_size: 3, layers: 1}
  head: CTCHead
"""


def test_a_recurrent_encoder_may_stand_behind_it_in_a_recipe() -> None:
    recipe = parse_recipe(yaml.safe_load(RECIPE), "r.yaml")
    assert parse_recipe(yaml.safe_load(recipe.dump()), "r.yaml") == recipe
    pipeline = Pipeline(recipe)
    raws = [{"array": torch.randn(length).numpy(), "sampling_rate": 8000} for length in (9000, 400, 2345)]
    targets = ["ab", "a", "b"]
    pipeline.fit([Row(text, raw, text, 1, "rows", {}) for raw, text in zip(raws, targets, strict=True)])
    assert isinstance(pipeline.encoder, Chain)
    assert [type(stage) for stage in pipeline.encoder.stages] == [PyramidalEncoder, RecurrentEncoder]
    assert pipeline.encoder.role == "encoder"
    assert pipeline.encoder.output_size == 6
    prepared = [pipeline.features.prepare(raw, None) for raw in raws]
    batch = PaddedSequence.pad(prepared)
    encoded = pipeline(batch)
    frames = pipeline.features.output_lengths(batch.lengths)
    assert encoded.lengths.tolist() == pipeline.encoded_lengths(batch.lengths).tolist() == (-(-frames // 8)).tolist()
    total, count = pipeline.loss(batch, [pipeline.head.encode_target(text) for text in targets])
    (total / count).backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in pipeline.parameters())  # type: ignore[union-attr]
    # A step is 8 frames of 10 ms; the middle of the last one lies behind the end of the recording.
    places = pipeline.locate(raws[0], prepared[0], torch.arange(15, dtype=torch.float64))
    assert 0.03 <= places[0] <= 0.04
    assert places[:-1].diff().tolist() == pytest.approx([0.08] * 13)
    assert places[-1] == 9000 / 8000


def test_labels_that_do_not_fit_behind_it_are_found_before_training() -> None:
    """A second of 100 frames is 13 steps, in which 13 different letters fit and 14 don't."""
    pipeline = Pipeline(parse_recipe(yaml.safe_load(RECIPE), "r.yaml"))
    raw = {"array": torch.randn(8000).numpy(), "sampling_rate": 8000}
    texts = ["abcdefghijklm", "abcdefghijklmn", "abcdefghijklm" * 7]
    rows = [Row(text, raw, text, number, "rows", {}) for number, text in enumerate(texts, 1)]
    pipeline.fit(rows)
    found = encode_targets(pipeline, rows)
    assert [isinstance(one, InputError) for one in found] == [False, True, True]
    assert {one.kind for one in found if isinstance(one, InputError)} == {"too short for its label"}


def encode_targets(pipeline: Pipeline, rows: list[Row]) -> list[Any]:
    part = Part("train", "rows", [], [])
    found: list[Any] = []
    for row in rows:
        length = pipeline.features.length(row.input)
        prepared = len(pipeline.features.prepare(row.input, None))
        part.rows, part.inspections = [row], [Inspection(length, prepared)]
        part.findings = Findings()
        part.encode(pipeline)
        found.append(InputError(*part.findings.problems[0][1:]) if part.findings.problems else part.targets[0])
    return found


@torch.no_grad()
def test_a_chain_of_it_counts_and_locates_through_its_stages() -> None:
    stages = [config(layers=1, factor=3), config("RecurrentEncoder", layers=1), config(layers=2)]
    chain: Any = Chain(stages=stages, previous=encoder_of()).eval()
    lengths = torch.arange(1, 41)
    assert chain.output_lengths(lengths).tolist() == [-(-length // 12) for length in lengths.tolist()]
    rows = [torch.randn(length, 8) for length in lengths.tolist()]
    assert chain(PaddedSequence.pad(rows)).lengths.tolist() == chain.output_lengths(lengths).tolist()
    assert chain.locate(torch.empty(0), torch.arange(3.0)).tolist() == [5.5, 17.5, 29.5]


def test_nothing_can_pass_beside_it() -> None:
    with pytest.raises(
        ConfigError, match=r"encoder PyramidalEncoder changes the number of steps, so nothing can pass beside it"
    ):
        Bypass(input_size=D, size=2, encoder=config())


@pytest.mark.parametrize(
    "encoders",
    [
        [config(), config("RecurrentEncoder")],
        [config("RecurrentEncoder"), config()],
        [config(), config(), config(layers=1)],
        [config(), config(factor=3)],
    ],
    ids=["recurrent behind", "recurrent first", "fewer layers", "another factor"],
)
def test_encoders_side_by_side_must_shorten_alike(encoders: list[StageConfig]) -> None:
    said = f"encoders {encoders[-1].name} gives another number of steps than {encoders[0].name}"
    with pytest.raises(ConfigError, match=said):
        Parallel(input_size=D, encoders=encoders)


@torch.no_grad()
@pytest.mark.parametrize("other", [config(), config(cell="gru", layers=1, factor=4)], ids=["alike", "4 at once"])
def test_encoders_that_shorten_alike_stand_side_by_side(other: StageConfig) -> None:
    both: Any = Parallel(input_size=D, encoders=[config(), other]).eval()
    batch = PaddedSequence.pad(rows_of(RAGGED))
    found = both(batch)
    assert found.values.shape[2] == both.output_size == 16
    assert found.lengths.tolist() == both.output_lengths(batch.lengths).tolist()
    assert found.lengths.tolist() == [-(-length // 4) for length in RAGGED]
    parts = [stage(batch).values for stage in both.encoders]
    torch.testing.assert_close(found.values, torch.cat(parts, dim=-1))
    steps = torch.arange(10, dtype=torch.float64)
    assert all(
        torch.equal(both.locate(torch.empty(0), steps), stage.locate(torch.empty(0), steps)) for stage in both.encoders
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"factor": 1}, r"PyramidalEncoder\.factor .*greater than 1; received 1"),
        ({"layers": 0}, r"PyramidalEncoder\.layers .*greater than 0; received 0"),
        ({"dropout": 1.0}, r"PyramidalEncoder\.dropout .*less than 1; received 1"),
        ({"cell": "ltsm"}, r"PyramidalEncoder\.cell .*'lstm'.*received 'ltsm'"),
    ],
    ids=str,
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        encoder_of(**options)


def test_a_recipe_finds_it_by_its_name() -> None:
    stage: Stage = config(layers=3).build(encoder_of())
    assert isinstance(stage, PyramidalEncoder)
    assert stage.output_size == 8
