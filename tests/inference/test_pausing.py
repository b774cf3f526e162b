import threading
from collections.abc import Iterator

import pytest

from seqpipe.errors import DataError
from seqpipe.inference.pausing import with_pauses
from seqpipe.inference.slot import PAUSE


def test_items_come_through_in_order_and_a_pause_only_after_one() -> None:
    more = threading.Event()

    def live() -> Iterator[int]:
        yield 1
        yield 2
        more.wait(60)
        yield 3

    stream = with_pauses(live(), lambda: False, seconds=0.05)
    assert [next(stream), next(stream), next(stream)] == [1, 2, PAUSE]
    more.set()
    assert list(stream) == [3]


def test_a_source_that_never_pauses_has_no_pause() -> None:
    assert list(with_pauses(range(1000), lambda: False, seconds=5)) == list(range(1000))


def test_a_silent_source_is_left_when_told_to_stop() -> None:
    never = threading.Event()
    told = []

    def silent() -> Iterator[int]:
        yield 1
        never.wait(60)

    def stop() -> bool:
        told.append(1)
        return len(told) > 2

    assert list(with_pauses(silent(), stop, seconds=0.02)) == [1, PAUSE]
    never.set()


def test_an_error_of_the_source_is_raised_behind_what_came_before() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise DataError("list.tsv: is gone")

    stream = with_pauses(failing(), lambda: False)
    assert next(stream) == 1
    with pytest.raises(DataError, match=r"list\.tsv: is gone"):
        next(stream)
