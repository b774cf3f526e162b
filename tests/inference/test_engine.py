import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqpipe
from seqpipe.answers.failure import Failure
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.inference import engine as module
from seqpipe.inference.compute import Compute
from seqpipe.inference.engine import Engine, rounded
from seqpipe.inference.predictor import Predictor
from seqpipe.inference.reading import Reader
from seqpipe.inference.slot import IDLE, PAUSE, Pause
from seqpipe.inference.window import Budget, Window
from seqpipe.inference.workers import Workers


@pytest.fixture(scope="module")
def predictor(trained_run: Path) -> Predictor:
    return seqpipe.load(trained_run, device="cpu", window=8, threads=2)


@pytest.fixture(scope="module")
def rows(predictor: Predictor, tone_data: Path) -> list[Row]:
    return list(read_rows("dev.tsv", predictor.pipeline.recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data))


def run(predictor: Predictor, inputs: Any, compute: Any = None, **options: Any) -> list[Window | Pause]:
    """All windows, and the engine's budgets as `options["budgets"]`."""
    budgets = options.pop("budgets", [])
    engine = Engine(predictor.pipeline, predictor.settings, compute or predictor.compute, on_budget=budgets.append)
    engine.budgets = list(budgets)
    workers = Workers(predictor.preparation, count=2)
    return list(engine.windows(Reader(predictor.preparation, workers), inputs, **options))


def answers(windows: list[Window | Pause]) -> list[Any]:
    return [answer for window in windows if isinstance(window, Window) for answer in window.answers]


def test_windows_are_a_pure_function_of_the_inputs(predictor: Predictor, rows: list[Row]) -> None:
    inputs = [*rows, "gone.wav", *rows[:6]]
    whole = run(predictor, inputs)
    assert [len(window.answers) for window in whole] == [8, 8, 7]
    assert [window.number for window in whole] == [0, 1, 2]
    # What is left of them, taken up at any window, has the same answers to the last bit.
    for first in (1, 2):
        rest = run(predictor, inputs[8 * first :], first=first)
        assert [(window.number, window.digest) for window in rest] == [
            (window.number, window.digest) for window in whole[first:]
        ]
        assert answers(rest) == answers(whole[first:])


def test_windows_grow_to_their_size(trained_run: Path, rows: list[Row]) -> None:
    predictor = seqpipe.load(trained_run, device="cpu", window=100)
    sizes = [len(window.answers) for window in run(predictor, (rows * 20)[:300])]
    assert sizes == [32, 64, 100, 100, 4]


def test_a_digest_tells_ids_and_inputs_apart(predictor: Predictor, rows: list[Row]) -> None:
    lists = [rows[:4], rows[1:4], [rows[1], rows[0], *rows[2:4]], [*rows[:3], "gone.wav"]]
    digests = [run(predictor, inputs)[0].digest for inputs in lists]
    assert len(set(digests)) == len(digests)
    assert digests[0] == run(predictor, rows[:4])[0].digest


def test_a_pause_closes_the_window_before_it(predictor: Predictor, rows: list[Row]) -> None:
    said = run(predictor, [*rows[:3], PAUSE, *rows[3:6], PAUSE, PAUSE, *rows[6:9]])
    shape = [len(item.answers) if isinstance(item, Window) else "pause" for item in said]
    assert shape == [3, "pause", 3, "pause", "pause", 3]
    assert [answer.text for answer in answers(said)] == [row.target for row in rows[:9]]


def test_what_comes_before_a_pause_is_answered_before_more_is_asked_for(predictor: Predictor, rows: list[Row]) -> None:
    asked = []

    def live() -> Iterator[Any]:
        for row in rows[:4]:
            asked.append(row.id)
            yield row
            yield PAUSE

    engine = Engine(predictor.pipeline, predictor.settings, predictor.compute)
    workers = Workers(predictor.preparation, count=2)
    stream = engine.windows(Reader(predictor.preparation, workers), live())
    for number in range(4):
        window = next(item for item in stream if isinstance(item, Window))
        assert [answer.id for answer in window.answers] == [rows[number].id] == asked[-1:]


def test_an_idle_source_gets_answers_to_whole_windows_alone(predictor: Predictor, rows: list[Row]) -> None:
    said = run(predictor, [*rows[:11], IDLE, *rows[11:], IDLE])
    shape = [len(item.answers) if isinstance(item, Window) else "idle" for item in said]
    assert shape == [8, "idle", 8, "idle"]


# Memory


class Small:
    """A `Compute` whose memory holds so many padded samples at once."""

    def __init__(self, compute: Compute, samples: int) -> None:
        self.compute, self.samples = compute, samples
        self.clock, self.responder = compute.clock, compute.responder

    def submit(self, units: list[Any], alone: bool) -> Any:
        if len(units) * max(len(unit.prepared) for unit in units) > self.samples:
            return self.compute._many.submit(self._fail)
        return self.compute.submit(units, alone)

    def _fail(self) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def free_memory(self) -> None:
        pass


