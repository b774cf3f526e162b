"""Pages for texts, in a real browser: models with random weights, beside the runtime, and what a person sees."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.config.recipe import parse_recipe
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError
from seqpipe.export.export import export
from seqpipe.export.web.onnxruntime import find_onnxruntime_web
from seqpipe.export.web.page import MAX_TOKENS, MAX_TOKENS_REWRITTEN, check_page
from seqpipe.pipeline import Pipeline
from seqpipe.runtime.model import Model

from .browser import COMPLAINED, READY, Tab, needs_browser, opened, served
from .javascript import assert_alike

ROWS = [
    "The cat sat on the well-known mat",
    "a dog and a cat ran home at 12:30",
    "Dogs don't sit, cats do!",
    "the naïve café in New York",
    "the dog sat",
    "Anna met Boris in Paris",
]
TEXTS = [
    *ROWS,
    "Zebras met the dog in a café , don't they ?  Yes",
    "x",
    "dog dog dog the the cat " * 4,
    "Łódź\n👍🏽 ist “schön” …",
]
SPANS = [["O"] * len(row.split()) for row in ROWS]
SPANS[3][4:] = ["B-LOC", "I-LOC"]
SPANS[5][0], SPANS[5][2], SPANS[5][4] = "B-PER", "B-PER", "B-LOC"
WORDS: list[dict[str, Any]] = [{"stage": "Tokens"}, {"stage": "Embedding", "size": 6}]
SHARED: list[dict[str, Any]] = [
    {"stage": "Tokens", "units": "bpe", "vocabulary_size": 60, "shared": True},
    {"stage": "Embedding", "size": 6},
]
WRITTEN = [" ".join(reversed(row.split())) for row in ROWS]
WRITES = {"stage": "AttentionHead", "embedding_size": 6, "hidden_size": 16}
MODELS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[Any]]] = {
    "class": (
        [
            {"stage": "Tokens", "split": "signs", "text": ["lowercase"], "max_length": 10, "overflow": "truncate"},
            WORDS[1],
        ],
        {"stage": "ClassifierHead", "pooling": ["max", "mean"]},
        ["good", "bad", "ok", "good", "bad", "ok"],
    ),
    "labels": (
        [{"stage": "Tokens", "units": "characters", "text": ["nfkc", "collapse_spaces"]}, {"stage": "OneHot"}],
        {"stage": "MultiLabelHead"},
        ["rain|wind", "", "wind", ["sun"], "rain", "sun|rain"],
    ),
    "numbers": (
        [{"stage": "Tokens", "units": "unigram", "vocabulary_size": 50}, WORDS[1]],
        {"stage": "RegressionHead"},
        ["1 20", [3.0, -7.5], "5 0", "2 2", "1 1", "7 100"],
    ),
    "tags": (
        [
            {"stage": "Tokens", "characters": 8},
            {
                "stage": "Concatenation",
                "stages": [WORDS[1], {"stage": "CharacterFeatures", "size": 4, "filters": [3, 3], "kernels": [2, 3]}],
            },
        ],
        {"stage": "TaggerHead"},
        [["DET" if word in ("the", "a") else "X" if len(word) > 3 else "Y" for word in row.split()] for row in ROWS],
    ),
    "spans": (
        [{"stage": "Tokens", "units": "bpe", "vocabulary_size": 50, "word_pooling": "mean"}, WORDS[1]],
        {"stage": "TaggerHead", "scheme": "bioes", "decoder": "crf"},
        SPANS,
    ),
    "text in shared units": (
        SHARED,
        {**WRITES, "units": "shared", "vocabulary_threshold": 2, "input_feeding": True},
        WRITTEN,
    ),
    "text with words copied": (
        WORDS,
        {**WRITES, "units": "words", "vocabulary_size": 6, "copy_unknown": True},
        WRITTEN,
    ),
    "text in characters": (WORDS, {**WRITES, "units": "characters", "attention": "multi_head", "cell": "gru"}, WRITTEN),
}
"""Features, head and targets of `ROWS`."""
DECODING = {
    "text in characters": {"method": "greedy", "no_repeat_ngram": 3, "min_length": 4, "max_length": 20},
    "text in shared units": {"method": "beam"},
}


def pipeline_of(features: list[Any], head: dict[str, Any], targets: list[Any], decoding: dict[str, Any]) -> Pipeline:
    """With random weights, which are sure of something."""
    encoder = {"stage": "RecurrentEncoder", "hidden_size": 6, "layers": 1}
    content = {
        "data": {"train": "none.tsv"},
        "pipeline": {"features": features, "encoder": encoder, "head": head},
        **({"decoding": decoding} if decoding else {}),
    }
    pipeline = Pipeline(parse_recipe(content, "a test"))
    torch.manual_seed(3)
    pipeline.fit([Row(str(place), raw, target) for place, (raw, target) in enumerate(zip(ROWS, targets, strict=True))])
    with torch.no_grad():
        for name, parameter in pipeline.head.named_parameters():
            if name.endswith(("output.weight", "transitions", "start", "end", "spread.weight")):
                parameter.copy_(2 * torch.randn_like(parameter))
            elif head["stage"] == "AttentionHead" and parameter.ndim > 1:
                parameter.mul_(3)
    return pipeline.eval()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of each model."""
    try:
        find_onnxruntime_web()
    except ConfigError as error:
        pytest.skip(f"no onnxruntime-web here: {error}")
    folder = tmp_path_factory.mktemp("site")
    for name, (features, head, targets) in MODELS.items():
        run = folder / "runs" / name.replace(" ", "-")
        pipeline_of(features, head, targets, DECODING.get(name, {})).save(run)
        export(run, folder / name.replace(" ", "-"), form="web")
    return folder


