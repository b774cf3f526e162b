"""The language model's head, within the pipeline that it is the end of."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.config.recipe import parse_recipe
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, InputError
from seqpipe.heads.language_model import CODE_POINTS, LanguageModelHead
from seqpipe.pipeline import Pipeline

TEXTS = ["to be or not to be", "that is the question", "be"]
ENCODER = {"stage": "RecurrentEncoder", "bidirectional": False, "hidden_size": 12, "layers": 2}
UNITS: list[dict[str, Any]] = [
    {"units": "characters"},
    {"units": "words", "min_count": 2},
    {"units": "words", "characters": 6},
    {"units": "bpe", "vocabulary_size": 20},
]


def pipeline(tokens: dict[str, Any] = UNITS[0], features: Any = None, **parts: Any) -> Pipeline:
    tree = {
        "features": [{"stage": "Tokens", **tokens}, *(features or [{"stage": "Embedding", "size": 8}])],
        "encoder": ENCODER,
        "head": {"stage": "LanguageModelHead"},
        **parts,
    }
    made = Pipeline(parse_recipe({"data": {"input": "text"}, "pipeline": tree}, "test"))
    made.fit([Row(text, text, text) for text in TEXTS])
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made.eval()


def scored(made: Pipeline, *texts: str) -> list[Any]:
    prepared = [made.features.prepare(text, None) for text in texts]
    return made.answer_batch(list(texts), list(texts), prepared)


@torch.no_grad()
@pytest.mark.parametrize("head", [{}, {"tied": True, "dropout": 0.3}])
@pytest.mark.parametrize("tokens", UNITS)
def test_perplexity_is_what_going_through_the_text_step_by_step_gives(
    tokens: dict[str, Any], head: dict[str, Any]
) -> None:
    made = pipeline(tokens, head={"stage": "LanguageModelHead", **head})
    text = TEXTS[0]
    prepared = made.features.prepare(text, None)
    labels = made.head.encode_target(text)
    assert len(labels) == len(prepared) + 1
    total = -made.head.log_probabilities(made.head.first_step)[labels[0]]
    for length in range(1, len(prepared) + 1):  # the whole beginning anew for every unit: no state is carried
        step = made(PaddedSequence.pad([prepared[:length]])).values[0, -1]
        total = total - made.head.log_probabilities(step)[labels[length]]
    (answer,) = scored(made, text)
    assert answer.units == len(labels)
    assert answer.log_probability == pytest.approx(-float(total), abs=1e-4)
    assert answer.perplexity == pytest.approx(math.exp(float(total) / len(labels)), rel=1e-5)
    loss, count = made.head.loss(made(PaddedSequence.pad([prepared])), [labels])
    assert float(loss) == pytest.approx(float(total), abs=1e-4)
    assert int(count) == len(labels)


@torch.no_grad()
def test_a_batch_gives_what_its_rows_give_alone() -> None:
    made = pipeline()
    together, alone = scored(made, *TEXTS), [scored(made, text)[0] for text in TEXTS]
    for one, other in zip(together, alone, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)


@torch.no_grad()
def test_parts_of_a_text_have_the_loss_of_the_whole() -> None:
    made, text = pipeline(), TEXTS[0]
    prepared, target = made.features.prepare(text, None), made.head.encode_target(text)
    whole, labels = made.head.loss(made(PaddedSequence.pad([prepared])), [target])
    state = made.carrier().initial_state(1)
    total = count = 0.0
    for start, stop in ((0, 5), (5, 6), (6, len(prepared))):
        encoded, state = made.forward_from(PaddedSequence.pad([prepared[start:stop]]), state)
        loss, some = made.head.loss(encoded, [made.head.target_of(target, start, stop)])
        total, count = total + float(loss), count + float(some)
    assert (total, count) == (pytest.approx(float(whole), abs=1e-4), float(labels))


@torch.no_grad()
def test_probabilities_of_all_texts_add_up_to_one() -> None:
    """Of all texts of at most two characters, and of all beginnings of three."""
    made = pipeline({"units": "characters", "vocabulary_size": 2})
    head = made.head

    def go_on(step: torch.Tensor, state: Any, share: float, depth: int) -> float:
        found = head.log_probabilities(step).exp()
        if depth == 3:
            return share
        ends = share * float(found[-1])
        for number in range(head.tokens.size):
            batch = PaddedSequence(torch.tensor([[number]]), torch.tensor([1]))
            encoded, after = made.forward_from(batch, state)
            ends += go_on(encoded.values[0, 0], after, share * float(found[number]), depth + 1)
        return ends

    total = go_on(head.first_step, made.carrier().initial_state(1), 1.0, 0)
    assert total == pytest.approx(1.0, abs=1e-4)


@torch.no_grad()
def test_an_unknown_word_costs_its_spelling() -> None:
    made = pipeline({"units": "words"})
    known, unknown = scored(made, "to be", "to prevaricate")
    assert (known.unknown, known.spelling) == (0, 0.0)
    assert unknown.unknown == 1
    assert unknown.spelling == pytest.approx(-(len("prevaricate") + 1) * math.log(CODE_POINTS + 1))
    (sign,) = scored(pipeline(), "to bé")
    assert (sign.unknown, sign.spelling) == (1, pytest.approx(-math.log(CODE_POINTS)))


def test_smoothing_is_of_training_alone() -> None:
    made = pipeline(head={"stage": "LanguageModelHead", "label_smoothing": 0.3})
    encoded = made(PaddedSequence.pad([made.features.prepare(TEXTS[0], None)]))
    target = [made.head.encode_target(TEXTS[0])]
    plain = float(made.head.loss(encoded, target)[0].detach())
    made.head.train()
    assert float(made.head.loss(encoded, target)[0].detach()) != pytest.approx(plain, rel=1e-3)
    assert plain == pytest.approx(-scored(made.eval(), TEXTS[0])[0].log_probability, abs=1e-4)


@torch.no_grad()
def test_what_is_saved_and_loaded_scores_alike(tmp_path: Path) -> None:
    made = pipeline(head={"stage": "LanguageModelHead", "tied": True})
    made.save(tmp_path / "run")
    assert scored(Pipeline.load(tmp_path / "run"), *TEXTS) == scored(made, *TEXTS)


def test_a_head_by_itself_reads_characters(tmp_path: Path) -> None:
    head = LanguageModelHead(input_size=4)
    head.fit(TEXTS)
    head.save_assets(tmp_path)
    again = LanguageModelHead(input_size=4)
    again.load_assets(tmp_path)
    assert torch.equal(again.encode_target("to be"), head.encode_target("to be"))


LOOKING_AHEAD = {
    "both ways": ({"encoder": {"stage": "RecurrentEncoder", "hidden_size": 4}}, "encoder should go one way"),
    "a front-end": (
        {"frontend": {"stage": "Conv1dFrontEnd", "channels": [4], "kernels": [3], "strides": [1]}},
        "frontend looks ahead",
    ),
    "n-grams": ({"features": [{"stage": "NGramFeatures", "size": 4}]}, "NGramFeatures may look at other steps"),
    "no embedding": ({"features": ["OneHot"], "head": {"stage": "LanguageModelHead", "tied": True}}, "needs an Embed"),
}


@pytest.mark.parametrize("case", LOOKING_AHEAD)
def test_what_looks_ahead_is_refused(case: str) -> None:
    parts, message = LOOKING_AHEAD[case]
    with pytest.raises(ConfigError, match=message):
        pipeline({"units": "words"}, **parts)


@pytest.mark.parametrize(
    "tokens",
    [
        {"units": "bpe", "vocabulary_size": 20, "bpe_dropout": 0.1},
        {"units": "characters", "max_length": 5, "overflow": "truncate"},
    ],
)
def test_a_text_is_learnt_as_it_is(tokens: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="learns the text as it is"):
        pipeline(tokens)


def test_another_target_than_the_text_is_refused() -> None:
    made = pipeline()
    encoded = made(PaddedSequence.pad([made.features.prepare(TEXTS[0], None)]))
    with pytest.raises(ConfigError, match=r"data\.target should be what data\.input is"):
        made.head.loss(encoded, [made.head.encode_target("be")])


@pytest.mark.parametrize("text", ["", "  ", 7, None])
def test_a_target_that_is_no_text_is_named(text: Any) -> None:
    with pytest.raises(InputError):
        pipeline().head.encode_target(text)
