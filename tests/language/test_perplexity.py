"""Perplexity is that of its definition, and of KenLM."""

import math
from pathlib import Path

import pytest

from seqpipe.language.ngram import NGramModel
from seqpipe.language.perplexity import measure_perplexity
from seqpipe.language.spelling import characters_of, likely_spelling, spelling_in
from seqpipe.text.splitting import words_of
from seqpipe.text.units import Characters, SentencePieceUnits

ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-1\t<unk>
-99\t<s>\t-0.5
-0.5\t</s>
-0.25\ta\t-0.125
-0.75\tb

\\2-grams:
-0.125\t<s> a
-0.25\ta b

\\end\\
"""


@pytest.fixture
def model(tmp_path: Path) -> NGramModel:
    (tmp_path / "model.arpa").write_text(ARPA)
    return NGramModel.load(tmp_path / "model.arpa")


def test_perplexity_is_what_it_is_defined_as(model: NGramModel) -> None:
    found = measure_perplexity(model, ((text, text.split()) for text in ["a b", "", "ccc a"]))
    # kenlm 0.3.0 gives the same sums: -0.125 - 0.25 - 0.5; -0.5 - 0.5; -0.5 - 1, -0.25, -0.125 - 0.5
    log10 = [-0.875, -1.0, -2.375]
    assert (found.texts, found.units, found.unknown, found.characters) == (3, 7, 1, 4 + 1 + 6)
    assert found.perplexity == pytest.approx(10 ** (-sum(log10) / 7), rel=1e-6)
    assert found.known_perplexity == pytest.approx(10 ** (-(sum(log10) + 1.5) / 6), rel=1e-6)
    assert found.bits_per_character == pytest.approx(-sum(log10) * math.log2(10) / 11, rel=1e-6)
    assert found.unknown_share == pytest.approx(1 / 4)


def test_many_texts_are_the_sum_of_each(model: NGramModel) -> None:
    texts = [" ".join("abc"[(i * j) % 3] for j in range(i % 9)) for i in range(2500)]
    found = measure_perplexity(model, ((text, text.split()) for text in texts))
    each = [measure_perplexity(model, [(text, text.split())]).log_prob for text in texts[:200]]
    first = measure_perplexity(model, ((text, text.split()) for text in texts[:200]))
    assert first.log_prob == pytest.approx(sum(each), rel=1e-9)
    assert (found.texts, found.units) == (2500, sum(len(text.split()) + 1 for text in texts))


def test_nothing_has_no_perplexity(model: NGramModel) -> None:
    found = measure_perplexity(model, [])
    assert math.isnan(found.perplexity)
    assert math.isnan(found.bits_per_character)
    assert found.unknown_share == 0


def test_units_are_spelt_as_models_write_them() -> None:
    assert characters_of("a b\tc") == ["a", "▁", "b", "▁", "c"]
    spell = spelling_in(Characters([" ", "a", "b"]))
    assert spell("a bc") == ["a", "▁", "b", "<unk>"]
    texts = ["the cat sat", "the dog sat", "a cat and a dog"] * 5
    units = SentencePieceUnits.learn(texts, 14, "unigram")
    spell = spelling_in(units)
    spelt = spell("the cat")
    assert "".join(spelt) == "▁the▁cat"
    assert spell("the Q")[-1] == "<unk>"
    numbers = [units.number(unit.replace("▁", " ")) for unit in spelt]
    assert numbers == units.encode("the cat")


def test_what_a_vocabulary_looks_like() -> None:
    assert likely_spelling(["a", "▁"]) is characters_of
    assert likely_spelling(["a", "the"]) is words_of
    assert likely_spelling(["▁the", "e"]) is None
