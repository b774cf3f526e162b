"""Borders of words by frames, fitted by the command to a model that knows tones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import seqpipe
from seqpipe import model_file
from seqpipe.cli import main
from seqpipe.errors import DataError, RunError
from seqpipe.inference import word_borders
from seqpipe.inference.word_borders import fit_borders, read_borders
from seqpipe.model_file import BORDERS
from seqpipe.pipeline import Pipeline

RATE = 8000


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of the run that is fitted."""
    shutil.copytree(trained_run, tmp_path / "run")
    return tmp_path / "run"


def places_of(text: str, seed: int) -> list[tuple[float, float]]:
    """Where each tone is, as they were drawn."""
    generator = np.random.default_rng(seed)
    at, places = generator.uniform(0.02, 0.1), []
    for _ in text:
        length = 0.10 * generator.uniform(0.8, 1.2)
        generator.uniform(0.97, 1.03)
        places.append((at, at + length))
        at += length + 0.04
    return places


def test_units_and_words_are_where_their_tones_are(
    run: Path, tmp_path: Path, speak: Callable[[str, int], np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["ab ca", "c b a", "bb ac", "abc cab"]
    inputs = []
    for number, text in enumerate(texts):
        soundfile.write(tmp_path / f"{number}.wav", speak(text, number), RATE)
        inputs.append((str(tmp_path / f"{number}.wav"), text))
    before = list(seqpipe.load(run, device="cpu").align(inputs))
    assert main(["fit-borders", str(run)]) == 0
    assert capsys.readouterr().out.endswith("from 80 of 80 rows\n")
    after = list(seqpipe.load(run, device="cpu").align(inputs))
    overlaps = []
    for number, (found, same) in enumerate(zip(after, before, strict=True)):
        assert found.verdict == same.verdict, "these are CTC's"
        assert [word.verdict for word in found.words] == [word.verdict for word in same.words]
        for token, (start, end) in zip(found.tokens, places_of(texts[number], number), strict=True):
            if token.text != " ":
                overlaps.append(max(token.start, start) < min(token.end, end))
        for word, following in zip(found.words, found.words[1:], strict=False):
            assert word.start < word.end <= following.start
    assert np.mean(overlaps) >= 0.8, "each unit with its own tone; windows of 0.14 s are long beside tones of 0.1"
    for pair, together in zip(inputs, after, strict=True):
        (alone,) = seqpipe.load(run, device="cpu").align([pair])
        places = [[(each.start, each.end) for each in found.words] for found in (alone, together)]
        assert places[0] == places[1], "a row in a batch has the same places as by itself"


def test_a_recording_in_segments_has_the_places_that_it_has_whole(
    run: Path, tmp_path: Path, speak: Callable[[str, int], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["abc cab", "ca bb", "bca ab", "cc ba", "ab"] * 3
    pieces = [part for number, text in enumerate(texts) for part in (speak(text, number), np.zeros(RATE // 4))]
    soundfile.write(tmp_path / "long.wav", np.concatenate(pieces).astype(np.float32), RATE)
    fit_borders(run)
    pair = (str(tmp_path / "long.wav"), " ".join(texts))
    (whole,) = seqpipe.load(run, device="cpu", segment_seconds=None).align([pair])
    monkeypatch.setattr("seqpipe.inference.word_borders.MAX_CELLS", 2000)  # in windows too
    (parted,) = seqpipe.load(run, device="cpu", segment_seconds=5).align([pair])
    differences = [abs(one.start - other.start) for one, other in zip(whole.words, parted.words, strict=True)]
    # Each segment is normalised by itself, so a few words differ by a pause.
    assert np.median(differences) < 0.06
    assert all(one.end <= other.start for one, other in zip(parted.words, parted.words[1:], strict=False))


def test_they_are_of_these_weights_and_no_others(run: Path, tone_data: Path, tmp_path: Path) -> None:
    assert read_borders(run) is None
    lines = (tone_data / "train.tsv").read_text().splitlines()[:6]
    (tmp_path / "few.tsv").write_text("\n".join([lines[0], *(f"{tone_data}/{line}" for line in lines[1:])]) + "\n")
    with pytest.raises(DataError, match=r"few.tsv: 5 rows can be aligned, and at least 20 are needed"):
        fit_borders(run, [str(tmp_path / "few.tsv")])
    fitted = fit_borders(run)
    made = fitted.trigraphs
    assert fitted.rows >= 20
    kept = read_borders(run)
    assert kept is not None
    assert kept.numbers == made.numbers
    assert np.array_equal(kept.weights, made.weights)
    content = (run / BORDERS).read_bytes()
    pipeline = Pipeline.load(run)
    pipeline.head.output.bias.data += 1.0
    pipeline.save(run)
    assert not (run / BORDERS).exists(), "those of the weights before go with them"
    (run / BORDERS).write_bytes(content)
    with pytest.raises(RunError, match=r"was fitted to another model .* run `seqpipe fit-borders"):
        seqpipe.load(run)
    (run / BORDERS).write_bytes(content[:100])
    with pytest.raises(RunError, match=r"borders.safetensors: is damaged"):
        seqpipe.load(run)


def test_rows_that_cannot_be_aligned_are_counted_by_what_is_wrong_with_them(
    run: Path, tone_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *rows = (tone_data / "train.tsv").read_text().splitlines()
    place = header.split("\t").index("text")
    cells = [row.split("\t") for row in rows[:24]]
    cells[0][place] = "abc cab " * 40
    cells[1][place] = "7"
    (tmp_path / "damaged.wav").write_bytes((tone_data / rows[2].split("\t")[0]).read_bytes()[:60])
    lines = ["\t".join([str(tone_data / own[0]), *own[1:]]) for own in cells]
    lines.append(lines[2].replace(str(tone_data / cells[2][0]), str(tmp_path / "damaged.wav")))
    lines.append(lines[2].replace(str(tone_data / cells[2][0]), str(tmp_path / "gone.wav")))
    (tmp_path / "some.tsv").write_text("\n".join([header, *lines]) + "\n")
    found = fit_borders(run, [str(tmp_path / "some.tsv")])
    assert (found.rows, found.available) == (22, 26)
    assert sum(found.passed_over.values()) == 4
    assert {"too short for its label", "unknown character", "missing"} < set(found.passed_over)
    assert str(found).startswith("3 characters, ")
    assert "passed over: 1 " in str(found)


def test_loading_hashes_the_weights_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_borders(run)
    hashed = []
    real = model_file.hash_file
    for module in (model_file, word_borders):
        monkeypatch.setattr(module, "hash_file", lambda path: hashed.append(path) or real(path), raising=False)
    assert seqpipe.load(run).trigraphs is not None
    assert run / model_file.MODEL not in hashed
