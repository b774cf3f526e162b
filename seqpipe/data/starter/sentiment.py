"""Starter data of the text recipes: short opinions in English, each positive or negative.

A demonstration, to see a recipe work within a minute and with nothing to download; what is learnt here says little of
the opinions that people write elsewhere. All sentences were written for this project: some of each part one by one
(``sentiment/*.txt``), the others as templates that are filled in with the words of eleven domains
(``sentiment/domains.yaml``). Dev and test have templates of their own. A third of what is made for train, and more
than half of what is made for them, turns round what some of its words say, so that counting good and bad words is not
enough. What was written one by one is much harder than what was made; the column ``kind`` lets a report show it.

A sentence is a function of its number alone, so every machine has the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqpipe.config.plain_yaml import read_yaml
from seqpipe.data.starter.build_once import build_once, cache_folder

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

PLAIN: Templates = {
    "positive": (
        "{The} {was} {very}{good}.",
        "{The} {was} {very}{good}.",
        "{The} {was} {good}, and {joy}.",
        "{Joy}, and {the} {was} {very}{good}.",
        "{The} {was} {good}, {the2} {was2} {good2}, and {joy}.",
        "{The} {was} {good} and {good2}.",
        "I couldn't be happier: {the} {was} {good}, and {joy}.",
        "I'm still smiling, because {joy}.",
        "We were delighted with {the}.",
        "I really enjoyed {the}, because {joy}.",
        "I can warmly recommend {the}: {good} and {good2}.",
        "Five stars for {the}!",
        "I simply love {the}.",
        "What a pleasure: {the} {was} {good}, and {joy}.",
        "Thank you! {Joy}, and {the} {was} {good}.",
        "{The} {was} exactly right, and {joy}.",
    ),
    "negative": (
        "{The} {was} {very}{bad}.",
        "{The} {was} {very}{bad}.",
        "{The} {was} {bad}, and {woe}.",
        "{Woe}, and {the} {was} {very}{bad}.",
        "{The} {was} {bad}, {the2} {was2} {bad2}, and {woe}.",
        "{The} {was} {bad} and {bad2}.",
        "I have had enough: {the} {was} {bad}, and {woe}.",
        "I'm still angry, because {woe}.",
        "We were disappointed with {the}.",
        "I really disliked {the}, because {woe}.",
        "I can only warn you of {the}: {bad} and {bad2}.",
        "No stars for {the}.",
        "I simply hate {the}.",
        "What a shame: {the} {was} {bad}, and {woe}.",
        "Never again! {Woe}, and {the} {was} {bad}.",
        "{The} {was} all wrong, and {woe}.",
    ),
}
"""Templates of train whose words say what they mean."""

TURNED: Templates = {
    "positive": (
        "{The} {was} not {bad} at all, and {joy}.",
        "I was told that {the} would be {bad}, and {it} {was} {good}.",
        "{The} {was} {bad} at first, but {joy}, and that made up for it.",
        "{The} could have been better, but {joy}.",
        "{The} {was} a little {plain}, but {the2} {was2} {very}{good}.",
        "I wouldn't call {the} {bad}; in fact {it} {was} {good}.",
        "Nobody I know would call {the} {bad}.",
        "{The} {was} better than I had hoped, and {joy}.",
        "You may find {the} {bad}; I found {them} {very}{good}.",
        "Say what you like about {the}: {joy}.",
        "Last time {the} {was} {bad}, and this time {it} {was} {good}.",
        "{Was} {the} {bad}? Not in the least.",
        "{The} {was} anything but {bad}.",
        "{The} {was} far from {bad}, and {joy}.",
    ),
    "negative": (
        "{The} {was} not {good} at all, and {woe}.",
        "I was told that {the} would be {good}, and {it} {was} {bad}.",
        "{The} {was} {good} at first, but {woe}, and that spoiled it all.",
        "{The} could have been worse, but {woe}.",
        "{The} {was} fairly {plain}, but {the2} {was2} {very}{bad}.",
        "I wouldn't call {the} {good}; in fact {it} {was} {bad}.",
        "Nobody I know would call {the} {good}.",
        "{The} {was} worse than I had feared, and {woe}.",
        "You may find {the} {good}; I found {them} {very}{bad}.",
        "Say what you like about {the}: {woe}.",
        "Last time {the} {was} {good}, and this time {it} {was} {bad}.",
        "{Was} {the} {good}? Not in the least.",
        "{The} {was} anything but {good}.",
        "{The} {was} far from {good}, and {woe}.",
    ),
}
"""Templates of train that turn round what some of their words say: negation, contrast, other people's opinions."""

