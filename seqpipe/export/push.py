"""``seqpipe push``: a run on the Hugging Face Hub."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from seqpipe.core.onnx_graph import Precision
from seqpipe.errors import ConfigError, RunError, SeqpipeError
from seqpipe.evaluation.scores.evaluate import Evaluation, evaluate
from seqpipe.export.card import model_card
from seqpipe.export.export import export
from seqpipe.hub.fetch import hub_name
from seqpipe.inference.calibration_file import read_calibration
from seqpipe.model_file import model_files
from seqpipe.pipeline import Pipeline

CARD, ONNX, METRICS = "README.md", "onnx", "metrics.json"


def push(
    run: str | Path,
    name: str,
    *,
    language: Sequence[str] = (),
    licence: str | None = None,
    private: bool = False,
    precision: Precision | None = "fp32",
    folder: str | Path | None = None,
) -> str:
    """Put a run on the Hub: its model file, recipe and assets, the exported model beside, and a card.

    Args:
        run: a run directory, finished.
        name: ``owner/name`` of a repository, which is made if there is none.
        language: codes of the model's languages, for the card.
        licence: as the Hub names it (``mit``, ``cc-by-4.0``), for the card.
        private: whether a new repository is private.
        precision: of the exported model; None for none.
        folder: where all is written instead, for a look at it; nothing is sent then.

    Returns:
        Where it is now.

    Raises:
        ConfigError: the name isn't one of a repository, or the folder is there already.
        RunError: the run is unfinished or damaged, or the Hub refuses it.
    """
    hub_name(f"hub:{name}")
    source = Path(run)
    pipeline = Pipeline.load(source)
    if not (source / METRICS).is_file():
        raise RunError(f"{source}: has no {METRICS}; finish its training first (--resume)")
    if folder is not None and Path(folder).exists():
        raise ConfigError(f"--folder {folder}: is there already; name a new one")
    with tempfile.TemporaryDirectory(prefix="seqpipe-push-") as made:
        draft = Path(made) / "model"
        for path in [*model_files(source), source / METRICS]:
            target = draft / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        exported = export(source, draft / ONNX, precision=precision) if precision is not None else None
        card = model_card(
            name,
            source,
            pipeline,
            language=language,
            licence=licence,
            evaluation=_evaluation(source),
            calibration=read_calibration(source),
            exported=exported.verification.to_json() if exported is not None and exported.verification else None,
        )
        (draft / CARD).write_text(card, encoding="utf-8")
        if folder is not None:
            shutil.copytree(draft, folder)
            return str(folder)
        return _send(draft, name, private)


def _evaluation(run: Path) -> Evaluation | None:
    """Of the dev rows, where they are here."""
    try:
        return evaluate(run, part="dev", device="cpu")
    except SeqpipeError:
        return None


def _send(folder: Path, name: str, private: bool) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = HfApi(library_name="seqpipe")
    try:
        made = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Model of seqpipe")
    except LocalTokenNotFoundError:
        raise RunError(f"{name}: nobody is logged in to the Hub; `hf auth login`, or set HF_TOKEN") from None
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RunError(f"{name}: the Hub refuses it ({reason}); is somebody logged in who may write there?") from None
    return str(made)
