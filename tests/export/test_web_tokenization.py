"""Texts as the page's scripts part and number them, beside the package."""

from typing import Any

import numpy as np
import pytest

from seqpipe.core.item import Item
from seqpipe.data.starter.sentiment import made_sentences
from seqpipe.errors import InputError
from seqpipe.export.web.learnt import describe_tokens
from seqpipe.export.web.page import MAX_TOKENS
from seqpipe.features.text.tokens import Tokens
from seqpipe.text.rules import apply_rules
from seqpipe.text.splitting import split_words
from seqpipe.text.units import SentencePieceUnits

from .javascript import in_node, needs_node

AWKWARD = [
    "",
    " ",
    "Don't go there, it's 3.50!!",
    "I can’t — you’re WON'T, rock'n'roll 'tis O'Neill's they'd've",
    "http://a.b/c?d=e, (https://x.yz/q). HTTP://UP.er www.site.org! ftp://f",
    "mail a.b+c@d-e.org, @user #topic #1 a#b x@y",
    ":-) :( ;P =D :'( <3 <33 ^__^ :) :DD xD 8)",
    "U.S. e.g. a.b.c A.B.Cd Ph.D.",
    "well-known snake_case 1,000.5 12:30 1/2 a/b -5 --x- x-",
    "naïve café Łódź Straße ǅ ﬁne ﬂow Ⅷ ½ x² ١٢٣ 12\u0661",
    "e\u0301te\u0301 a\u0308\u0323 \u0301x",
    "نمی\u200cخواهم हिन्दी क\u094d\u200dष ไทยดี 日本語テキスト。中文，标点！ 한국어",
    "👍🏽👍👍 👩\u200d👩\u200d👧 🇩🇪🇫🇷🇩 ❤\ufe0f❤\ufe0f #\ufe0f\u20e3",
    "«ιδέα» !ι “quoted” ‘single’ ‹x› ...… ---- ___ ⓐⒶⓑ ⒶⓐⒶ",
    "tab\tnew\nline\r\nno\xa0break\u2009thin\u200bzero\ufeffbom \x1cx\x85y\u3000z",
    "ſ 'ſ don'ſ K \u017f'S İstanbul ıI ΟΔΟΣ ΣΑΣ. ΣΑ'Σ",
    "\u2581mark \u2585 block \u2581\u2581 end\u2581",
    "a\U000e0100b \U00020000\U0001d400 \U0001f468",
    "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 ①②㈱ﬃ ｆｕｌｌ ﾊﾝｶｸ ㌔",
    "  many   spaces  \t at   the ends   ",
    '(a)[b]{c}<d>"e"/f\\g|h*i&j%k$l€m£n§o°p~q`r´s',
]
"""Texts in which something is usually got wrong."""


def mixed(count: int, seed: int) -> list[str]:
    """Texts drawn from the characters of the awkward ones, in any order."""
    generator = np.random.default_rng(seed)
    signs = sorted(set("".join(AWKWARD)) | set("antsTSdDmMreveLl'’.-_@:/ "))
    return ["".join(generator.choice(signs, generator.integers(1, 25))) for _ in range(count)]