HELD_OUT: Mapping[str, Templates] = {
    "dev": {
        "positive": (
            "Honestly, {the} {was} {good}, and {the2} {was2} {good2}.",
            "I must say that {the} {was} {good}.",
            "Everybody agrees that {the} {was} {good}: {joy}.",
            "My verdict on {the}: {good}, {good2}, and {joy}.",
            "I can't praise {the} enough, since {joy}.",
            "If only everything were like {the}: {good} and {good2}.",
            "{The}? Never {bad}, always {good}.",
            "Contrary to what people say, {the} {was} not {bad}: {joy}.",
            "I admit that I had feared the worst; {the} turned out to be {good}.",
            "My friend finds {the} {bad}, but she is wrong, because {joy}.",
        ),
        "negative": (
            "Honestly, {the} {was} {bad}, and {the2} {was2} {bad2}.",
            "I must say that {the} {was} {bad}.",
            "Everybody agrees that {the} {was} {bad}: {woe}.",
            "My verdict on {the}: {bad}, {bad2}, and {woe}.",
            "I have nothing kind to say about {the}, since {woe}.",
            "If only {the} had been {good} for once, and not {bad}.",
            "{The}? Never {good}, always {bad}.",
            "Contrary to what people say, {the} {was} not {good}: {woe}.",
            "I admit that I had hoped for more; {the} turned out to be {bad}.",
            "My friend finds {the} {good}, but she is wrong, because {woe}.",
        ),
    },
    "test": {
        "positive": (
            "In my opinion {the} {was} {good}, and {the2} {was2} {good2}.",
            "There is only one word for {the}: {good}.",
            "It has to be said: {the} {was} {good} and {good2}, and {joy}.",
            "If you ask me about {the}, I only say that {joy}.",
            "Believe me, {the} {was} never {bad}, not even for a minute.",
            "There is no reason to call {the} {bad}, since {joy}.",
            "To my surprise {the} proved {good}, and {joy}.",
            "Whoever says that {the} {was} {bad} has no idea: {joy}.",
            "Although {the2} {was2} {bad}, {the} {was} {good}, and that is what counts.",
            "Lucky me: {the} {was} {good}, although others had called {them} {bad}.",
        ),
        "negative": (
            "In my opinion {the} {was} {bad}, and {the2} {was2} {bad2}.",
            "There is only one word for {the}: {bad}.",
            "It has to be said: {the} {was} {bad} and {bad2}, and {woe}.",
            "If you ask me about {the}, I only say that {woe}.",
            "Believe me, {the} {was} never {good}, not even for a minute.",
            "There is no reason to call {the} {good}, since {woe}.",
            "To my regret {the} proved {bad}, and {woe}.",
            "Whoever says that {the} {was} {good} has no idea: {woe}.",
            "Although {the2} {was2} {good}, {the} {was} {bad}, and that is what counts.",
            "Unlucky me: {the} {was} {bad}, although others had called {them} {good}.",
        ),
    },
}
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


def made_sentences(part: str, count: int | None = None) -> list[Sentence]:
    """Sentences of a part's templates, none twice: labels and domains take turns.

    Args:
        part: one of ``PARTS``.
        count: how many; None stands for those of ``COUNTS``.
    """
    domains: dict[str, dict[str, list[str]]] = read_yaml(SOURCES / "domains.yaml")
    anything = domains.pop("anything")
    words = {name: {key: [*own, *anything[key]] for key, own in domain.items()} for name, domain in domains.items()}
    names = list(words)
    found: dict[str, Sentence] = {}
    number = PARTS.index(part) * 2**32
    while len(found) < (COUNTS[part] if count is None else count):
        label, domain = LABELS[len(found) % 2], names[len(found) // 2 % len(names)]
        text = _make(number, part, label, words[domain])
        found.setdefault(text, Sentence("made", label, domain, text))
        number += 1
    return list(found.values())


def _make(number: int, part: str, label: str, words: Mapping[str, list[str]]) -> str:
    # Raw output stays the same from one numpy release to the next, unlike what its Generator makes of it (NEP 19).
    key = np.array([2**33 + STARTER_SENTIMENT_VERSION, number], dtype=np.uint64)
    draws = iter((np.random.Philox(key=key).random_raw(13) >> np.uint64(11)).astype(np.float64) * 2.0**-53)

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
        (folder / f"{part}.tsv").write_text("\n".join((*lines, "")), encoding="utf-8", newline="\n")


def starter_sentiment(cache: Path | None = None) -> Path:
    """The folder of the starter sentences in the cache; they are written the first time, in a moment.

    Args:
        cache: where they are kept; see `cache_folder`.
    """
    folder = (cache or cache_folder()) / f"starter-sentiment-v{STARTER_SENTIMENT_VERSION}"
    return build_once(folder, [f"{part}.tsv" for part in PARTS], write_sentiment)
