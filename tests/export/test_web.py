"""The page beside an exported model: in a real browser, off a real server."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image, ImageDraw

from seqpipe.answers.transcript import Token, group_words
from seqpipe.config.recipe import load_recipe, parse_recipe
from seqpipe.core.answer import Confidences
from seqpipe.core.calibration import ConfidenceMap
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError
from seqpipe.export.export import export
from seqpipe.export.web.learnt import describe_units
from seqpipe.export.web.onnxruntime import FILES, VERSION, find_onnxruntime_web
from seqpipe.export.web.page import check_page
from seqpipe.features.image.line_image import LineImage
from seqpipe.features.pen.pen_strokes import PenStrokes
from seqpipe.features.speech.channels import to_mono
from seqpipe.features.speech.sinc import resample
from seqpipe.pipeline import Pipeline
from seqpipe.runtime.arrays import log_softmax
from seqpipe.runtime.heads.ctc import best_path, posteriors
from seqpipe.runtime.model import Model
from seqpipe.text.units import SentencePieceUnits

from .browser import ANSWERED, COMPLAINED, READY, Tab, needs_browser, opened, served
from .javascript import in_node, needs_node


@pytest.fixture(scope="module")
def page(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model with its page."""
    try:
        find_onnxruntime_web()
    except ConfigError as error:
        pytest.skip(f"no onnxruntime-web here: {error}")
    folder = tmp_path_factory.mktemp("web") / "page"
    export(trained_run, folder, form="web")
    return folder


@pytest.fixture(scope="module")
def tab(page: Path, tmp_path_factory: pytest.TempPathFactory, speak: Any) -> Iterator[Tab]:
    """The page, loaded, in a browser whose microphone hears "abc"."""
    folder = tmp_path_factory.mktemp("browser")
    sound = np.concatenate([speak("abc", 1), np.zeros(8000, np.float32)])
    soundfile.write(folder / "microphone.wav", resample(sound, 8000, 48_000), 48_000)
    (folder / "profile").mkdir()
    with served(page) as address, opened(folder / "profile", sound=folder / "microphone.wav") as tab:
        tab.go(address)
        tab.until(READY)
        yield tab
        assert tab.errors == []
        assert {"model.onnx", "ort.wasm"} <= {each.rpartition("/")[2] for each in tab.requested}
        assert [each for each in tab.requested if not each.startswith((address, "blob:", "data:"))] == []


def answered(tab: Tab, path: Path, selector: str = "#file") -> dict[str, Any]:
    """What the page shows for a file."""
    tab.value("document.getElementById('summary').textContent = ''")
    tab.choose(selector, path)
    tab.until(ANSWERED)
    words = tab.value(
        "[...document.querySelectorAll('.word')].map(w => [w.textContent, w.style.getPropertyValue('--doubt')])"
    )
    rows = tab.value("[...document.querySelectorAll('#rows tr')].map(row => [...row.cells].map(c => c.textContent))")
    summary = tab.value("document.getElementById('summary').textContent")
    announced = tab.value("document.getElementById('announcement').textContent")
    return {"words": words, "rows": rows, "summary": summary, "announced": announced}


@needs_browser
def test_answers_to_files_are_those_of_the_runtime(
    tab: Tab, page: Path, tone_data: Path, speak: Any, tmp_path: Path
) -> None:
    stereo = resample(speak("cab ba", 7), 8000, 44_100)
    soundfile.write(tmp_path / "stereo.wav", np.stack([0.2 * stereo, stereo], axis=1), 44_100)
    soundfile.write(tmp_path / "tones.flac", speak("b ca", 8), 8000)
    soundfile.write(tmp_path / "tones.ogg", resample(speak("a bc", 9), 8000, 22_050), 22_050)
    soundfile.write(tmp_path / "hardly.wav", 0.05 * np.random.default_rng(3).standard_normal(12_000), 8000)
    paths = [*sorted((tone_data / "dev").glob("*.wav"))[:4], *sorted(tmp_path.glob("*.*"))]
    for path, answer in zip(paths, Model.load(page).predict(paths), strict=True):
        shown = answered(tab, path)
        tolerance = 0.01 if path.suffix != ".ogg" else 0.05  # decoders of Vorbis needn't give the same samples
        assert [text for text, _ in shown["words"]] == [word.text for word in answer.words], path
        for (_, doubt), row, word in zip(shown["words"], shown["rows"], answer.words, strict=True):
            assert 1 - float(doubt) == pytest.approx(word.confidence, abs=tolerance), path
            assert [float(cell.split()[0]) for cell in row[1:3]] == pytest.approx([word.start, word.end], abs=0.011)
        if answer.words:
            assert shown["announced"] == f"Transcript: {answer.text}"
        share = re.search(r"confidence of (under )?(\d+) %", shown["summary"])
        assert share is not None
        assert float(share[2]) / 100 == pytest.approx(answer.confidence, abs=tolerance + 0.005)