def places(text: str, items: list[Item]) -> list[list[Any]]:
    """Words with offsets as JavaScript counts them, in which some characters count twice."""
    units = np.cumsum([0, *(len(sign.encode("utf-16-le")) // 2 for sign in text)]).tolist()
    return [[item.text, units[item.start], units[item.end]] for item in items]


@needs_node
@pytest.mark.parametrize("split", ["whitespace", "punctuation", "signs"])
def test_words_are_those_of_the_package(split: Any) -> None:
    texts = AWKWARD + mixed(3000, 1)
    expression = "given.texts.map(text => m.splitWords(text, given.split).map(w => [w.text, w.start, w.end]))"
    found = in_node("text/splitting.js", expression, {"texts": texts, "split": split})
    for text, words in zip(texts, found, strict=True):
        assert words == places(text, split_words(text, split)), repr(text)


@needs_node
@pytest.mark.parametrize(
    "rules",
    [
        ["lowercase"],
        ["uppercase"],
        ["nfc"],
        ["nfkc"],
        ["no_punctuation"],
        ["collapse_spaces"],
        ["nfkc", "lowercase", "no_punctuation", "collapse_spaces"],
    ],
)
def test_rules_are_those_of_the_package(rules: Any) -> None:
    texts = AWKWARD + mixed(500, 2)
    found = in_node(
        "text/rules.js", "given.texts.map(t => m.applyRules(t, given.rules))", {"texts": texts, "rules": rules}
    )
    assert found == [apply_rules(text, rules) for text in texts]


LEARNT_FROM = [
    *(sentence.text for sentence in made_sentences("train")[:400]),
    "Zwei Männer mit grünen Hüten „sitzen“ am Tisch – für ’nen Kaffee.",
    "Une fille saute dans l’eau : ça l’amuse, n’est-ce pas ? Œuvre, cœur, À bientôt « déjà »",
    *(text for text in AWKWARD if text.strip()),
]
"""Sentences of a recipe, and some with accents, ligatures and quotes."""


@needs_node
@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("options", [{}, {"byte_fallback": True}])
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_subwords_are_those_of_sentencepiece(kind: Any, options: dict[str, Any], marks: bool) -> None:
    learnt_from = [text for text in LEARNT_FROM if marks or not {"\u2581", "\u2585"} & set(text)]
    tokens = Tokens(units=kind, vocabulary_size=800, **options)
    tokens.fit(learnt_from)
    texts = [sentence.text for sentence in made_sentences("test")[:300]] + AWKWARD + mixed(1500, 3)
    texts += ["x \u4e01\u4e03 y", "\u4e01", "Ω", "  ", "aaaaaaaaaaaaaaaaaaaaaa" * 20]
    found = in_node(
        "text/subwords.js",
        "(units => given.texts.map(text => units.encode(text)))(new m.Subwords(given.units))",
        {"texts": texts, "units": describe_tokens(tokens)["subwords"]},
    )
    known = tokens.known
    assert isinstance(known, SentencePieceUnits)
    for text, numbers in zip(texts, found, strict=True):
        assert numbers == known.encode_with_unknown(text), repr(text)
    assert any(known.number("<unk>") in numbers for numbers in found) != bool(options)


POOLED = {"units": "unigram", "vocabulary_size": 700, "word_pooling": "mean"}
READERS: list[dict[str, Any]] = [
    {"text": ["lowercase"], "split": "signs", "min_count": 2},
    {"split": "punctuation", "text": ["nfkc", "no_punctuation"], "characters": 7, "min_count": 2},
    {"units": "characters", "text": ["nfkc", "lowercase", "collapse_spaces"], "vocabulary_size": 40},
    {"units": "characters", "max_length": 9, "overflow": "truncate"},
    {"units": "bpe", "vocabulary_size": 700, "text": ["nfc", "lowercase"]},
    {"units": "unigram", "vocabulary_size": 700, "max_length": 12, "overflow": "truncate"},
    {**POOLED, "split": "punctuation", "text": ["no_punctuation"]},
    {"split": "punctuation", "max_length": 5, "overflow": "truncate", "min_count": 2},
    {"max_length": 5},
]


def prepared(tokens: Tokens, text: str) -> Any:
    """Numbers, or a part of what the page says of a text that has none."""
    said = {"empty": "Nothing that the model reads", "too long": "tokens, and this model takes at most 5"}
    try:
        return tokens.prepare(text, None).numpy()
    except InputError as error:
        return said[error.kind]


@needs_node
@pytest.mark.parametrize("options", READERS)
def test_texts_are_prepared_as_in_the_package(options: dict[str, Any]) -> None:
    defaults = {"units": "words", "split": "whitespace", "text": [], "characters": 0, "word_pooling": None}
    tokens = Tokens(**options)
    short = [" ".join(text.split()[:5]) for text in LEARNT_FROM]
    tokens.fit(LEARNT_FROM if options != {"max_length": 5} else [text for text in short if text])
    texts = AWKWARD + [sentence.text for sentence in made_sentences("test")[:100]] + mixed(500, 4)
    found = in_node(
        "readers/texts.js",
        """(prepare => given.texts.map(text => {
            try {
                const p = prepare({text});
                const items = p.items?.map(w => [w.text, w.start, w.end]);
                return {values: Array.from(p.values, Number), shape: p.shape, items, truncated: p.truncated};
            } catch (error) { return error.message; }
        }))(m.reader(given.options, given.page))""",
        {
            "texts": texts,
            "options": {**defaults, "max_length": None, "overflow": "error", **options},
            "page": {"tokens": describe_tokens(tokens), "max_tokens": MAX_TOKENS},
        },
    )
    for text, each in zip(texts, found, strict=True):
        wanted = prepared(tokens, text)
        if isinstance(wanted, str):
            assert wanted in each, repr(text)
            continue
        assert each["shape"] == [1, *wanted.shape], repr(text)
        assert each["values"] == wanted.ravel().tolist(), repr(text)
        assert each["truncated"] == tokens.truncated(text)
        if tokens.words_are_steps:
            assert each["items"] == places(text, tokens.items(text))
    assert sum(isinstance(each, dict) for each in found) > 100


@needs_node
def test_what_is_no_text_is_told() -> None:
    page = {"tokens": {"entries": ["a"], "characters": None}, "max_tokens": 20}
    options = {"units": "words", "split": "whitespace", "text": [], "characters": 0, "word_pooling": None}
    options |= {"max_length": None, "overflow": "error"}
    expression = "given.texts.map(text => { try { prepare({text}); } catch (e) { return e.message; } })"
    expression = expression.replace("prepare(", "m.reader(given.options, given.page)(")
    texts = ["a\0b", "x\ud800", "a" + "\u0301" * 1001, "a " * 21, " \t", "a b"]
    found = in_node("readers/texts.js", expression, {"texts": texts, "options": options, "page": page})
    told = ["null character", "not valid Unicode", "1000 combining marks", "has 21 tokens; this page takes up to 20"]
    for said, wanted in zip(found, [*told, "write a word"], strict=False):
        assert wanted in said
    assert found[-1] is None
