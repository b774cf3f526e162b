"""Scores of texts, beside the libraries that define them."""

import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seqpipe import GeneratedText
from seqpipe.metrics.translation import TranslationMetric

WORDS = ["ein", "Hund", "l\u00e4uft", "\u00fcber", "die", "Wiese", ",", "und", "bellt", "."]


def corpus(rows: int) -> tuple[list[str], list[str]]:
    draw = random.Random(3)
    references = [" ".join(draw.choices(WORDS, k=draw.randint(1, 15))) for _ in range(rows)]
    hypotheses = [" ".join(w for w in each.split() if draw.random() > 0.15) for each in references]
    return references, hypotheses


def count(scores: TranslationMetric, references: list[str], hypotheses: list[str]) -> np.ndarray:
    return scores.count(references, [GeneratedText(str(n), text, 0.5, -1.0) for n, text in enumerate(hypotheses)])


@pytest.mark.parametrize("rows", [1, 2, 60])
def test_bleu_and_chrf_are_sacrebleu_s(rows: int) -> None:
    references, hypotheses = corpus(rows)
    scores = TranslationMetric()
    found = scores.scores(count(scores, references, hypotheses).sum(axis=0))
    assert found["bleu"] == pytest.approx(BLEU().corpus_score(hypotheses, [references]).score)
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(hypotheses, [references]).score)


def test_every_count_has_its_name() -> None:
    scores = TranslationMetric()
    counts = count(scores, ["ein Hund l\u00e4uft"], ["ein Hund"])
    by_name = dict(zip(scores.names, counts[0].tolist(), strict=True))
    assert by_name["hypothesis_words"] == 2
    assert by_name["reference_words"] == 3
    assert by_name["right_1grams"] == 2
    assert by_name["given_2grams"] == 1
    assert by_name["word_errors"] == 1


def test_exact_matches_are_counted() -> None:
    scores = TranslationMetric()
    assert scores.scores(count(scores, ["a b", "c"], ["a b", "d"]).sum(axis=0))["accuracy"] == 50.0
    assert len(count(scores, [], [])) == 0


def test_signatures_say_how_it_was_counted() -> None:
    scores = TranslationMetric()
    count(scores, ["a"], ["a"])
    _, bleu, chrf = scores.describe().split("; ")
    assert "case:mixed" in bleu
    assert "tok:13a" in bleu
    assert chrf.startswith("chrF nrefs:1")


def test_how_translations_are_compared_is_known_before_any_is() -> None:
    described = TranslationMetric().describe()
    assert "BLEU nrefs:1|case:mixed" in described
    assert "chrF nrefs:1" in described


def test_words_part_at_white_space_whatever_it_is() -> None:
    metric = TranslationMetric()
    by_name = dict(zip(metric.names, count(metric, ["ein\u00a0Hund"], ["ein Hund"])[0].tolist(), strict=True))
    assert (by_name["word_errors"], by_name["words"]) == (0, 2)
