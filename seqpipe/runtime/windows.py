"""Answers of an exported model, window by window, as `seqpipe.inference.job.Job` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seqpipe.inference.slot import Pause, digest_of
from seqpipe.inference.window import Window
from seqpipe.runtime.model import Answered, Model


def make_windows(
    model: Model, inputs: Iterable[object], first: int, *, done: int, at_once: bool
) -> Iterator[Window | Pause]:
    """Windows in order.

    A window is some whole groups of the model's (`Model.groups`), so that what was stopped between two windows goes on
    with the groups that it would have had.

    Args:
        model: answers.
        inputs: what is left of them, of which none holds several.
        first: number of the first window, when earlier ones are done.
        done: inputs of these.
        at_once: a window for each group, for its answers to come as soon as they can; else fewer and larger ones, since
            making one safe takes two waits for the disk.
    """
    most = model.reader.measure.window_length
    number, held = first, Answered()
    for group in model.groups(inputs, done=done):
        if isinstance(group, Pause):
            if held:
                yield _window(number, held)
                number, held = number + 1, Answered()
            yield group
            continue
        held += group
        is_long = sum(slot.seconds for _, slot in held) >= most
        if at_once or is_long or len(held) >= model.settings.window_inputs(number):
            yield _window(number, held)
            number, held = number + 1, Answered()
    if held:
        yield _window(number, held)


def _window(number: int, answered: Answered) -> Window:
    slots = [slot for _, slot in answered]
    warnings = [warning for slot in slots for warning in slot.warnings]
    seconds = sum(slot.seconds for slot in slots)
    return Window(number, [answer for answer, _ in answered], digest_of(slots), seconds, warnings)