@pytest.fixture(scope="module")
def tab(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tab, str]]:
    """A browser, and the address of the folder of pages."""
    with served(site) as address, opened(tmp_path_factory.mktemp("profile")) as tab:
        tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        yield tab, address
        assert tab.errors == []
        assert [each for each in tab.requested if not each.startswith((address, "blob:", "data:"))] == []


def at(tab: tuple[Tab, str], name: str) -> Tab:
    """The browser, at a page that is ready."""
    found, address = tab
    found.go(f"{address}{name.replace(' ', '-')}/")
    found.until(READY)
    return found


def typed(tab: Tab, text: str) -> None:
    """A text in the place of what stands there."""
    tab.value("document.getElementById('text').select()")
    tab.call("Input.insertText", text=text)


def shown(tab: Tab, text: str) -> Any:
    """The answer to a text that is typed, once it is there: parts of what the page shows."""
    tab.value("document.getElementById('summary').textContent = ''")
    typed(tab, text)
    tab.until("document.getElementById('summary').textContent && !document.querySelector('.stale')")
    return tab.value(
        "({headline: document.getElementById('headline').textContent,"
        " bars: [...document.querySelectorAll('#bars li')].map(li => [...li.children].map(each => each.textContent)),"
        " parts: [...document.querySelectorAll('.word')].map(each => [...each.children].map(part => part.textContent)),"
        " text: document.getElementById('words').textContent,"
        " rows: [...document.querySelectorAll('#rows tr')].map(row => [...row.cells].map(c => c.textContent))})"
    )


@needs_browser
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_runtime(name: str, tab: tuple[Tab, str], site: Path) -> None:
    page = at(tab, name)
    code = "import('./answer/model.js').then(m => m.Model.load(() => {})).then(model => { window.model = model; })"
    page.value(code)
    greedy = {"method": "greedy"} if MODELS[name][1]["stage"] == "AttentionHead" else {}
    said = set()
    for text, answer in zip(
        TEXTS, Model.load(site / name.replace(" ", "-"), threads=1, decoding=greedy).predict(TEXTS), strict=True
    ):
        wanted = answer.to_json()
        found = page.value(f"window.model.answer({{text: {json.dumps(text)}}})")
        for part in [*found.get("words", []), *found.get("spans", [])]:  # JavaScript's places are its own
            part["start"], part["end"] = (
                len(text.encode("utf-16-le")[: 2 * part[each]].decode("utf-16-le")) for each in ("start", "end")
            )
        if "values" in wanted:
            found["standard_deviations"] = found["deviations"]
        assert {
            "confidence",
            *({"label", "labels", "text", "words", "spans", "values"} & wanted.keys()),
        } <= found.keys()
        assert_alike(found, wanted)
        assert bool(found["warning"]) == bool(wanted["truncated"])
        said.add(json.dumps([wanted.get(key) for key in ("label", "labels", "text", "words", "values")]))
    assert len(said) > 2


