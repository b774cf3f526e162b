"""Where processes that read come from: another one, which loads torch while this one does."""

from __future__ import annotations

import multiprocessing
from typing import Any

PRELOADED = [
    "seqpipe.inference.reading",
    "seqpipe.core.chain",
    "seqpipe.features.speech.waveform",
    "seqpipe.features.speech.log_mel",
    "seqpipe.features.text.tokens",
]
"""What a process that reads needs, or most of it: loaded once, before the first is forked off."""


def worker_context() -> Any:
    """How processes are started; forked off this one, they could inherit a lock that one of its threads holds."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(PRELOADED)
    return context


def warm_up() -> None:
    """Start the process that others are forked off."""
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()