@needs_browser
def test_a_person_speaks_using_keys_alone(tab: Tab) -> None:
    tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    for kind in ("mousePressed", "mouseReleased"):  # from the top of the page
        tab.call("Input.dispatchMouseEvent", type=kind, x=2, y=2, button="left", clickCount=1)
    reached = []
    for _ in range(2):
        tab.press("Tab", 9)
        reached.append(tab.value("document.activeElement.id"))
        focused = "document.activeElement.matches('#file') ? document.querySelector('label') : document.activeElement"
        assert tab.value(f"getComputedStyle({focused}).outlineStyle") == "solid"
    assert reached == ["record", "file"]
    tab.value("document.getElementById('record').focus()")
    tab.press("Enter", 13)
    tab.until("document.querySelector('.words.partial .word') !== null")  # while it goes on
    assert tab.value("document.getElementById('record').textContent") == "Stop"
    tab.until("document.getElementById('level').value > 0.3")
    tab.until("document.getElementById('words').textContent.includes('abc')")
    assert not tab.value("document.getElementById('announcement').textContent")
    tab.press("Enter", 13)
    tab.until(ANSWERED)
    assert tab.value("document.activeElement.id") == "record"
    assert "abc" in tab.value("document.getElementById('words').textContent")
    assert "abc" in tab.value("document.getElementById('announcement').textContent")
    assert tab.value("document.querySelector('.words.partial') === null")


@needs_browser
def test_words_are_walked_through_by_arrow_keys(tab: Tab, speak: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "three.wav", speak("ab ca bc", 4), 8000)
    words = [text for text, _ in answered(tab, tmp_path / "three.wav")["words"]]
    assert len(words) == 3
    tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    assert tab.value("[...document.querySelectorAll('.word')].map(each => each.tabIndex)") == [0, -1, -1]
    tab.value("document.querySelector('.word').focus()")
    for key, place in (("ArrowRight", 1), ("End", 2), ("ArrowRight", 2), ("Home", 0)):
        tab.press(key)
        assert tab.value("document.activeElement.textContent") == words[place]
        told = tab.value("document.getElementById('detail').textContent")
        assert re.fullmatch(rf"{words[place]}: \d\.\d\d s to \d\.\d\d s, confidence \d+ %", told)


@needs_browser
def test_whatever_is_operated_has_a_name(tab: Tab) -> None:
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    operated = [
        each for each in nodes if each.get("role", {}).get("value") in ("button", "meter", "progressbar", "table")
    ]
    assert {"Record", "Choose a recording"} <= {each["name"]["value"] for each in operated}
    assert all(each["name"]["value"] for each in operated if each["role"]["value"] != "table")


@needs_browser
def test_what_cannot_be_used_is_told(tab: Tab, speak: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("these are no samples at all, but quite a long text" * 20)
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 302), 8000)
    for name, said in (("notes.wav", "decoded"), ("empty.wav", "is empty"), ("long.wav", "up to 300")):
        tab.value("document.getElementById('problem').hidden = true")
        tab.choose("#file", tmp_path / name)
        assert name in (told := tab.until(COMPLAINED))
        assert said in told
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    tab.value("document.getElementById('problem').hidden = true")
    tab.choose("#file", tmp_path / "silence.wav")
    assert "silent" in tab.until(COMPLAINED)
    soundfile.write(tmp_path / "good.wav", speak("abc", 5), 8000)
    answered(tab, tmp_path / "good.wav")
    assert not tab.value(COMPLAINED)


