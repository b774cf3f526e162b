"""Starter data of the text recipes: short opinions in English, each positive or negative.

A demonstration, to see a recipe work within a minute and with nothing to download; what is learnt here says little of
the opinions that people write elsewhere. All sentences were written for this project: some of each part one by one
(``sentiment_texts/*.txt``), the others as templates (``templates.yaml`` there) that are filled in with the words of
eleven domains (``domains.yaml``). Dev and test have templates of their own. A third of what is made for train, and more
than half of what is made for them, turns round what some of its words say, so that counting good and bad words is not
enough. What was written one by one is much harder than what was made; the column ``kind`` lets a report show it.

A sentence is a function of its number alone, so every machine has the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from seqpipe.config.plain_yaml import read_yaml
from seqpipe.data.starter.build_once import build_once, write_table
from seqpipe.data.starter.random_stream import Draws

STARTER_SENTIMENT_VERSION: int = 1
"""Part of the folder's name and of every draw: raise it with any change to what is generated."""

COUNTS = {"train": 1760, "dev": 110, "test": 132}  # made from templates, as many of each label and domain
PLAIN_SHARE = 0.65  # of what is made for train
SOURCES = Path(__file__).with_name("sentiment_texts")
PARTS = ("train", "dev", "test")
LABELS = ("positive", "negative")

EMPHASIS = ("", "", "really ", "truly ", "simply ")

Templates = Mapping[str, Sequence[str]]
"""By label."""

_TEMPLATES: Mapping[str, Templates] = read_yaml(SOURCES / "templates.yaml")
PLAIN, TURNED = _TEMPLATES["plain"], _TEMPLATES["turned"]
"""Templates of train: whose words say what they mean; and those that turn round what some of their words say: negation,
contrast, other people's opinions."""
HELD_OUT: Mapping[str, Templates] = {part: _TEMPLATES[part] for part in ("dev", "test")}
"""Those of dev and test, in none of which train was written."""


class Sentence(NamedTuple):
    """An opinion.

    Attributes:
        kind: ``written`` one by one, or ``made`` from a template.
        label: one of ``LABELS``.
        domain: what it is about: ``food``, ``travel``, ...
        text: one sentence, or two short ones.
    """

    kind: str
    label: str
    domain: str
    text: str


def written_sentences(part: str) -> Iterator[Sentence]:
    """The sentences of a part that are written out; a line ``== LABEL DOMAIN`` stands before those it holds for."""
    label = domain = ""
    for line in (SOURCES / f"{part}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            label, domain = line.removeprefix("== ").split()
        else:
            yield Sentence("written", label, domain, line)


def made_sentences(part: str) -> list[Sentence]:
    """Sentences of the templates of one of ``PARTS``, as many as ``COUNTS`` says, none twice: labels and domains take
    turns.
    """
    domains: dict[str, dict[str, list[str]]] = read_yaml(SOURCES / "domains.yaml")
    anything = domains.pop("anything")
    words = {name: {key: [*own, *anything[key]] for key, own in domain.items()} for name, domain in domains.items()}
    names = list(words)
    found: dict[str, Sentence] = {}
    number = PARTS.index(part) * 2**32
    while len(found) < COUNTS[part]:
        label, domain = LABELS[len(found) % 2], names[len(found) // 2 % len(names)]
        text = _make(number, part, label, words[domain])
        found.setdefault(text, Sentence("made", label, domain, text))
        number += 1
    return list(found.values())


def _make(number: int, part: str, label: str, words: Mapping[str, list[str]]) -> str:
    draws = iter(Draws(2**33 + STARTER_SENTIMENT_VERSION, number).uniforms(13))

    def pick(choices: Sequence[str]) -> str:
        return choices[int(next(draws) * len(choices))]

    plain = next(draws) < PLAIN_SHARE
    template = pick(HELD_OUT.get(part, PLAIN if plain else TURNED)[label])
    things = [*words["one"], *words["many"]]
    thing = pick(things)
    other = pick([name for name in things if name != thing])
    one, other_one = thing in words["one"], other in words["one"]
    filled = {
        "the": f"the {thing}",
        "was": "was" if one else "were",
        "it": "it" if one else "they",
        "them": "it" if one else "them",
        "the2": f"the {other}",
        "was2": "was" if other_one else "were",
        "very": pick(EMPHASIS),
        "plain": pick(words["plain"]),
        "joy": pick(words["joys"]),
        "woe": pick(words["woes"]),
    }
    for name in ("good", "bad"):
        filled[name] = pick(words[name])
        filled[f"{name}2"] = pick([word for word in words[name] if word != filled[name]])
    filled |= {name.capitalize(): text[:1].upper() + text[1:] for name, text in filled.items()}
    return template.format_map(filled)


def write_sentiment(folder: Path) -> None:
    """Write ``train.tsv``, ``dev.tsv`` and ``test.tsv`` (id, kind, label, domain, text) into a folder, made if missing.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        sentences = [*written_sentences(part), *made_sentences(part)]
        lines = ["\t".join(("id", *Sentence._fields))]
        lines += ["\t".join((f"{part}-{number:04d}", *sentence)) for number, sentence in enumerate(sentences, 1)]
        write_table(folder / f"{part}.tsv", lines)


def starter_sentiment(cache: Path | None = None) -> Path:
    """The folder of the starter sentences in the cache; they are written the first time, in a moment.

    Args:
        cache: where they are kept; see `cache_folder`.
    """
    name = f"starter-sentiment-v{STARTER_SENTIMENT_VERSION}"
    return build_once(name, [f"{part}.tsv" for part in PARTS], write_sentiment, cache)
