"""Schemes of tags that mark spans: which tag may follow which, and from one scheme to another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from seqpipe.decoding.spans import OUTSIDE, spans_of, split_tag
from seqpipe.errors import ConfigError, InputError, did_you_mean

Scheme = Literal["bio", "bioes", "none"]

# Prefixes that may start a span, and those that leave one open
OPENING = {"bio": ("B",), "bioes": ("B", "S")}
OPEN = ("B", "I")
CONTINUING = {"bio": ("I",), "bioes": ("I", "E")}

_PREFIXES = (OUTSIDE, "B", "I", "E", "S")
"""Of the schemes that are read; `split_tag` gives BILOU's as those of BIOES."""
_LETTER, _SEPARATOR = "[BIESLUbieslu]", r"[-_.:/|\s]+"
_SHOWN = 5
"""Odd tags in a message."""


@dataclass(frozen=True, slots=True)
class AllowedTags:
    """What a scheme allows of K tags, in the order in which they were given.

    Attributes:
        start: ``[K]`` bool, tags that may come first.
        transitions: ``[K, K]`` bool, from the first to the second.
        end: ``[K]`` bool, tags that may come last.
    """

    start: Tensor
    transitions: Tensor
    end: Tensor

    def constrain(self, transitions: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores with -inf where the scheme forbids: transitions ``[K, K]``, start ``[K]`` and end ``[K]``."""
        return (
            transitions.masked_fill(~self.transitions.to(transitions.device), -torch.inf),
            start.masked_fill(~self.start.to(start.device), -torch.inf),
            end.masked_fill(~self.end.to(end.device), -torch.inf),
        )


def allowed_tags(tags: Sequence[str], scheme: Scheme) -> AllowedTags:
    """The starts, transitions and ends that a scheme allows.

    - ``bio`` (IOB2): I-x only after B-x or I-x.
    - ``bioes`` (also BILOU, with L for E and U for S): a span of one word is S-x, a longer one B-x, I-x ..., E-x; what
      is open is closed before anything else, and at the end.
    - ``none``: everything.

    Where this gives an allowed sequence for a length, a best path under ``constrain`` is valid; there is one for every
    length, since at least one tag can follow itself from start to end.

    Raises:
        ConfigError: the scheme is not known; a tag is not one of the scheme's (``O``, or a prefix, a hyphen and a type;
            a prefix alone has the empty type); or no sequence of one word is allowed (neither O, nor B- or S-).
    """
    if scheme not in get_args(Scheme):
        raise ConfigError(f"the tag scheme {scheme!r} is not known{did_you_mean(scheme, get_args(Scheme))}")
    size = len(tags)
    if scheme == "none":
        return AllowedTags(*(torch.ones(shape, dtype=torch.bool) for shape in ((size,), (size, size), (size,))))
    parts = [split_tag(tag) for tag in tags]
    known = (OUTSIDE, *OPENING[scheme], *CONTINUING[scheme])
    for tag, (prefix, _) in zip(tags, parts, strict=True):
        if prefix not in known or (prefix == OUTSIDE and tag != OUTSIDE):
            raise ConfigError(
                f"the tag {tag!r} is none of the scheme {scheme!r} (O, or one of {', '.join(known[1:])}, a hyphen and "
                "a type); set the scheme to none, or convert the tags"
            )
    fresh = torch.tensor([prefix == OUTSIDE or prefix in OPENING[scheme] for prefix, _ in parts], dtype=torch.bool)
    # In bioes an open span has to be closed; in bio anything closes it
    closed = torch.tensor([scheme == "bio" or prefix not in OPEN for prefix, _ in parts], dtype=torch.bool)
    continuing = torch.tensor(
        [
            [prefix in OPEN and after in CONTINUING[scheme] and kind == after_kind for after, after_kind in parts]
            for prefix, kind in parts
        ],
        dtype=torch.bool,
    ).reshape(size, size)
    if not bool((fresh & closed).any()):
        raise ConfigError(
            f"the tags {', '.join(tags)} allow no sequence of one word in the scheme {scheme!r}: there is neither O "
            f"nor a tag with {OPENING[scheme][-1]}-; add one, or set the scheme to none"
        )
    return AllowedTags(fresh, continuing | (closed[:, None] & fresh), closed)


def check_tags(tags: Sequence[str], scheme: Scheme) -> None:
    """See that tags are written as those of a scheme: O, or a prefix with a type behind a hyphen, or a prefix alone.

    Prefixes of any scheme will do, since `convert` reads them all; with ``none``, so will everything.

    Raises:
        InputError: some aren't (``bad value``); the message shows them, and how one should be written if that is plain.
    """
    odd = [] if scheme == "none" else [tag for tag in dict.fromkeys(tags) if not _is_written(tag)]
    if not odd:
        return
    shown = ", ".join(map(repr, odd[:_SHOWN])) + (f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else "")
    meant = next(((tag, found) for tag in odd if (found := _meant(tag))), None)
    mark = "marks" if len(odd) == 1 else "mark"
    raise InputError(
        "bad value",
        f"{shown} {mark} no span of the scheme {scheme}: tags are like B-PER, I-PER, O, "
        f"in BIOES E-PER and S-PER too{f'; write {meant[1]} for {meant[0]}' if meant else ''}",
    )


def _is_written(tag: str) -> bool:
    prefix, kind = split_tag(tag)
    return prefix in _PREFIXES and not (prefix == OUTSIDE and kind)


def _meant(tag: str) -> str | None:
    """The tag that one with another separator, with its prefix behind or in lower case is meant for, if any."""
    if tag in ("o", "0"):
        return OUTSIDE
    for pattern in (
        rf"(?P<prefix>{_LETTER}){_SEPARATOR}(?P<kind>.+)",
        rf"(?P<kind>.+){_SEPARATOR}(?P<prefix>{_LETTER})",
    ):
        if found := re.fullmatch(pattern, tag, re.DOTALL):
            return f"{found['prefix'].upper()}-{found['kind']}"
    return None


def convert(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """The spans of a sequence in any scheme, written in ``bio`` or ``bioes``; ``none`` leaves the tags as they are.

    Read as conlleval reads (``spans.spans_of``), which makes IOB1, where I- starts a span unless it touches another of
    its type, and a span that begins with I- by mistake, into a proper one: ``I-PER I-PER O`` is ``B-PER I-PER O``.

    Raises:
        ConfigError: the scheme is not known.
    """
    if scheme not in get_args(Scheme):
        raise ConfigError(f"the tag scheme {scheme!r} is not known{did_you_mean(scheme, get_args(Scheme))}")
    if scheme == "none":
        return list(tags)
    result = [OUTSIDE] * len(tags)
    for kind, first, stop in spans_of(tags):
        prefixes = ["B"] + ["I"] * (stop - first - 1)
        if scheme == "bioes":
            prefixes[-1] = "E" if stop - first > 1 else "S"
        result[first:stop] = [f"{prefix}-{kind}" if kind else prefix for prefix in prefixes]
    return result
