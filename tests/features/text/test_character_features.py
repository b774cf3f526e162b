"""Features of words from their characters, against the same computed word by word."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqpipe import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.text.character_features import CharacterFeatures, distinct
from seqpipe.features.text.tokens import Tokens

TEXTS = ["the cat sat on the mat", "a cat", "antidisestablishment of cats the"]
OPTIONS: dict[str, dict[str, Any]] = {
    "cnn": {"filters": [5, 4], "kernels": [3, 2]},
    "wide cnn": {"filters": [3], "kernels": [15]},
    "bilstm": {"kind": "bilstm", "filters": [6]},
}


def made(kind: str, **more: Any) -> tuple[Tokens, CharacterFeatures]:
    torch.manual_seed(1)
    tokens = Tokens(characters=8)
    tokens.fit(TEXTS)
    features = CharacterFeatures(previous=tokens, size=7, **OPTIONS[kind], **more)
    features.build()
    return tokens, features.eval()


@torch.no_grad()
def of_text(tokens: Tokens, features: CharacterFeatures, text: str) -> Tensor:
    """``[T, D]``."""
    return features(PaddedSequence.pad([tokens.prepare(text, None)])).values[0]


@pytest.mark.parametrize("kind", OPTIONS)
class TestWords:
    def test_equal_words_get_equal_features_wherever_they_stand(self, kind: str) -> None:
        tokens, features = made(kind)
        batch = PaddedSequence.pad([tokens.prepare(text, None) for text in TEXTS])
        rows = [row.detach() for row in features(batch).rows()]
        words: dict[str, list[Tensor]] = {}
        for text, row in zip(TEXTS, rows, strict=True):
            assert row.shape == (len(text.split()), features.output_size)
            for word, vector in zip(text.split(), row, strict=True):
                words.setdefault(word, []).append(vector)
        assert all(torch.equal(vector, vectors[0]) for vectors in words.values() for vector in vectors)
        assert len({tuple(vectors[0].tolist()) for vectors in words.values()}) == len(words)

    def test_the_rest_of_the_text_changes_nothing(self, kind: str) -> None:
        tokens, features = made(kind)
        for word in ("cat", "antidisestablishment", "a"):
            alone = of_text(tokens, features, word)[0]
            among = of_text(tokens, features, f"the {word} sat antidisestablishment")[1]
            torch.testing.assert_close(among, alone, atol=1e-6, rtol=0)

    def test_the_number_of_the_word_is_not_looked_at(self, kind: str) -> None:
        tokens, features = made(kind)
        prepared = tokens.prepare(TEXTS[0], None)
        hidden = prepared.clone()
        hidden[:, 0] = 0
        both = features(PaddedSequence.pad([prepared, hidden])).values
        assert torch.equal(both[0], both[1])

    def test_saved_and_loaded_it_gives_the_same(self, kind: str) -> None:
        tokens, features = made(kind)
        again = CharacterFeatures(previous=tokens, size=7, **OPTIONS[kind])
        again.build()
        again.load_state_dict(features.state_dict())
        assert torch.equal(of_text(tokens, again.eval(), TEXTS[2]), of_text(tokens, features, TEXTS[2]))


@torch.no_grad()
def test_end_states_of_the_bilstm_are_those_of_each_word_alone() -> None:
    tokens, features = made("bilstm")
    got = of_text(tokens, features, TEXTS[2])
    for vector, row in zip(got, tokens.prepare(TEXTS[2], None)[:, 1:], strict=True):
        spelt = row[row > 0]
        encoded = features.encoder(PaddedSequence.pad([features.table(spelt)])).values[0]  # type: ignore[misc]
        wanted = torch.cat([encoded[-1, :6], encoded[0, 6:]])
        torch.testing.assert_close(vector, wanted, atol=1e-6, rtol=0)


@torch.no_grad()
def test_convolutions_are_the_maximum_over_a_words_own_windows() -> None:
    tokens, features = made("cnn")
    got = of_text(tokens, features, TEXTS[2])
    for vector, row in zip(got, tokens.prepare(TEXTS[2], None)[:, 1:], strict=True):
        values = features.table(row[row > 0])  # type: ignore[misc]
        wanted = []
        for width, layer in zip((3, 2), features.convolutions, strict=True):
            around = torch.nn.functional.pad(values, (0, 0, width // 2, (width - 1) // 2))
            windows = torch.stack([around[place : place + width].flatten() for place in range(len(values))])
            wanted.append(layer(windows).amax(dim=0).relu())
        torch.testing.assert_close(vector, torch.cat(wanted), atol=1e-6, rtol=0)


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=30))
def test_distinct_rows_are_those_of_unique(rows: list[list[int]]) -> None:
    numbers = torch.tensor(rows)
    found, place = distinct(numbers)
    assert torch.equal(found[place], numbers)
    assert torch.equal(torch.unique(found, dim=0), torch.unique(numbers, dim=0))
    assert len(found) == len(torch.unique(numbers, dim=0))


def test_distinct_rows_of_a_large_batch() -> None:
    numbers = torch.randint(0, 100, (20_000, 12), generator=torch.Generator().manual_seed(1))
    numbers = torch.cat([numbers, numbers[:5000]])
    found, place = distinct(numbers)
    assert len(found) == 20_000
    assert torch.equal(found[place], numbers)


def test_gradients_reach_every_occurrence() -> None:
    tokens, features = made("cnn")
    features.train()
    features(PaddedSequence.pad([tokens.prepare("cat cat", None)])).values.sum().backward()
    twice = features.table.weight.grad.clone()  # type: ignore[union-attr]
    features.zero_grad()
    features(PaddedSequence.pad([tokens.prepare("cat", None)])).values.sum().backward()
    torch.testing.assert_close(twice, 2 * features.table.weight.grad)  # type: ignore[union-attr]


class TestErrors:
    def test_without_characters(self) -> None:
        with pytest.raises(ConfigError, match=r"set Tokens\.characters"):
            CharacterFeatures(previous=Tokens())

    def test_filters_without_their_kernels(self) -> None:
        with pytest.raises(ConfigError, match="received 3 and 2"):
            CharacterFeatures(previous=Tokens(characters=3), filters=[1, 2, 3])

    def test_before_it_has_grown(self) -> None:
        tokens, _ = made("cnn")
        with pytest.raises(ConfigError, match="has no characters yet"):
            of_text(tokens, CharacterFeatures(previous=tokens), "cat")
