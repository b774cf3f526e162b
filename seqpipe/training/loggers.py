"""Where a training's numbers go: CSV always, and what else the recipe names."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from seqpipe.config.recipe import TrainingConfig
from seqpipe.errors import ConfigError
from seqpipe.run_directory import LOG

PROJECT = "seqpipe"


def make_loggers(config: TrainingConfig, out: Path, resumed_at: int | None) -> list[Logger]:
    """Lightning's loggers of a recipe.

    Args:
        config: names them.
        out: run directory; all of them keep what they write there.
        resumed_at: steps that the checkpoint has behind it, whose log goes on; None for a new run.

    Raises:
        ConfigError: the package of one is not installed.
    """
    makers: dict[str, Callable[[], Logger]] = {
        "tensorboard": lambda: TensorBoardLogger(out / LOG, name="tensorboard", version="", purge_step=resumed_at),
        # The id makes a resumed run go on in the same curve.
        "wandb": lambda: WandbLogger(project=PROJECT, name=out.name, id=_id(out), resume="allow", save_dir=out / LOG),
        "mlflow": lambda: _mlflow(out),
    }
    table = CSVLogger(out, name=LOG, version="")
    if resumed_at is not None:
        _continue(table, resumed_at)
    loggers: list[Logger] = [table]
    (out / LOG).mkdir(exist_ok=True)
    for name in config.loggers:
        if name == "csv":
            continue
        try:
            loggers.append(makers[name]())
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"training.loggers: {name} needs a package that is not installed ({error.name or error}); "
                f"pip install 'seqpipe[loggers]', or leave it out"
            ) from None
    return loggers


def _mlflow(out: Path) -> MLFlowLogger:
    """A resumed run goes on in the same MLflow run, whose id is kept here."""
    kept = out / LOG / "mlflow_id"
    logger = MLFlowLogger(
        experiment_name=PROJECT,
        run_name=out.name,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{(out / LOG).resolve()}/mlflow.db"),
        run_id=kept.read_text() if kept.is_file() else None,
    )
    kept.write_text(str(logger.run_id))
    return logger


def _id(out: Path) -> str:
    """The same for a run directory from session to session."""
    path = out / LOG / "wandb_id"
    if not path.is_file():
        path.write_text(os.urandom(8).hex())
    return path.read_text()


def _continue(logger: CSVLogger, steps: int) -> None:
    """Let a CSV logger go on after the first ``steps`` of the log that stands there; by itself it deletes one."""
    path = Path(logger.log_dir) / "metrics.csv"
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        records = csv.DictReader(file)
        kept = [record for record in records if int(record["step"]) < steps]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Experiment logs directory")
        writer: Any = logger.experiment  # made here, at first use; it deletes the file
    if kept:
        writer.metrics_keys = list(kept[0])
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, writer.metrics_keys)
            rows.writeheader()
            rows.writerows(kept)
