"""Searches of the attention head that go by a language model and hot words too."""

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe import AttentionHead, ConfigError, PaddedSequence
from seqpipe.config.recipe import override_decoding, parse_recipe
from seqpipe.core.head import Encoded
from seqpipe.core.language_model import language_model
from seqpipe.decoding.ctc import label_posteriors
from seqpipe.decoding.generation import GenerationDecoding
from seqpipe.errors import SeqpipeError

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
    lines += ["-99\t<s>\t-0.2", "-2.5\t<unk>\t-0.1", *(f"{value}\t{word}\t-0.1" for word, value in table.items())]
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
        total += float(model.scores_of(state, torch.tensor([number])))
        state = model.advance(state, torch.tensor([number])) if number < len(model.vocabulary) else state
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
                there = [words[at : at + size] for at in range(len(words))].count(phrase.split())
                total += options.hot_word_weight * len(phrase.replace(" ", "")) * there
            scores[tuple(labels)] = float(options.normalized(torch.tensor(total, dtype=torch.float64), len(labels) + 1))
        best = sorted(scores, key=lambda labels: -scores[labels])[:6]
        told = [item.score for item in found.hypotheses]
        assert told == pytest.approx([scores[labels] for labels in best], abs=1e-4)
        assert [tuple(item.labels) for item in found.hypotheses] == best
        for item in found.hypotheses:
            assert item.log_probability == pytest.approx(math.log(own[spelt.index(item.labels)]), abs=1e-4)
