"""Texts as numbers: where each stands, what is hidden while training, what is kept in a run directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import PaddedSequence
from seqpipe.core.randomness import RowKey
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.features.text.tokens import Tokens

TEXTS = ["the cat sat", "The dog sat down", "a cat and a dog", "dogs sit, cats don't", "naïve cafés 日本 the end"]
SIGNS = st.sampled_from(
    [
        *"aBéßİﬁ ,'3.日",
        "\u0939\u093f",
        "\u1112\u1161\u11ab",
        "cat ",
        "the ",
        "\U0001f3fd",
        "e\u0301",
        "\u3000",
        "\n",
        "\u05d0",
        "\u200f",
        "\U0001f44d",
        "\U0001f468\u200d\U0001f469",
    ]
)
ANY = st.one_of(st.lists(SIGNS, min_size=1).map("".join), st.text(st.characters(exclude_categories=["Cs", "Cc"])))

KINDS: dict[str, dict[str, Any]] = {
    "words": {"split": "punctuation", "text": ["lowercase"]},
    "words, spelt": {"characters": 4, "text": ["nfkc", "lowercase", "no_punctuation"]},
    "characters": {"units": "characters"},
    "characters, composed": {"units": "characters", "text": ["nfkc", "lowercase", "collapse_spaces"]},
    "unigram": {"units": "unigram", "vocabulary_size": 30},
    "unigram, normalised": {"units": "unigram", "vocabulary_size": 30, "text": ["nfkc", "lowercase"]},
    "bpe, bytes": {"units": "bpe", "vocabulary_size": 300, "byte_fallback": True},
    "pooled": {"units": "bpe", "vocabulary_size": 40, "word_pooling": "mean", "text": ["lowercase"]},
}
FITTED: dict[str, Tokens] = {}


def fitted(kind: str) -> Tokens:
    """Learnt once."""
    if kind not in FITTED:
        FITTED[kind] = Tokens(**KINDS[kind])
        FITTED[kind].fit(TEXTS * 3)
    return FITTED[kind]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    @given(text=ANY)
    def test_items_stand_where_they_say(self, kind: str, text: str) -> None:
        tokens = fitted(kind)
        try:
            items = tokens.items(text)
        except InputError:
            assert not any(sign.isalnum() for sign in text)
            return
        assert all(text[item.start : item.end] == item.text for item in items)
        assert [item.start for item in items] == sorted(item.start for item in items)
        assert [item.end for item in items] == sorted(item.end for item in items)
        covered = {place for item in items for place in range(item.start, item.end)}
        if "no_punctuation" not in tokens.rules:
            assert all(place in covered or sign.isspace() for place, sign in enumerate(text))

    @given(text=ANY)
    def test_a_number_for_each_item(self, kind: str, text: str) -> None:
        tokens = fitted(kind)
        try:
            prepared = tokens.prepare(text, None)
        except InputError:
            return
        assert prepared.dtype == torch.int64
        numbers = prepared if prepared.dim() == 1 else prepared[:, 0]
        assert 0 <= int(numbers.min()) <= int(numbers.max()) < len(tokens.vocabulary)
        words = len(prepared) if tokens.word_pooling is None else int(prepared[:, 1].sum())
        assert words == len(tokens.items(text))
        assert tokens.length(text) == len(prepared)

    def test_saving_keeps_the_numbers(self, kind: str, tmp_path: Path) -> None:
        tokens, again = fitted(kind), Tokens(**KINDS[kind])
        tokens.save_assets(tmp_path)
        again.load_assets(tmp_path)
        assert again.vocabulary == tokens.vocabulary
        assert again.counts == tokens.counts
        for text in [*TEXTS, "unheard of: Ω"]:
            assert torch.equal(again.prepare(text, None), tokens.prepare(text, None))
            assert again.items(text) == tokens.items(text)

    def test_a_list_of_words_is_these_joined_by_spaces(self, kind: str) -> None:
        words = ["the", "cat's", "naïve", "日本"]
        items = fitted(kind).items(words)
        text = " ".join(words)
        assert fitted(kind).preview(words) == text
        assert all(text[item.start : item.end] == item.text for item in items)
        if fitted(kind).units == "words" or fitted(kind).word_pooling:
            assert [item.text for item in items] == words

    @pytest.mark.parametrize(
        ("raw", "error"),
        [
            ("", "empty"),
            (" \t\n\u3000", "empty"),
            ([], "empty"),
            ("a\0b", "bad value"),
            ("a\ud83d", "bad value"),
            (["the", ""], "bad value"),
            (3, "bad value"),
        ],
    )
    def test_what_holds_no_text_is_refused(self, kind: str, raw: Any, error: str) -> None:
        for ask in (fitted(kind).items, fitted(kind).length, lambda raw: fitted(kind).prepare(raw, None)):
            with pytest.raises(InputError) as caught:
                ask(raw)
            assert caught.value.kind == error

    def test_a_hundred_thousand_characters(self, kind: str) -> None:
        tokens = fitted(kind)
        for text in ("the cat " * 12_500, "x" * 100_000):
            assert 1 <= len(tokens.prepare(text, None)) <= 100_001

    @pytest.mark.parametrize("overflow", ["error", "truncate"])
    def test_max_length(self, kind: str, overflow: Any) -> None:
        tokens = Tokens(**KINDS[kind], max_length=2, overflow=overflow)
        tokens.tokenization.use(fitted(kind).known, fitted(kind).tokenization.spelt)
        text = "the cat sat down"
        length = len(fitted(kind).items(text))
        if overflow == "error":
            with pytest.raises(InputError, match=f"has {length} tokens, 2 are allowed") as caught:
                tokens.prepare(text, None)
            assert caught.value.kind == "too long"
            return
        assert tokens.items(text) == fitted(kind).items(text)[:2]
        assert tokens.truncated(text) == length - 2
        whole, short = fitted(kind).prepare(text, None), tokens.prepare(text, None)
        assert torch.equal(short, whole[: len(short)])
        assert tokens.warnings(text, short)[0] == (
            "truncated",
            f"of the text's {length} tokens 2 are read (max_length)",
        )
        assert tokens.truncated("a") == 0


@given(ANY)
def test_characters_without_rules_are_the_text(text: str) -> None:
    if text.strip():
        assert "".join(item.text for item in fitted("characters").items(text)) == text


def test_characters_of_one_that_the_rules_part_share_its_place() -> None:
    items = fitted("characters, composed").items("aﬁ\u00a0e\u0301")
    assert [(item.start, item.end) for item in items] == [(0, 1), (1, 2), (1, 2), (2, 3), (3, 5)]


@pytest.mark.parametrize("units", ["characters", "bpe"])
@pytest.mark.parametrize(
    ("rules", "raw", "ruled", "places"),
    [
        (["nfkc"], "ｶﾞｷﾞ", "ガギ", [(0, 2), (2, 4)]),
        (["nfc"], "カ\u3099\u1100\u1161", "ガ가", [(0, 2), (2, 4)]),
        (["lowercase"], "ΟΔΟΣ", "οδος", [(0, 1), (1, 2), (2, 3), (3, 4)]),
        (["nfkc", "lowercase"], "ΑΣ ｶﾞ", "ας ガ", [(0, 1), (1, 2), (2, 3), (3, 5)]),
    ],
)
def test_rules_reach_across_characters(
    units: Any, rules: Any, raw: str, ruled: str, places: list[tuple[int, int]]
) -> None:
    """What was learnt from a text after the rules knows the same text before them."""
    tokens = Tokens(units=units, text=rules, vocabulary_size=30)
    tokens.fit([ruled, ruled[0], *["turn left now", "turn right now", "stop turning"] * 3])
    numbers = tokens.prepare(raw, None)
    assert numbers.tolist() == tokens.prepare(ruled, None).tolist()
    assert 0 not in numbers.tolist()
    items = tokens.items(raw)
    assert all(raw[item.start : item.end] == item.text for item in items)
    assert [items[0].start, items[-1].end] == [0, len(raw)]
    if units == "characters":
        assert [tokens.vocabulary[number] for number in numbers] == list(ruled)
        assert [(item.start, item.end) for item in items] == places


def test_rules_leave_the_words_of_a_list_in_place_for_their_tags() -> None:
    tokens = fitted("words, spelt")
    assert [item.text for item in tokens.items("the , cat")] == ["the", "cat"]
    assert len(tokens.prepare(["the", ",", "cat"], None)) == 3


class TestVocabulary:
    ROWS = ("a a a b b c", "a d")

    @pytest.mark.parametrize(
        ("options", "known"),
        [
            ({}, ["a", "b", "c", "d"]),
            ({"min_count": 2}, ["a", "b"]),
            ({"vocabulary_size": 3}, ["a", "b", "c"]),
            ({"min_count": 2, "vocabulary_size": 3}, ["a", "b"]),
        ],
    )
    def test_what_is_kept(self, options: dict[str, Any], known: list[str]) -> None:
        tokens = Tokens(**options)
        tokens.fit(self.ROWS)
        assert tokens.vocabulary == ["", *known]
        assert tokens.counts == [8 - sum([4, 2, 1, 1][: len(known)]), *[4, 2, 1, 1][: len(known)]]
        numbers = {word: number for number, word in enumerate(tokens.vocabulary) if word}
        assert tokens.prepare("d a c e", None).tolist() == [numbers.get(word, 0) for word in "dace"]

    def test_nothing_left(self) -> None:
        with pytest.raises(DataError, match=r"none occurs 9 times \(min_count\)"):
            Tokens(min_count=9).fit(self.ROWS)

    def test_before_it_is_learnt(self) -> None:
        with pytest.raises(ConfigError, match="call fit"):
            Tokens().prepare("a", None)

    @pytest.mark.parametrize(
        "options",
        [
            {"units": "bpe"},
            {"units": "characters", "characters": 3},
            {"byte_fallback": True},
            {"word_pooling": "mean"},
            {"units": "characters", "word_pooling": "mean"},
        ],
    )
    def test_options_that_do_not_go_together(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"is required|goes with units"):
            Tokens(**options)


class TestSpelling:
    def test_long_words_keep_their_beginning_and_end(self) -> None:
        tokens = Tokens(characters=5)
        tokens.fit(["abcdefgh ab"])
        spelt = tokens.prepare("abcdefgh ab z", None)[:, 1:]
        known = tokens.known_characters
        assert [known[number] for number in spelt[0]] == ["a", "b", "c", "g", "h"]
        assert [known[number] for number in spelt[1]] == ["a", "b", "", "", ""]
        assert spelt[1].tolist()[2:] == [0, 0, 0]
        assert spelt[2].tolist() == [1, 0, 0, 0, 0]
        assert tokens.warnings("abcdefgh ab", None) == [
            ("long words", "of 'abcdefgh' 5 characters of 8 are read (characters)")
        ]
        assert tokens.warnings("abcde ab", None) == []

    def test_rules_are_for_words_alone(self) -> None:
        tokens = Tokens(characters=3, text=["lowercase"])
        tokens.fit(["Ab aB"])
        numbers = tokens.prepare("Ab aB", None)
        assert numbers[0, 0] == numbers[1, 0] == 1
        assert numbers[0, 1:].tolist() != numbers[1, 1:].tolist()


ROW = "a a a a a a a a b b c d " * 200


class TestHiding:
    def hidden(self, tokens: Tokens, key: RowKey) -> np.ndarray[Any, Any]:
        prepared = tokens.prepare(ROW, key)
        return np.asarray((prepared if prepared.dim() == 1 else prepared[:, 0]) == 0)

    @pytest.mark.parametrize("options", [{"word_dropout": 0.3}, {"rare_dropout": 100.0}, {"lowercase_share": 0.5}])
    @pytest.mark.parametrize("more", [{}, {"characters": 2}, {"units": "characters"}])
    def test_it_is_a_function_of_the_draw(self, options: dict[str, Any], more: dict[str, Any]) -> None:
        tokens, again = Tokens(**options, **more), Tokens(**options, **more)
        rows = [ROW, "A B"]
        tokens.fit(rows)
        again.fit(rows)
        plain = tokens.prepare(rows[1], None)
        drawn = {epoch: tokens.prepare(rows[1], RowKey(3, epoch, 1)) for epoch in range(40)}
        for epoch in reversed(range(40)):
            assert torch.equal(again.prepare(rows[1], RowKey(3, epoch, 1)), drawn[epoch])
            assert torch.equal(tokens.prepare(rows[1], None), plain)
        assert any(not torch.equal(row, plain) for row in drawn.values())

    @pytest.mark.parametrize("kind", ["words", "words, spelt", "characters", "unigram", "pooled"])
    def test_word_dropout_hits_its_share_and_nothing_else(self, kind: str) -> None:
        tokens = Tokens(**KINDS[kind], word_dropout=0.3)
        tokens.fit([*TEXTS * 3, ROW])
        plain, drawn = tokens.prepare(ROW, None), tokens.prepare(ROW, RowKey(1, 2, 3))
        columns = (slice(None), 0) if plain.dim() == 2 else (slice(None),)
        hidden = drawn[columns] != plain[columns]
        assert (drawn[columns][hidden] == 0).all()
        assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.05)  # 2400 or more: 5 deviations
        assert torch.equal(
            drawn[:, 1:] if plain.dim() == 2 else drawn[:0], plain[:, 1:] if plain.dim() == 2 else plain[:0]
        )

    def test_rare_dropout_hits_by_count(self) -> None:
        tokens = Tokens(rare_dropout=200.0)
        tokens.fit([ROW])
        plain = tokens.prepare(ROW, None)
        hidden = self.hidden(tokens, RowKey(1, 2, 3))
        for word, count in (("a", 1600), ("b", 400), ("c", 200)):
            share = hidden[np.asarray(plain == tokens.vocabulary.index(word))].mean()
            assert share == pytest.approx(200 / (200 + count), abs=0.15 if word == "c" else 0.1)
        a, b, c = (hidden[np.asarray(plain == tokens.vocabulary.index(word))].mean() for word in "abc")
        assert a < b < c

    def test_both_together(self) -> None:
        tokens = Tokens(rare_dropout=2400.0, word_dropout=0.5)
        tokens.fit(["a " * 2400])
        share = (tokens.prepare("a " * 2400, RowKey(1, 1, 1)) == 0).double().mean()
        assert float(share) == pytest.approx(1 - 0.5 * 0.5, abs=0.05)

    @pytest.mark.parametrize("kind", KINDS)
    def test_lower_casing_is_the_text_in_lower_case(self, kind: str) -> None:
        tokens = Tokens(**KINDS[kind], lowercase_share=1.0)
        tokens.fit([*TEXTS * 3, ROW])
        text = "The Dog SAT, Naïve"
        assert torch.equal(tokens.prepare(text, RowKey(1, 2, 3)), tokens.prepare(text.lower(), None))
        assert torch.equal(tokens.prepare(text.split(), RowKey(1, 2, 3)), tokens.prepare(text.lower().split(), None))

    def test_lower_casing_hits_whole_texts_by_their_share(self) -> None:
        tokens = Tokens(characters=3, lowercase_share=0.25)
        tokens.fit(["The Cat the cat"])
        plain, lower = (tokens.prepare(text, None) for text in ("The Cat", "the cat"))
        drawn = [tokens.prepare("The Cat", RowKey(1, epoch, 5)) for epoch in range(400)]
        assert all(torch.equal(row, plain) or torch.equal(row, lower) for row in drawn)
        assert sum(torch.equal(row, lower) for row in drawn) / 400 == pytest.approx(0.25, abs=0.1)  # 4.6 deviations

    @pytest.mark.parametrize("kind", ["words", "words, spelt", "characters", "characters, composed", "pooled"])
    @given(text=ANY)
    def test_lower_casing_leaves_as_many_items(self, kind: str, text: str) -> None:
        """A tagger has a tag for each; a few capitals are two characters in lower case."""
        tokens = Tokens(**KINDS[kind], lowercase_share=1.0)
        tokens.tokenization.use(fitted(kind).known, fitted(kind).tokenization.spelt)
        try:
            items = tokens.items(text)
        except InputError:
            return
        prepared = tokens.prepare(text, RowKey(1, 2, 3))
        assert len(items) == (len(prepared) if tokens.word_pooling is None else int(prepared[:, 1].sum()))

    def test_lower_casing_moves_no_character_off_its_tag(self) -> None:
        tokens = Tokens(units="characters", lowercase_share=1.0)
        tokens.fit(["\u0130zmir \u0307"])
        plain = tokens.prepare("\u0130zmir", None)
        assert "\u0130".lower() == "i\u0307"
        assert torch.equal(tokens.prepare("\u0130zmir", RowKey(1, 2, 3))[1:], plain[1:])

    def test_lower_casing_that_makes_more_units_keeps_the_end(self) -> None:
        tokens = Tokens(units="bpe", vocabulary_size=40, lowercase_share=1.0)
        tokens.fit(["THE END of it", "THE END is near", "THE END"] * 3)
        text = "THE END THE END"
        lower = tokens.prepare(text.lower(), None)
        assert len(lower) > len(tokens.prepare(text, None))
        assert torch.equal(tokens.prepare(text, RowKey(1, 2, 3)), lower)

    def test_units_are_not_counted(self) -> None:
        with pytest.raises(ConfigError, match="rare_dropout goes with units: words or characters"):
            Tokens(units="bpe", vocabulary_size=30, rare_dropout=1.0).fit(TEXTS)


@pytest.mark.parametrize("how", ["mean", "max", "first", "last"])
def test_pooled_units_are_as_many_as_words(how: Any) -> None:
    tokens = Tokens(units="unigram", vocabulary_size=30, word_pooling=how)
    tokens.fit(TEXTS * 3)
    texts = ["the cat sat down", "unheard"]
    batch = PaddedSequence.pad([tokens.prepare(text, None) for text in texts])
    encoded = PaddedSequence(torch.randn(*batch.values.shape[:2], 3), batch.lengths)
    pooled = tokens.pool(batch, encoded)
    assert pooled.lengths.tolist() == [4, 1]
    assert pooled.values.shape == (2, 4, 3)
    with pytest.raises(ConfigError, match="needs a step for each unit"):
        tokens.pool(batch, PaddedSequence(encoded.values, batch.lengths - 1))


def test_without_pooling_steps_stay() -> None:
    check: Callable[..., Any] = fitted("unigram").pool
    encoded = PaddedSequence(torch.ones(1, 2, 3), torch.tensor([2]))
    assert check(encoded, encoded) is encoded