@needs_browser
def test_without_its_server_and_without_a_microphone(page: Path, speak: Any, tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    soundfile.write(tmp_path / "good.wav", speak("abc", 5), 8000)
    with opened(tmp_path / "profile", microphone=False) as tab:
        with served(page) as address:
            tab.go(address)
            tab.until(READY)
            tab.until("navigator.serviceWorker.ready.then(() => true)")
        tab.call("Page.reload")
        tab.until(READY)
        assert [text for text, _ in answered(tab, tmp_path / "good.wav")["words"]] == ["abc"]
        tab.value("document.getElementById('record').click()")
        assert "microphone" in tab.until(COMPLAINED)


@needs_browser
def test_a_folder_that_lacks_a_file_is_told(page: Path, tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    shutil.copytree(page, tmp_path / "page")
    (tmp_path / "page/model.onnx").unlink()
    with served(tmp_path / "page") as address, opened(tmp_path / "profile") as tab:
        tab.go(address)
        assert "model.onnx can't be loaded (HTTP 404)" in tab.until(COMPLAINED)


def test_the_folder_is_an_exported_model_too_and_whole(page: Path) -> None:
    assert Model.load(page).manifest.head.stage == "CTCHead"
    sizes = json.loads((page / "page.json").read_text())["files"]
    for name, size in sizes.items():
        assert (page / name).stat().st_size == size
    mentioned = {
        found
        for path in page.rglob("*")
        if path.suffix in (".js", ".html") and path.name != "ort.js"
        for found in re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
    }
    assert mentioned == set()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("pipeline.features.0.channels=each", "channels: each"),
        ("pipeline.head.base_direction=rtl", "base_direction"),
        (
            "pipeline.head={stage: AttentionHead, hidden_size: 8, vocabulary_size: 12}",
            "CTCHead, not AttentionHead",
        ),
    ],
)
def test_what_a_page_does_not_know_is_refused(tone_data: Path, override: str, said: str) -> None:
    recipe = load_recipe(tone_data / "tones.yaml", [override])
    pipeline = Pipeline(recipe)
    pipeline.fit(list(read_rows("dev.tsv", recipe.data, suffixes=AUDIO_SUFFIXES, root=tone_data)))
    with pytest.raises(ConfigError, match=said):
        check_page(pipeline, None)


# onnxruntime-web


def test_another_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"something else")
    with pytest.raises(ConfigError, match=rf"other.tgz: isn't the package onnxruntime-web {re.escape(VERSION)}"):
        find_onnxruntime_web(tmp_path / "other.tgz")
    with pytest.raises(ConfigError, match=r"no such file or folder; .*npm pack"):
        find_onnxruntime_web(tmp_path / "missing.tgz")
    with pytest.raises(ConfigError, match=r"holds no dist/"):
        find_onnxruntime_web(tmp_path)


def test_an_unpacked_package_of_another_version_is_refused(page: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    for name, (path, _) in FILES.items():
        shutil.copyfile(page / "onnxruntime" / name, tmp_path / path)
    assert find_onnxruntime_web(tmp_path)["ort.js"] == (page / "onnxruntime/ort.js").read_bytes()
    with (tmp_path / FILES["ort.js"][0]).open("a") as file:
        file.write("\n")
    with pytest.raises(ConfigError, match=r"min\.mjs: isn't that of onnxruntime-web"):
        find_onnxruntime_web(tmp_path)


def test_without_npm_a_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"there is no npm here: .*npm pack.*--onnxruntime-web"):
        find_onnxruntime_web()


@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm here")
def test_without_a_registry_a_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(ConfigError, match=r"npm can't fetch .*--onnxruntime-web"):
        find_onnxruntime_web()
    assert not (tmp_path / "cache").exists()


# Functions, beside those that they stand for