def share(text: str) -> float:
    return 0.0 if text == "under 1 %" else float(text.removesuffix(" %")) / 100


@needs_browser
def test_classes_are_shown_with_their_probabilities(tab: tuple[Tab, str], site: Path) -> None:
    page = at(tab, "class")
    for text, answer in zip(TEXTS, Model.load(site / "class").predict(TEXTS), strict=True):
        found = shown(page, text)
        assert found["headline"] == answer.label
        assert [name for name, _, _ in found["bars"]] == [each.label for each in answer.probabilities]
        for (_, _, told), each in zip(found["bars"], answer.probabilities, strict=True):
            assert share(told) == pytest.approx(each.probability, abs=0.006)
        told = page.value(COMPLAINED)
        assert bool(told) == bool(answer.truncated)
        assert not told or "the first 10 are read" in told


@needs_browser
def test_spans_are_marked_in_the_text_and_listed(tab: tuple[Tab, str], site: Path) -> None:
    page, spans = at(tab, "spans"), 0
    for text, answer in zip(TEXTS, Model.load(site / "spans").predict(TEXTS), strict=True):
        found = shown(page, text)
        assert found["parts"] == [[span.text, span.type] for span in answer.spans]
        assert [[f"{span.text} {span.type}", ""] for span in answer.spans] == [row[:2] for row in found["bars"]]
        for (_, _, told), span in zip(found["bars"], answer.spans, strict=True):
            assert share(told) == pytest.approx(span.confidence, abs=0.006)
        assert [row[:2] for row in found["rows"]] == [[word.text, word.tag] for word in answer.words]
        without = found["text"]
        for _, kind in found["parts"]:
            without = without.replace(f"\N{NO-BREAK SPACE}{kind}", "", 1)
        assert without == text
        spans += len(answer.spans)
    assert spans > 5


@needs_browser
def test_tags_are_walked_through_by_arrow_keys(tab: tuple[Tab, str]) -> None:
    page = at(tab, "tags")
    found = shown(page, "the dog sat")
    assert [word for word, _ in found["parts"]] == ["the", "dog", "sat"]
    page.value("document.querySelector('.word').focus()")
    for key, place in (("ArrowRight", 1), ("End", 2), ("Home", 0)):
        page.press(key)
        word, tag = found["parts"][place]
        told = page.value("document.getElementById('detail').textContent")
        assert told.startswith(f"{word}: {tag}, confidence ")
        assert page.value("document.activeElement.querySelector('.tagged-text').textContent") == word


@needs_browser
def test_what_is_typed_last_is_what_is_answered(tab: tuple[Tab, str], site: Path) -> None:
    page = at(tab, "text in characters")
    page.value(
        "window.seen = []; window.line = document.getElementById('headline');"
        " new MutationObserver(() => window.seen.push(window.line.textContent)).observe(window.line, {childList: true})"
    )
    wanted = {
        text: answer.text
        for text, answer in zip(ROWS, Model.load(site / "text-in-characters").predict(ROWS), strict=True)
    }
    assert len(set(wanted.values())) > 3
    for text in ROWS:
        typed(page, text)  # without waiting
    last = json.dumps(wanted[ROWS[-1]])
    page.until(f"document.getElementById('headline').textContent === {last} && !document.querySelector('.stale')")
    order = [list(wanted.values()).index(each) for each in page.value("window.seen") if each in wanted.values()]
    assert order == sorted(order)
    page.until(f"document.getElementById('announcement').textContent === {last}")
    # Back and forth within a pause, and a text that is taken away while it is answered.
    typed(page, ROWS[0])
    typed(page, ROWS[-1])
    page.until("!document.querySelector('.stale')")
    assert page.value("document.getElementById('headline').textContent") == wanted[ROWS[-1]]
    typed(page, "the " * 200)
    page.until("document.querySelector('.stale') !== null")
    page.value("document.getElementById('clear-text').click()")
    assert page.value("document.activeElement.id") == "text"
    page.until("document.getElementById('answer').hidden")
    assert page.value("document.getElementById('text').value") == ""
    assert shown(page, ROWS[2])["headline"] == wanted[ROWS[2]]


