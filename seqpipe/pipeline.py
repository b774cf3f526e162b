"""The chain: features, front-end, encoder, head; built from a recipe, fitted, saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqpipe import model_file
from seqpipe.config.recipe import Recipe
from seqpipe.core.item import Item
from seqpipe.core.options import upstream_parameters
from seqpipe.core.randomness import seed_from
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.stage import Stage, StageConfig, find_stage
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError


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

    features: Any
    frontend: Stage | None
    encoder: Stage | None
    head: Any

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        # Some feature stages have parameters at once; another seed than that of `fit`, lest theirs be alike.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_from(recipe.training.seed, 0))
            self.features = _built(recipe.pipeline.features, None, "features")
        self.frontend = self.encoder = None
        self.head = None

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
                self.head.fit(row.target for row in rows)

    def _build(self) -> None:
        config = self.recipe.pipeline
        self.frontend = _built(config.frontend, self.features, "frontend") if config.frontend else None
        self.encoder = _built(config.encoder, self.frontend or self.features, "encoder") if config.encoder else None
        front = self.frontend or self.features
        # What a head may ask of stages further ahead than the one before it.
        wanted = upstream_parameters(find_stage(config.head.name))
        passed: dict[str, Any] = {"front_size": front.output_size} if "front_size" in wanted else {}
        if "features" in wanted:
            passed["features"] = self.features
        self.head = _built(config.head, self.encoder or front, "head", **passed)

    # Forward

    def forward(self, batch: PaddedSequence) -> PaddedSequence:
        """Prepared inputs ``[B, S]`` to encoded steps ``[B, T, D]``."""
        return self.encode(self.features(batch), batch)

    def loss(self, batch: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the losses, and what it is to be divided by over all devices and accumulated batches."""
        result: tuple[Tensor, Tensor] = self.head.loss(self(batch), targets)
        return result

    def encoded_lengths(self, prepared_lengths: Tensor) -> Tensor:
        """Steps that reach the head, for lengths of prepared inputs."""
        lengths = self.features.output_lengths(prepared_lengths)
        return self.frontend.output_lengths(lengths) if self.frontend is not None else lengths

    def shortest_encoded(self, measured: int) -> int:
        """The least number of steps that reach the head, over all augmentation, for an input of this length."""
        return int(self.encoded_lengths(torch.tensor([self.features.shortest_length(measured)])))

    def encode(self, features: PaddedSequence, prepared: PaddedSequence) -> PaddedSequence:
        """What the features made of ``prepared``, ``[B, T, D]``, to encoded steps ``[B, T', D']``."""
        if self.frontend is not None:
            features = self.frontend(features)
        self.head.watch(features)
        encoded = self.encoder(features) if self.encoder is not None else features
        pooled: PaddedSequence = self.features.pool(prepared, encoded)
        return pooled

    def predict_batch(
        self, ids: Sequence[str], raws: Sequence[Any], prepared: Sequence[Tensor], options: Any = None
    ) -> list[Any]:
        """Predictions for prepared inputs, in their order.

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
        self, ids: Sequence[str], raws: Sequence[Any], prepared: Sequence[Tensor], encoded: PaddedSequence, options: Any
    ) -> list[Any]:
        """Predictions out of encoded steps ``[B, T, D]``; see `predict_batch`."""
        hypotheses = self.search(encoded, prepared, options)
        return [
            self.head.predict(row_id, hypothesis, Location(self, raw, item))
            for row_id, hypothesis, raw, item in zip(ids, hypotheses, raws, prepared, strict=True)
        ]

    def search(self, encoded: PaddedSequence, prepared: Sequence[Tensor], options: Any) -> list[Any]:
        """What the head decodes of each row, before it is made an answer of.

        Args:
            encoded: ``[B, T, D]``.
            prepared: what it was made of.
            options: of decoding.
        """
        inputs = (prepared,) if self.head.foretells else ()
        found: list[Any] = self.head.decode(encoded, options, *inputs)
        return found

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def locate(self, raw: Any, prepared: Tensor, steps: Tensor) -> Tensor:
        """Encoded steps of one example as places in its input, never outside it."""
        if self.frontend is not None:
            steps = self.frontend.locate(prepared, steps)
        places = self.features.locate(prepared, steps)
        end = self.features.first.locate(prepared, torch.tensor(len(prepared), dtype=torch.float64))
        return places.clamp(min=0.0, max=float(end)) * self.features.scale(raw) + self.features.origin(raw)

    # On disk

    def save(self, folder: Path, info: dict[str, str] | None = None) -> None:
        """Write recipe, assets and weights into a folder; what stood there stays valid until the last moment.

        Args:
            folder: made if it isn't there.
            info: further metadata of the model file (epoch, say).

        Raises:
            OSError: no space left, no permission; the model saved before is still whole.
        """
        model_file.save(self, folder, info or {})

    @classmethod
    def load(cls, folder: Path, recipe: Recipe | None = None) -> Pipeline:
        """The pipeline of a run directory, in evaluation mode, on the CPU. Runs no code that the folder names.

        Args:
            folder: run directory.
            recipe: taken instead of the one that lies there; all sizes must be the same.

        Raises:
            RunError: the folder holds no model, or one that is truncated, altered or of a newer version.
        """
        own, weights = model_file.read(folder)
        pipeline = cls(recipe or own)
        assets = folder / model_file.ASSETS
        pipeline.features.load_assets(assets / "features")
        pipeline._build()
        pipeline.head.load_assets(assets / "head")
        model_file.put_weights(pipeline, weights, folder)
        return pipeline.eval()


@dataclass(frozen=True, slots=True)
class Location:
    """Where the parts of an answer lie in its input, for heads.

    Attributes:
        pipeline: that answers.
        raw: the input.
        prepared: what the features made of it; None leaves encoded steps as they are.
    """

    pipeline: Pipeline
    raw: Any
    prepared: Tensor | None

    def __call__(self, steps: Tensor) -> Tensor:
        """Encoded steps (fractions too) as places in the input."""
        return steps if self.prepared is None else self.pipeline.locate(self.raw, self.prepared, steps)

    @property
    def items(self) -> Sequence[Item]:
        """The words of a text."""
        found: Sequence[Item] = self.pipeline.features.items(self.raw)
        return found

    @property
    def text(self) -> str:
        """The text that the words have their places in."""
        return str(self.pipeline.features.first.picture(self.raw))

    @property
    def cut(self) -> int:
        """Tokens at the end of the input that the features have left out."""
        return int(self.pipeline.features.cut_off(self.raw))


def _built(config: StageConfig, previous: Stage | None, slot: str, **passed: Any) -> Stage:
    try:
        return config.build(previous, **passed)
    except ConfigError as error:
        raise error.within("pipeline", slot) from None
