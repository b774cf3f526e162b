"""Answers as the store holds them: of the head that there is, of another one, and failures."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies
from hypothesis.strategies import SearchStrategy

from seqpipe.answers.transcript import Token, Transcript, group_words


@dataclass(frozen=True)
class Label:
    name: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Reading:
    """What another head may answer."""

    id: str
    best: Label
    second: Label | None
    count: int
    sure: bool
    comment: str | None
    span: tuple[float, float]
    labels: tuple[Label, ...]

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))


@pytest.fixture(scope="session")
def reading() -> type:
    """A dataclass of every kind of field."""
    return Reading


@pytest.fixture(scope="session")
def readings() -> list[Reading]:
    """Two of them, one with all that may lack."""
    label = Label("ä", {"ä": 0.75, "a": 0.1 + 0.2})
    return [
        Reading("1", label, None, 2**60, True, None, (0.0, 1e-300), ()),
        Reading("2", label, label, -1, False, "", (1 / 3, 1e300), (label, label)),
    ]


@pytest.fixture(scope="session")
def save_answers() -> Callable[[Path, list[Any]], list[dict[str, Any]]]:
    """Writes a store, a line an answer; gives the objects that they are."""

    def save(store: Path, answers: list[Any]) -> list[dict[str, Any]]:
        lines = [json.dumps(answer.to_json(), ensure_ascii=False) for answer in answers]
        store.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
        return [json.loads(line) for line in lines]

    return save


@pytest.fixture(scope="session")
def spoken() -> Callable[..., Transcript]:
    """A transcript of a character a token, a token every 40 ms."""

    def transcript(row_id: str, text: str, *, confidence: float = 0.5) -> Transcript:
        tokens = tuple(Token(sign, at * 0.04, at * 0.04 + 0.02, confidence) for at, sign in enumerate(text))
        return Transcript(row_id, text, confidence, group_words(tokens), tokens)

    return transcript


@pytest.fixture(scope="session")
def odd_texts() -> SearchStrategy[str]:
    """Quotes, separators, all that ends a line somewhere, control characters, right-to-left, backslashes, emoji."""
    odd = '",;\t\r\n\x00\x1f\x85\u2028\u202eאب😀\\ud é'
    return strategies.one_of(strategies.text(max_size=20), strategies.text(alphabet=odd, max_size=12))
