"""Texts that are learnt as they look from left to right, and answered as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import AttentionHead, ConfigError, CTCHead, PaddedSequence
from seqpipe.answers.transcript import Token, Transcript
from seqpipe.core.head import OrdersTargets
from seqpipe.core.randomness import RowKey
from seqpipe.core.source import Location, Source
from seqpipe.decoding.ctc_hypothesis import CTCHypothesis
from seqpipe.text.bidi import display_text

D = 6
TEXTS = ["אב (גד) 12", "הו abc, זח", "שָׁלוֹם!"]


def fitted(**options: Any) -> CTCHead:
    torch.manual_seed(0)
    head = CTCHead(input_size=D, **options)
    head.fit(TEXTS)
    return head.eval()


def where(steps: Tensor) -> Tensor:
    """Steps as columns of ten pixels."""
    return steps * 10


def answered(head: CTCHead, text: str) -> Transcript:
    """What a path is answered as that has one label after the other, a step each, as the target is learnt."""
    labels = head.encode_target(text).tolist()
    count = len(labels)
    path = CTCHypothesis(
        tuple(labels), tuple(range(count)), tuple(range(1, count + 1)), tuple(0.5 + at / 100 for at in range(count))
    )
    return head.answer("a", (path, 0.75), where)


def test_targets_stand_as_they_are_displayed() -> None:
    head, plain = fitted(base_direction="auto"), fitted()
    for text in TEXTS:
        shown = display_text(text, "auto")
        assert "".join(head.units.piece(label - 1) for label in head.encode_target(text).tolist()) == shown
        assert "".join(plain.units.piece(label - 1) for label in plain.encode_target(text).tolist()) == text
        assert head.min_steps(head.encode_target(text)) == plain.min_steps(plain.encode_target(text))
    assert isinstance(head, OrdersTargets)


@pytest.mark.parametrize("base", ["auto", "rtl"])
@pytest.mark.parametrize("text", TEXTS)
def test_answers_stand_as_they_are_read_and_places_in_the_image(base: str, text: str) -> None:
    found = answered(fitted(base_direction=base), text)
    shown = display_text(text, base)  # type: ignore[arg-type]
    assert found.text == text
    assert "".join(token.text for token in found.tokens) == text
    assert [word.text for word in found.words] == text.split()
    # Each character is where it is seen, with its own confidence.
    by_place = sorted(found.tokens, key=lambda token: token.start)
    assert [token.confidence for token in by_place] == [0.5 + at / 100 for at in range(len(shown))]
    for word in found.words:
        assert word.start < word.end
    first, last = found.words[0], found.words[-1]
    assert first.start > last.start or len(found.words) == 1, "Hebrew begins on the right"
    assert {(first.start, first.end), (last.start, last.end)} <= {
        (min(token.start for token in part), max(token.end for token in part)) for part in words(found)
    }


def words(found: Transcript) -> list[list[Token]]:
    """Tokens of each word."""
    parts: list[list[Token]] = [[]]
    for token in found.tokens:
        if token.text == " ":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def test_the_vocabulary_and_the_scores_are_those_of_what_is_learnt(tmp_path: Path) -> None:
    head = fitted(base_direction="rtl")
    head.save_assets(tmp_path)
    again = CTCHead(input_size=D, base_direction="rtl")
    again.load_assets(tmp_path)
    assert torch.equal(again.encode_target(TEXTS[0]), head.encode_target(TEXTS[0]))
    counted = head.metric.count([TEXTS[0]], [answered(head, TEXTS[0])], [None])
    assert head.metric.scores(counted.sum(axis=0))[head.metric.main] == 0


def test_rules_come_first() -> None:
    head = fitted(base_direction="rtl", text=["no_punctuation"])
    assert answered(head, "אב, גד!").text == "אב גד"


def test_a_probability_is_that_of_the_text_as_it_looks() -> None:
    head, plain = fitted(base_direction="rtl"), fitted()
    plain.load_state_dict(head.state_dict())
    encoded = PaddedSequence.pad([torch.randn(20, D)])
    text = "אב גד"
    (want,) = plain.posteriors(encoded, [plain.encode_target(text[::-1])])
    (got,) = head.posteriors(encoded, [head.encode_target(text)])
    assert got == want


def test_units_that_hold_the_ends_of_two_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="base_direction goes with units: characters; they are bpe"):
        CTCHead(input_size=D, units="bpe", base_direction="rtl")
    for units in ("words", "shared"):
        with pytest.raises(ConfigError, match=f"characters, unigram or bpe; they are {units}"):
            AttentionHead(input_size=D, units=units, base_direction="rtl")


@pytest.mark.parametrize("units", ["characters", "bpe"])
def test_an_attentive_decoder_writes_what_it_sees(units: str) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {} if units == "characters" else {"vocabulary_size": 40, "bpe_dropout": 0.5}
    head = AttentionHead(
        input_size=D, units=units, base_direction="auto", embedding_size=8, hidden_size=8, scores="transcription",
        ctc_weight=0.3 if units == "characters" else 0.0, **options,
    )  # fmt: skip
    head.fit(TEXTS)
    assert head.eval().follows_input == (units == "characters")
    for text in TEXTS:
        labels = head.encode_target(text).tolist()
        assert head.units.decode(labels) == display_text(text, "auto")
        assert head._text(labels, [], Location(Source(), lambda steps: steps), 5) == text
    encoded = PaddedSequence.pad([torch.randn(30, D)])
    assert torch.isfinite(head.loss(encoded, [head.encode_target(TEXTS[0])])[0])
    if sampled := head.sampled_targets():
        drawn = sampled(TEXTS[0], RowKey(seed=1, row=2, epoch=3))
        assert head.units.decode(drawn.tolist()) == display_text(TEXTS[0], "auto")
