"""Starter data of the translation recipe: numbers and dates in words, between English, German and French.

Nothing is downloaded: num2words writes the numbers, Babel the names of days and months and the way dates are put. The
language that is wanted stands in front of the source, ``<de>``. A value (a number, a day) is in one part alone, so that
dev and test ask for values that were never seen. It shows that everything works, and says little of real texts.
"""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqpipe.data.starter.build_once import Progress, build_once, write_table
from seqpipe.data.starter.random_stream import Draws
from seqpipe.errors import ConfigError

STARTER_TRANSLATION_VERSION: int = 1
"""Part of the folder's name and of every draw: raise it with any change to what is generated."""

LANGUAGES = ("en", "de", "fr")
COUNTS = {"train": 12_000, "dev": 300, "test": 600}
PARTS = tuple(COUNTS)
LARGEST = 999_999
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()


class Pair(NamedTuple):
    """A row of the manifests."""

    kind: str
    value: str
    source: str
    target: str


def made_pairs(part: str, progress: Progress = lambda done, total: None) -> Iterator[Pair]:
    """The rows of a part, none twice.

    Args:
        part: one of ``PARTS``.
        progress: told how many are done, and of how many.

    Raises:
        ConfigError: num2words or Babel is not installed.
    """
    seen: set[str] = set()
    number, done = PARTS.index(part) * 2**32, 0
    while done < COUNTS[part]:
        pair = _made(part, number)
        number += 1
        if pair is None or pair.source in seen:
            continue
        if done % 2000 == 0:
            progress(done, COUNTS[part])
        seen.add(pair.source)
        done += 1
        yield pair
    progress(done, COUNTS[part])


def _made(part: str, number: int) -> Pair | None:
    """A pair of this part; None where the value that is drawn belongs to another one."""
    draws = Draws(2**36 + STARTER_TRANSLATION_VERSION, number)
    origin = draws.choice(LANGUAGES)
    wanted = draws.choice([language for language in LANGUAGES if language != origin])
    kind = draws.choice(("number", "ordinal", "date", "written date"))
    if "date" in kind:
        value = draws.integer(FIRST_DAY, LAST_DAY)
        day = datetime.date.fromordinal(value)
        source = _babel(day, origin) if kind == "date" else day_in_words(day, origin)
        shown, target = day.isoformat(), day_in_words(day, wanted)
    else:
        digits = draws.integer(1, 6)  # as many short numbers as long ones
        value = draws.integer(1, min(10**digits - 1, LARGEST if kind == "number" else 9_999))
        source, target = (in_words(value, language, kind) for language in (origin, wanted))
        shown = str(value)
    return Pair(kind, shown, f"<{wanted}> {source}", target) if part_of(kind, value) == part else None


def part_of(kind: str, value: int) -> str:
    """The part that a value belongs to, whatever its languages; numbers below 100, the words all others have, train."""
    if "date" not in kind and value < 100:
        return "train"
    share = Draws(2**37 + ("date" in kind), value).uniform(0, 1)
    return "test" if share < 0.1 else "dev" if share < 0.15 else "train"


def in_words(value: int, language: str, kind: str = "number") -> str:
    """A number, ``ordinal`` or ``year`` in words, as num2words has it."""
    num2words = _imported("num2words", "num2words").num2words
    written: str = num2words(value, lang=language, to={"number": "cardinal"}.get(kind, kind))
    return written


def day_in_words(day: datetime.date, language: str) -> str:
    """A day with the names that Babel has for weekday and month, and numbers in words: ``Monday, March third, ...``."""
    weekday, month = _babel(day, language, "EEEE"), _babel(day, language, "MMMM")
    year = in_words(day.year, language, "year")
    if language == "en":
        return f"{weekday}, {month} {in_words(day.day, 'en', 'ordinal')}, {year}"
    if language == "de":
        return f"{weekday}, {in_words(day.day, 'de', 'ordinal')}r {month} {year}"
    number = "premier" if day.day == 1 else in_words(day.day, "fr")
    return f"{weekday} {number} {month} {year}"


def _babel(day: datetime.date, language: str, form: str = "full") -> str:
    written: str = _imported("babel.dates", "Babel").format_date(day, form, locale=language)
    return written


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"data.root starter:translation is made with {package}, which is not installed; install seqpipe[demo]"
        ) from None


def write_translation(folder: Path, progress: Progress = lambda done, total: None) -> None:
    """Write ``train.tsv``, ``dev.tsv`` and ``test.tsv`` (id, kind, value, source, target) into a folder.

    Raises:
        OSError: the folder can't be written.
        ConfigError: num2words or Babel is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        lines = ["\t".join(("id", *Pair._fields))]
        pairs = made_pairs(part, progress if part == "train" else lambda done, total: None)
        lines += ["\t".join((f"{part}-{number:05d}", *pair)) for number, pair in enumerate(pairs, 1)]
        write_table(folder / f"{part}.tsv", lines)


def starter_translation(cache: Path | None = None, progress: Progress = lambda done, total: None) -> Path:
    """The folder of the starter pairs in the cache; they are written the first time, in some seconds.

    Args:
        cache: where they are kept; see `cache_folder`.
        progress: told how many of train are done, and of how many.
    """
    name, tables = f"starter-translation-v{STARTER_TRANSLATION_VERSION}", [f"{part}.tsv" for part in PARTS]
    return build_once(name, tables, lambda place: write_translation(place, progress), cache)
