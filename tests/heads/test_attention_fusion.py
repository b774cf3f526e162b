"""Searches of the attention head that go by a language model and hot words too."""

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe import AttentionHead, ConfigError
from seqpipe.config.recipe import override_decoding, parse_recipe
from seqpipe.core.head import Encoded
from seqpipe.core.language_model_files import language_model
from seqpipe.decoding.ctc import label_posteriors
from seqpipe.decoding.generation import GenerationDecoding

D = 8
TEXTS = ["ab", "ba b", "a b ab"]
UNIGRAMS = {"ab": -0.5, "b": -1.1, "ba": -0.9, "</s>": -0.7}
"""log10 of the probability of words; `a` is none of them."""
LETTERS = {"a": -0.4, "b": -0.8, "▁": -0.6, "</s>": -0.9}


def head_of(texts: Sequence[str] = TEXTS, seed: int = 1, **options: Any) -> AttentionHead:
    torch.manual_seed(seed)
    given = {"units": "characters", "embedding_size": 6, "hidden_size": 8, **options}
    head = AttentionHead(input_size=D, **given)
    head.fit(texts)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(2.0)  # further from even probabilities
    return head.eval()


def encoded(rows: int = 3) -> Encoded:
    generator = torch.Generator().manual_seed(4)
    return Encoded(torch.randn(rows, 9, D, generator=generator), torch.tensor([9, 4, 6][:rows]))


def arpa(path: Path, table: dict[str, float], pairs: dict[tuple[str, str], float] | None = None) -> str:
    """A model of unigrams, and of pairs, as an ARPA file."""
    lines = ["\\data\\", f"ngram 1={len(table) + 2}", *([f"ngram 2={len(pairs)}"] if pairs else []), "", "\\1-grams:"]
    backoff = "\t-0.1" if pairs else ""
    lines += [f"-99\t<s>{backoff}", *(f"{value}\t{word}{backoff}" for word, value in [("<unk>", -2.5), *table.items()])]
    if pairs:
        lines += ["", "\\2-grams:", *(f"{value}\t{one} {other}" for (one, other), value in pairs.items())]
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    return str(path)


def by_model(name: str, items: Iterable[str]) -> float:
    """The log-probability of a text's units, or words, and of its end."""
    model = language_model(name)
    numbers = {word: number for number, word in enumerate(model.vocabulary)}
    state, total = model.initial_state(1), 0.0
    for number in [*(numbers.get(item, -1) for item in items), len(model.vocabulary)]:
        total += float(model.scores_of(state, np.array([number]))[0])
        state = model.advance(state, np.array([number])) if number < len(model.vocabulary) else state
    return total


PAIRS = {("<s>", "b"): -0.3, ("ab", "</s>"): -0.2, ("b", "ab"): -0.5}
CASES: list[dict[str, Any]] = [
    {"lm": "words"},
    {"lm": "words", "length_normalization": "none", "insertion_bonus": 0.8},
    {"lm": "letters", "lm_weight": 1.2},
    {"hot_words": ["ab", "ba"], "hot_word_weight": 0.9},
    {"hot_words": ["b b", "aa"], "hot_word_weight": 0.9},
    {"hot_words": ["ba"], "hot_word_weight": 2.0, "length_normalization": "gnmt", "length_power": 0.6},
    {"lm": "words", "hot_words": ["b"], "length_normalization": "none"},
    {"lm": "words", "hot_words": ["ab"], "ctc_weight": 0.4},
    {"lm": "letters", "hot_words": ["ab"], "ctc_weight": 0.7, "length_normalization": "none", "insertion_bonus": -0.5},
]


