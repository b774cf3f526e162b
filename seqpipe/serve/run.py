"""Listening, and what comes before: a model loaded, a run exported."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from seqpipe.errors import ConfigError, RunError
from seqpipe.runtime.manifest import MANIFEST
from seqpipe.runtime.model import Model


def serve(
    model: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str | None = None,
    threads: int | None = None,
    queue: int = 64,
    most_bytes: int = 25_000_000,
    precision: str = "fp32",
    decoding: Mapping[str, Any] | None = None,
    **limits: Any,
) -> None:
    """Answer requests until interrupted.

    Args:
        model: an exported model, or a run directory, which a process of its own exports into a temporary folder.
        host, port: to listen on; port 0 takes any that is free.
        name: what requests call the model; the folder's when None.
        threads: inputs that are answered at once; as many as there are cores when None.
        queue: inputs that may wait.
        most_bytes: of a request.
        precision: of a run that is exported.
        decoding: options that replace the model's.
        limits: ``max_seconds``, ``max_tokens``, ``max_steps``.

    Raises:
        ConfigError: starlette or uvicorn isn't installed, a setting is wrong, or the port is taken.
        RunError: there is no such model, or it is damaged.
    """
    try:
        import uvicorn

        from seqpipe.serve.app import Server
    except ImportError as error:
        raise ConfigError(f"serving needs further packages ({error}): pip install 'seqpipe[serve]'") from None
    if queue < 1:
        raise ConfigError(f"--queue should be at least 1; received {queue}")
    if most_bytes < 1:
        raise ConfigError("--max-upload-mb should be above 0")
    folder = Path(model)
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(host, port))
        exported = folder if (folder / MANIFEST).is_file() or not (folder / "model.safetensors").is_file() else None
        if exported is None:
            exported = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seqpipe-serve-"))) / "model"
            _export(folder, exported, precision)
        loaded = Model.load(exported, threads=threads, decoding=decoding, **limits)
        page = exported if (exported / "index.html").is_file() else None
        called = name or folder.resolve().name
        server = Server(loaded, called, queue=queue, most_bytes=most_bytes, page=page)
        config = uvicorn.Config(server.app, log_level="warning", access_log=False, lifespan="on", server_header=False)
        where = f"[{host}]" if ":" in host else host
        print(
            f"{server.name} on http://{where}:{listening.getsockname()[1]} ({loaded.settings.threads} threads); "
            "Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
        with suppress(KeyboardInterrupt):  # raised once more when all is answered and closed
            uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """Before anything is loaded, so that a port that is taken is told at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"--host {host} --port {port}: can't be listened on ({said}); name another port") from None


def _export(run: Path, folder: Path, precision: str) -> None:
    """By a process of its own: exporting needs torch, of which this one shall be free."""
    command = [sys.executable, "-m", "seqpipe", "export", str(run), "--output", str(folder), "--precision", precision]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(done.stderr.strip().removeprefix("seqpipe export: "))
