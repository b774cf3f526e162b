"""Numbers of tokens as vectors."""

from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe import PaddedSequence
from seqpipe.core.chain import FeatureChain
from seqpipe.errors import ConfigError
from seqpipe.features.text.embedding import Embedding, OneHot
from seqpipe.features.text.tokens import Tokens

TEXTS = ["The cat", "the dog the", "Cat rare"]


def chain(embedding: dict[str, Any], **tokens: Any) -> FeatureChain:
    features = FeatureChain(stages=[Tokens.configure(**tokens), {"stage": "Embedding", **embedding}])  # type: ignore[list-item]
    torch.manual_seed(1)
    features.fit(TEXTS)
    return features.eval()


@torch.no_grad()
def vectors(features: FeatureChain, text: str) -> torch.Tensor:
    """``[T, D]``."""
    values: torch.Tensor = features(PaddedSequence.pad([features.prepare(text, None)])).values[0]
    return values


def test_equal_tokens_have_equal_vectors_and_unknown_ones_that_of_number_0() -> None:
    features = chain({"size": 6}, text=["lowercase"])
    found = vectors(features, "the THE cat unheard unseen")
    assert found.shape == (5, 6)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[3], found[4])
    assert torch.equal(found[3], features.stages[1].weight[0])
    assert not torch.equal(found[0], found[2])


def test_characters_beside_the_number_are_not_looked_at() -> None:
    plain, spelt = chain({"size": 6}), chain({"size": 6}, characters=4)
    assert torch.equal(vectors(plain, "The cat"), vectors(spelt, "The cat"))


def test_dropout_of_steps_hides_whole_tokens_while_training() -> None:
    features = chain({"size": 20, "dropout": 0.5, "dropout_kind": "steps"})
    plain = vectors(features, "the " * 200)
    dropped = vectors(features.train(), "the " * 200)
    hidden = (dropped == 0).all(dim=1)
    assert 50 < int(hidden.sum()) < 150
    torch.testing.assert_close(dropped[~hidden], 2 * plain[~hidden])


def test_hidden_words_have_the_vector_of_unknown_ones_from_this_stage_alone() -> None:
    features = chain({"size": 6, "word_dropout": 0.3})
    text = "the cat " * 1000
    prepared = features.prepare(text, None)
    plain = vectors(features, text)
    hidden = (vectors(features.train(), text) != plain).any(dim=1)
    assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.05)  # 5 deviations
    unknown = features.stages[1].weight[0]
    assert torch.equal(vectors(features.eval(), text), plain)
    torch.manual_seed(0)
    drawn = vectors(features.train(), text)
    assert all(torch.equal(step, unknown) for step in drawn[(drawn != plain).any(dim=1)])
    assert torch.equal(features.reader(PaddedSequence.pad([prepared])).values[0], prepared)


class TestVectors:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "vectors.txt"
        path.write_text("The 1 2\nthe 3 4\nCat 5 6\ncat 9 9\nfish 7 7\n")
        return path

    def test_words_begin_with_their_vectors_by_the_rules_of_the_tokens(self, path: Path) -> None:
        lower = chain({"size": 2, "vectors": path}, text=["lowercase"])
        assert vectors(lower, "the THE cat").tolist() == [[3, 4], [3, 4], [9, 9]]
        cased = chain({"size": 2, "vectors": path})
        assert vectors(cased, "The the Cat").tolist() == [[1, 2], [3, 4], [5, 6]]
        upper = chain({"size": 2, "vectors": path}, text=["uppercase"])
        assert vectors(upper, "the cat").tolist() == [[1, 2], [5, 6]]  # the first that matches

    def test_other_words_begin_with_the_deviation_of_those(self, tmp_path: Path) -> None:
        generator = torch.Generator().manual_seed(1)
        path = tmp_path / "wide.txt"
        rows = {word: 3 * torch.randn(500, generator=generator) for word in ("the", "cat")}
        path.write_text("".join(f"{word} {' '.join(map(str, row.tolist()))}\n" for word, row in rows.items()))
        weight = chain({"size": 500, "vectors": path, "standard_deviation": 0.01}).stages[1].weight.detach()
        found = chain({"size": 500, "vectors": path}).stages[1].coverage.found
        assert float(weight[~found].std()) == pytest.approx(float(weight[found].std()), rel=0.1)
        assert float(weight[~found].std()) > 2

    def test_the_notice_counts_words_and_tokens(self, path: Path) -> None:
        features = chain({"size": 2, "vectors": path}, text=["lowercase"], min_count=2)
        # the, cat; of 7 tokens the 3, cat 2
        assert features.fit_messages() == [
            f"{path}: vectors for 2 of 2 words of the vocabulary (71.4 % of the training tokens)"
        ]
        assert chain({"size": 2}).fit_messages() == []

    def test_frozen_ones_are_no_parameters(self, path: Path) -> None:
        for tuned in (True, False):
            features = chain({"size": 2, "vectors": path, "tuned": tuned})
            features.requires_grad_()
            batch = PaddedSequence.pad([features.prepare("the cat", None)])
            assert features(batch).values.requires_grad == tuned
            assert ("stages.1.weight" in dict(features.named_parameters())) == tuned
            assert "stages.1.weight" in features.state_dict()

    def test_without_a_file_nothing_is_frozen(self) -> None:
        assert chain({"size": 2, "tuned": False}).stages[1].weight.requires_grad

    def test_it_is_restored_without_the_file(self, path: Path, tmp_path: Path) -> None:
        config = {"size": 2, "vectors": path, "tuned": False}
        features = chain(config)
        (tmp_path / "assets").mkdir()
        features.save_assets(tmp_path / "assets")
        path.unlink()
        again = FeatureChain(stages=[Tokens.configure(), {"stage": "Embedding", **config}])  # type: ignore[list-item]
        again.load_assets(tmp_path / "assets")
        again.load_state_dict(features.state_dict())
        assert torch.equal(vectors(again.eval(), "the Cat dog"), vectors(features, "the Cat dog"))

    def test_units_are_found_by_sentencepieces_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "units.vec"
        path.write_text("2 2\n\u2581the 1 2\nt 3 4\n")
        features = chain({"size": 2, "vectors": path}, units="bpe", vocabulary_size=18)
        entries = dict(zip(features.reader.vocabulary, features.stages[1].weight.tolist(), strict=True))
        assert entries["t"] == [3, 4]
        assert features.stages[1].coverage.known == 1 + (" the" in entries)
        assert "training tokens" not in features.fit_messages()[0]


def test_one_hot_is_a_single_one() -> None:
    features = FeatureChain(stages=[Tokens.configure(units="characters"), OneHot.configure()])
    features.fit(["ACGT", "AC"])
    found = vectors(features, "ACN")
    assert found.sum(dim=1).tolist() == [1, 1, 1]
    assert found.argmax(dim=1).tolist() == [*features.prepare("AC", None).tolist(), 0]
    assert features.output_size == found.shape[1] == 5


@pytest.mark.parametrize("stage", [Embedding, OneHot])
def test_tokens_are_needed_before(stage: Any) -> None:
    with pytest.raises(ConfigError, match="needs Tokens before it"):
        stage(previous=None)


def test_before_it_has_grown() -> None:
    tokens = Tokens()
    tokens.fit(TEXTS)
    with pytest.raises(ConfigError, match="has no vectors yet"):
        Embedding(previous=tokens)(PaddedSequence.pad([tokens.prepare("the", None)]))
