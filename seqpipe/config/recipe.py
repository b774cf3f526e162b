"""The schema of a recipe file, and reading one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from seqpipe.config.overrides import apply_override
from seqpipe.config.plain_yaml import dump_yaml, read_yaml
from seqpipe.config.search_space import SearchConfig
from seqpipe.core.files import expand_home
from seqpipe.core.head import NamesFiles, SearchMethods, find_head
from seqpipe.core.idle_options import idle_options
from seqpipe.core.naming import Format
from seqpipe.core.options import config_error
from seqpipe.core.stage import StageConfig, find_stage
from seqpipe.core.suffixes import MANIFEST_KINDS
from seqpipe.core.written import Name, unwritten
from seqpipe.errors import MAX_PROBLEMS, ConfigError, did_you_mean, shown


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


def _slot(role: str, chain: str | None) -> Any:
    """A stage of one role, or (where ``chain`` names one) a list of stages."""

    def parse(value: Any) -> StageConfig | None:
        if role == "features" and not isinstance(value, (list, StageConfig)):
            value = [value]  # features are always a chain
        if isinstance(value, list) and chain is not None:
            if not value:
                raise ConfigError("should name at least one stage")
            stages: list[StageConfig] = []
            problems: list[tuple[tuple[str, ...], str]] = []
            for index, item in enumerate(value):
                try:
                    stages.append(StageConfig.parse(item))
                except ConfigError as error:
                    name = item.get("stage") if isinstance(item, dict) else item
                    problems += error.within(name if isinstance(name, str) else str(index)).problems
                if len(problems) >= MAX_PROBLEMS:
                    break
            if problems:
                raise ConfigError(problems)
            value = StageConfig(chain, {"stages": stages})
        return _check_role(StageConfig.parse(value), role)

    def dump(config: StageConfig) -> Any:
        return [stage.dump() for stage in config.options["stages"]] if config.name == chain else config.dump()

    return Annotated[StageConfig, BeforeValidator(parse), PlainSerializer(dump)]


def _check_role(config: StageConfig, role: str) -> StageConfig:
    """A stage, if it is one of this role; a `Chain` is of that of its stages."""
    if config.name == "Chain":
        for stage in config.options["stages"]:
            _check_role(stage, role)
        return config
    found = find_stage(config.name).role
    if found != role:
        raise ConfigError(f"should be a {role} stage; {config.name} is a {found or 'nameless'} stage")
    return config


class PipelineConfig(Section):
    """``pipeline:`` the stages in the order in which data passes."""

    features: _slot("features", "FeatureChain")  # type: ignore[valid-type]
    frontend: _slot("frontend", "Chain") | None = None  # type: ignore[valid-type]
    encoder: _slot("encoder", "Chain") | None = None  # type: ignore[valid-type]
    head: _slot("head", None)  # type: ignore[valid-type]


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"should be a regular expression: {error}") from None
    return value


class OversamplingConfig(Section):
    """``data.oversample:`` rows of train that an epoch has several times."""

    target: Annotated[str, AfterValidator(_pattern)] = Field(
        description="regular expression that the whole target matches, or one of its tags"
    )
    times: int = Field(ge=2, le=1000, description="how often an epoch has such a row, augmented anew each time")


class DataConfig(Section):
    """``data:`` where rows come from, and which column is what."""

    root: str | None = Field(None, description="folder of the sources; the recipe's own when null")
    train: str | None = Field(None, description="source of the training rows")
    train_also: list[str] = Field([], description="further sources that train; their rows are never held out")
    dev: str | None = Field(None, description="source that is scored while training, and never trained on")
    test: str | None = Field(None, description="source that `evaluate` scores if there is one, else dev")
    format: Format = "auto"
    columns: list[Name] | None = Field(
        None, min_length=1, description="names of the columns of a column file (format: columns), in their order"
    )
    input: Name = Field("path", description="column of the input")
    target: Name = Field("text", description="column of the target")
    id: Name | None = Field(None, description="column that names a row in messages and results")
    start: Name | None = Field(None, description="column of a span's start in the file, in seconds")
    end: Name | None = Field(None, description="column of a span's end in the file, in seconds")
    duration: Name | None = Field(None, description="column of a span's length, in seconds, in the place of its end")
    channel: Name | None = Field(None, description="column of a recording's channel, from 1 (or A for 1, B for 2)")
    group: Name | None = Field(None, description="column whose values should be in one part only, e.g. speaker")
    max_length: float | None = Field(
        None, gt=0, description="training row, in seconds (or steps); longer can't be used"
    )
    oversample: list[OversamplingConfig] = Field([], description="rows of train that an epoch has several times")
    check: Literal["full", "headers"] = Field("full", description="what is read of each input before training")
    max_bad_share: float = Field(0.0, ge=0, le=1, description="of rows that can't be used; more end training")

    @model_validator(mode="after")
    def _columns_differ(self) -> DataConfig:
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns names one twice: {', '.join(self.columns)}")
        return self

    @model_validator(mode="after")
    def _spans_end_once(self) -> DataConfig:
        if self.end and self.duration:
            raise ValueError("end and duration both say where a span ends: name one of them")
        return self


class ConcatenationConfig(Section):
    """``training.concatenation:`` rows of an epoch that stand in one example, one behind the other."""

    share: float = Field(0.3, gt=0, le=1, description="of an epoch's rows, that are concatenated with others")
    most: int = Field(4, ge=2, le=1000, description="rows of an example; their number is drawn from 2 to this")
    pause: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] | None = Field(
        None,
        description="least and greatest pause between two rows, in seconds of recordings; null: what is usual there, "
        "0.1 to 0.6 s",
    )

    @model_validator(mode="after")
    def _pause_rises(self) -> ConcatenationConfig:
        if self.pause is not None and self.pause[0] > self.pause[1]:
            raise ValueError(f"pause should go from the least to the greatest; received {list(self.pause)}")
        return self


StageName = Literal["features", "frontend", "encoder", "head"]
STAGES: tuple[StageName, ...] = ("features", "frontend", "encoder", "head")


def _listed(value: Any) -> Any:
    """One name stands for a list of it."""
    return [value] if isinstance(value, str) else value


class TrainingConfig(Section):
    """``training:`` how the pipeline is fitted."""

    seed: int = Field(1, ge=0, lt=2**31)
    epochs: int = Field(30, ge=1)
    batch_steps: int = Field(20_000, ge=1, description="budget of a batch: rows times feature steps of the longest")
    batch_target_steps: int | None = Field(
        None, ge=1, description="the same of the targets, whose length decides the memory of a decoder; any when null"
    )
    batch_rows: int = Field(256, ge=1, description="most rows of a batch, however short")
    chunk_steps: int | None = Field(
        None,
        ge=1,
        description="steps of a row that a batch learns, the encoder's state carried to its next ones; whole rows when "
        "null",
    )
    streams: int = Field(32, ge=1, description="with chunk_steps: rows of a batch, each its own part of all the rows")
    accumulate: int = Field(1, ge=1, description="batches whose gradients make one step")
    optimizer: Literal["adamw", "sgd", "adadelta"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0, description="of matrices, decoupled from the gradient in adamw")
    l1: float = Field(0.0, ge=0, description="weight of the sum of absolute weights in the loss, matrices alone")
    l2: float = Field(0.0, ge=0, description="weight of half the sum of squared weights in the loss, matrices alone")
    momentum: float = Field(0.9, ge=0, lt=1, description="sgd alone")
    schedule: Literal["one_cycle", "cosine", "cyclic", "step", "exponential", "plateau", "constant"] = "one_cycle"
    warmup: float = Field(0.2, gt=0, lt=1, description="one_cycle, cosine: share of all steps until the peak")
    final_division: float = Field(1000.0, ge=1, description="one_cycle: first rate over the last one")
    cycles: int = Field(4, ge=1, description="cyclic: triangles from a 25th of the rate up to it and down again")
    milestones: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.5, 0.75], description="step: shares of the training at which the rate falls"
    )
    factor: float = Field(
        0.5, gt=0, lt=1, description="plateau, step: what the rate falls by; exponential: what it falls by in an epoch"
    )
    patience: int = Field(3, ge=0, description="plateau: evaluations without gain before the rate falls")
    clip_norm: float | None = Field(5.0, gt=0, description="largest norm of a step's gradient")
    adversarial: float = Field(
        0.0, ge=0, description="norm of a perturbation of features that is learnt too, as a share of theirs; 0: none"
    )
    dropout_start: float = Field(1.0, ge=0, le=1, description="factor of all dropout at the first step")
    dropout_end: float = Field(1.0, ge=0, le=1, description="factor of all dropout from dropout_ramp on")
    dropout_ramp: float = Field(0.3, gt=0, le=1, description="share of all steps in which it goes from start to end")
    consistency: float = Field(
        0.0, ge=0, description="weight of how far two views of each row, drawn anew, lie apart; 0: one view"
    )
    distill_from: Annotated[list[str], BeforeValidator(_listed)] = Field(
        [], description="run directories of trained models whose mean prediction is learnt beside the labels"
    )
    distillation: float = Field(0.5, gt=0, le=1, description="share of that in the loss; the labels have the rest")
    mixup: float = Field(
        0.0, ge=0, le=1, description="probability that a row's features are mixed with another's, to learn both targets"
    )
    concatenation: ConcatenationConfig | None = Field(
        None,
        description="rows that are learnt as one longer example, for long inputs; none when null",
    )
    mixup_alpha: float = Field(0.5, gt=0, description="of the Beta distribution of the shares of the two")
    max_bad_steps: int = Field(10, ge=0, description="steps with a loss that is not finite, skipped; more end training")
    average: Literal["none", "ema", "last"] = Field(
        "none", description="weights that are scored and saved: as they are, moving average, mean of the last epochs"
    )
    ema_decay: float = Field(0.999, gt=0, lt=1, description="ema: share of the average that stays at a step")
    average_epochs: int = Field(5, ge=1, description="last: how many epochs' ends are averaged")
    init_from: str | None = Field(
        None, description="run directory, or hub:OWNER/NAME, whose weights (and vocabulary) training starts with"
    )
    init_stages: Annotated[list[StageName], BeforeValidator(_listed)] | None = Field(
        None, description="taken from init_from; all when null"
    )
    freeze: Annotated[list[StageName], BeforeValidator(_listed)] = Field([], description="stages that are held still")
    unfreeze_at: int | None = Field(
        None, ge=1, description="finished epochs after which they learn too; never when null"
    )
    stop_after: int | None = Field(None, ge=1, description="evaluations without gain that end training early")
    keep: Literal["last", "best"] = Field("last", description="which weights the run directory ends with")
    evaluate_every: int = Field(1, ge=1, description="epochs from one scoring of dev to the next")
    checkpoint_minutes: float = Field(
        10.0, ge=0, description="between checkpoints inside an epoch; its end has one anyway; 0: after every step"
    )
    dry_run: bool = Field(True, description="try the largest batches before the first step")
    loggers: list[Literal["csv", "tensorboard", "wandb", "mlflow"]] = Field(
        ["csv", "tensorboard"], description="where losses, rates and scores go; csv is always written"
    )
    report: bool = Field(True, description="write report.html at the end")
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(
        1, ge=1, description="processes on this machine, each with a GPU, or with its share of the CPU"
    )
    threads: int | None = Field(None, ge=1, description="of the CPU; all cores when null")
    workers: int = Field(1, ge=0, description="processes that read and augment; 0 does it between steps")

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingConfig:
        if self.average == "last" and self.stop_after is not None:
            raise ValueError("average: last needs to know the last epoch, so it can't go with stop_after; take ema")
        if self.chunk_steps is not None:
            others = ("mixup", "adversarial", "consistency", "distill_from", "concatenation")
            if clashing := [name for name in others if getattr(self, name)]:
                raise ValueError(f"chunk_steps learns parts of rows, so it can't go with {', '.join(clashing)}")
            if self.devices > 1:
                raise ValueError("chunk_steps carries a state from batch to batch, on one device: set devices: 1")
        if self.mixup and self.distill_from:
            raise ValueError("mixup makes inputs that no teacher sees, so it can't go with distill_from")
        if self.init_stages is not None and self.init_from is None:
            raise ValueError("init_stages says what is taken from init_from, which is not given")
        if self.unfreeze_at is not None and not self.freeze:
            raise ValueError("unfreeze_at lets the stages of freeze go, which names none")
        return self


class Recipe(Section):
    """A recipe: data, pipeline, training and decoding; and what a search may try (training takes no notice of it)."""

    data: DataConfig = DataConfig()
    pipeline: PipelineConfig
    training: TrainingConfig = TrainingConfig()
    decoding: dict[str, Any] = {}
    search: SearchConfig = {}

    def dump(self) -> str:
        """The recipe as resolved, in YAML: loading it gives an equal recipe."""
        return dump_yaml(self.model_dump(mode="json"), width=100)


def load_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file and apply overrides.

    Args:
        source: path of a YAML file, or the short name of a recipe that ships with seqpipe (``speech/starter``).
        overrides: ``key.path=value``, the value in YAML. A stage in a list is named by its class or its position:
            ``pipeline.features.LogMel.n_mels=40``.

    Raises:
        ConfigError: the file is missing or is no YAML of plain values, or a key or value is wrong; the message gives
            the file and the key path.
    """
    path = find_recipe(source)
    if path.suffix.lower() in MANIFEST_KINDS:
        raise ConfigError(f"{path}: is a manifest, not a recipe; a recipe names it as data.train")
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(f"should hold data, pipeline, training; found {shown(tree)}", source=str(path))
    for override in overrides:
        apply_override(tree, override)
    recipe = parse_recipe(tree, str(path))
    if recipe.data.root is None:
        recipe.data.root = str(path.parent.resolve())
    elif not recipe.data.root.startswith("starter:"):
        # Absolute, so that the run directory finds its data from any folder.
        recipe.data.root = str(expand_home(recipe.data.root).resolve())
    if recipe.training.init_from is not None and not recipe.training.init_from.startswith("hub:"):
        recipe.training.init_from = str(expand_home(recipe.training.init_from).resolve())
    recipe.training.distill_from = [str(expand_home(run).resolve()) for run in recipe.training.distill_from]
    recipe.decoding = with_whole_paths(recipe, recipe.decoding)
    for stage in (recipe.pipeline.features, recipe.pipeline.frontend, recipe.pipeline.encoder, recipe.pipeline.head):
        _resolve_paths(stage)
    return recipe


