"""Spellings that vary while training: what is drawn, how often, and that it depends on the draw alone."""

import collections
import math
import pickle
import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import AttentionHead, ConfigError, FeatureChain, Row, Tokens
from seqpipe.core.randomness import RowKey
from seqpipe.data.loader import Examples
from seqpipe.text import subword_sampling as module
from seqpipe.text.subword_sampling import SampledSpelling
from seqpipe.text.units import SentencePieceUnits

SYLLABLES = ["ta", "tar", "art", "ri", "rin", "in", "ing", "no", "on", "ong", "g", "a"]
CHANCE = random.Random(1)
WORDS = ["".join(CHANCE.choices(SYLLABLES, k=CHANCE.randint(1, 4))) for _ in range(2400)]
TEXTS = [" ".join(WORDS[place::400]) for place in range(400)]
UNITS = {"bpe": SentencePieceUnits.learn(TEXTS, 60, "bpe"), "unigram": SentencePieceUnits.learn(TEXTS, 40, "unigram")}
TEXT = "taringno inarton"


def spelling(kind: Any, strength: float) -> SampledSpelling:
    options: dict[str, float] = {"bpe_dropout" if kind == "bpe" else "unigram_sampling": strength}
    return SampledSpelling(UNITS[kind], kind, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "off"), [("bpe", 1e-12), ("unigram", 1e9)])
@given(words=st.lists(st.one_of(st.sampled_from(WORDS), st.text("taringoﬁx ", max_size=9)), max_size=6))
def test_where_nothing_varies_it_spells_as_sentencepiece_does(kind: Any, off: float, words: list[str]) -> None:
    text = " ".join(words)
    assert spelling(kind, off).encode(text, RowKey(1, 0, 0)) == UNITS[kind].encode_with_unknown(text)


@pytest.mark.parametrize(("kind", "strength"), [("bpe", 0.4), ("unigram", 0.1)])
def test_every_spelling_reads_as_the_text_and_many_are_drawn(kind: Any, strength: float) -> None:
    sampled, text = spelling(kind, strength), TEXT
    drawn = [sampled.encode(text, RowKey(1, epoch, 7)) for epoch in range(40)]
    assert {UNITS[kind].decode(numbers) for numbers in drawn} == {text}
    assert len({tuple(numbers) for numbers in drawn}) > 10
    assert drawn == [spelling(kind, strength).encode(text, RowKey(1, epoch, 7)) for epoch in range(40)]
    assert pickle.loads(pickle.dumps(sampled)).encode(text, RowKey(1, 3, 7)) == drawn[3]


def test_bpe_without_any_merge_is_characters() -> None:
    numbers = spelling("bpe", 1 - 1e-12).encode("tar ino", RowKey(1, 0, 0))
    assert [UNITS["bpe"].piece(number) for number in numbers] == list(" tar ino")


@pytest.mark.parametrize("power", [0.3, 1.0])
def test_unigram_spellings_come_as_often_as_their_probabilities_say(power: float) -> None:
    word, units = "taring", UNITS["unigram"]
    scores = units.scores()

    def spellings(rest: str) -> list[list[str]]:
        if not rest:
            return [[]]
        return [
            [rest[:end], *more]
            for end in range(1, len(rest) + 1)
            if rest[:end] in scores
            for more in spellings(rest[end:])
        ]

    weights = {tuple(found): math.exp(power * sum(scores[sign] for sign in found)) for found in spellings(" " + word)}
    assert 5 < len(weights) <= 64
    sampled = spelling("unigram", power)
    count = 20_000
    drawn = collections.Counter(tuple(sampled.encode(word, RowKey(1, 0, row))) for row in range(count))
    for found, weight in weights.items():
        share = weight / sum(weights.values())
        numbers = tuple(units.number(sign.replace("▁", " ")) for sign in found)
        assert drawn[numbers] / count == pytest.approx(share, abs=5 * math.sqrt(share / count) + 1e-4)  # type: ignore[index]