@needs_node
def test_resampling_is_that_of_the_package() -> None:
    samples = np.random.default_rng(0).standard_normal(3000).astype(np.float32)
    pairs = [(44_100, 16_000), (48_000, 16_000), (8000, 16_000), (16_000, 8000), (7999, 16_000), (16_000, 16_000)]
    found = in_node(
        "audio/resample.js",
        "given.pairs.map(pair => Array.from(m.resample(Float32Array.from(given.samples), ...pair)))",
        {"samples": samples.tolist(), "pairs": pairs},
    )
    for pair, each in zip(pairs, found, strict=True):
        wanted = resample(samples, *pair)
        assert len(each) == len(wanted)
        np.testing.assert_allclose(each, wanted, atol=2e-6)


@needs_node
def test_mixing_is_that_of_the_package() -> None:
    noise = np.random.default_rng(1).standard_normal((20_000, 2)).astype(np.float32)
    opposite = np.stack([noise[:, 0], -0.9 * noise[:, 0]], axis=1)
    given = [noise, opposite, opposite[:, ::-1], np.stack([noise[:, 0], 0 * noise[:, 0]], axis=1)]
    for how in ("mix", "first", "loudest"):
        found = in_node(
            "audio/mono.js",
            "given.map(each => Array.from(m.toMono(each.map(c => Float32Array.from(c)), " + json.dumps(how) + ")))",
            [each.T.tolist() for each in given],
        )
        for samples, each in zip(given, found, strict=True):
            np.testing.assert_allclose(each, to_mono(samples, how, "noise"), atol=1e-6)  # type: ignore[arg-type]


@needs_node
def test_rates_are_read_from_headers(tmp_path: Path) -> None:
    rates, samples = {}, 0.1 * np.random.default_rng(2).standard_normal(4000)
    for ending, some in {
        "wav": (8000, 44_100, 96_000),
        "flac": (16_000, 48_000),
        "ogg": (22_050,),
        "mp3": (8000, 22_050, 44_100),
    }.items():
        for rate in some:
            path = tmp_path / f"{rate}.{ending}"
            soundfile.write(path, samples, rate)
            rates[str(path)] = rate
    soundfile.write(tmp_path / "wide.wav", samples, 11_025, subtype="DOUBLE")
    rates[str(tmp_path / "wide.wav")] = 11_025
    tagged = tmp_path / "tagged.mp3"
    tagged.write_bytes(b"ID3\x04\x00\x00\x00\x00\x01\x05" + bytes(133) + (tmp_path / "22050.mp3").read_bytes())
    rates[str(tagged)] = 22_050
    for name, content in (("short", b"RIFF"), ("empty", b""), ("text", b"no audio at all, though it is long enough")):
        (tmp_path / name).write_bytes(content)
        rates[str(tmp_path / name)] = 48_000
    found = in_node(
        "audio/rate.js",
        "await import('node:fs').then(fs => given.map(path => m.rateOf(new Uint8Array(fs.readFileSync(path)))))",
        list(rates),
    )
    assert dict(zip(rates, found, strict=True)) == rates


@needs_node
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_decoding_is_that_of_the_runtime(temperature: float) -> None:
    generator = np.random.default_rng(5)
    rows = [log_softmax(3 * generator.standard_normal((steps, 5)).astype(np.float32)) for steps in (1, 2, 7, 40, 300)]
    rows += [log_softmax(np.tile(np.float32([9, 0, 0, 0, 0]), (12, 1)))]
    found = in_node(
        "answer/ctc.js",
        "given.rows.map(row => { const v = Float32Array.from(row), p = m.bestPath(v, 5, given.temperature);"
        " return [p.labels, p.starts, p.stops, p.posteriors, m.posterior(v, 5, p.labels, given.temperature)]; })",
        {"rows": [row.ravel().tolist() for row in rows], "temperature": temperature},
    )
    for row, each in zip(rows, found, strict=True):
        tempered = log_softmax(row.astype(np.float64) / temperature)
        path = best_path(tempered.astype(np.float32), row.argmax(axis=1))
        assert [each[0], each[1], each[2]] == [list(path.labels), list(path.starts), list(path.stops)]
        np.testing.assert_allclose(each[3], path.posteriors, atol=1e-6)
        assert each[4] == pytest.approx(posteriors([tempered], [path.labels])[0], rel=1e-5)


