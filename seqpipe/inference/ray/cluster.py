"""A Ray cluster: reached, and measured for actors."""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout
from typing import Any, NamedTuple

from seqpipe.errors import ConfigError
from seqpipe.inference.settings import Settings


class Pool(NamedTuple):
    """Actors, and what each of them takes of its node.

    Attributes:
        actors: how many.
        cpus: of each.
        gpus: of each.
        readers: processes of each that read.
    """

    actors: int
    cpus: int
    gpus: int
    readers: int


class Cluster:
    """The cluster that this process is connected to, else that of ``RAY_ADDRESS``, else one of this machine alone.

    Args:
        settings: of the actors; on a CPU each has as many cores as ``threads``, else one GPU.
        actors: how many; by default as many as there is room for.

    Raises:
        ConfigError: Ray isn't installed; the cluster can't be reached.
    """

    def __init__(self, settings: Settings, actors: int | None) -> None:
        self.settings, self.actors = settings, actors
        self.known: set[str] = set()
        # Read when Ray is loaded: no reports of use to its makers, and no warnings about its next version.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # At every run its library would report an error: actors whose arguments lie with the driver, where they should.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise ConfigError(f"--engine ray: {error}; pip install 'seqpipe[ray]'") from None
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setLevel(logging.CRITICAL)  # errors are raised as well
        self.ray = ray
        with ExitStack() as stack:
            # Ray prints warnings to standard output, where only results belong.
            stack.enter_context(redirect_stdout(_Results(sys.stdout)))
            if not ray.is_initialized():
                self._connect()
                stack.callback(ray.shutdown)
            self._stack = stack.pop_all()

    def pool(self) -> Pool:
        """The actors that there is room for; from now on, `lost` says which of these nodes died.

        Raises:
            ConfigError: there is room for none.
        """
        nodes = self._alive()
        self.known = set(nodes)
        threads = self.settings.threads
        resources = [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes.values()]
        if self.settings.device == "cpu":
            each, room = (threads, 0, max(1, threads // 4)), sum(cpus // threads for cpus, _ in resources)
            lacks = f"{threads} CPUs, one for each thread; lower --threads"
        else:
            share = min((cpus // gpus for cpus, gpus in resources if gpus), default=0)
            each, room = (share, 1, max(1, share - 1)), sum(gpus for _, gpus in resources)
            lacks = "a GPU; choose --device cpu"
        if not room:
            raise ConfigError(f"--engine ray: none of the cluster's nodes ({len(nodes)}) has {lacks}")
        return Pool(self.actors or room, *each)

    def lost(self) -> int:
        """How many nodes have died since a pool was made."""
        return len(self.known - self._alive().keys())

    def close(self) -> None:
        """Leave it, if this process was not connected before."""
        self._stack.close()

    def _connect(self) -> None:
        address = os.environ.get("RAY_ADDRESS") or "local"
        if address.startswith("ray://"):
            raise ConfigError(
                f"RAY_ADDRESS={address}: windows can't be streamed through Ray's client; start the command on a "
                "machine of the cluster, with RAY_ADDRESS=auto"
            )
        if found := re.fullmatch(r"\[?([^]]+)]?:(\d+)", address):  # Ray itself tries for ten minutes
            try:
                socket.create_connection((found[1], int(found[2])), timeout=10).close()
            except OSError as error:
                raise ConfigError(f"RAY_ADDRESS={address}: no Ray cluster can be reached there ({error})") from None
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address == "local":
            wanted = self.settings.threads * (self.actors or 1)
            options |= {"include_dashboard": False, "num_cpus": max(os.cpu_count() or 1, wanted)}
        try:
            self.ray.init(address, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(f"RAY_ADDRESS={address}: no Ray cluster can be reached there ({error})") from None

    def _alive(self) -> dict[str, Mapping[str, float]]:
        return {node["NodeID"]: node["Resources"] for node in self.ray.nodes() if node["Alive"]}


class _Results(io.TextIOBase):
    """Standard output whose bytes are results; what is printed goes to standard error."""

    def __init__(self, stdout: Any) -> None:
        self.buffer = getattr(stdout, "buffer", None)

    def write(self, text: str) -> int:
        return sys.stderr.write(text)
