import math

import pytest

from seqpipe.answers.tagging import Span, TaggedWord, Tagging
from seqpipe.core.calibration import Calibration, ConfidenceMap


def tagging() -> Tagging:
    words = (
        TaggedWord("New", "B-city", 0, 3, 0.9),
        TaggedWord("York", "I-city", 4, 8, 0.8),
        TaggedWord("is", "O", 9, 11, 1.0),
    )
    return Tagging("a", 0.5, words, (Span("city", "New York", 0, 8, 0.7),))


def test_spans_and_the_whole_have_confidences_of_their_own_and_words_those_of_the_distribution() -> None:
    halved = ConfidenceMap(intercept=-1.0)
    after = Calibration(1.0, {"answers": halved, "spans": halved, "words": halved}).apply(tagging())
    assert after.confidence == pytest.approx(1 / (1 + math.e))
    assert [span.confidence for span in after.spans] == pytest.approx([1 / (1 + 0.3 / 0.7 * math.e)])
    assert [span.text for span in after.spans] == ["New York"]
    assert Tagging.mapped == ("answers", "spans")


def test_how_many_words_there_are_speaks_too() -> None:
    found = tagging().confidences
    assert found["answers"].features == {"log_words": [math.log(3)]}
    assert found["spans"].features == {"log_words": [math.log(2)]}
    assert Tagging("b", 1.0, (), ()).confidences["answers"].features == {"log_words": [0.0]}