@needs_node
def test_a_penalty_of_the_blank_lets_labels_through() -> None:
    row = log_softmax(np.float32([[3.0, 2.5, 0.0]]))
    expression = "given.map(penalty => Array.from(m.penalized(Float32Array.from([%s]), 3, penalty)))"
    plain, changed = in_node("answer/ctc.js", expression % ",".join(map(str, row[0])), [0, 1.5])
    np.testing.assert_allclose(plain, row[0], atol=1e-6)
    np.testing.assert_allclose(changed, log_softmax(row[0] - np.float32([1.5, 0, 0])), atol=1e-6)


@needs_node
def test_words_are_those_of_the_package() -> None:
    texts = [
        ["a", "b", " ", "c"],
        [" a", "b", " c", " "],
        ["good d", "ay"],
        ["x\u3000y", "\x1cz"],
        [" ", " "],
        ["\ufeffa"],
        [],
    ]
    tokens = [
        [{"text": text, "start": at, "end": at + 0.5, "confidence": 0.9} for at, text in enumerate(row)]
        for row in texts
    ]
    found = in_node("answer/transcript.js", "given.map(m.groupWords)", tokens)
    for row, each in zip(tokens, found, strict=True):
        wanted = group_words(tuple(Token(**token) for token in row))
        assert [word["text"] for word in each] == [word.text for word in wanted]
        assert [(word["start"], word["end"]) for word in each] == [(word.start, word.end) for word in wanted]
        np.testing.assert_allclose([word["confidence"] for word in each], [word.confidence for word in wanted])


@needs_node
def test_subwords_are_spelt_as_sentencepiece_does() -> None:
    units = SentencePieceUnits.learn(["so it goes on and on", "it is on the going side", "nothing goes"] * 5, 40, "bpe")
    generator = np.random.default_rng(6)
    rows = [generator.integers(1, len(units), generator.integers(0, 9)).tolist() for _ in range(200)] + [
        [0, 5, 0],
        [5, 5],
    ]
    found = in_node(
        "answer/transcript.js",
        "given.rows.map(row => m.spell(row, given.units))",
        {"rows": rows, "units": describe_units(units)},
    )
    assert found == [units.decode(row) for row in rows]


@needs_node
def test_confidences_are_mapped_as_in_the_package() -> None:
    maps = [ConfidenceMap(), ConfidenceMap(0.7, 1.3, -0.2), ConfidenceMap(1.0, 1.0, 0.5, {"log_length": (0.4, 1.1)})]
    values, lengths = [0.0, 1e-9, 0.3, 0.97, 1.0], [0.0, 0.7, 1.1, 2.0, 3.0]
    given = [
        {"log_p": each.log_p, "log_rest": each.log_rest, "intercept": each.intercept, "features": each.features}
        for each in maps
    ]
    found = in_node(
        "answer/calibration.js",
        "given.maps.map(map => given.values.map((value, at) => "
        "m.mapConfidence(value, map, {log_length: given.lengths[at]})))",
        {"maps": given, "values": values, "lengths": lengths},
    )
    for each, wanted in zip(found, maps, strict=True):
        np.testing.assert_allclose(each, wanted(Confidences(values, {"log_length": lengths})), rtol=1e-9)


INKS = [
    [[[0, 0], [1, 4], [2, 0], [3, 4.5], [4, 0.2]], [[5, 0], [5, 5]], [[6, 2]], [[7, 0], [8, -3], [9, 0.1], [10, 4]]],
    [[[3, 3]]],
    [[[0, 0], [0, 0], [10, 0]]],
    [[[x, 0.2 * x + 3 * np.sin(x)] for x in np.arange(0, 20, 0.3)], [[x, 0.2 * x + np.cos(2 * x)] for x in range(20)]],
    [[[x - y / 3, y] for x in range(6) for y in (0, 5)], [[9.25, 1], [9.25, 1]]],
]
"""Strokes with dots, pens that stand still, lines that rise, and writing that leans."""


