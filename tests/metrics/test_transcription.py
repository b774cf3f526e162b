import pytest

from seqpipe.answers.transcript import Transcript
from seqpipe.core.metric import score
from seqpipe.metrics.transcription import TranscriptionMetric


def answer(text: str) -> Transcript:
    return Transcript("a", text, 1.0, (), ())


def test_scores_are_per_cent_after_the_rules() -> None:
    metric = TranscriptionMetric(["lowercase"])
    answers = [answer(text) for text in ("turn left", "go on")]
    scores = score(metric, ["TURN right", "go on"], answers)
    assert scores["wer"] == pytest.approx(100 * 1 / 4)  # left for right
    assert scores["cer"] == pytest.approx(100 * 4 / 15)  # r-left: r->l, i->e, g->f, h dropped
    assert scores["accuracy"] == 50.0
    assert score(metric, ["turn left", "go on"], answers) == {"wer": 0.0, "cer": 0.0, "accuracy": 100.0}


def test_a_reference_that_is_no_text_is_scored_by_what_its_cell_is_called() -> None:
    metric = TranscriptionMetric([])
    assert metric.comparable([5.0, None], [answer("5"), answer("")])[0] == ["5", ""]
    assert metric.target_classes(5.0) == ["5"]


def test_scores_of_a_corpus_come_from_the_sum_of_its_rows_counts() -> None:
    metric = TranscriptionMetric(["lowercase"])
    targets = ["TURN right", "go on", "go", "turn left"]
    answers = [answer(text) for text in ("turn left", "go on", "gong", "")]
    counts = metric.count(targets, answers)
    assert counts.tolist() == [[1, 0, 2, 1, 10, 4], [1, 1, 2, 0, 5, 0], [1, 0, 1, 1, 2, 2], [1, 0, 2, 2, 9, 9]]
    assert score(metric, targets, answers) == metric.scores(counts.sum(axis=0))
    assert set(metric.kinds) == set(score(metric, targets, answers))
    assert {part for kind in metric.kinds.values() for part in (kind.part, kind.whole)} <= {*metric.names}
    errors = metric.errors(counts)
    assert errors[1] == 0
    assert errors[3] > errors[0] > errors[2] > 0  # words first, then characters
    assert metric.count([], []).shape == (0, 6)


def test_a_wrong_space_is_an_error_of_the_transcript_though_all_words_are_right() -> None:
    metric = TranscriptionMetric()
    assert score(metric, ["go  on"], [answer("go on")]) == {"wer": 0.0, "cer": pytest.approx(100 / 6), "accuracy": 0.0}
    assert metric.errors(metric.count(["go  on"], [answer("go on")])) > 0


def test_words_part_at_white_space_whatever_it_is() -> None:
    metric = TranscriptionMetric()
    total = metric.count(["a\u00a0b"], [answer("a b")]).sum(axis=0)
    counts = dict(zip(metric.names, total.tolist(), strict=True))
    assert (counts["word_errors"], counts["words"]) == (0, 2)
    assert (counts["character_errors"], counts["characters"]) == (1, 3)  # among characters it is another one
