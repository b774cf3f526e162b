import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

import seqpipe
from seqpipe import (
    ConfigError,
    Conv1dFrontEnd,
    CTCHead,
    FeatureChain,
    InputSize,
    LogMel,
    PaddedSequence,
    RecurrentEncoder,
    Stage,
    StageConfig,
    Waveform,
)
from seqpipe.core.feature import Feature
from seqpipe.core.stage import find_stage, stage_names


class Doubled(Feature):
    """A user's own stage."""

    def __init__(self, *, input_size: InputSize, times: Annotated[int, Field(ge=1, le=9)] = 2) -> None:
        super().__init__()
        self.times = times
        self.output_size = input_size

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        return PaddedSequence(sequence.values * self.times, sequence.lengths)


def message_of(attempt: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        attempt()
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden_size": 3}, "hiden_size is not known; did you mean hidden_size?"),
        ({"dropot": 0.1, "layrs": 2}, "dropot is not known; did you mean dropout?"),
        ({"zzz": 1}, "zzz is not known; known: bidirectional, cell, chrono_steps, dropout"),
        ({"hidden_size": 0}, "hidden_size input should be greater than 0; received 0"),
        ({"hidden_size": "many"}, "hidden_size input should be a valid integer"),
        ({"dropout": 1.0}, "dropout input should be less than 1; received 1.0"),
        ({"dropout": float("nan")}, "dropout input should be a finite number; received nan"),
        (
            {"cell": "ltsm"},
            "cell input should be 'lstm', 'gru', 'mingru', 'minlstm', 'rnn_tanh' or 'rnn_relu'; received 'ltsm'",
        ),
        ({"bidirectional": "perhaps"}, "bidirectional input should be a valid boolean"),
    ],
    ids=str,
)
def test_an_import_and_a_recipe_are_checked_by_the_same_declaration(options: dict[str, Any], message: str) -> None:
    in_recipe = message_of(lambda: StageConfig.parse({"stage": "RecurrentEncoder", **options}))
    assert message in in_recipe
    assert message_of(lambda: RecurrentEncoder.configure(**options)) == in_recipe
    imported = message_of(lambda: RecurrentEncoder(input_size=4, **options))
    if "is not known; known:" in message:  # the import knows what the pipeline passes, too
        assert "RecurrentEncoder.zzz is not known; known: bidirectional" in imported
    else:
        assert imported == "\n".join(f"RecurrentEncoder.{line}" for line in in_recipe.splitlines())


def test_every_problem_is_reported_at_once() -> None:
    message = message_of(lambda: RecurrentEncoder(input_size=4, hidden_size=0, layers=-1, drop=1))
    assert len(message.splitlines()) == 3


def test_what_the_pipeline_passes_is_no_option() -> None:
    assert "input_size is not known" in message_of(lambda: RecurrentEncoder.configure(input_size=80))
    assert "sample_rate is not known" in message_of(lambda: StageConfig.parse({"stage": "LogMel", "sample_rate": 8000}))
    assert message_of(lambda: RecurrentEncoder()) == "RecurrentEncoder.input_size is required and was not given"


def test_options_are_passed_by_name() -> None:
    assert "unexpected positional argument; received 80" in message_of(lambda: RecurrentEncoder(80))  # type: ignore[misc]


def test_defaults_are_part_of_a_config() -> None:
    config = StageConfig.parse({"stage": "RecurrentEncoder", "layers": 2})
    assert config.options["layers"] == 2
    assert config.options["hidden_size"] == 256
    assert StageConfig.parse("RecurrentEncoder").options["layers"] == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("LogMell", "LogMell is not a known stage; did you mean LogMel?"),
        ("Recipe", "Recipe is not a known stage"),  # exported, but no stage
        ("Stage", "Stage is not a known stage"),
        ("os.system", "'os.system' is not a stage name; stages are given by class name alone"),
        ("seqpipe.features.speech.log_mel.LogMel", "is not a stage name"),
        ("", "'' is not a stage name"),
        (7, "should be a stage, e.g. {stage: LogMel, n_mels: 80}; received 7"),
        ({"n_mels": 80}, "should be a stage"),
        ({"stage": 3}, "should be a stage"),
    ],
    ids=str,
)
def test_what_names_no_stage_is_refused(value: Any, message: str) -> None:
    assert message in message_of(lambda: StageConfig.parse(value))