@torch.inference_mode()
@pytest.mark.parametrize("given", CASES)
def test_a_wide_beam_finds_what_enumeration_finds(given: dict[str, Any], tmp_path: Path) -> None:
    models = {
        "words": arpa(tmp_path / "words.arpa", UNIGRAMS, PAIRS),
        "letters": arpa(tmp_path / "letters.arpa", LETTERS, {("a", "b"): -0.1, ("▁", "b"): -0.3}),
    }
    named = given.get("lm")
    given = {**given, **({"lm": models[named]} if named else {})}
    head, batch = head_of(ctc_weight=0.5 if "ctc_weight" in given else 0.0), encoded()
    options = GenerationDecoding(beam=150, n_best=6, max_length=4, **given)
    spelt = [list(each) for size in range(5) for each in itertools.product(range(3), repeat=size)]
    for place, found in enumerate(head.decode(batch, options)):
        rows = batch.chosen([place] * len(spelt))
        own = head.posteriors(rows, [torch.tensor(each, dtype=torch.int64) for each in spelt])
        by_ctc = [0.0] * len(spelt)
        if options.ctc_weight:
            by_ctc = label_posteriors(head._ctc_emissions(rows), [[label + 1 for label in each] for each in spelt])
        scores = {}
        for labels, chance, ctc in zip(spelt, own, by_ctc, strict=True):
            text = head.units.decode(labels)
            total = (1 - options.ctc_weight) * math.log(chance)
            if options.ctc_weight:
                total = total + options.ctc_weight * math.log(ctc) if ctc else -math.inf
            if named:
                items = text.split() if named == "words" else text.replace(" ", "▁")
                total += options.lm_weight * by_model(models[named], items)
            total += options.insertion_bonus * len(text.split())
            words = text.split(" ")
            for phrase in options.hot_words or []:
                size = len(phrase.split())
                there = phrase.split() in [words[at : at + size] for at in range(len(words))]  # it counts once
                total += options.hot_word_weight * len(phrase.replace(" ", "")) * there
            scores[tuple(labels)] = float(options.normalized(torch.tensor(total, dtype=torch.float64), len(labels) + 1))
        best = sorted(scores, key=lambda labels: -scores[labels])[:6]
        told = [item.score for item in found.hypotheses]
        assert told == pytest.approx([scores[labels] for labels in best], abs=1e-4)
        assert [tuple(item.labels) for item in found.hypotheses] == best
        for item in found.hypotheses:
            assert item.log_probability == pytest.approx(math.log(own[spelt.index(item.labels)]), abs=1e-4)


def answered(head: AttentionHead, batch: Encoded, **options: Any) -> list[str]:
    found = head.decode(batch, GenerationDecoding(max_length=8, **options))
    return [head.units.decode(row.hypotheses[0].labels) for row in found]


@torch.inference_mode()
def test_rows_have_their_own_hot_words_beside_those_of_all() -> None:
    head, batch = head_of(), encoded()
    columns = [{"names": "ba ba; café"}, {}, {"names": ["b b"]}]
    strong = {"hot_word_weight": 30.0, "hot_words_column": "names"}
    one, other, third = answered(head, batch.of_rows(columns), **strong)
    assert "ba ba" in one
    assert other == answered(head, encoded())[1]
    assert "b b" in third
    assert "a a" in answered(head, batch, hot_words=["a a"], **strong)[1]
    alone = [answered(head, batch.chosen([place]), **strong)[0] for place in range(3)]
    assert alone == [one, other, third]


@torch.inference_mode()
def test_a_wrong_phrase_costs_what_it_was_given() -> None:
    """Of two texts without a hot word, what is likelier stays likelier, by as much."""
    head, batch = head_of(), encoded()
    options = GenerationDecoding(beam=200, n_best=40, max_length=4, length_normalization="none")
    hot = options.model_copy(update={"hot_words": ["bab"], "hot_word_weight": 0.5})
    for plain, biased in zip(head.decode(batch, options), head.decode(batch, hot), strict=True):
        scores = {tuple(item.labels): item.score for item in plain.hypotheses}
        shared = [item for item in biased.hypotheses if tuple(item.labels) in scores]
        assert len(shared) > 20
        for item in shared:
            bonus = 1.5 * head.units.decode(item.labels).split(" ").count("bab")
            assert item.score == pytest.approx(scores[tuple(item.labels)] + bonus)


