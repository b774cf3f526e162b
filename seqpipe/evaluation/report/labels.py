"""What was recognised where: bands over an input, and text below it that doesn't overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from seqpipe.core.answer import Mark
from seqpipe.core.metric import Pair

CHARACTER_PIXELS, MAX_LANES = 8, 5
UNSURE = 0.7
"""Confidence below which a part of an answer is marked."""


@dataclass(frozen=True)
class Band:
    """Where a mark lies: ``left`` and ``width`` in pixels, whether its item is ``wrong``, and what it is, in words."""

    left: float
    width: float
    wrong: bool
    title: str


@dataclass(frozen=True)
class Label:
    """Text of an item below its marks.

    Attributes:
        text: of the item.
        middle: of the text, in pixels.
        lane: line of text, from 0.
        wrong: whether the item is wrong.
        unsure: whether a part of it has a low confidence.
    """

    text: str
    middle: float
    lane: int
    wrong: bool
    unsure: bool


def describe(mark: Mark, unit: str) -> str:
    """A mark in words: ``on: 1.20 to 1.31 s, confidence 0.98``."""
    digits = 2 if unit == "s" else 0
    places = f"{mark.start:.{digits}f} to {mark.end:.{digits}f}"
    places = f"{unit}s {places}" if len(unit) > 2 else f"{places} {unit}"
    return f"{mark.text.strip()}: {places}, confidence {mark.confidence:.2f}"


def place_labels(marks: Sequence[Mark], bands: Sequence[Band], width: float) -> tuple[list[Label], int]:
    """The items' text below their marks, in as many lines as it takes not to overlap, and how many that are."""
    labels: list[Label] = []
    lane_ends: list[float] = []
    numbered = list(enumerate(marks))
    for _, group in groupby(numbered, key=lambda entry: (entry[0],) if entry[1].item is None else entry[1].item):
        members = list(group)
        text = "".join(mark.text for _, mark in members).strip()
        first, last = bands[members[0][0]], bands[members[-1][0]]
        half = CHARACTER_PIXELS * len(text) / 2 + 2
        middle = min(max((first.left + last.left + last.width) / 2, half), width - half)
        free = [lane for lane, lane_end in enumerate(lane_ends) if lane_end <= middle - half]
        lane = free[0] if free else len(lane_ends)
        if lane == MAX_LANES:  # so dense that something must overlap
            lane = int(np.argmin(lane_ends))
        elif lane == len(lane_ends):
            lane_ends.append(0.0)
        lane_ends[lane] = middle + half
        unsure = min(mark.confidence for _, mark in members) < UNSURE
        labels.append(Label(text, middle, lane, first.wrong, unsure))
    return labels, len(lane_ends)


def wrong_items(pairs: Sequence[Pair], marks: Sequence[Mark]) -> set[int]:
    """Positions of the answer's items that are wrong; none if rules of scoring have changed how many there are."""
    answered = [said == heard for said, heard in pairs if heard]
    if max((mark.item for mark in marks if mark.item is not None), default=-1) != len(answered) - 1:
        return set()
    return {place for place, right in enumerate(answered) if not right}


def spelt(marks: Sequence[Mark], pairs: Sequence[Pair]) -> tuple[list[Mark], set[int]] | None:
    """Marks as items of their own, and which of them hold a wrong character; None if it can't be told which hold which.

    Args:
        marks: parts of an answer, in their order: characters, or several of them.
        pairs: characters of the reference beside those of the answer.
    """
    text = "".join(mark.text for mark in marks)
    wrong = [said != heard for said, heard in pairs if heard]
    compared = "".join(heard for _, heard in pairs)
    begin = len(text) - len(text.lstrip())
    if text.strip().lower() != compared.lower() or len(text.strip()) != len(wrong):  # rules of scoring changed it
        return None
    found, place = set(), -begin
    for number, mark in enumerate(marks):
        if any(wrong[max(place, 0) : max(place + len(mark.text), 0)]):
            found.add(number)
        place += len(mark.text)
    return [replace(mark, item=number) for number, mark in enumerate(marks)], found
