"""A server beside the batch tool: throughput, latencies, and what becomes of requests when clients go away.

    python tools/bench_server.py exported/an4 recordings/ --requests 2000
    python tools/bench_server.py exported/an4 recordings/ --parts abuse --requests 10000

``throughput``: recordings a second at saturation, 16 clients on keep-alive connections, beside `Model.predict` over the
same files with as many threads, sides in turn, medians of --rounds. ``latency``: requests that come at random (Poisson)
at 80 % of that rate: median and 99th percentile. ``abuse``: clients of which a fifth break off, half-way through the
request or before the answer; each other one must get a status, and each answer be the one that the model gives alone.
The clients run on the same cores. How long the server took to listen is told first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seqpipe.runtime
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.runtime.model import Model

CLIENTS, BOUNDARY = 16, "bench"
PARTS = ["throughput", "latency", "abuse"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="exported model of recordings")
    parser.add_argument("recordings", type=Path, help="folder")
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="of each round and part")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of both sides")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=PARTS[:2], metavar="PART,...")
    options = parser.parse_args()
    files = sorted(path for path in options.recordings.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not files:
        parser.error(f"{options.recordings}: holds no recordings")
    chosen = [files[number % len(files)] for number in range(options.requests)]
    model = seqpipe.runtime.load(options.model, threads=options.threads)
    command = [sys.executable, "-m", "seqpipe", "serve", options.model, "--port", "0", "--queue", "1024"]
    started = time.perf_counter()
    server = subprocess.Popen([*command, "--threads", str(options.threads)], stderr=subprocess.PIPE, text=True)
    try:
        if server.stderr is None or not (found := re.search(r":(\d+) \(", server.stderr.readline())):
            raise SystemExit("the server doesn't begin")
        bench = Bench(int(found[1]), model, chosen)
        asyncio.run(bench.wait())
        print(f"listens {time.perf_counter() - started:.2f} s after its start", flush=True)
        rate = bench.throughput(options.rounds) if {"throughput", "latency"} & set(options.parts) else 0.0
        if "latency" in options.parts:
            bench.latency(0.8 * rate)
        if "abuse" in options.parts:
            bench.abuse()
    finally:
        server.terminate()
        server.wait()
    return 0


@dataclass
class Bench:
    """One server and the files that it is asked for."""

    port: int
    model: Model
    files: Sequence[Path]

    async def wait(self) -> None:
        """Until the server answers."""
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            except OSError:
                await asyncio.sleep(0.1)
        raise SystemExit("the server doesn't answer")

    def throughput(self, rounds: int) -> float:
        """Recordings a second of both sides; the server's."""
        rates: dict[str, list[float]] = {"batch": [], "server": []}
        for _ in range(rounds):
            started = time.perf_counter()
            count = sum(1 for _ in self.model.predict(self.files))
            rates["batch"].append(count / (time.perf_counter() - started))
            started = time.perf_counter()
            statuses = asyncio.run(self._saturate())
            rates["server"].append(len(self.files) / (time.perf_counter() - started))
            if set(statuses) != {200}:
                raise SystemExit(f"statuses: {dict(statuses)}")
        batch, server = (statistics.median(rates[side]) for side in ("batch", "server"))
        print(f"recordings a second: batch {batch:.0f}, server {server:.0f} ({100 * server / batch:.0f} %)", flush=True)
        return server

    async def _saturate(self) -> Counter[int]:
        left, statuses = list(self.files), Counter[int]()

        async def client() -> None:
            streams = await asyncio.open_connection("127.0.0.1", self.port)
            while left:
                statuses[(await ask(streams, left.pop()))[0]] += 1
            streams[1].close()

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return statuses

    def latency(self, rate: float) -> None:
        """Median and 99th percentile at a rate."""
        seconds = asyncio.run(self._arrivals(rate))
        median, last = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
        found = f"median {1000 * median:.1f} ms, p99 {1000 * last:.1f} ms ({last / median:.1f} times)"
        print(f"at {rate:.0f} a second: {found}", flush=True)

    async def _arrivals(self, rate: float) -> list[float]:
        draw, seconds = random.Random(1), list[float]()
        free: list[Any] = []

        async def request(path: Path) -> None:
            started = time.perf_counter()
            streams = free.pop() if free else await asyncio.open_connection("127.0.0.1", self.port)
            await ask(streams, path)
            free.append(streams)
            seconds.append(time.perf_counter() - started)

        tasks, due = [], time.perf_counter()
        for path in self.files:
            due += draw.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(request(path)))
        await asyncio.gather(*tasks)
        return seconds

    def abuse(self) -> None:
        """Clients that break off beside those that don't."""
        known = {path: answer.text for path, answer in zip(self.files, self.model.predict(self.files), strict=True)}
        outcomes = asyncio.run(self._abuse(known))
        print(", ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes.items())), flush=True)
        if outcomes["lost"] or outcomes["wrong"]:
            raise SystemExit("requests were lost, or answered wrongly")

    async def _abuse(self, known: dict[Path, str]) -> Counter[str]:
        draw, left, outcomes = random.Random(2), list(self.files), Counter[str]()

        async def client() -> None:
            while left:
                path, kind = left.pop(), draw.random()
                streams = await asyncio.open_connection("127.0.0.1", self.port)
                if kind < 0.2:
                    content = request_of(path)
                    streams[1].write(content[: len(content) // 2] if kind < 0.1 else content)
                    await streams[1].drain()
                    streams[1].close()
                    outcomes["broken off"] += 1
                    continue
                try:
                    status, body = await asyncio.wait_for(ask(streams, path), 60)
                except (OSError, asyncio.IncompleteReadError, TimeoutError):
                    outcomes["lost"] += 1
                    continue
                finally:
                    streams[1].close()
                right = status == 200 and json.loads(body)["text"] == known[path]
                outcomes["right" if right else "busy" if status == 503 else "wrong"] += 1

        await asyncio.gather(*(client() for _ in range(20)))
        return outcomes


def request_of(path: Path) -> bytes:
    """A transcription's request."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    lines = [
        "POST /v1/audio/transcriptions HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: Path) -> tuple[int, bytes]:
    """Status and body."""
    reader, writer = streams
    writer.write(request_of(path))
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    found = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
    return int(head.split()[1]), await reader.readexactly(int(found[1]) if found else 0)


if __name__ == "__main__":
    raise SystemExit(main())