@torch.inference_mode()
def test_units_of_words_are_scored_as_words(tmp_path: Path) -> None:
    head, batch = head_of(units="words"), encoded()
    assert [head.units.piece(number) for number in range(len(head.units))] == ["<unk>", "ab", "b", "a", "ba"]
    table = arpa(tmp_path / "words.arpa", UNIGRAMS, PAIRS)
    options = GenerationDecoding(beam=800, n_best=1, max_length=3, lm=table, lm_weight=0.8, hot_words=["b a"])
    for place, found in enumerate(head.decode(batch, options)):
        scores = {}
        for size in range(4):
            for labels in itertools.product(range(5), repeat=size):
                (chance,) = head.posteriors(batch.chosen([place]), [torch.tensor(labels, dtype=torch.int64)])
                words = [head.units.piece(label) for label in labels]
                total = (
                    math.log(chance) + 0.8 * by_model(table, words) + 2.0 * (("b", "a") in itertools.pairwise(words))
                )
                scores[labels] = total / (size + 1)
        best = max(scores, key=lambda labels: scores[labels])
        assert tuple(found.hypotheses[0].labels) == best
        assert found.hypotheses[0].score == pytest.approx(scores[best], abs=1e-4)
    with pytest.raises(ConfigError, match="item 1: can't be spelt: 'c' holds what the model's units lack"):
        head.prepare_decoding(GenerationDecoding(hot_words=["c"]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lm": "missing.arpa"}, "missing.arpa: no such file or folder"),
        ({"lm": "digits.arpa"}, r"decoding\.lm .*digits.arpa: is over other units.* 0 of its 2 words"),
        ({"lm": "letters.arpa"}, r"decoding\.lm .*letters.arpa: is over other units.* it lacks 'b'"),
        ({"hot_words": ["b", "café"]}, r"decoding\.hot_words item 2: can't be spelt: 'café' holds"),
        ({"hot_words": "missing.txt"}, r"decoding\.hot_words .*missing.txt: no such file"),
    ],
)
def test_what_a_search_can_not_use_is_named_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arpa(Path("digits.arpa"), {"1": -1.0, "2": -1.0, "</s>": -1.0})
    arpa(Path("letters.arpa"), {"▁": -1.0, "a": -1.0, "</s>": -1.0})
    head = head_of()
    with pytest.raises(ConfigError, match=said):
        head.prepare_decoding(GenerationDecoding(**options))
    head.prepare_decoding(GenerationDecoding(method="greedy", **options))  # looks at none of it


def test_a_method_that_looks_at_none_of_it_is_refused() -> None:
    pipeline = {"features": [{"stage": "LogMel"}], "head": {"stage": "AttentionHead", "units": "characters"}}
    recipe = parse_recipe(
        {"data": {"train": ""}, "pipeline": pipeline, "decoding": {"hot_words": ["a"]}}, "recipe.yaml"
    )
    for name, value in (("lm", "x.arpa"), ("hot_words", ["b"]), ("hot_words_column", "names"), ("lm_weight", 0.1)):
        with pytest.raises(
            ConfigError, match=rf"decoding\.{name} is for method beam, not greedy: set decoding.method too"
        ):
            override_decoding(recipe, {"method": "greedy", name: value})
    with pytest.raises(ConfigError, match="insertion_bonus goes with length_normalization none; average makes up"):
        override_decoding(recipe, {"insertion_bonus": 1.0})


def test_a_language_model_in_reading_order_does_not_go_with_display_order(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"decoding\.lm scores texts as they are read"):
        head_of(base_direction="rtl").prepare_decoding(GenerationDecoding(lm=str(tmp_path)))


@pytest.mark.parametrize("given", [{}, {"length_normalization": "none"}, {"length_normalization": "gnmt"}])
def test_the_weights_of_a_search_are_those_in_use(given: dict[str, Any]) -> None:
    bare = {"insertion_bonus"} if given.get("length_normalization") == "none" else {"length_power"}
    for ctc_weight, more in ((0.0, set[str]()), (0.3, {"ctc_weight"})):
        head = head_of(ctc_weight=ctc_weight)
        assert set(head.search_weights(GenerationDecoding(**given))) == bare | more
        fused = GenerationDecoding(lm="x.arpa", hot_words=["a"], **given)
        assert set(head.search_weights(fused)) == bare | more | {"lm_weight", "hot_word_weight"}
