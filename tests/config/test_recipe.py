import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import LogMel
from seqpipe.config.recipe import Recipe, load_recipe, recipe_folders
from seqpipe.errors import ConfigError

SHIPPED = sorted({str(path.relative_to(folder)) for folder in recipe_folders() for path in folder.rglob("*.yaml")})

TINY = """
data: {train: train.tsv}
pipeline:
  features:
    - {stage: Waveform, sample_rate: 8000}
    - {stage: LogMel, n_mels: 12}
  encoder: {stage: RecurrentEncoder, hidden_size: 8, layers: 1}
  head: {stage: CTCHead}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path / "tiny.yaml"


def options(recipe: Recipe, index: int) -> dict[str, Any]:
    """Options of a feature stage."""
    return recipe.pipeline.features.options["stages"][index].options


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_loads_and_its_dump_is_the_same_recipe(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name.removesuffix(".yaml"))
    assert recipe.data.train is not None
    (tmp_path / "dump.yaml").write_text(recipe.dump(), encoding="utf-8")
    again = load_recipe(tmp_path / "dump.yaml")
    assert again == recipe
    assert again.dump() == recipe.dump()


def test_some_recipes_are_shipped() -> None:
    assert {"speech/starter.yaml", "speech/an4.yaml", "speech/fsdd.yaml"} <= set(SHIPPED)


def test_a_dump_says_every_value_defaults_included(tiny: Path) -> None:
    tree = yaml.safe_load(load_recipe(tiny).dump())
    assert tree["training"]["optimizer"] == "adamw"
    assert tree["pipeline"]["features"][1]["hop_seconds"] == 0.01
    assert tree["pipeline"]["frontend"] is None
    assert tree["decoding"]["method"] == "greedy"


# Mistakes and what is said about them

MISTAKES = [
    ("trainig.epochs=3", r"trainig is not known; did you mean training\?"),
    ("data.trian=x.tsv", r"data\.trian is not known; did you mean train\?"),
    ("training.epoch=3", r"training\.epoch is not known; did you mean epochs\?"),
    ("pipeline.encodr={stage: RecurrentEncoder}", r"pipeline\.encodr is not known; did you mean encoder\?"),
    ("pipeline.encoder.hiden_size=3", r"pipeline\.encoder\.hiden_size is not known; did you mean hidden_size\?"),
    ("pipeline.features.LogMel.nmels=3", r"pipeline\.features\.LogMel\.nmels is not known; did you mean n_mels\?"),
    ("pipeline.head.unit=characters", r"pipeline\.head\.unit is not known; did you mean units\?"),
    ("decoding.methd=greedy", r"decoding\.methd is not known; did you mean method\?"),
    ("pipeline.head.stage=CTCHed", r"pipeline\.head .*CTCHed is not a known stage; did you mean CTCHead\?"),
    ("pipeline.encoder.hidden_size=0", r"pipeline\.encoder\.hidden_size .*greater than 0; received 0"),
    ("pipeline.encoder.hidden_size=many", r"pipeline\.encoder\.hidden_size .*integer.*; received 'many'"),
    ("pipeline.encoder.dropout=1", r"pipeline\.encoder\.dropout .*less than 1; received 1"),
    ("pipeline.encoder.cell=LSTM", r"pipeline\.encoder\.cell .*'lstm'.*; received 'LSTM'"),
    ("pipeline.features.LogMel.floor=.nan", r"pipeline\.features\.LogMel\.floor .*finite"),
    ("training.epochs=0", r"training\.epochs .*greater than or equal to 1; received 0"),
    ("training.epochs=1.5", r"training\.epochs .*integer.*; received 1\.5"),
    ("training.learning_rate=-1e-3", r"training\.learning_rate .*greater than 0; received '?-"),
    ("training.learning_rate=.inf", r"training\.learning_rate .*finite"),
    ("training.optimizer=adam", r"training\.optimizer .*'adamw'.*; received 'adam'"),
    ("training.warmup=1", r"training\.warmup .*less than 1; received 1"),
    ("data.max_bad_share=2", r"data\.max_bad_share .*less than or equal to 1; received 2"),
    ("data.format=xml", r"data\.format .*'jsonl'.*; received 'xml'"),
    ("decoding.method=search", r"decoding\.method .*'greedy' or 'beam'; received 'search'"),
    ("pipeline.encoder={stage: CTCHead}", r"pipeline\.encoder should be a encoder stage; CTCHead is a head stage"),
    ("pipeline.encoder=5", r"pipeline\.encoder should be a stage, e\.g\. .*; received 5"),
    ("pipeline.features=[]", r"pipeline\.features should name at least one stage"),
    ("pipeline.head=null", r"pipeline\.head should be a stage"),
    ("data=5", r"data .*; received 5"),
    ("training=[1]", r"training .*; received \[1\]"),
]


@pytest.mark.parametrize(("override", "message"), MISTAKES, ids=[override for override, _ in MISTAKES])
def test_a_mistake_is_told_with_its_key_path_and_file(override: str, message: str, tiny: Path) -> None:
    with pytest.raises(ConfigError, match=rf"(?m)^{re.escape(str(tiny))}: {message}"):
        load_recipe(tiny, [override])


def test_all_mistakes_are_told_at_once(tiny: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(tiny, ["training.epoch=3", "pipeline.encoder.layrs=3", "pipeline.features.LogMel.n_mels=0"])
    assert {path for path, _ in caught.value.problems} == {
        ("training", "epoch"),
        ("pipeline", "encoder", "layrs"),
        ("pipeline", "features", "LogMel", "n_mels"),
    }


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: {train: x.tsv}\n")
    with pytest.raises(ConfigError, match=r"pipeline is required"):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize("text", ["", "5", "[1, 2]", "text"])
def test_a_file_that_holds_no_sections_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"r\.yaml: should hold data, pipeline, training"):
        load_recipe(tmp_path / "r.yaml")


# What a recipe may not do

HOSTILE = [
    "!!python/object/apply:os.system ['touch {marker}']",
    "!!python/object/new:os.system ['touch {marker}']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!include /etc/passwd",
    "!!set {{a}}",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_tag_is_refused_and_nothing_is_run(value: str, tiny: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was_run"
    value = value.format(marker=marker)
    if not value.startswith("!!set"):  # which builds plain values, and is refused by the schema below
        tiny.write_text(f"{TINY}training: {value}\n")
        with pytest.raises(ConfigError, match=r"tiny\.yaml: only scalars, lists and mappings are allowed.*line 9"):
            load_recipe(tiny)
    tiny.write_text(TINY)
    with pytest.raises(ConfigError):
        load_recipe(tiny, [f"training.epochs={value}"])
    assert not marker.exists()


@pytest.mark.parametrize("name", ["os.system", "subprocess:run", "seqpipe.heads.ctc.CTCHead", "../x", ""])
def test_a_stage_is_named_by_its_class_alone(name: str, tiny: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a stage name; stages are given by class name alone.*--import"):
        load_recipe(tiny, [f"pipeline.encoder.stage={name!r}"])


@pytest.mark.parametrize("name", ["Pipeline", "ConfigError", "train", "Stage"])
def test_what_is_public_but_no_stage_is_no_stage_in_a_recipe(name: str, tiny: Path) -> None:
    with pytest.raises(ConfigError, match=r"pipeline\.encoder"):
        load_recipe(tiny, [f"pipeline.encoder.stage={name}"])


@pytest.mark.parametrize(
    "text", [TINY + "training: {epochs: 1, seed: 2, epochs: 3}\n", TINY + "data: {}\n", "pipeline: {a: {b: 1, b: 1}}"]
)
def test_a_key_that_stands_twice_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"r\.yaml: .*the key '(epochs|data|b)' stands here twice \(line \d+"):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize("content", [b"a: [1", b"a: b: c", b"\ta: 1", b"a: \xff\xfe", b"a: @x", b"a: *nothing"])
def test_what_is_no_yaml_is_an_error_that_names_the_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"r\.yaml: "):
        load_recipe(tmp_path / "r.yaml")


def test_a_users_folder_that_there_is_not_stays_as_it_was_written(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell; pathlib's own `expanduser` raises RuntimeError."""
    monkeypatch.chdir(tiny.parent)
    recipe = load_recipe(tiny, ["data.root=~no-such-user/data", "training.init_from=~no-such-user/run"])
    assert recipe.data.root == str(tiny.parent / "~no-such-user" / "data")