def test_when_memory_runs_out_batches_get_smaller_and_answers_stay(predictor: Predictor, rows: list[Row]) -> None:
    expected = answers(run(predictor, rows))
    budgets: list[Budget] = []
    said = run(predictor, rows, Small(predictor.compute, 50_000), budgets=budgets)
    assert [answer.text for answer in answers(said)] == [answer.text for answer in expected]
    for one, other in zip(expected, answers(said), strict=True):
        assert other.confidence == pytest.approx(one.confidence, abs=1e-5)
    steps = [budget.steps for budget in budgets]
    assert steps == [predictor.settings.batch_steps >> (1 + halved) for halved in range(len(steps))]
    assert len(steps) >= 2
    # A run that goes on with window 1, knowing the budgets, has the bits of the one that found them out.
    again = run(predictor, rows[8:], Small(predictor.compute, 50_000), budgets=list(budgets), first=1)
    assert answers(again) == answers(said)[8:]


def test_an_input_that_alone_is_too_large_is_a_failure_and_the_rest_is_answered(
    predictor: Predictor, rows: list[Row]
) -> None:
    inputs = [*rows[:3], {"array": np.zeros(80_000), "sampling_rate": 8000}, *rows[3:6]]
    said = answers(run(predictor, inputs, Small(predictor.compute, 50_000)))
    assert isinstance(said[3], Failure)
    assert said[3].kind == "out of memory"
    assert "10.0 seconds" in said[3].message
    assert [answer.text for answer in said[:3] + said[4:]] == [row.target for row in rows[:6]]


def test_other_errors_come_through(predictor: Predictor, rows: list[Row]) -> None:
    class Broken(Small):
        def _fail(self) -> None:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        run(predictor, rows, Broken(predictor.compute, 10))


@pytest.mark.parametrize("steps", [1, 8, 9, 100, 257, 3000, 99_999])
def test_rounded_steps_are_few_and_little_more(steps: int) -> None:
    assert steps <= rounded(steps) <= max(steps + 7, steps * 1.125)
    octave = {rounded(number) for number in range(1 << steps.bit_length(), 2 << steps.bit_length())}
    assert len(octave) <= 17


# Long inputs


def test_a_long_input_is_cut_and_stitched_whatever_is_held_at_once(
    trained_run: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    silence = np.zeros(4000)
    parts = [(soundfile.read(row.input.source)[0], row.target) for row in rows]
    samples = np.concatenate([item for part, _ in parts for item in (part, silence)])
    text = " ".join(target for _, target in parts)
    long = {"array": samples, "sampling_rate": 8000}
    inputs = [rows[0], long, rows[1], long]
    predictor = seqpipe.load(trained_run, device="cpu", segment_seconds=6)
    (window,) = run(predictor, inputs)
    first, joined, second, again = window.answers
    assert (first.text, second.text) == (rows[0].target, rows[1].target)
    assert joined.text.replace(" ", "") == text.replace(" ", "")  # this model was never told where such spaces are
    assert [word.text for word in joined.words] == joined.text.split()
    places = [place for word in joined.words for place in (word.start, word.end)]
    assert places == sorted(places)
    assert len(samples) / 8000 - 3 < places[-1] <= len(samples) / 8000
    assert again.words == joined.words
    assert window.seconds == pytest.approx(sum(len(part) for part, _ in parts[:2]) / 8000 + 2 * len(samples) / 8000)
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 100_000)  # two pieces
    (chunked,) = run(predictor, inputs)
    assert [answer.text for answer in chunked.answers] == [answer.text for answer in window.answers]


def test_a_long_input_that_breaks_off_is_one_failure(trained_run: Path, rows: list[Row], tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 400_000), 8000)
    path.write_bytes(path.read_bytes()[:500_000])
    predictor = seqpipe.load(trained_run, device="cpu", segment_seconds=6)
    said = list(predictor.predict([rows[0], path, rows[1]]))
    assert [answer.id for answer in said] == [rows[0].id, str(path), rows[1].id]
    assert isinstance(said[1], Failure)
    assert said[1].kind == "truncated"


def test_absurd_lengths_are_refused_by_the_header(trained_run: Path, rows: list[Row]) -> None:
    predictor = seqpipe.load(trained_run, device="cpu", max_seconds=4)
    long = {"array": np.zeros(80_000), "sampling_rate": 8000}
    said = list(predictor.predict([rows[0], long]))
    assert said[0].text == rows[0].target
    assert said[1].kind == "too long"
    assert said[1].message == "2: is 10 seconds long; 4 are allowed (--max-seconds, max_seconds)"


# Threads of the caller's


def test_many_threads_may_ask_at_once(predictor: Predictor, rows: list[Row]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    orders = list(itertools.islice(itertools.permutations(rows, 16), 0, 40_000_000, 5_000_000))
    expected = {answer.id: answer.text for answer in predictor.predict(rows)}
    with ThreadPoolExecutor(len(orders)) as pool:
        for order, said in zip(orders, pool.map(lambda order: list(predictor.predict(order)), orders), strict=True):
            assert [answer.id for answer in said] == [row.id for row in order]
            assert {answer.id: answer.text for answer in said} == expected