def test_nothing_is_imported_by_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap_of_mine.py").write_text("raise SystemExit('code was run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("trap_of_mine", "trap_of_mine.Stage", "trap_of_mine:Stage"):
        message_of(lambda name=name: StageConfig.parse(name))
    assert "trap_of_mine" not in sys.modules


def test_every_built_in_stage_is_found_and_fits_a_slot() -> None:
    assert set(seqpipe.STAGES) <= set(stage_names())
    for name in seqpipe.STAGES:
        stage = find_stage(name)
        assert stage.__name__ == name
        if name != "Chain":  # which has the role of its stages
            assert stage.role in {"features", "frontend", "encoder", "head"}
        assert stage is getattr(seqpipe, name)
        assert stage.__doc__


def test_a_stage_of_ones_own_is_found_checked_and_built() -> None:
    assert find_stage("Doubled") is Doubled
    assert "times input should be less than or equal to 9" in message_of(
        lambda: StageConfig.parse({"stage": "Doubled", "times": 10})
    )
    config: Any = [{"stage": "Waveform", "sample_rate": 8000}, "LogMel", {"stage": "Doubled", "times": 3}]
    chain: Any = FeatureChain(stages=[StageConfig.parse(stage) for stage in config])
    assert (type(chain.stages[2]), chain.stages[2].times, chain.output_size) == (Doubled, 3, 80)


def test_a_name_is_taken_once() -> None:
    def define(name: str) -> None:
        type(name, (Stage,), {"__module__": "elsewhere"})

    assert "a stage named LogMel exists already (seqpipe.features.speech.log_mel)" in message_of(
        lambda: define("LogMel")
    )
    assert "a stage named Doubled exists already" in message_of(lambda: define("Doubled"))
    assert find_stage("LogMel") is LogMel
    define("_Doubled")
    assert "_Doubled" not in stage_names(), "underlined classes are not for recipes"


def test_a_stage_must_declare_its_options() -> None:
    class Undeclared(Stage):
        def __init__(self, *, size) -> None:  # type: ignore[no-untyped-def]
            super().__init__()

    try:
        message = message_of(lambda: StageConfig.parse({"stage": "Undeclared", "size": 3}))
        assert message == "Undeclared: parameter size must be keyword-only and annotated"
    finally:
        from seqpipe.core import stage

        del stage._registry["Undeclared"]


def test_errors_inside_nested_stages_carry_their_path() -> None:
    message = message_of(
        lambda: StageConfig.parse(
            {
                "stage": "Chain",
                "stages": [
                    "Conv2dFrontEnd",
                    {"stage": "Chain", "stages": [{"stage": "Conv1dFrontEnd", "kernals": [3]}]},
                ],
            }
        )
    )
    assert message == "stages.1.stages.0.kernals is not known; did you mean kernels?"
    message = message_of(
        lambda: FeatureChain.configure(stages=["Waveform", "LogMell", {"stage": "LogMel", "n_mels": 0}])
    )
    assert message.splitlines() == [
        next(line for line in message.splitlines() if line.startswith("stages.1 LogMell is not a known stage")),
        "stages.2.n_mels input should be greater than 0; received 0",
    ]


def test_building_takes_sizes_from_the_stage_before() -> None:
    mel = StageConfig.parse("LogMel").build(Waveform(sample_rate=8000))
    encoder = StageConfig.parse({"stage": "RecurrentEncoder", "hidden_size": 4}).build(mel)
    assert encoder.output_size == 8
    assert StageConfig.parse("CTCHead").build(input_size=5).input_size == 5


@pytest.mark.parametrize(
    ("name", "before", "message"),
    [
        (
            "RecurrentEncoder",
            None,
            "RecurrentEncoder needs input_size from the stage before it, and nothing stands there",
        ),
        ("LogMel", None, "LogMel needs sample_rate from the stage before it, and nothing stands there"),
        ("LogMel", "encoder", "LogMel needs sample_rate from the stage before it, and RecurrentEncoder gives none"),
    ],
)
def test_a_missing_size_is_explained(name: str, before: str | None, message: str) -> None:
    previous = RecurrentEncoder(input_size=4, hidden_size=4, layers=1) if before else None
    assert message in message_of(lambda: StageConfig.parse(name).build(previous))


@pytest.mark.parametrize("name", seqpipe.STAGES)
def test_a_dumped_config_is_read_back(name: str) -> None:
    nested = {"FeatureChain": ["Waveform", "LogMel"], "Chain": ["Conv1dFrontEnd"], "Concatenation": ["LogMel"]}
    options: dict[str, Any] = {"stages": nested[name]} if name in nested else {}
    if name == "Bypass":
        options = {"size": 2, "encoder": "RecurrentEncoder"}
    if name == "Parallel":
        options = {"encoders": ["RecurrentEncoder", "RecurrentEncoder"]}
    config = StageConfig.parse({"stage": name, **options})
    assert StageConfig.parse(config.dump()) == config
    assert StageConfig.parse(config) is config


def test_a_config_has_plain_data_only() -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    for config in (
        CTCHead.configure(text=["nfc"]),
        Conv1dFrontEnd.configure(),
        StageConfig.parse({"stage": "AddNoise", "folder": "noises"}),
        FeatureChain.configure(stages=["Waveform", {"stage": "Gain", "db": [-3, 3]}]),
    ):
        assert plain(config.dump()), config.dump()
