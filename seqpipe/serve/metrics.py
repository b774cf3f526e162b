"""What a server counts, as Prometheus reads it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the histogram's buckets, in seconds: the first of Prometheus' client libraries, and two longer ones."""


class Counts:
    """Requests, seconds and inputs, since the server began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """A request that was answered."""
        with self._lock:
            self._requests[endpoint, status] += 1
            self._seconds[endpoint] += seconds  # type: ignore[assignment]
            buckets = self._buckets.setdefault(endpoint, [0] * (len(BOUNDS) + 1))
            buckets[bisect_left(BOUNDS, seconds)] += 1

    def add(self, name: str, amount: float = 1) -> None:
        """To a total: ``inputs``, ``failures``, ``given_up``."""
        with self._lock:
            self._totals[name] += amount  # type: ignore[assignment]

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """The text format of Prometheus, version 0.0.4.

        Args:
            gauges: what is so now, with a line of help.
        """
        lines: list[str] = []

        def head(name: str, kind: str, said: str) -> None:
            lines.extend([f"# HELP seqpipe_{name} {said}", f"# TYPE seqpipe_{name} {kind}"])

        with self._lock:
            head("requests_total", "counter", "Requests that were answered.")
            for (endpoint, status), count in sorted(self._requests.items()):
                lines.append(f'seqpipe_requests_total{{endpoint="{endpoint}",status="{status}"}} {count}')
            head("request_seconds", "histogram", "Seconds from a request to its answer.")
            for endpoint, buckets in sorted(self._buckets.items()):
                total = 0
                for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                    total += count
                    lines.append(f'seqpipe_request_seconds_bucket{{endpoint="{endpoint}",le="{bound}"}} {total}')
                lines.append(f'seqpipe_request_seconds_sum{{endpoint="{endpoint}"}} {self._seconds[endpoint]:.6f}')
                lines.append(f'seqpipe_request_seconds_count{{endpoint="{endpoint}"}} {total}')
            for name, said in (
                ("inputs", "Inputs that were answered."),
                ("failures", "Inputs that could not be answered."),
                ("given_up", "Requests whose clients went away."),
            ):
                head(f"{name}_total", "counter", said)
                lines.append(f"seqpipe_{name}_total {self._totals[name]:g}")
        for name, (said, value) in gauges.items():
            head(name, "gauge", said)
            lines.append(f"seqpipe_{name} {value:g}")
        return "\n".join(lines) + "\n"
