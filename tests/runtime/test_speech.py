"""A speech model without torch, beside the chain that it was exported from."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import seqpipe
import seqpipe.runtime
from seqpipe.answers.failure import Failure
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.decoding.ctc import label_posteriors
from seqpipe.export.export import export
from seqpipe.inference.predictor import Predictor
from seqpipe.runtime.heads.ctc import posteriors
from seqpipe.runtime.model import Model

Speak = Callable[[str, int], np.ndarray]


@pytest.fixture(scope="module")
def predictor(trained_run: Path) -> Predictor:
    return seqpipe.load(trained_run, device="cpu")


@pytest.fixture(scope="module")
def rows(predictor: Predictor, tone_data: Path) -> list[Row]:
    return list(read_rows("dev.tsv", predictor.pipeline.recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data))


@pytest.fixture(scope="module", params=["fp32", "int8"])
def model(request: pytest.FixtureRequest, trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("exported") / request.param
    export(trained_run, folder, precision=request.param)
    return Model.load(folder, threads=2)


def same(answer: Any, other: Any, tolerance: float) -> None:
    assert answer.text == other.text
    assert answer.confidence == pytest.approx(other.confidence, abs=tolerance)
    for ours, theirs in ((answer.tokens, other.tokens), (answer.words, other.words)):
        assert [part.text for part in ours] == [part.text for part in theirs]
        np.testing.assert_allclose([part.start for part in ours], [part.start for part in theirs], atol=1e-9)
        np.testing.assert_allclose([part.end for part in ours], [part.end for part in theirs], atol=1e-9)
        np.testing.assert_allclose(
            [part.confidence for part in ours], [part.confidence for part in theirs], atol=tolerance
        )


def odd_inputs(speak: Speak) -> list[Any]:
    noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    samples = [
        noise * 0.1,
        noise[:700],
        np.zeros(200),
        speak("abc cab", 1),
        np.zeros(1),
        np.zeros(23_457),
        noise[:641] * 0.3,
    ]
    other_rate = {"array": np.repeat(speak("cab", 2), 2), "sampling_rate": 16_000}
    stereo = {"array": np.stack([speak("ab", 3)] * 2, axis=1), "sampling_rate": 8000, "start": 2.5}
    return [*({"array": each, "sampling_rate": 8000} for each in samples), other_rate, stereo]


def test_answers_are_those_of_the_chain(model: Model, predictor: Predictor, rows: list[Row], speak: Speak) -> None:
    inputs = [*(row.input for row in rows), *odd_inputs(speak)]
    if model.manifest.precision == "int8":
        inputs = inputs[: len(rows)]
    for answer, other in zip(model.predict(inputs), predictor.predict(inputs), strict=True):
        same(answer, other, 1e-4 if model.manifest.precision == "fp32" else 0.05)


def test_an_answer_does_not_depend_on_its_company(model: Model, rows: list[Row], speak: Speak) -> None:
    inputs = [*(row.input for row in rows), *odd_inputs(speak)]
    together = list(model.predict(inputs))
    for place, raw in enumerate(inputs):
        (alone,) = model.predict([raw])
        if model.manifest.precision == "int8":
            assert [alone.text, alone.confidence, alone.tokens] == [
                together[place].text,
                together[place].confidence,
                together[place].tokens,
            ]
        else:
            same(alone, together[place], 1e-5)


def test_long_recordings_are_answered_in_segments(
    model: Model, predictor: Predictor, speak: Speak, tmp_path: Path
) -> None:
    pause = np.zeros(1600, np.float32)
    soundfile.write(
        tmp_path / "long.wav", np.concatenate([part for n in range(60) for part in (speak("abc", n), pause)]), 8000
    )
    settings = {"segment_seconds": 5.0}
    model.settings = type(model.settings)(threads=1, **settings)
    ours = next(model.predict([tmp_path / "long.wav"]))
    theirs = next(Predictor(predictor.pipeline, device="cpu", segment_seconds=5.0).predict([tmp_path / "long.wav"]))
    if model.manifest.precision == "fp32":
        same(ours, theirs, 1e-4)
    assert ours.text == theirs.text == "abc" * 60


def test_what_cannot_be_read_is_a_failure_in_its_place(model: Model, rows: list[Row], tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "empty.wav").touch()
    inputs = [rows[0].input, tmp_path / "missing.wav", tmp_path / "text.wav", tmp_path / "empty.wav", rows[1].input]
    answers = list(model.predict(inputs))
    assert [isinstance(answer, Failure) for answer in answers] == [False, True, True, True, False]
    assert [answer.kind for answer in answers[1:4]] == ["missing", "undecodable", "empty"]
    assert all(name in answer.message for name, answer in zip(("missing", "text", "empty"), answers[1:4], strict=True))


def test_limits(model: Model) -> None:
    model.settings = type(model.settings)(threads=1, max_seconds=1.0)
    (answer,) = model.predict([{"array": np.zeros(9000), "sampling_rate": 8000}])
    assert answer.kind == "too long"
    assert "max_seconds" in answer.message


def test_one_input_in_the_place_of_several(model: Model) -> None:
    with pytest.raises(TypeError, match="received one"):
        model.predict("a.wav")


@pytest.mark.parametrize("seed", range(5))
def test_posteriors_are_those_of_the_loss(seed: int) -> None:
    import torch

    from seqpipe.core.sequence import PaddedSequence

    generator = torch.Generator().manual_seed(seed)
    rows = [
        torch.log_softmax(3 * torch.randn(length, 6, generator=generator), dim=1) for length in (1, 9, 40, 3, 1, 200)
    ]
    labels = [[], [1, 1, 2], [3, 3, 3, 1, 5, 5], [4], [2], torch.randint(1, 6, (60,), generator=generator).tolist()]
    wanted = label_posteriors(PaddedSequence.pad(rows), labels)
    found = posteriors([row.double().numpy() for row in rows], labels)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_labels_that_do_not_fit_have_no_posterior() -> None:
    rows = [np.log(np.full((2, 3), 1 / 3)), np.log(np.full((1, 3), 1 / 3))]
    assert posteriors(rows, [[1, 1], [1]]) == [0.0, pytest.approx(1 / 3)]


FOREIGN = "torch torchaudio lightning pandas librosa pydantic scipy pyarrow datasets sklearn matplotlib numba"


def test_nothing_heavy_is_imported(model: Model, trained_run: Path, rows: list[Row], tmp_path: Path) -> None:
    export(trained_run, tmp_path / "exported")
    code = f"""
import json, sys
import seqpipe.runtime
model = seqpipe.runtime.load({str(tmp_path / "exported")!r})
answers = [answer.to_json() for answer in model.predict([{str(rows[0].input.path)!r}])]
print(json.dumps({{"answers": answers, "heavy": [name for name in {FOREIGN.split()!r} if name in sys.modules]}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert found["answers"][0]["text"] == rows[0].target
