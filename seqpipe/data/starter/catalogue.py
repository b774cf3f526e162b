"""Starter data by name: made on this machine, once, with nothing to download."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from seqpipe.data.starter.build_once import Progress
from seqpipe.data.starter.digits import starter_digits
from seqpipe.data.starter.handwriting import starter_handwriting
from seqpipe.data.starter.language import starter_language
from seqpipe.data.starter.sentiment import starter_sentiment
from seqpipe.data.starter.speech import starter_speech
from seqpipe.data.starter.translation import starter_translation
from seqpipe.errors import ConfigError


def starter_data(name: str) -> Path:
    """The folder of the named starter data in the cache, made if it isn't there.

    Raises:
        ConfigError: there is no starter data of that name.
    """
    makers: dict[str, Callable[[], Path]] = {
        "handwriting": lambda: starter_handwriting(progress=_saying("lines")),
        "language": starter_language,
        "sentiment": starter_sentiment,
        "speech": lambda: starter_speech(progress=_saying("recordings")),
        "translation": lambda: starter_translation(progress=_saying("pairs")),
    }
    if name not in makers:
        raise ConfigError(f"data.root: there is no starter data called {name}; known: {', '.join(makers)}")
    return makers[name]()


def starter_source(name: str) -> Path:
    """The manifest of the named starter rows in the cache, made if it isn't there.

    Raises:
        ConfigError: there are no starter rows of that name.
    """
    if name != "digits":
        raise ConfigError(f"data.train_also: there are no starter rows called {name}; known: digits")
    return starter_digits(progress=_saying("recordings"))


def _saying(what: str) -> Progress:
    """Tells standard error how far the making has come."""

    def say(done: int, total: int) -> None:
        if done == 0 or done == total or done % 400 == 0:
            print(f"making the starter {what}: {done} of {total}", file=sys.stderr, flush=True)

    return say