@needs_node
@pytest.mark.parametrize("height", ["core", "full", "box"])
def test_strokes_are_prepared_as_in_the_package(height: Any) -> None:
    for changes in ({}, {"straighten": True}, {"deslant": True}, {"straighten": True, "deslant": True, "y": "down"}):
        reader = PenStrokes(height=height, step=0.3, **changes)
        found = in_node(
            "readers/strokes.js",
            "given.inks.map(strokes => { const p = m.prepare({strokes, downward: given.downward}, given.options);"
            " return [Array.from(p.values), p.shape, [-1, 0, 0.4, 2.5, 1e9].map(p.locate)]; })",
            {
                "inks": INKS,
                "downward": changes.get("y") == "down",
                "options": {"height": height, "step": 0.3, "max_length": 1000, "straighten": False, "deslant": False}
                | changes,
            },
        )
        for ink, (values, shape, places) in zip(INKS, found, strict=True):
            wanted = reader.prepare(ink, None).numpy()
            assert shape == [1, *wanted.shape]
            np.testing.assert_allclose(np.reshape(values, wanted.shape), wanted, atol=1e-5)
            located = reader.locate(torch.from_numpy(wanted), torch.tensor([-1, 0, 0.4, 2.5, 1e9], dtype=torch.float64))
            np.testing.assert_allclose(places, located, atol=1e-5)


@needs_node
def test_strokes_are_read_in_all_their_shapes() -> None:
    flat, lists = [[0, 1, 2, 3], [5, 5]], [[[0, 1, 0.1], [2, 3, 0.2]], [[5, 5]]]
    given = [flat, lists, {"strokes": flat}, [["a", 1]], [[1, 2, 3]], {"x": [1]}, 3, [[1, 2e12]], None]
    found = in_node("ink/ink.js", "given.map(each => m.parseStrokes(each, 'points'))", given)
    assert found == [[[[0, 1], [2, 3]], [[5, 5]]]] * 3 + [None] * 6
    assert in_node("ink/ink.js", "m.parseStrokes(given, 'differences')", [[1, 2, 1, 1, -3, 0]]) == [
        [[1, 2], [2, 3], [-1, 3]]
    ]


# Handwriting, from a picture and from strokes: random weights, in a browser


