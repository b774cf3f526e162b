"""One side of a comparison in a process of its own, which waits between calls, so that the sides can take turns.

A call is a kind and a number, as a JSON list a line; the answer is a JSON object a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


class SideProcess:
    """A side, seen from the benchmark.

    Args:
        title: of the side, for messages.
        command: what starts its process.
        hint: what to do if it ends.
    """

    def __init__(self, title: str, command: Sequence[str], hint: str = "") -> None:
        self.title, self.hint = title, hint
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, kind: str, argument: int = 0) -> dict[str, Any]:
        """The answer to a call; ends this process if the side's has ended."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is not None and stdout is not None and self.process.poll() is None:
            stdin.write(json.dumps([kind, argument]) + "\n")
            stdin.flush()
            if line := stdout.readline():
                answer: dict[str, Any] = json.loads(line)
                return answer
        sys.exit(f"{sys.argv[0]}: the process of {self.title} has ended{self.hint and '; ' + self.hint}")

    def close(self) -> None:
        """Let it end."""
        self.process.communicate()


def answer_calls(make: Callable[[], Callable[[str, int], dict[str, Any]]]) -> None:
    """In the side's own process: answer calls until standard input ends; ``seconds`` is put into each answer.

    Args:
        make: makes what answers a call; whatever it and its libraries print goes to standard error.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answering = make()
    for line in sys.stdin:
        kind, argument = json.loads(line)
        started = time.perf_counter()
        answer = answering(kind, argument)
        answer.setdefault("seconds", time.perf_counter() - started)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def take_step(model: Any, optimizer: Any, loss: Any, clip_norm: float) -> float:
    """Gradient, clipping and step; the loss as a number."""
    import torch

    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return float(loss.detach())
