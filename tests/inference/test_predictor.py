import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import seqpipe
from seqpipe.answers.failure import Failure
from seqpipe.answers.transcript import Transcript
from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError
from seqpipe.inference.predictor import Predictor
from seqpipe.inference.reading import GROUP
from seqpipe.inference.settings import FIRST_WINDOW
from seqpipe.pipeline import Pipeline

Speak = Callable[[str, int], np.ndarray]


@pytest.fixture(scope="module")
def predictor(trained_run: Path) -> Predictor:
    return seqpipe.load(trained_run, device="cpu")


@pytest.fixture(scope="module")
def rows(predictor: Predictor, tone_data: Path) -> list[Row]:
    return list(read_rows("dev.tsv", predictor.pipeline.recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data))


def test_answers_come_in_the_order_of_the_inputs(predictor: Predictor, rows: list[Row]) -> None:
    for order in (rows, rows[::-1], random.Random(0).sample(rows, len(rows))):
        answers = list(predictor.predict(order))
        assert [answer.id for answer in answers] == [row.id for row in order]
        assert [answer.text for answer in answers] == [row.target for row in order]


def test_an_answer_does_not_depend_on_its_company(predictor: Predictor, rows: list[Row], speak: Speak) -> None:
    noise = np.random.default_rng(0).standard_normal(8000)
    inputs = [row.input for row in rows] + [
        {"array": samples, "sampling_rate": 8000}
        for samples in (noise * 0.1, noise[:700] * 3, np.zeros(200), speak("abc cab bca " * 6, 1), np.zeros(40_000))
    ]
    alone = [next(predictor.predict([item])) for item in inputs]
    together = list(predictor.predict(inputs))
    order = random.Random(1).sample(range(len(inputs)), len(inputs))
    shuffled = dict(zip(order, predictor.predict([inputs[place] for place in order]), strict=True))
    small = list(Predictor(predictor.pipeline, device="cpu", batch_steps=150).predict(inputs))
    for place, answer in enumerate(alone):
        for other in (together[place], shuffled[place], small[place]):
            assert other.text == answer.text
            assert other.confidence == pytest.approx(answer.confidence, abs=1e-5)
            places = [[(word.text, word.start, word.end) for word in each.words] for each in (other, answer)]
            assert places[0] == places[1]
            sure = [word.confidence for word in answer.words]
            assert [word.confidence for word in other.words] == pytest.approx(sure, abs=1e-5)
            for one, two in zip(answer.tokens, other.tokens, strict=True):
                assert (two.text, two.start, two.end) == (one.text, one.start, one.end)
                assert two.confidence == pytest.approx(one.confidence, abs=1e-5)


def test_confidences_are_probabilities_and_high_where_the_model_is_right(predictor: Predictor, rows: list[Row]) -> None:
    answers = list(predictor.predict(rows))
    assert all(0 <= answer.confidence <= 1 for answer in answers)
    assert all(0 <= token.confidence <= 1 for answer in answers for token in answer.tokens)
    (noise,) = predictor.predict([{"array": np.random.default_rng(0).standard_normal(8000), "sampling_rate": 8000}])
    assert noise.confidence < min(answer.confidence for answer in answers)


# Laziness

READ_AHEAD = 3 * FIRST_WINDOW + GROUP * 6
"""The first two windows, and what two workers have in hand."""


def test_an_endless_source_is_answered_and_read_no_further_than_a_window(predictor: Predictor, rows: list[Row]) -> None:
    read = 0

    def endless() -> Iterator[Row]:
        nonlocal read
        for row in itertools.cycle(rows):
            read += 1
            yield row

    answers = predictor.predict(endless())
    assert read == 0
    first = next(answers)
    assert first.id == rows[0].id
    assert len(rows) <= read <= READ_AHEAD
    for _ in range(2):
        next(answers)
    assert read <= READ_AHEAD
    answers.close()


