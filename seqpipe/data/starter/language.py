"""Starter data of the language recipes: short messages in English, each with a reply, in one text of two lines.

Nothing is downloaded: all was written for this project, as templates whose places are filled in, so that a reply takes
up what the message says. It shows that everything works (`seqpipe generate`, `seqpipe reply`), and says little of what
people write. A text is a function of its number alone, so every machine has the same; none is in two parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqpipe.data.starter.build_once import build_once, write_table
from seqpipe.data.starter.random_stream import Draws

STARTER_LANGUAGE_VERSION: int = 1
"""Part of the folder's name and of every draw: raise it with any change to what is generated."""

COUNTS = {"train": 2400, "dev": 150, "test": 150}
PARTS = tuple(COUNTS)

FILLINGS = {
    "name": ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida", "Jonas", "Kate", "Leo"],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "time": ["nine", "ten", "eleven", "noon", "two", "three", "four", "five", "six", "seven"],
    "place": ["the station", "the library", "the office", "the park", "the bakery", "the harbour", "the museum"],
    "food": ["soup", "pizza", "rice", "fish", "salad", "bread", "pasta", "curry"],
    "thing": ["the keys", "the ticket", "the umbrella", "the report", "the map", "the camera", "the letter"],
    "work": ["the kitchen", "the garden", "the roof", "the bicycle", "the website", "the slides"],
}
PAIRS = {
    "meeting": (
        ["Shall we meet at {time} on {day}?", "Can you come to {place} at {time}?", "Are you free on {day} at {time}?"],
        ["Yes, {time} is fine.", "Sorry, not at {time}. Can we make it a bit later?", "I will be there at {time}."],
    ),
    "meal": (
        [
            "Would you like {food} tonight?",
            "{name} is making {food}, do you want some?",
            "Is {food} all right for you?",
        ],
        ["Yes, I love {food}!", "No thanks, I had {food} yesterday.", "{food_}? Sounds good."],
    ),
    "lost": (
        ["Have you seen {thing}?", "I can't find {thing}.", "Where did you put {thing}?"],
        ["I left {thing} at {place}.", "Ask {name}, please.", "Sorry, I have no idea.", "Look on the table."],
    ),
    "thanks": (
        ["Thank you for {thing}!", "Thanks for helping with {work}.", "{work_} looks great, thank you!"],
        ["You're welcome!", "Any time.", "No problem at all."],
    ),
    "late": (
        ["I am late, I will be at {place} at {time}.", "My train is late. See you at {time}?", "Running late, sorry!"],
        ["No problem, see you at {time}.", "Take your time.", "All right, I will wait at {place}."],
    ),
    "news": (
        ["{name} passed the exam!", "{name} has a new job!", "We won on {day}!", "{name} is getting married!"],
        ["Great news!", "Congratulations!", "Wonderful, tell {name} I am happy!"],
    ),
    "ill": (
        ["I am ill and can't come on {day}.", "{name} is ill today.", "I have a cold."],
        ["Get well soon!", "Oh no, I hope it gets better soon.", "Stay in bed and rest."],
    ),
    "question": (
        ["Did you finish {work}?", "How is {work} going?", "Who will look after {work} on {day}?"],
        ["Almost done.", "I will finish it on {day}.", "{name} will do it.", "Not yet, sorry."],
    ),
}
"""Messages and their replies; ``{food_}`` begins with a capital."""


class Exchange(NamedTuple):
    """A message with its reply.

    Attributes:
        kind: what it is about.
        message, reply: a line each.
    """

    kind: str
    message: str
    reply: str

    @property
    def text(self) -> str:
        """Both, as a model learns them."""
        return f"{self.message}\n{self.reply}"


def made_exchange(number: int) -> Exchange:
    """The exchange of a number."""
    draws = Draws(2**38 + STARTER_LANGUAGE_VERSION, number)
    kind = draws.choice(list(PAIRS))
    messages, replies = PAIRS[kind]
    filled = {name: draws.choice(choices) for name, choices in FILLINGS.items()}
    filled |= {f"{name}_": text[:1].upper() + text[1:] for name, text in filled.items()}
    return Exchange(kind, *(draws.choice(lines).format_map(filled) for lines in (messages, replies)))


def made_exchanges() -> Iterator[tuple[str, Exchange]]:
    """All of them with their parts, those of dev and test first, which train lacks."""
    wanted = [part for part in ("dev", "test", "train") for _ in range(COUNTS[part])]
    seen: set[str] = set()
    number = 0
    while len(seen) < len(wanted):
        exchange = made_exchange(number)
        number += 1
        if exchange.text not in seen:
            yield wanted[len(seen)], exchange
            seen.add(exchange.text)


def write_language(folder: Path) -> None:
    """Write ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` (id, kind, text), and ``replies.txt``, those of dev.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {part: [] for part in PARTS}
    replies = set()
    for part, exchange in made_exchanges():
        record = {"id": f"{part}-{len(lines[part]) + 1:04d}", "kind": exchange.kind, "text": exchange.text}
        lines[part].append(json.dumps(record))
        if part == "dev":
            replies.add(exchange.reply)
    for part in PARTS:
        write_table(folder / f"{part}.jsonl", lines[part])
    write_table(folder / "replies.txt", sorted(replies))


def starter_language(cache: Path | None = None) -> Path:
    """The folder of the starter exchanges in the cache; they are written the first time, in a moment.

    Args:
        cache: where they are kept; see `cache_folder`.
    """
    name = f"starter-language-v{STARTER_LANGUAGE_VERSION}"
    return build_once(name, [*(f"{part}.jsonl" for part in PARTS), "replies.txt"], write_language, cache)
