"""The chain: features, front-end, encoder, head; built from a recipe, fitted, saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqpipe import model_file
from seqpipe.config.recipe import Recipe
from seqpipe.core.assets import loading
from seqpipe.core.chain import FeatureChain
from seqpipe.core.head import Encoded, Head, UsesLayers
from seqpipe.core.options import upstream_parameters
from seqpipe.core.randomness import seed_from
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location, Source
from seqpipe.core.stage import CarriesState, GivesLayers, Stage, StageConfig, find_stage
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, DataError, InputError, listed


class Pipeline(nn.Module):
    """All stages of a recipe, as one module.

    Stages learn what they must know from the training rows (`fit`) before they have parameters; a saved pipeline has it
    in its assets.

    Args:
        recipe: what to build.

    Attributes:
        features, frontend, encoder, head: the stages, once `fit` or `load` has built them; front-end and encoder may be
            missing (None).
    """

    features: FeatureChain
    frontend: Stage | None
    encoder: Stage | None
    head: Head

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        # Some feature stages have parameters at once; another seed than that of `fit`, lest theirs be alike.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_from(recipe.training.seed, 0))
            self.features = _built(recipe.pipeline.features, None, "features")
        self.frontend = self.encoder = None

    def fit(self, rows: Sequence[Row], assets: Mapping[str, Path] | None = None) -> None:
        """Let features and head learn from the training rows, then make all parameters from the recipe's seed.

        Args:
            rows: for training.
            assets: folders of another run that ``features`` or ``head`` load instead of learning.
        """
        assets = assets or {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.training.seed)
            if "features" in assets:
                self.features.load_assets(assets["features"])
            else:
                self.features.fit([row.input for row in rows], [row.target for row in rows])
            self._build()
            if "head" in assets:
                self.head.load_assets(assets["head"])
            else:
                try:
                    self.head.fit(row.target for row in rows)
                except (ConfigError, DataError) as error:
                    if found := _unread(rows, self.head):
                        raise type(error)("\n".join([str(error), *found])) from None
                    raise

    def _build(self) -> None:
        config = self.recipe.pipeline
        self.frontend = _built(config.frontend, self.features, "frontend") if config.frontend else None
        front = self.frontend if self.frontend is not None else self.features
        self.encoder = _built(config.encoder, front, "encoder") if config.encoder else None
        # What a head may ask of stages further ahead than the one before it.
        further = {"front_size": front.output_size, "features": self.features}
        wanted = upstream_parameters(find_stage(config.head.name))
        passed = {name: further[attribute] for name, attribute in wanted.items() if attribute in further}
        self.head = _built(config.head, self.encoder if self.encoder is not None else front, "head", **passed)
        if self.head.causal:
            self.carrier()
        if isinstance(self.head, UsesLayers) and self.head.used_layers:
            self._require_layers(self.head.used_layers)

    def _require_layers(self, wanted: Sequence[int]) -> None:
        """Refuse a head that learns from layers which the encoder hasn't."""
        inner = self.encoder.inner_layers if isinstance(self.encoder, GivesLayers) else 0
        if max(wanted) > inner:
            kind = type(self.encoder).__name__ if self.encoder is not None else "no encoder"
            raise ConfigError(
                f"{max(wanted)} is not one of the layers in front of the encoder's last ({kind} gives {inner})"
            ).within("pipeline", "head", "intermediate_layers")

    # Forward

    def forward(self, batch: PaddedSequence) -> Encoded:
        """Prepared inputs ``[B, S]`` to encoded steps ``[B, T, D]``."""
        return self.encode(self.features(batch), batch)

    def loss(self, batch: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the losses, and what it is to be divided by over all devices and accumulated batches."""
        return self.head.loss(self(batch), targets)

    def encode(self, features: PaddedSequence, prepared: PaddedSequence) -> Encoded:
        """What the features made of ``prepared``, ``[B, T, D]``, to encoded steps ``[B, T', D']``."""
        front = self.frontend(features) if self.frontend is not None else features
        layers: list[PaddedSequence] = []
        wanted = self.head.used_layers if self.training and isinstance(self.head, UsesLayers) else ()
        if wanted and isinstance(self.encoder, GivesLayers):
            *inner, encoded = self.encoder.layer_outputs(front)
            layers = [inner[number - 1] for number in wanted]
        else:
            encoded = self.encoder(front) if self.encoder is not None else front
        values, lengths = self.features.reader.pool(prepared, encoded)
        return Encoded(values, lengths, front, prepared, layers)

    def carrier(self) -> CarriesState:
        """The encoder, if it can go on where it ended, and no stage looks ahead.

        Raises:
            ConfigError: it can't, or a stage does.
        """
        for name, stage in zip(self.features.names, self.features.stages, strict=True):
            if not stage.stepwise:
                message = "may look at other steps than its own, those ahead too; here no stage may"
                raise ConfigError(message).within("pipeline", "features", name)
        if self.frontend is not None:
            raise ConfigError("looks ahead, which no stage may here: leave it out").within("pipeline", "frontend")
        if not isinstance(self.encoder, CarriesState) or not self.encoder.carries_state:
            message = "should go one way, and no stage here looks ahead: RecurrentEncoder with bidirectional: false"
            raise ConfigError(message).within("pipeline", "encoder")
        return self.encoder

    def forward_from(self, batch: PaddedSequence, state: tuple[Tensor, ...]) -> tuple[Encoded, tuple[Tensor, ...]]:
        """Prepared inputs ``[B, S]`` that follow a state of the encoder's (`carrier`), and the state behind them."""
        features = self.features(batch)
        values, state = self.carrier().forward_from(features, state)
        return Encoded(*values, features, batch), state

    def answer_batch(
        self, ids: Sequence[str], raws: Sequence[Any], prepared: Sequence[Tensor], options: Any = None
    ) -> list[Any]:
        """Answers to prepared inputs, in their order.

        Args:
            ids: of the rows.
            raws: the inputs, as `prepare` received them.
            prepared: what the features' `prepare` made of them.
            options: of decoding; the recipe's when None.
        """
        if options is None:
            options = self.head.decoding.model_validate(self.recipe.decoding)
        with torch.inference_mode():
            encoded = self(PaddedSequence.pad(list(prepared)).to(self.device))
            return self.decode_batch(ids, raws, prepared, encoded, options)

    def decode_batch(
        self, ids: Sequence[str], raws: Sequence[Any], prepared: Sequence[Tensor], encoded: Encoded, options: Any
    ) -> list[Any]:
        """Answers out of encoded steps ``[B, T, D]``; see `answer_batch`."""
        return [
            self.head.answer(row_id, hypothesis, self.location(raw, item))
            for row_id, hypothesis, raw, item in zip(
                ids, self.head.decode(encoded, options), raws, prepared, strict=True
            )
        ]

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    # Lengths and places

    def encoded_lengths(self, prepared_lengths: Tensor) -> Tensor:
        """Steps that leave the encoder, for lengths ``[B]`` of prepared inputs."""
        lengths = self.features.output_lengths(prepared_lengths)
        for stage in (self.frontend, self.encoder):
            lengths = stage.output_lengths(lengths) if stage is not None else lengths
        return lengths

    def min_encoded_length(self, length: int) -> int:
        """The least number of steps that leave the encoder, over all augmentation, for an input of this length."""
        return int(self.encoded_lengths(torch.tensor([self.features.min_length(length)])))

    def locate(self, raw: Any, prepared: Tensor, steps: Tensor) -> Tensor:
        """Encoded steps of one example as places in its input, never outside it."""
        return self._places(self.features.reader.source(raw), prepared, steps)

    def locate_frames(self, raw: Any, prepared: Tensor, frames: Tensor) -> Tensor:
        """Steps of the features (frames of a spectrum, say) as places in the input, never outside it."""
        return self._bounded(self.features.reader.source(raw), prepared, self.features.locate(prepared, frames))

    def location(self, raw: Any, prepared: Tensor | None) -> Location:
        """What the head may ask about an input; without ``prepared``, encoded steps stay as they are."""
        source = self.features.reader.source(raw)
        locate = partial(self._places, source, prepared) if prepared is not None else lambda steps: steps
        return Location(source, locate)

    def _places(self, source: Source, prepared: Tensor, steps: Tensor) -> Tensor:
        for stage in (self.encoder, self.frontend, self.features):
            steps = stage.locate(prepared, steps) if stage is not None else steps
        return self._bounded(source, prepared, steps)

    def _bounded(self, source: Source, prepared: Tensor, steps: Tensor) -> Tensor:
        end = self.features.reader.locate(prepared, torch.tensor(len(prepared), dtype=torch.float64))
        return steps.clamp(min=0.0, max=float(end)) * source.scale + source.origin

    # On disk

    def save(self, folder: Path, info: dict[str, str] | None = None) -> None:
        """Write recipe, assets and weights into a folder; what stood there stays valid until the last moment.

        Args:
            folder: made if it isn't there.
            info: further metadata of the model file (epoch, say).

        Raises:
            OSError: no space left, no permission; the model saved before is still whole.
        """
        learnt = {"features": self.features, "head": self.head}
        model_file.save(self, self.recipe, learnt, folder, info or {})

    @classmethod
    def load(cls, folder: Path, recipe: Recipe | None = None) -> Pipeline:
        """The pipeline of a run directory, in evaluation mode, on the CPU. Runs no code that the folder names.

        Args:
            folder: run directory.
            recipe: taken instead of the one that lies there; all sizes must be the same.

        Raises:
            RunError: the folder holds no model, or one that is truncated, altered, or of another version.
        """
        own, weights = model_file.read(folder)
        assets = folder / model_file.ASSETS
        if recipe is None:
            with loading(folder / model_file.RECIPE):
                pipeline = cls(own)
        else:
            pipeline = cls(recipe)
        with loading(assets / "features"):
            pipeline.features.load_assets(assets / "features")
        with loading(folder / model_file.RECIPE):
            pipeline._build()
        with loading(assets / "head"):
            pipeline.head.load_assets(assets / "head")
        model_file.load_weights(pipeline, weights, folder)
        return pipeline.eval()


def _unread(rows: Sequence[Row], head: Head) -> list[str]:
    """The first rows whose targets say nothing to a head, as lines of a message, and how many more there are."""
    messages = []
    for row in rows:
        try:
            head.read_target(row.target)
        except InputError as error:
            messages.append(f"{row.where}: {error}")
    return listed(messages, f" of {len(rows):,} rows")


def _built(config: StageConfig, previous: Stage | None, slot: str, **passed: Any) -> Any:
    try:
        return config.build(previous, **passed)
    except ConfigError as error:
        raise error.within("pipeline", slot) from None