def test_units_vary_while_training_alone() -> None:
    tokens = Tokens(units="bpe", vocabulary_size=60, bpe_dropout=0.5)
    tokens.fit(TEXTS)
    text = TEXT
    usual = tokens.prepare(text, None).tolist()
    assert usual == UNITS["bpe"].encode(text)
    drawn = {tuple(tokens.prepare(text, RowKey(1, epoch, 0)).tolist()) for epoch in range(20)}
    assert len(drawn) > 5
    assert tokens.length(text) == len(usual)


def test_words_of_units_vary_too() -> None:
    tokens = Tokens(units="bpe", vocabulary_size=60, bpe_dropout=0.5, word_pooling="mean")
    tokens.fit(TEXTS)
    drawn = [tokens.prepare(TEXT, RowKey(1, epoch, 0)) for epoch in range(20)]
    assert len({len(each) for each in drawn}) > 2
    assert all(int(each[:, 1].sum()) == 2 for each in drawn)


def test_where_words_are_pooled_it_is_they_that_may_be_so_many() -> None:
    tokens = Tokens(units="bpe", vocabulary_size=60, bpe_dropout=0.5, word_pooling="mean", max_length=2)
    tokens.fit(TEXTS)
    assert len({len(tokens.prepare(TEXT, RowKey(1, epoch, 0))) for epoch in range(20)}) > 2


def test_what_is_kept_of_words_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 2000)
    sampled, fresh = spelling("unigram", 0.2), spelling("unigram", 0.2)
    for row, word in enumerate([*WORDS[:60], "tar" * 10]):
        assert sampled.encode(word, RowKey(1, 0, row)) == fresh.encode(word, RowKey(1, 0, row))
        fresh = spelling("unigram", 0.2)
        assert sum(spell.size for spell in sampled._met.values()) <= 2000
    assert "tar" * 10 not in sampled._met


def test_what_a_draw_makes_too_long_is_spelt_as_usual() -> None:
    usual = UNITS["bpe"].encode(TEXT)
    tokens = Tokens(units="bpe", vocabulary_size=60, bpe_dropout=0.5, max_length=len(usual))
    tokens.fit(TEXTS)
    for epoch in range(20):
        numbers = tokens.prepare(TEXT, RowKey(1, epoch, 0)).tolist()
        assert len(numbers) <= len(usual)
        assert UNITS["bpe"].decode(numbers) == TEXT


def test_targets_vary_with_the_epoch_and_never_in_scoring() -> None:
    head = AttentionHead(input_size=4, units="bpe", vocabulary_size=60, bpe_dropout=0.5, text=["lowercase"])
    head.fit(TEXTS)
    features = FeatureChain(stages=[Tokens.configure()])
    features.fit(TEXTS)
    row = Row("a", TEXT, TEXT.upper())
    usual = head.encode_target(row.target)
    examples = Examples([row], [usual], features, 1, head.sampled_targets())
    drawn = [examples[(epoch, 0)][2] for epoch in range(20)]
    assert len({tuple(each.tolist()) for each in drawn if each is not None}) > 5
    assert {head.units.decode(each.tolist()) for each in drawn if each is not None} == {TEXT}
    scored = examples[(-1, 0)][2]
    assert scored is not None
    assert torch.equal(scored, usual)


def test_a_head_that_doesn_t_ask_for_it_has_none() -> None:
    head = AttentionHead(input_size=4, units="bpe", vocabulary_size=60)
    head.fit(TEXTS)
    assert head.sampled_targets() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": "unigram", "vocabulary_size": 60, "bpe_dropout": 0.1}, "bpe_dropout goes with bpe units"),
        ({"units": "bpe", "vocabulary_size": 60, "unigram_sampling": 0.1}, "unigram_sampling goes with unigram units"),
        ({"units": "characters", "bpe_dropout": 0.1}, "goes with bpe units; they are characters"),
    ],
)
def test_options_that_go_with_other_units_are_refused(options: dict[str, Any], message: str) -> None:
    for make in (lambda: Tokens(**options), lambda: AttentionHead(input_size=4, **options)):
        with pytest.raises(ConfigError) as caught:
            make()
        assert message in str(caught.value).replace(": ", " ")


def test_drawn_targets_don_t_go_with_ctc() -> None:
    with pytest.raises(ConfigError, match="ctc_weight"):
        AttentionHead(input_size=4, units="bpe", vocabulary_size=60, bpe_dropout=0.1, ctc_weight=0.3)
