import sys
from collections import Counter

import pytest

from seqpipe.answers.failure import Failure
from seqpipe.core.measure import STEPS, seconds
from seqpipe.inference.job import Summary
from seqpipe.inference.progress import SHOWN, Progress, clock, describe
from seqpipe.inference.window import Window


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05"), (360_000, "100:00:00")])
def test_a_clock_shows_hours_minutes_seconds(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_the_summary_says_what_was_done_kept_and_failed_and_where_time_went() -> None:
    summary = Summary(inputs=1500, kept=1000, failures=Counter(missing=2, empty=1), seconds=7200.0, elapsed=20.0)
    assert describe(summary, seconds(16_000), {"reading": 1.0, "model": 3.0}).splitlines() == [
        "500 inputs, 2:00:00 of audio, in 20.0 s: 360 times real time (real-time factor 0.0028)",
        "1,000 more were kept from before: 1,500 in all",
        "3 failed: 2 missing, 1 empty",
        "time of all threads and processes: reading 25 %, model 75 %",
    ]
    assert describe(summary, STEPS, {}).splitlines()[0] == "500 inputs, 7,200 steps, in 20.0 s: 360 steps a second"


def test_nothing_answered_is_no_division_by_zero() -> None:
    summary = Summary(inputs=1, failures=Counter(missing=1))
    assert (
        describe(summary, seconds(16_000), {}).splitlines()[0] == "1 inputs, 0:00 of audio, in 0.0 s: 0 times real time"
    )
    assert describe(Summary(), seconds(16_000), {}) == "there were no inputs"


def test_plain_lines_say_how_far_it_is_and_many_failures_of_a_kind_are_cut_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqpipe.inference import progress as module

    monkeypatch.setattr(module, "FIRST_LINE", 0.0)
    failures = [Failure(f"{number}.wav", "missing", f"{number}.wav: no such file") for number in range(30)]
    summary = Summary(inputs=30, failures=Counter(missing=30), seconds=60.0, elapsed=10.0)
    with Progress(seconds(16_000), lambda: 120) as progress:
        while progress.total is None:
            pass
        progress.update(Window(0, failures, "", 60.0), summary)
    said = capsys.readouterr().err.splitlines()
    assert said[:SHOWN] == [f"failed: {number}.wav: no such file" for number in range(SHOWN)]
    assert said[SHOWN:] == [
        "failed (missing): more of this kind stand in the output alone",
        "30 of 120 inputs, 1:00 of audio, 6 times real time, 30 failed, 0:30 left",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(seconds(16_000), lambda: 1, quiet=True) as progress:
        progress.update(Window(0, [Failure("a", "missing", "a: no such file")], "", 0.0), Summary(inputs=1))
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_plain_lines_where_there_is_no_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(seconds(16000), lambda: 2) as progress:
        progress.update(Window(0, [Failure("b", "missing", "b: no such file")], "x", 0.0), Summary(inputs=1))
    assert capsys.readouterr().err == "failed: b: no such file\n"