def test_long_values_and_many_mistakes_are_told_in_a_few_lines(tiny: Path) -> None:
    tiny.write_text(f"{TINY}training: {{epochs: {'x' * 5000}}}\n")
    with pytest.raises(ConfigError, match=r"received 'xxx.*\.\.\.$") as caught:
        load_recipe(tiny)
    assert len(str(caught.value)) < 500
    tiny.write_text(TINY + "training:\n" + "".join(f"  key{number}: 1\n" for number in range(2000)))
    with pytest.raises(ConfigError, match=r"training\.key0 is not known") as caught:
        load_recipe(tiny)
    assert len(caught.value.problems) == 20


# Overrides


def test_an_override_names_a_stage_or_its_position(tiny: Path) -> None:
    for path in ("pipeline.features.LogMel.n_mels", "pipeline.features.1.n_mels"):
        assert options(load_recipe(tiny, [f"{path}=20"]), 1)["n_mels"] == 20
    later = load_recipe(tiny, ["pipeline.features.LogMel.n_mels=20", "pipeline.features.1.n_mels=30"])
    assert options(later, 1)["n_mels"] == 30  # the last one holds


def test_an_override_reaches_a_stage_that_stands_there_by_its_name_alone(tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("pipeline: {features: [Waveform, LogMel], head: CTCHead}")
    changed = ["features.Waveform.sample_rate=8000", "features.1.n_mels=20", "head.units=bpe"]
    recipe = load_recipe(tmp_path / "bare.yaml", [f"pipeline.{override}" for override in changed])
    assert (options(recipe, 0)["sample_rate"], options(recipe, 1)["n_mels"]) == (8000, 20)
    assert recipe.pipeline.head.options["units"] == "bpe"


@given(rate=st.floats(1e-8, 10))
def test_numbers_in_overrides_are_numbers(rate: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("r") / "tiny.yaml"
    path.write_text(TINY)
    for text in (repr(rate), f"{rate:.17e}"):  # 1e-3 is a string to YAML 1.1, and a number to everyone else
        assert load_recipe(path, [f"training.learning_rate={text}"]).training.learning_rate == rate


def test_overrides_reach_what_the_recipe_leaves_out(tiny: Path) -> None:
    recipe = load_recipe(
        tiny, ["training.epochs=7", "data.dev=null", "decoding.method=greedy", "pipeline.frontend=Conv1dFrontEnd"]
    )
    assert (recipe.training.epochs, recipe.data.dev) == (7, None)
    assert recipe.pipeline.frontend.name == "Conv1dFrontEnd"
    text = load_recipe(tiny, ["data.train=a=b: c.tsv".replace(": ", ":")]).data.train
    assert text == "a=b:c.tsv"  # only the first = parts key and value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", r"is no override; write key\.path=value"),
        ("=5", r"is no override"),
        ("training.epochs=[1", r"the value is not valid YAML"),
        ("pipeline.features.LogMell.n_mels=3", r"LogMell should be a position below 2.*did you mean LogMel\?"),
        ("pipeline.features.2.n_mels=3", r"2 should be a position below 2"),
        ("pipeline.features.-1.n_mels=3", r"-1 should be a position below 2"),
        ("data.train.path=3", r"path can't be looked up in the value 'train\.tsv'"),
        ("pipeline.features.²=3", r"² should be a position below 2"),
        (f"pipeline.features.{'9' * 5000}=3", r"9 should be a position below 2"),
        (f"training.epochs={'9' * 5000}", r"the value is not valid YAML: .* is no int .*\(line 1, column 1\)"),
        ("data.root='a\0b'", r"U\+0000 is not allowed"),
    ],
)
def test_an_override_that_leads_nowhere_is_told(override: str, message: str, tiny: Path) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(tiny, [override])
    assert repr(override) in str(caught.value)


