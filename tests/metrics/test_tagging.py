import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, matthews_corrcoef

from seqpipe import Tagging
from seqpipe.answers.tagging import TaggedWord
from seqpipe.decoding.spans import span_counts, spans_of
from seqpipe.metrics.tagging import TagMetric, span_f1

BIO = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


def rows(tags: list[str], seed: int = 0, count: int = 40) -> tuple[list[list[str]], list[list[str]]]:
    """Random tags, and answers of which two of three are right."""
    generator = np.random.default_rng(seed)
    wanted = [generator.choice(tags, generator.integers(1, 9)).tolist() for _ in range(count)]
    known = [tag for tag in tags if tag != "X"]
    answered = [
        [tag if tag in known and generator.random() < 0.66 else str(generator.choice(known)) for tag in row]
        for row in wanted
    ]
    return wanted, answered


def count(scores: TagMetric, wanted: list[str], answered: list[str], confidence: float = 1.0) -> np.ndarray:
    """Counts of one row."""
    words = tuple(TaggedWord("w", tag, place, place + 1, confidence) for place, tag in enumerate(answered))
    return scores.count([wanted], [Tagging("r", 0.5, words, ())])[0]


def total(scores: TagMetric, wanted: list[list[str]], answered: list[list[str]]) -> np.ndarray:
    counts = [count(scores, one, two, 0.8) for one, two in zip(wanted, answered, strict=True)]
    assert all(row.shape == (len(scores.names),) for row in counts)
    return np.sum(counts, axis=0)


def test_words_are_scored_as_scikit_learn_scores_classes() -> None:
    scores = TagMetric(["DET", "NOUN", "VERB"])
    wanted, answered = rows(["DET", "NOUN", "VERB", "X"])  # X: a tag that training lacks
    flat, given = ([tag for row in part for tag in row] for part in (wanted, answered))
    found = scores.scores(total(scores, wanted, answered))
    assert set(found) == set(scores.kinds)
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(flat, given))
    for average in ("macro", "weighted"):
        expected = f1_score(flat, given, average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(100 * expected)
    assert found["uar"] == pytest.approx(100 * balanced_accuracy_score(flat, given))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(flat, given))
    whole = [one == two for one, two in zip(wanted, answered, strict=True)]
    assert found["sentence_accuracy"] == pytest.approx(100 * np.mean(whole))
    assert found["ece"] == pytest.approx(abs(80 - found["accuracy"]), abs=1e-6)


def test_spans_are_scored_as_conlleval_scores_them() -> None:
    scores = TagMetric(BIO, "bio")
    wanted, answered = rows(BIO)
    found = scores.scores(total(scores, wanted, answered))
    assert set(found) == set(scores.kinds)
    gold, given = [spans_of(row) for row in wanted], [spans_of(row) for row in answered]
    counts = span_counts(gold, given)
    for kind, (right, asked, said) in counts.items():
        assert found[f"f1_{kind}"] == pytest.approx(200 * right / (asked + said))
    right, asked, said = np.sum(list(counts.values()), axis=0)
    assert 0 < right < min(asked, said)
    assert found["precision"] == pytest.approx(100 * right / said)
    assert found["recall"] == pytest.approx(100 * right / asked)
    assert found["f1"] == pytest.approx(2 / (1 / found["precision"] + 1 / found["recall"]))


def test_a_type_that_training_lacks_counts_as_not_found() -> None:
    scores = TagMetric(BIO, "bio")
    found = scores.scores(count(scores, ["B-ORG", "O", "B-LOC"], ["O", "O", "B-LOC"]))
    assert found["recall"] == 50
    assert found["precision"] == found["f1_LOC"] == 100
    assert found["f1_PER"] == 0


def test_no_spans_at_all_score_nothing() -> None:
    scores = TagMetric(BIO, "bio")
    found = scores.scores(count(scores, ["O"] * 3, ["O"] * 3))
    assert (found["f1"], found["precision"], found["recall"], found["accuracy"]) == (0, 0, 0, 100)
    assert span_f1(0, 0, 0) == 0


def test_errors_of_rows_are_zero_only_where_all_is_right_and_grow_with_wrong_spans() -> None:
    scores = TagMetric(BIO, "bio")
    wanted = ["B-LOC", "I-LOC", "O", "B-PER"]
    answers = [
        wanted,
        ["B-LOC", "I-LOC", "O", "O"],  # one not found
        ["B-LOC", "O", "O", "B-PER"],  # one too short: neither found nor right
        ["B-PER", "O", "B-LOC", "O"],
    ]
    errors = scores.errors(np.stack([count(scores, wanted, answer) for answer in answers]))
    assert errors[0] == 0
    assert (np.diff(errors) > 0).all()
    plain = TagMetric(["A", "B"])
    assert plain.errors(np.stack([count(plain, ["A", "B"], ["B", "B"])])).tolist() == [1.0]
