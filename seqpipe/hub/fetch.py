"""``hub:owner/name@revision`` as a run directory."""

from __future__ import annotations

import re
from pathlib import Path

from seqpipe.errors import RunError
from seqpipe.model_file import ASSETS, BORDERS, CALIBRATION, MODEL, RECIPE

PREFIX = "hub:"
FILES = [MODEL, RECIPE, f"{ASSETS}/**", CALIBRATION, BORDERS]
"""Of a repository, that a model is read from: weights in safetensors, YAML, JSON, SentencePiece models. None of them
is unpickled or run."""
_NAME = re.compile(r"hub:(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def is_hub_name(run: str | Path) -> bool:
    """Whether a run is named that lies on the Hub."""
    return isinstance(run, str) and run.startswith(PREFIX)


def hub_name(run: str) -> tuple[str, str | None]:
    """Repository and revision of ``hub:owner/name@revision``.

    Raises:
        RunError: it isn't written so.
    """
    found = _NAME.fullmatch(run)
    if found is None:
        raise RunError(f"{run}: should be hub:OWNER/NAME, or hub:OWNER/NAME@REVISION")
    return found["name"], found["revision"]


def local_run(run: str | Path) -> Path:
    """The folder of a run; one on the Hub is fetched into the Hub's cache (``HF_HOME``), unless it lies there already.

    Args:
        run: a run directory, or ``hub:OWNER/NAME[@REVISION]``, the revision a branch, tag or commit.

    Raises:
        RunError: there is no such repository or revision, it can't be reached, or it holds no model.
    """
    if not is_hub_name(run):
        return Path(run)
    name, revision = hub_name(str(run))
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=FILES))
    except GatedRepoError:
        raise RunError(f"{run}: asks for consent first: give it on the Hub, then log in (`hf auth login`)") from None
    except RepositoryNotFoundError:
        raise RunError(f"{run}: there is no such repository, or it is private and nobody is logged in") from None
    except RevisionNotFoundError:
        raise RunError(f"{run}: the repository has no revision {revision}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RunError(f"{run}: can't be fetched, and isn't in the cache ({reason})") from None
    if not (folder / MODEL).is_file():
        raise RunError(f"{run}: holds no {MODEL}; is it a model of seqpipe's?")
    return folder
