import os
import signal
import threading
from collections.abc import Callable

import pytest

from seqpipe.training.interruption import Interruption


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class PressedWhileDropped:
    """Python prints and drops an exception that leaves a destructor."""

    def __del__(self) -> None:
        press()


def train(interruption: Interruption, *steps: Callable[[], object]) -> list[int]:
    """Run the steps until one is interrupted; the numbers of those that ended."""
    ended: list[int] = []
    with pytest.raises(KeyboardInterrupt), interruption.listening():  # noqa: PT012
        for number, step in enumerate(steps):
            step()
            ended.append(number)
    return ended


def test_a_signal_inside_a_destructor_is_not_lost() -> None:
    interruption = Interruption()
    begin = interruption.on_train_batch_start
    assert train(interruption, begin, PressedWhileDropped, begin, begin) == [0, 1]


def test_scoring_ends_too() -> None:
    interruption = Interruption()
    begin = interruption.on_validation_batch_start
    assert train(interruption, begin, press, begin, begin) == [0, 1]


def test_a_signal_after_the_last_step_counts() -> None:
    assert train(Interruption(), press) == [0]


def test_a_second_signal_does_not_wait_for_a_step() -> None:
    assert train(Interruption(), press, lambda: None, press, lambda: None) == [0, 1]


def as_lightning_answers() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(1)


def test_the_exit_of_the_trainer_is_an_interrupt_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert train(Interruption(), as_lightning_answers) == []
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_nothing_is_taken() -> None:
    handlers: list[object] = []

    def work() -> None:
        with Interruption().listening():
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]