def _resolve_paths(value: Any) -> None:
    """Let the files that stages name be found from any folder."""
    if isinstance(value, StageConfig):
        for key, option in value.options.items():
            if isinstance(option, Path):
                value.options[key] = expand_home(option).resolve()
            else:
                _resolve_paths(option)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _resolve_paths(item)


def parse_recipe(tree: dict[str, Any], source: str) -> Recipe:
    """Validate the tree of a recipe; ``source`` stands in messages."""
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise _with_nearest_keys(config_error(error, Recipe.model_fields), tree).within(source=source) from None
    try:
        recipe.decoding = unwritten(_checked_decoding(recipe, recipe.decoding).model_dump())
    except ConfigError as error:
        raise error.within(source=source) from None
    return recipe


def _checked_decoding(recipe: Recipe, options: dict[str, Any]) -> BaseModel:
    """Options of ``decoding``, with defaults, that the recipe's head declares and that go with its own."""
    head = find_head(recipe.pipeline.head.name)
    model = head.decoding
    try:
        checked = model.model_validate(options)
    except ValidationError as error:
        raise config_error(error, model.model_fields).within("decoding") from None
    head.check_decoding(recipe.pipeline.head.options, checked.model_dump())
    return checked


def with_whole_paths(recipe: Recipe, decoding: Mapping[str, Any]) -> dict[str, Any]:
    """Options of ``decoding`` whose files are found from any folder."""
    model: Any = find_head(recipe.pipeline.head.name).decoding
    named = model.files if isinstance(model, NamesFiles) else ()
    return {
        name: str(expand_home(value).resolve()) if name in named and isinstance(value, str) else value
        for name, value in decoding.items()
    }


