"""Starter data by name: made on this machine, once, with nothing to download."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from seqpipe.errors import ConfigError


def starter_data(name: str) -> Path:
    """The folder of the named starter data in the cache, made if it isn't there.

    Raises:
        ConfigError: there is no starter data of that name.
    """
    if name == "sentiment":
        from seqpipe.data.starter.sentiment import starter_sentiment

        return starter_sentiment()
    if name == "handwriting":
        from seqpipe.data.starter.handwriting import starter_handwriting

        return starter_handwriting(progress=_saying("lines"))
    if name == "translation":
        from seqpipe.data.starter.translation import starter_translation

        return starter_translation(progress=_saying("pairs"))
    if name != "speech":
        known = "handwriting, sentiment, speech, translation"
        raise ConfigError(f"data.root: there is no starter data called {name}; known: {known}")
    from seqpipe.data.starter.speech import starter_speech

    return starter_speech(progress=_saying("recordings"))


def starter_source(name: str) -> Path:
    """The manifest of the named starter rows in the cache, made if it isn't there.

    Raises:
        ConfigError: there are no starter rows of that name.
    """
    if name != "digits":
        raise ConfigError(f"data.train_also: there are no starter rows called {name}; known: digits")
    from seqpipe.data.starter.digits import starter_digits

    return starter_digits(progress=_saying("recordings"))


def _saying(what: str) -> Callable[[int, int], None]:
    """Tells standard error how far the making has come."""

    def say(done: int, total: int) -> None:
        if done == 0 or done == total or done % 400 == 0:
            print(f"making the starter {what}: {done} of {total}", file=sys.stderr, flush=True)

    return say
