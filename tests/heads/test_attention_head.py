"""The attention head: probabilities, losses, searches over its own decoder, units, and what it answers."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from seqpipe import (
    AttentionHead,
    ConfigError,
    CTCHead,
    GeneratedText,
    InputError,
    PaddedSequence,
    Pipeline,
    Recipe,
    Row,
)
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.chain import FeatureChain
from seqpipe.core.head import Encoded
from seqpipe.core.item import Item
from seqpipe.core.metric import score
from seqpipe.decoding.generated import Generated
from seqpipe.decoding.generation import GenerationDecoding
from seqpipe.evaluation.experiments.main_score import main_score
from seqpipe.heads.decoded_text import DecodedText

D = 8
TEXTS = ["ab", "ba b", "abba"]


def fitted(texts: list[str] = TEXTS, **options: Any) -> AttentionHead:
    torch.manual_seed(1)
    given = {"units": "characters", "embedding_size": 6, "hidden_size": 8, **options}
    head = AttentionHead(input_size=D, **given)
    head.fit(texts)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(2.0)  # further from even probabilities
    return head.eval()


def encoded(rows: int = 3) -> Encoded:
    generator = torch.Generator().manual_seed(4)
    return Encoded(torch.randn(rows, 9, D, generator=generator), torch.tensor([9, 4, 6][:rows]))


def tokens(**options: Any) -> FeatureChain:
    return FeatureChain(stages=[{"stage": "Tokens", **options}])


class Place:
    """Where an answer lies: the words of a text."""

    items = (Item("Ein", 0, 3), Item("Hund", 4, 8))
    text = "Ein Hund"
    truncated = 0

    def __call__(self, steps: torch.Tensor) -> torch.Tensor:
        return steps


@torch.inference_mode()
def test_the_loss_is_the_text_s_probability() -> None:
    head, batch = fitted(), encoded()
    targets = [head.encode_target(text) for text in TEXTS]
    total, count = head.loss(batch, targets)
    assert float(count) == sum(map(len, TEXTS)) + 3  # and the ends
    assert math.exp(-float(total)) == pytest.approx(math.prod(head.posteriors(batch, targets)), rel=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_probabilities_of_all_texts_add_up_to_one(temperature: float) -> None:
    head, batch = fitted(["ab"]), encoded(1)
    head.temperature = temperature
    head.bias[head.end] += 3.0  # so that long texts are improbable
    total = 0.0
    for length in range(9):
        labels = [torch.tensor(each, dtype=torch.int64) for each in itertools.product(range(2), repeat=length)]
        rows = PaddedSequence(batch.values.expand(len(labels), -1, -1), batch.lengths.expand(len(labels)))
        total += sum(head.posteriors(rows, labels))
    assert 0.98 < total <= 1 + 1e-6


@torch.inference_mode()
@pytest.mark.parametrize("attention", ["general", "bahdanau", "location"])
def test_a_wide_beam_finds_what_enumeration_finds(attention: str) -> None:
    head, batch = fitted(["ab"], attention=attention, input_feeding=attention == "general"), encoded()
    options = GenerationDecoding(beam=40, n_best=7, max_length=4)
    texts = [list(each) for size in range(5) for each in itertools.product(range(2), repeat=size)]
    for place, found in enumerate(head.decode(batch, options)):
        rows = batch.chosen([place] * len(texts))
        chances = head.posteriors(rows, [torch.tensor(each, dtype=torch.int64) for each in texts])
        scores = [math.log(chance) / (len(text) + 1) for chance, text in zip(chances, texts, strict=True)]
        best = sorted(range(len(texts)), key=lambda at: -scores[at])[:7]
        assert [item.labels for item in found.hypotheses] == [texts[at] for at in best]
        assert [item.score for item in found.hypotheses] == pytest.approx([scores[at] for at in best], abs=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_answers_do_not_depend_on_the_batch(method: Any) -> None:
    head, batch = fitted(), encoded()
    options = GenerationDecoding(method=method, beam=3, n_best=3, max_length=6)
    together = head.decode(batch, options)
    for place, row in enumerate(batch.rows()):
        (alone,) = head.decode(Encoded(*PaddedSequence.pad([row])), options)
        assert [item.labels for item in alone.hypotheses] == [item.labels for item in together[place].hypotheses]
        expected = [item.score for item in together[place].hypotheses]
        assert [item.score for item in alone.hypotheses] == pytest.approx(expected, abs=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_a_temperature_changes_probabilities_and_no_text(method: Any) -> None:
    head, batch = fitted(), encoded()
    options = GenerationDecoding(method=method, beam=3, n_best=3, max_length=6)
    before = head.decode(batch, options)
    head.temperature = 2.0
    after = head.decode(batch, options)
    for place, (one, other) in enumerate(zip(before, after, strict=True)):
        assert [(item.labels, item.score) for item in one.hypotheses] == [
            (item.labels, item.score) for item in other.hypotheses
        ]
        labels = [torch.tensor(item.labels, dtype=torch.int64) for item in other.hypotheses]
        expected = head.posteriors(batch.chosen([place] * len(labels)), labels)
        assert [math.exp(item.log_probability) for item in other.hypotheses] == pytest.approx(expected, rel=1e-4)
    assert before[0].hypotheses[0].log_probability != pytest.approx(after[0].hypotheses[0].log_probability, abs=0.01)


def test_a_beam_wider_than_the_vocabulary_is_no_matter() -> None:
    head = fitted(["a"])
    found = head.decode(encoded(), GenerationDecoding(beam=50, n_best=50, max_length=2))
    assert sorted(item.labels for item in found[0].hypotheses) == [[], [0], [0, 0]]


def test_label_smoothing_is_torch_s_and_for_training_alone() -> None:
    head, batch = fitted(label_smoothing=0.2), encoded()
    targets = [head.encode_target(text) for text in TEXTS]
    emissions, lengths = head(batch, targets)
    labels = [torch.cat([target, torch.tensor([head.end])]) for target in targets]
    flat = torch.cat([row[:length] for row, length in zip(emissions, lengths.tolist(), strict=True)])
    for training, smoothing in ((True, 0.2), (False, 0.0)):
        head.train(training)
        expected = F.cross_entropy(flat, torch.cat(labels), label_smoothing=smoothing, reduction="sum")
        assert float(head.loss(batch, targets)[0].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_a_ctc_loss_beside_is_that_of_the_ctc_head() -> None:
    batch = encoded()
    head, plain, ctc = fitted(ctc_weight=0.25), fitted(), CTCHead(input_size=D)
    ctc.fit(TEXTS)
    assert head.ctc_output is not None
    with torch.no_grad():
        ctc.output.weight.copy_(head.ctc_output.weight)
        ctc.output.bias.copy_(head.ctc_output.bias)
        for name, parameter in plain.named_parameters():
            parameter.copy_(head.get_parameter(name))
        targets = [head.encode_target(text) for text in TEXTS]
        expected = 0.75 * plain.loss(batch, targets)[0] + 0.25 * ctc.loss(batch, [each + 1 for each in targets])[0]
        assert float(head.loss(batch, targets)[0]) == pytest.approx(float(expected), rel=1e-5)
    assert head.min_steps(head.encode_target("abb")) == 4
    with pytest.raises(InputError, match=r"row 1 of the batch: 4 labels need 5 steps for CTC, and 4 are left"):
        head.loss(batch, [head.encode_target(text) for text in ("a", "abba", "a")])


def test_scheduled_sampling_shows_the_decoder_its_own_labels() -> None:
    head, batch = fitted(scheduled_sampling=1.0).train(), encoded(1)
    target = head.encode_target("abba")
    guessed = fitted()(batch, [target]).values.argmax(dim=-1)[0, :-1]
    shown = torch.cat([torch.tensor([head.end]), guessed])
    outputs, _ = head.decoder(F.embedding(shown, head.embedding)[None], batch)
    logits = F.linear(outputs[0], head.embedding, head.bias)
    expected = F.cross_entropy(logits, torch.cat([target, torch.tensor([head.end])]), reduction="sum")
    assert float(head.loss(batch, [target])[0].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"tied": "none"}, {"units": "bpe", "vocabulary_size": 8}, {"units": "words"}, {"layers": 2}]
)
def test_what_is_saved_comes_back(tmp_path: Path, options: dict[str, Any]) -> None:
    head = fitted(**options)
    head.save_assets(tmp_path)
    again = AttentionHead(input_size=D, **{"units": "characters", "embedding_size": 6, "hidden_size": 8, **options})
    again.load_assets(tmp_path)
    again.load_state_dict(head.state_dict())
    limits = GenerationDecoding(max_length=4)
    assert again.eval().decode(encoded(), limits) == head.decode(encoded(), limits)
    assert [again.encode_target(text).tolist() for text in TEXTS] == [head.encode_target(t).tolist() for t in TEXTS]


def chain(**options: Any) -> Pipeline:
    features = [
        {"stage": "Tokens", "units": "bpe", "vocabulary_size": 12, "shared": True},
        {"stage": "Embedding", "size": 6},
    ]
    head = {"stage": "AttentionHead", "units": "shared", "tied": "all", "embedding_size": 6, "hidden_size": 8}
    encoder = {"stage": "RecurrentEncoder", "hidden_size": 4, "layers": 1}
    sections = {"features": features, "encoder": encoder, "head": {**head, **options}}
    pipeline = Pipeline(Recipe.model_validate({"pipeline": sections}))
    pipeline.fit([Row("1", "ab ba", "xy yx"), Row("2", "b ab", "y xy x")])
    return pipeline.eval()


def test_one_table_serves_input_output_and_last_layer(tmp_path: Path) -> None:
    pipeline = chain()
    table = pipeline.features.stages[1].weight
    assert len([each for each in pipeline.parameters() if each.shape == table.shape]) == 1
    assert set("abxy") <= set("".join(pipeline.features.reader.vocabulary))
    batch = PaddedSequence.pad([pipeline.features.prepare("ab ba", None)])
    pipeline.loss(batch, [pipeline.head.encode_target("xy")])[0].backward()
    unused = pipeline.features.reader.known.encode("y")[-1]
    assert float(table.grad[unused].abs().sum()) > 0  # by the last layer, which all labels are in
    pipeline.save(tmp_path / "run")
    again = Pipeline.load(tmp_path / "run")
    answers = [each.answer_batch(["1"], ["ab ba"], [batch.values[0]]) for each in (pipeline, again)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("tied", ["none", "output", "all"])
def test_units_that_no_target_holds_are_left_out_of_the_last_layer(tied: str, tmp_path: Path) -> None:
    whole, part = chain(tied=tied), chain(tied=tied, vocabulary_threshold=1)
    kept = part.head.units.kept
    assert part.head.output_size == len(kept) + 1 < whole.head.output_size
    # The same weights, and in the whole one a bias that forbids the others: the same probabilities, gradients, texts.
    weights = dict(part.state_dict())
    every = [*kept, whole.head.end]
    for name, values in whole.state_dict().items():
        if name in ("head.bias", "head.output.bias", "head.output.weight") or (
            name == "head.embedding" and tied == "output"
        ):
            full = torch.full_like(values, -1e4 if name.endswith("bias") else 0.5)
            full[every] = weights[name]
            weights[name] = full
        elif name == "head.embedding" and tied == "none":
            full = torch.zeros_like(values)
            full[every] = weights[name]
            weights[name] = full
    whole.load_state_dict(weights)
    batch = PaddedSequence.pad([whole.features.prepare("ab ba", None)])
    losses = [each.loss(batch, [each.head.encode_target("xy yx")])[0] for each in (whole, part)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(whole.features.stages[1].weight.grad, part.features.stages[1].weight.grad)
    assert 0 in part.head.units.encode("ab")  # letters of the source alone
    part.save(tmp_path / "run")
    again = Pipeline.load(tmp_path / "run")
    texts = [each.answer_batch(["1"], ["ab ba"], [batch.values[0]])[0].text for each in (whole, part, again)]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary_threshold": 1}, r"vocabulary_threshold goes with units: shared; they are unigram"),
        ({"tied": "all"}, r"tied all goes with units: shared; they are unigram"),
        ({"copy_unknown": True}, r"copy_unknown goes with units: words"),
        ({"units": "shared"}, r"units shared needs a pipeline whose features have SentencePiece units"),
        ({"units": "shared", "features": tokens()}, r"units shared needs features that begin with Tokens of unigram"),
        ({"attention": "dot", "hidden_size": 6}, r"attention dot needs hidden_size to be the encoder's 8 features"),
    ],
)
def test_options_that_do_not_go_together_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AttentionHead(input_size=D, **options).fit(TEXTS)


@pytest.mark.parametrize(("units", "drawn"), [("bpe", {"bpe_dropout": 0.1}), ("unigram", {"unigram_sampling": 0.2})])
def test_drawn_spellings_need_all_units(units: Any, drawn: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"vocabulary_threshold doesn't go with bpe_dropout or unigram_sampling"):
        AttentionHead(
            input_size=D,
            units="shared",
            features=tokens(units=units, vocabulary_size=30),
            vocabulary_threshold=1,
            **drawn,
        )


def test_a_table_of_another_size_is_named() -> None:
    with pytest.raises(ConfigError, match=r"tied all needs an Embedding of size 5 \(embedding_size\)"):
        chain(embedding_size=5)


def test_unknown_words_are_copied_from_where_the_decoder_looked() -> None:
    head = fitted(["the dog", "the cat"], units="words", copy_unknown=True)
    batch = Encoded(encoded(1).values[:, :2], torch.tensor([2]))
    assert head.encode_target("the zebra").tolist()[1] == 0
    with torch.no_grad():
        head.bias[0] += 50.0  # nothing but unknown words
    (found,) = head.decode(batch, GenerationDecoding(min_length=2, max_length=2, n_best=1))
    (weights,) = head.attention_over(batch, [found.hypotheses[0].labels])
    expected = [Place.items[place].text for place in weights.argmax(dim=1).tolist()[:2]]
    answer = head.answer("1", found, Place())
    assert answer.text == " ".join(expected)
    head.copy_unknown = False
    (found,) = head.decode(batch, GenerationDecoding(min_length=2, max_length=2, n_best=1))
    assert head.answer("1", found, Place()).text == "<unk> <unk>"


def test_an_answer_has_probability_score_and_alternatives() -> None:
    head, batch = fitted(), encoded()
    (found, *_) = head.decode(batch, GenerationDecoding(n_best=3, max_length=5))
    answer = head.answer("a", found, Place())
    texts = [each.text for each in answer.alternatives]
    assert answer.text == texts[0]
    assert len(set(texts)) == 3
    chances = head.posteriors(batch.chosen([0] * 3), [head.encode_target(text) for text in texts])
    assert [each.probability for each in answer.alternatives] == pytest.approx(chances, rel=1e-4)
    assert json.loads(json.dumps(answer.to_json()))["alternatives"][1]["text"] == texts[1]


@pytest.mark.parametrize("scores", ["translation", "transcription"])
def test_a_corpus_is_scored_by_the_sum_of_its_rows(scores: Any) -> None:
    head = fitted(scores=scores)
    answers = [GeneratedText(str(n), text, 0.5, -1.0) for n, text in enumerate(["a cat sat on it", "b", "c d e f"])]
    references = ["a cat sat on it", "b c", "c d e g"]
    counts = head.metric.count(references, answers)
    assert head.metric.names[0] == "rows"
    assert counts.shape == (3, len(head.metric.names))
    assert head.metric.scores(counts.sum(axis=0)) == score(head.metric, references, answers)
    assert head.metric.main in score(head.metric, references, answers)
    assert head.metric.errors(counts)[0] == 0 < min(head.metric.errors(counts)[1:])


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="the target should be text; received 7"):
        fitted().encode_target(7)
    with pytest.raises(InputError, match=r"holds 'z', which the vocabulary of 3 characters lacks"):
        fitted().encode_target("az")


def test_a_search_by_ctc_needs_its_loss() -> None:
    pipeline = {"features": [{"stage": "LogMel"}], "head": {"stage": "AttentionHead", "units": "characters"}}
    with pytest.raises(ConfigError, match=r"decoding\.ctc_weight.*needs a head with a CTC loss"):
        parse_recipe({"pipeline": pipeline, "decoding": {"ctc_weight": 0.3}}, "recipe.yaml")
    head, batch = fitted(), encoded()
    with pytest.raises(ConfigError, match="trained with CTC beside it"):
        head.decode(batch, GenerationDecoding(ctc_weight=0.3))
    head = fitted(ctc_weight=0.5)
    usual, joint = (head.decode(batch, GenerationDecoding(ctc_weight=weight)) for weight in (0.0, 0.9))
    assert [row.hypotheses[0].score for row in usual] != [row.hypotheses[0].score for row in joint]


@pytest.mark.parametrize("attention", ["dot", "general", "bahdanau", "location", "multi_head"])
def test_the_main_score_is_known_before_sizes_are(attention: str) -> None:
    head = {"stage": "AttentionHead", "units": "characters", "attention": attention, "hidden_size": 8}
    for scores, expected in (("translation", ("bleu", False)), ("transcription", ("wer", True))):
        pipeline = {"features": [{"stage": "LogMel"}], "head": {**head, "scores": scores}}
        assert main_score(Recipe.model_validate({"pipeline": pipeline})) == expected


def test_what_ctc_forbids_is_written_without_it() -> None:
    head, batch = fitted(ctc_weight=0.5), encoded()
    short = batch.chosen([1])  # of 4 steps
    options = GenerationDecoding(ctc_weight=0.5, min_length=6)
    (row,) = head.decode(short, options)
    (alone,) = head.decode(short, GenerationDecoding(min_length=6))
    assert row.hypotheses == alone.hypotheses
    both = head.decode(batch, options)
    assert [len(each.hypotheses) for each in both] == [1, 1, 1]


def test_words_are_copied_where_a_step_is_a_word_alone() -> None:
    head = fitted(["the dog", "the cat"], units="words", copy_unknown=True)
    answer = DecodedText([Generated([0], -1.0, -1.0)], [[1, 0]], steps=2)
    assert head.answer("a", answer, Place()).text == "Hund"
    fewer = DecodedText([Generated([0], -1.0, -1.0)], [[1, 0]], steps=1)
    assert "Hund" not in head.answer("a", fewer, Place()).text
    pieces = {"stage": "Tokens", "units": "bpe", "vocabulary_size": 30}
    recipe = {
        "features": [pieces, {"stage": "Embedding", "size": 4}],
        "head": {"stage": "AttentionHead", "units": "words", "copy_unknown": True},
    }
    pipeline = Pipeline(Recipe.model_validate({"pipeline": recipe}))
    with pytest.raises(ConfigError, match="a step for each word"):
        pipeline.fit([Row(text, text, text) for text in ("the dogs run", "a cat sleeps on the mat")])