def pictures(folder: Path) -> list[Path]:
    """Scrawls on paper: small and large ones, dark and light ones, in colour, grey and with transparency."""
    paths = []
    for number, mode in enumerate(["L", "L", "RGB", "RGBA", "L", "L"]):
        generator = np.random.default_rng(number)
        width, height = [(150, 14), (300, 32), (221, 47), (640, 90), (1903, 301), (200, 31)][number]
        ink, paper = (20, 215) if number != 1 else (240, 30)
        image = Image.new("L", (width, height), paper)
        draw = ImageDraw.Draw(image)
        for x in range(0, width - height // 3, height // 3):
            points = generator.integers(height // 8, height - height // 8, 4)
            draw.line([(x + place * height // 9, int(y)) for place, y in enumerate(points)], ink, max(1, height // 12))
        noise = generator.integers(-8, 9, (height, width))
        values = np.clip(np.asarray(image, int) + noise, 0, 255).astype(np.uint8)
        if mode in ("RGB", "RGBA"):
            values = np.stack([values, values // 2 + 90, values], axis=2).astype(np.uint8)
        if mode == "RGBA":
            opaque = np.where(values[:, :, :1] < 150, 255, 0).astype(np.uint8)
            values = np.concatenate([values, opaque], axis=2)
        paths.append(folder / f"{number}.png")
        Image.fromarray(values).save(paths[-1])
    return paths


@needs_node
@pytest.mark.parametrize("ink", ["auto", "dark", "light"])
@pytest.mark.parametrize("height", [32, 100])
def test_pictures_are_prepared_as_in_the_package(ink: Any, height: int, tmp_path: Path) -> None:
    reader, given, paths = LineImage(height=height, ink=ink), [], pictures(tmp_path)
    for path in paths:
        image = Image.open(path).convert("RGBA")
        white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        given.append({"pixels": np.asarray(white).ravel().tolist(), "width": image.width, "height": image.height})
    found = in_node(
        "readers/lines.js",
        "given.images.map(image => { const p = m.prepare(image, given.options);"
        " return [Array.from(p.values), p.shape, p.locate(1), p.locate(1e9)]; })",
        {"images": given, "options": {"height": height, "ink": ink, "max_length": None, "max_pixels": 50_000_000}},
    )
    for path, (values, shape, first, end) in zip(paths, found, strict=True):
        wanted = reader.prepare(path, None).numpy().astype(int)
        assert shape == [1, *wanted.shape]
        assert np.abs(np.reshape(values, wanted.shape) - wanted).max() <= 2, path
        width = Image.open(path).width
        assert (first, end) == (pytest.approx(width / len(wanted)), pytest.approx(width))


def untrained(folder: Path, features: list[dict[str, Any]], inputs: list[Any]) -> Path:
    """A run with random weights, those of the last layer so large that labels other than one win."""
    recipe = parse_recipe(
        {
            "data": {"train": "train.tsv"},
            "pipeline": {
                "features": features,
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 8, "layers": 1},
                "head": {"stage": "CTCHead"},
            },
        },
        "a test",
    )
    pipeline = Pipeline(recipe)
    pipeline.fit([Row(str(number), raw, "ab c") for number, raw in enumerate(inputs)])
    with torch.no_grad():
        pipeline.head.output.weight.mul_(8)  # type: ignore[union-attr]
    pipeline.eval()
    pipeline.save(folder)
    return folder


@needs_browser
@pytest.mark.parametrize("kind", ["LineImage", "PenStrokes"])
def test_handwriting_is_answered_as_by_the_runtime(kind: str, page: Path, tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    runtime = tmp_path / "package"
    (runtime / "dist").mkdir(parents=True)
    for name, (path, _) in FILES.items():
        shutil.copyfile(page / "onnxruntime" / name, runtime / path)
    if kind == "LineImage":
        inputs: list[Any] = pictures(tmp_path)
        paths, features, selector = inputs, [{"stage": "LineImage", "height": 24}], "#image-file"
    else:
        inputs, paths, selector = INKS, [tmp_path / f"{number}.json" for number in range(len(INKS))], "#ink-file"
        features = [{"stage": "PenStrokes", "step": 0.3}, {"stage": "StrokeFeatures"}]
        for path, ink in zip(paths, INKS, strict=True):
            path.write_text(json.dumps(ink))
    run = untrained(tmp_path / "run", features, inputs)
    export(run, tmp_path / "page", form="web", onnxruntime_web=runtime)
    with served(tmp_path / "page") as address, opened(tmp_path / "profile") as tab:
        tab.go(address)
        tab.until(READY)
        said = []
        for path, answer in zip(paths, Model.load(tmp_path / "page").predict(inputs), strict=True):
            shown = answered(tab, path, selector)
            said.append(answer.text)
            assert [text for text, _ in shown["words"]] == [word.text for word in answer.words], path
            for (_, doubt), row, word in zip(shown["words"], shown["rows"], answer.words, strict=True):
                assert 1 - float(doubt) == pytest.approx(word.confidence, abs=0.02)
                assert [float(cell.split()[1]) for cell in row[1:3]] == pytest.approx([word.start, word.end], abs=0.51)
        assert len(set(said)) > 2
        assert tab.errors == []
        if kind == "PenStrokes":  # and with a mouse
            tab.value("document.getElementById('empty').click()")
            tab.value("document.getElementById('summary').textContent = ''")
            box = tab.value("(b => [b.left, b.top])(document.getElementById('pad').getBoundingClientRect())")
            for kind_of_event, moved in (("mousePressed", 20), *(("mouseMoved", 20 + 3 * n) for n in range(20))):
                place = {"x": box[0] + moved, "y": box[1] + 60 + 30 * np.sin(moved / 5)}
                tab.call(
                    "Input.dispatchMouseEvent", type=kind_of_event, button="left", buttons=1, clickCount=1, **place
                )
            tab.call("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1, **place)
            tab.until(ANSWERED)
            assert tab.value("document.getElementById('summary').textContent").startswith("1 stroke,")