def test_a_stage_that_stands_twice_is_named_by_position_only(tiny: Path) -> None:
    tiny.write_text(
        TINY.replace("    - {stage: LogMel", "    - {stage: Gain}\n    - {stage: Gain}\n    - {stage: LogMel")
    )
    with pytest.raises(ConfigError, match=r"Gain should be a position below 4, or .* stands there once"):
        load_recipe(tiny, ["pipeline.features.Gain.probability=0.1"])
    recipe = load_recipe(tiny, ["pipeline.features.2.probability=0.1"])
    assert [options(recipe, index)["probability"] == 0.1 for index in (1, 2)] == [False, True]


# Names, chains, folders


def test_a_short_name_finds_the_shipped_recipe_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe("speech/an4").training.seed == 1
    with pytest.raises(ConfigError, match=r"no recipe file speech/anr.*did you mean speech/an4\?"):
        load_recipe("speech/anr")
    with pytest.raises(ConfigError, match=r"shipped recipes: .*speech/starter"):
        load_recipe("zzzzzz")
    (tmp_path / "mine.yaml").write_text("data: {}\n")
    with pytest.raises(ConfigError, match=r"no recipe file .*mien\.yaml.*did you mean .*mine\.yaml\?"):
        load_recipe(tmp_path / "mien.yaml")