@needs_browser
def test_texts_that_cannot_be_answered_are_told(tab: tuple[Tab, str]) -> None:
    for name, most in (("text in characters", MAX_TOKENS_REWRITTEN), ("numbers", MAX_TOKENS)):
        page = at(tab, name)
        typed(page, "word " * (most + 1))
        assert f"this page takes up to {most}" in page.until(COMPLAINED)
    assert page.value("document.getElementById('answer').hidden")
    assert "±" in shown(page, "the dog")["headline"]
    assert not page.value(COMPLAINED)


@needs_browser
def test_whatever_is_operated_has_a_name(tab: tuple[Tab, str]) -> None:
    page = at(tab, "spans")
    shown(page, ROWS[3])
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {
        each["role"]["value"]: each["name"]["value"]
        for each in nodes
        if each.get("role", {}).get("value") in ("textbox", "button", "list", "main", "heading") and not each["ignored"]
    }
    assert named["textbox"] == "Your text"
    assert named["list"] == "Confidences"
    assert page.value("document.getElementById('pad').offsetParent === null")  # other models' controls


@needs_browser
def test_nothing_is_wider_than_a_phone(tab: tuple[Tab, str]) -> None:
    page, found = tab[0], {}
    page.call("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=1, mobile=True)
    for name in MODELS:
        at(tab, name)
        shown(page, "the dog sat on a well-known mat in Paris and in New York " * 2 + "x" * 80)
        found[name] = page.value("document.documentElement.scrollWidth")
    page.call("Emulation.clearDeviceMetricsOverride")
    assert found == dict.fromkeys(MODELS, 320)


@needs_browser
def test_all_that_a_page_asks_for_is_kept_for_times_without_a_server(site: Path, tmp_path: Path) -> None:
    name = "text-in-shared-units"
    (tmp_path / "profile").mkdir()
    with opened(tmp_path / "profile") as tab:
        with served(site / name) as address:
            tab.go(address)
            tab.until(READY)
            tab.until("navigator.serviceWorker.ready.then(() => true)")
        tab.call("Page.reload")
        tab.until(READY)
        assert shown(tab, "the dog sat")["headline"]


# What is refused


@pytest.mark.parametrize(
    ("features", "head", "targets", "said"),
    [
        (
            [{"stage": "Tokens", "units": "characters"}, {"stage": "OneHot"}],
            {"stage": "TaggerHead"},
            [list("ab" * len(row))[: len(row)] for row in ROWS],
            "TaggerHead tags words, not steps of units: characters without word_pooling",
        ),
        (
            WORDS,
            {"stage": "CTCHead"},
            ["a", "b", "a", "b", "a", "b"],
            "behind Tokens, pages for browsers know ClassifierHead, .* and AttentionHead, not CTCHead; without",
        ),
        (
            [
                {"stage": "Tokens", "units": "bpe", "vocabulary_size": 320, "shared": True, "byte_fallback": True},
                WORDS[1],
            ],
            {**WRITES, "units": "shared"},
            WRITTEN,
            "units that are bytes",
        ),
        (WORDS, {**WRITES, "units": "characters", "base_direction": "rtl"}, WRITTEN, "base_direction"),
    ],
)
def test_what_a_page_does_not_know_is_refused(
    features: list[Any], head: dict[str, Any], targets: list[Any], said: str, tmp_path: Path
) -> None:
    pipeline_of(features, head, targets, {}).save(tmp_path / "run")
    with pytest.raises(ConfigError, match=said):
        export(tmp_path / "run", tmp_path / "page", form="web")
    assert not (tmp_path / "page").exists()
    check_page(pipeline_of(*MODELS["class"], {}), None)
