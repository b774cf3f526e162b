"""Dividing a stream of inputs over machines, by length."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from seqpipe.answers.failure import Failure
from seqpipe.core.input import Input
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, InputError

GROUP_INPUTS = 1024
"""Inputs that are divided together. Part of the division: another number gives every machine other inputs."""
THREADS = 16
"""That read headers. They mostly wait: on a network's file system all of them at once."""


def parse_shard(text: str) -> tuple[int, int]:
    """``I/N``, I from 1 to N -> (index from 0, count).

    Raises:
        ConfigError: it is something else.

    Example:
        >>> parse_shard("2/8")
        (1, 8)
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise ConfigError(f"--shard should be I/N, I from 1 to N, as 2/8 for the second of eight; received {text!r}")
    return number - 1, count


def group_of(row: Row | Failure) -> Hashable:
    """What an input belongs to that one machine is to have whole: a page; None of what stands by itself."""
    return row.input.group if isinstance(row, Row) and isinstance(row.input, Input) else None


def shard(
    rows: Iterable[Row | Failure],
    index: int,
    count: int,
    length_of: Callable[[Row], float],
    group_of: Callable[[Row | Failure], Hashable] = group_of,
) -> Iterator[Row | Failure]:
    """The inputs of one machine out of ``count``: each input belongs to exactly one, which all agree on unasked.

    Inputs are looked at in fixed groups. Those of a group are dealt from the longest to the shortest, each to the shard
    that has the least so far (longest processing time first: Graham 1969), so at any time two shards differ by the
    longest input at most. Inputs of a group that follow one another are dealt as one: who writes pages has whole ones,
    and a page's image is read by one machine alone. What has no length (a `Failure`, an input that can't be
    measured, an empty one) goes to the shard with the fewest of these. No more than a group is held in memory, so the
    stream may be endless.

    Every machine measures every input, so all of them have to see the same files: one that is missing on one machine
    alone shifts what comes after it.

    Args:
        rows: the same on all machines, in the same order.
        index: of this machine, from 0.
        count: of machines. With one, nothing is measured.
        length_of: length of an input, in any measure, called from several threads; `InputError` if it has none.
        group_of: what an input belongs to, or None.

    Returns:
        The shard's inputs, in the order in which they came.

    Raises:
        ConfigError: ``index`` is not between 0 and ``count``.
    """
    if not 0 <= index < count:
        raise ConfigError(f"index of a shard should be 0 to {count - 1}, one less than their count; received {index}")
    return iter(rows) if count == 1 else _dealt(_bundles(iter(rows), group_of), index, count, length_of)


def _dealt(
    bundles: Iterator[list[Row | Failure]], index: int, count: int, length_of: Callable[[Row], float]
) -> Iterator[Row | Failure]:
    def length(row: Row | Failure) -> float:
        if isinstance(row, Failure) or row.problem is not None:
            return 0
        try:
            measured = length_of(row)
        except InputError:
            return 0
        return measured if 0 < measured < math.inf else 0

    def together(bundle: list[Row | Failure]) -> float:
        return sum(map(length, bundle))

    groups = _groups(bundles)
    totals: list[tuple[float, int]] = [(0, number) for number in range(count)]  # a heap: the least, first shard first
    without_length = 0
    with ThreadPoolExecutor(THREADS) as threads:
        for group in groups:
            lengths = list(threads.map(together, group))
            own = []
            # Stable: equal ones as they came.
            for place in sorted(range(len(group)), key=lambda place: -lengths[place]):
                if lengths[place]:
                    total, chosen = totals[0]
                    heapq.heapreplace(totals, (total + lengths[place], chosen))
                else:
                    chosen = without_length % count
                    without_length += 1
                if chosen == index:
                    own.append(place)
            yield from (row for place in sorted(own) for row in group[place])


def _bundles(
    rows: Iterator[Row | Failure], group_of: Callable[[Row | Failure], Hashable]
) -> Iterator[list[Row | Failure]]:
    """Inputs that stay together: those of the same group, one after the other; anything else by itself."""
    bundle: list[Row | Failure] = []
    group = None
    for row in rows:
        of = group_of(row)
        if bundle and of != group:
            yield bundle
            bundle = []
        if of is None:
            yield [row]
        else:
            bundle.append(row)
        group = of
    if bundle:
        yield bundle


def _groups(bundles: Iterator[list[Row | Failure]]) -> Iterator[list[list[Row | Failure]]]:
    """Bundles of so many inputs together, or a few more."""
    group: list[list[Row | Failure]] = []
    count = 0
    for bundle in bundles:
        group.append(bundle)
        count += len(bundle)
        if count >= GROUP_INPUTS:
            yield group
            group, count = [], 0
    if group:
        yield group