def test_a_run_directory_is_a_recipe_too(trained_run: Path, tone_data: Path) -> None:
    assert load_recipe(trained_run).pipeline == load_recipe(tone_data / "tones.yaml").pipeline


def test_a_list_of_front_ends_is_a_chain(tiny: Path, tmp_path: Path) -> None:
    layer = "{stage: Conv1dFrontEnd, channels: [4], kernels: [3], strides: [%d]}"
    recipe = load_recipe(tiny, [f"pipeline.frontend=[{layer % 2}, {layer % 3}]"])
    assert recipe.pipeline.frontend.name == "Chain"
    (tmp_path / "dump.yaml").write_text(recipe.dump())
    assert load_recipe(tmp_path / "dump.yaml") == recipe
    assert len(yaml.safe_load(recipe.dump())["pipeline"]["frontend"]) == 2
    with pytest.raises(ConfigError, match=r"pipeline\.frontend\.Conv1dFrontEnd\.chanels is not known; did you mean ch"):
        load_recipe(tiny, ["pipeline.frontend=[{stage: Conv1dFrontEnd, chanels: [4]}]"])


@pytest.mark.parametrize(
    ("slot", "stage", "other"),
    [("frontend", "Conv1dFrontEnd", "RecurrentEncoder"), ("encoder", "RecurrentEncoder", "Conv1dFrontEnd")],
)
def test_a_chain_that_is_named_is_a_list(slot: str, stage: str, other: str, tiny: Path) -> None:
    listed = load_recipe(tiny, [f"pipeline.{slot}=[{stage}, {stage}]"])
    assert load_recipe(tiny, [f"pipeline.{slot}={{stage: Chain, stages: [{stage}, {stage}]}}"]) == listed
    inside = f"[{stage}, {{stage: Chain, stages: [{stage}]}}]"
    recipe = load_recipe(tiny, [f"pipeline.{slot}={inside}"])
    built = getattr(recipe.pipeline, slot).build(LogMel(sample_rate=8000))
    assert built.role == built.stages[1].role == slot
    for wrong in (f"[{stage}, {other}]", f"{{stage: Chain, stages: [{other}]}}", "[{stage: Chain, stages: [CTCHead]}]"):
        with pytest.raises(ConfigError, match=rf"pipeline\.{slot} should be a {slot} stage; \w+ is a \w+ stage"):
            load_recipe(tiny, [f"pipeline.{slot}={wrong}"])


def test_the_root_is_the_recipes_folder_or_one_seen_from_where_the_user_is(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_recipe(tiny).data.root == str(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_recipe("../tiny.yaml").data.root == str(tmp_path)
    assert load_recipe(tiny, ["data.root=data"]).data.root == str(tmp_path / "elsewhere" / "data")
    assert load_recipe(tiny, ["data.root=starter:speech"]).data.root == "starter:speech"