def override_decoding(recipe: Recipe, chosen: Mapping[str, Any]) -> BaseModel:
    """A recipe's ``decoding`` with options that were chosen for one use of a trained model.

    Raises:
        ConfigError: an option is unknown, doesn't go with the head, or belongs to a method that isn't used.
    """
    options = _checked_decoding(recipe, {**recipe.decoding, **with_whole_paths(recipe, chosen)})
    if isinstance(options, SearchMethods) and (idle := idle_options(options.of_methods, options.method, chosen)):
        raise ConfigError([(("decoding", name), problem) for name, problem in idle])
    return options


def _with_nearest_keys(error: ConfigError, tree: dict[str, Any]) -> ConfigError:
    """Add the nearest known key where a section (not a stage, which has done so itself) has an unknown one."""
    sections: dict[tuple[str, ...], type[BaseModel]] = {
        ("data",): DataConfig,
        ("training",): TrainingConfig,
        ("training", "concatenation"): ConcatenationConfig,
        ("pipeline",): PipelineConfig,
    }
    problems = []
    for path, message in error.problems:
        if message == "is not known" and path[:-1] in sections:
            message += did_you_mean(path[-1], sections[path[:-1]].model_fields)
        problems.append((path, message))
    return ConfigError(problems)


def recipe_folders() -> Iterator[Path]:
    """Where shipped recipes lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "_recipes", package.parent / "recipes"):
        if folder.is_dir():
            yield folder


def find_recipe(source: str | Path) -> Path:
    """The file of a path or short name."""
    path = Path(source)
    if path.is_file():
        return path
    if (path / "recipe.yaml").is_file():
        return path / "recipe.yaml"
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder without a recipe.yaml, so neither a recipe nor a run directory")
    known = []
    for folder in recipe_folders():
        shipped = folder / f"{source}.yaml"
        if shipped.is_file():
            return shipped
        known += [str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.yaml")]
    beside = [str(file) for file in path.parent.glob("*.y*ml")] if path.suffix in (".yaml", ".yml") else []
    nearest = difflib.get_close_matches(str(source), [*beside, *known], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"shipped recipes: {', '.join(sorted(set(known)))}"
    raise ConfigError(f"there is no recipe file {source}, and no shipped recipe of that name; {hint}")
