import os
import signal
import threading
from collections.abc import Callable

import pytest

from seqpipe.core.interruption import SIGNALS, Interruption


def send(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


class PressedWhileDropped:
    """Python prints and drops an exception that leaves a destructor."""

    def __del__(self) -> None:
        send()


def steps(interruption: Interruption, *actions: Callable[[], object]) -> list[int]:
    """Run the actions as steps; the numbers of those that ended. As training does, it looks after each."""
    ended: list[int] = []
    with interruption.listening():
        interruption.stepping = True
        for number, action in enumerate(actions):
            action()
            ended.append(number)
            if interruption.received:
                break
    return ended


def nothing() -> None:
    pass


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_end_of_the_step(number: int) -> None:
    assert steps(Interruption(), nothing, lambda: send(number), nothing) == [0, 1]


def test_a_signal_inside_a_destructor_is_not_lost() -> None:
    assert steps(Interruption(), nothing, PressedWhileDropped, nothing) == [0, 1]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_does_not_wait(number: int) -> None:
    def twice() -> None:
        send()
        send(number)

    with pytest.raises(KeyboardInterrupt):
        steps(Interruption(), twice)
    assert steps(Interruption(patient=True), twice, nothing) == [0]  # one of several processes


def test_before_the_first_step_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption().listening():
        send()


def test_the_exit_of_the_trainer_is_an_interrupt_and_the_handlers_are_put_back() -> None:
    def as_lightning_answers() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise SystemExit(1)

    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyboardInterrupt):
        steps(Interruption(), as_lightning_answers)
    assert [signal.getsignal(number) for number in SIGNALS] == before


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
