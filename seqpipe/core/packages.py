"""Packages that only some models or files need: an error says which, and the extra that brings it."""

from __future__ import annotations

import importlib.util

from seqpipe.errors import ConfigError

MODULES = {"pillow": "PIL", "python-bidi": "bidi"}
"""Names that packages are imported by, where they differ."""


def lacking(package: str, extra: str) -> str:
    """What is said of a package that isn't there, behind a subject.

    Args:
        package: as it is installed.
        extra: of the small distribution, which brings it; seqpipe itself requires it.
    """
    return f"needs {package}, which isn't installed: pip install {package} (the extra {extra} of seqpipe-runtime)"


def require(package: str, extra: str, subject: str) -> None:
    """Look whether a package is there, so that a model that needs it is refused before its first input.

    Args:
        package, extra: see `lacking`.
        subject: what needs it.

    Raises:
        ConfigError: it isn't installed.
    """
    if importlib.util.find_spec(MODULES.get(package, package)) is None:
        raise ConfigError(f"{subject} {lacking(package, extra)}")