def test_long_inputs_close_a_window_early(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = predictor.pipeline.features.reader
    monkeypatch.setattr(reader, "measure", replace(reader.measure, window_length=50.0))  # ten of these inputs
    read = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal read
        while True:
            read += 1
            yield {"array": np.zeros(40_000), "sampling_rate": 8000}

    next(predictor.predict(endless()))
    assert 10 <= read <= 20 + GROUP * (2 * predictor.workers + 2)


def test_order_is_kept_over_many_windows(predictor: Predictor, rows: list[Row]) -> None:
    inputs = [*rows, "gone.wav", *rows]
    answers = list(Predictor(predictor.pipeline, device="cpu", window=5).predict(iter(inputs)))
    assert [answer.id for answer in answers] == [row.id for row in rows] + ["gone.wav"] + [row.id for row in rows]


def test_no_inputs_give_no_answers(predictor: Predictor) -> None:
    assert list(predictor.predict([])) == []


# Failures


@pytest.fixture
def broken(tmp_path: Path) -> list[tuple[Any, str]]:
    """Inputs that can't be used, each with the kind of its failure."""
    (tmp_path / "text.wav").write_text("this is text")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    soundfile.write(tmp_path / "good.wav", np.zeros(8000), 8000)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan, 0.5] * 100), 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "whole.flac", np.random.default_rng(0).uniform(-1, 1, 20_000), 8000)
    flac = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "half.flac").write_bytes(flac[: len(flac) // 2])
    return [
        (tmp_path / "gone.wav", "missing"),
        ("no\0name", "missing"),
        (tmp_path / "good.wav" / "inside.wav", "missing"),
        ("x" * 5000 + ".wav", "unreadable"),
        (tmp_path / "folder.wav", "not a file"),
        (tmp_path / "empty.wav", "empty"),
        (tmp_path / "none.wav", "empty"),
        (tmp_path / "text.wav", "undecodable"),
        (b"no audio either", "undecodable"),
        (tmp_path / "nan.wav", "non-finite"),
        (tmp_path / "half.flac", None),  # libsndfile's versions differ in what they say
        (FileSpan(tmp_path / "good.wav", 2.0), "bad value"),
        (FileSpan(tmp_path / "good.wav", 0.5, 0.4), "bad value"),
        (5, "bad value"),
        (None, "bad value"),
        ({"array": np.zeros(100)}, "bad value"),
        ({"array": ["a"], "sampling_rate": 8000}, "bad value"),
        ({"array": np.zeros((2, 3, 4)), "sampling_rate": 8000}, "bad value"),
        ({"array": np.zeros(100), "sampling_rate": 0}, "bad value"),
        ({"array": np.zeros(0), "sampling_rate": 8000}, "empty"),
        ({"array": np.array([np.inf]), "sampling_rate": 8000}, "non-finite"),
    ]


def test_each_broken_input_gives_a_failure_in_its_place(
    broken: list[tuple[Any, str]], predictor: Predictor, rows: list[Row]
) -> None:
    inputs = [item for pair in zip([item for item, _ in broken], itertools.cycle(rows), strict=False) for item in pair]
    answers = list(predictor.predict(inputs))
    for (item, kind), answer in zip(broken, answers[::2], strict=True):
        assert isinstance(answer, Failure), item
        assert kind in (answer.kind, None), (item, answer)
        assert answer.to_json() == {"id": answer.id, "error": answer.kind, "message": answer.message}
        if isinstance(item, (str, Path)):
            assert answer.id == str(item)
            assert str(item)[:20] in answer.message
    expected = [row.target for row in itertools.islice(itertools.cycle(rows), len(broken))]
    assert [answer.text for answer in answers[1::2]] == expected


def test_failures_alone_are_no_trouble(predictor: Predictor) -> None:
    assert [answer.kind for answer in predictor.predict(["a.wav", "b.wav"])] == ["missing", "missing"]


def test_a_failure_handed_in_is_handed_through(predictor: Predictor, rows: list[Row]) -> None:
    failure = Failure("line 3", "bad value", "no JSON")
    answers = list(predictor.predict([rows[0], failure, rows[1]]))
    assert answers[1] is failure
    assert [answers[0].id, answers[2].id] == [rows[0].id, rows[1].id]


# Kinds of input, places


def test_paths_bytes_arrays_spans_and_rows_are_the_same_to_the_model(predictor: Predictor, rows: list[Row]) -> None:
    path = rows[0].input.source
    samples, rate = soundfile.read(path, dtype="float32")
    inputs = [path, str(path), path.read_bytes(), {"array": samples, "sampling_rate": rate}, FileSpan(path), rows[0]]
    inputs.append({"array": np.stack([samples, samples], axis=1), "sampling_rate": rate})
    answers = list(predictor.predict(inputs))
    assert [answer.id for answer in answers] == [str(path), str(path), "3", "4", str(path), rows[0].id, "7"]
    assert {answer.text for answer in answers} == {rows[0].target}
    assert len({answer.confidence for answer in answers}) == 1


def check_places(answer: Transcript, start: float, end: float) -> None:
    """All places lie in the input, and follow each other."""
    for items in (answer.tokens, answer.words):
        places = [place for item in items for place in (item.start, item.end)]
        assert places == sorted(places)
        assert all(start <= place <= end for place in places), (answer, start, end)
        assert all(item.end > item.start for item in items)
    assert "".join(token.text for token in answer.tokens) == answer.text
    assert [word.text for word in answer.words] == answer.text.split()


def test_places_lie_inside_the_input_wherever_it_is_cut(predictor: Predictor, rows: list[Row]) -> None:
    cuts = [FileSpan(row.input.source, 0.0, cut / 200) for row in rows[:4] for cut in range(30, 120, 4)]
    for span, answer in zip(cuts, predictor.predict(cuts), strict=True):
        check_places(answer, 0.0, min(span.end, soundfile.info(span.source).duration) + 1e-9)


def test_a_letter_at_every_step_fills_the_input_and_no_more(trained_run: Path) -> None:
    pipeline = Pipeline.load(trained_run)
    with torch.no_grad():
        pipeline.head.output.bias[1] += 1e6  # nothing else can win, at any step
    inputs = [{"array": np.zeros(length), "sampling_rate": 8000} for length in range(1000, 1400, 7)]
    for item, answer in zip(inputs, Predictor(pipeline, device="cpu").predict(inputs), strict=True):
        (token,) = answer.tokens
        duration = len(item["array"]) / 8000
        assert token.start == 0.0
        assert duration - 0.02 <= token.end <= duration  # steps are 0.02 s


def test_places_are_where_the_tones_are(predictor: Predictor, speak: Speak) -> None:
    silence = np.zeros(8000)
    (answer,) = predictor.predict([{"array": np.concatenate([silence, speak("b", 1), silence]), "sampling_rate": 8000}])
    assert answer.text == "b"
    assert 1.0 <= (answer.tokens[0].start + answer.tokens[0].end) / 2 <= 1.0 + len(speak("b", 1)) / 8000


def test_places_in_a_span_are_those_of_the_whole_file(predictor: Predictor, rows: list[Row], tmp_path: Path) -> None:
    samples, rate = soundfile.read(rows[0].input.source)
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([np.zeros(3 * rate), samples, np.zeros(rate)]), rate)
    alone, inside = predictor.predict([rows[0], FileSpan(path, 3.0, 3.0 + len(samples) / rate)])
    assert inside.id == f"{path}@3"
    assert inside.text == alone.text == rows[0].target
    assert [token.start for token in inside.tokens] == pytest.approx([token.start + 3 for token in alone.tokens])
    check_places(inside, 3.0, 3.0 + len(samples) / rate)


# Settings


def test_bf16_says_the_same_of_what_is_easy(predictor: Predictor, rows: list[Row], trained_run: Path) -> None:
    half = seqpipe.load(trained_run, device="cpu", precision="bf16")
    for one, other in zip(predictor.predict(rows), half.predict(rows), strict=True):
        assert other.text == one.text
        assert other.confidence == pytest.approx(one.confidence, abs=0.05)


@pytest.mark.parametrize("given", ["a.wav", b"RIFF", Path("a.wav"), {"array": [0.0]}, np.zeros(3), FileSpan(Path("a"))])
def test_one_input_in_the_place_of_several_is_told(given: Any, predictor: Predictor) -> None:
    with pytest.raises(TypeError, match="predict takes a list of inputs"):
        predictor.predict(given)


def test_wrong_settings_are_told(trained_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"precision should be fp32 or bf16; received 'fp8'"):
        seqpipe.load(trained_run, precision="fp8")
    with pytest.raises(ConfigError, match=r"decoding\.methd is not known; did you mean method\?"):
        seqpipe.load(trained_run, decoding={"methd": "greedy"})
    with pytest.raises(ConfigError, match=r"precison: is no setting; did you mean precision\?"):
        seqpipe.load(trained_run, precison="bf16")
    with pytest.raises(
        ConfigError, match=r"methd: is no setting; options of the answer are given as decoding=.'method'"
    ):
        seqpipe.load(trained_run, methd="greedy")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_gives_the_answers_of_the_cpu(
    precision: str, predictor: Predictor, rows: list[Row], trained_run: Path
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    there = seqpipe.load(trained_run, device="cuda", precision=precision)
    for one, other in zip(predictor.predict(rows * 5), there.predict(rows * 5), strict=True):
        assert other.text == one.text
        assert other.confidence == pytest.approx(one.confidence, abs=1e-4 if precision == "fp32" else 0.05)
    alone = next(there.predict(rows[:1]))
    assert alone.confidence == pytest.approx(
        next(there.predict(rows)).confidence, abs=1e-4 if precision == "fp32" else 0.05
    )
