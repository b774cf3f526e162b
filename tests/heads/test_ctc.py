import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe import ConfigError, CTCHead, InputError, PaddedSequence
from seqpipe.core.head import Encoded
from seqpipe.decoding.ctc_hypothesis import CTCHypothesis
from seqpipe.heads.ctc import CTCDecoding

D = 6
TEXTS = ["turn left", "turn right", "go on", "stop now"]


def fitted(**options: Any) -> CTCHead:
    torch.manual_seed(0)
    head = CTCHead(input_size=D, **options)
    head.fit(TEXTS)
    return head.eval()


def encoded(lengths: list[int]) -> PaddedSequence:
    generator = torch.Generator().manual_seed(1)
    return PaddedSequence.pad([torch.randn(length, D, generator=generator) for length in lengths])


def where(steps: Tensor) -> Tensor:
    """Encoded steps of 40 ms as seconds."""
    return steps * 0.04


def test_targets_are_numbered_from_one_in_the_order_of_the_characters() -> None:
    head = fitted()
    characters = sorted(set("".join(TEXTS)))
    labels = head.encode_target("turn on")
    assert labels.dtype == torch.int64
    assert labels.tolist() == [1 + characters.index(sign) for sign in "turn on"]
    assert head.output_size == len(characters) + 1
    assert head.encode_target("").tolist() == []


def test_what_cannot_be_spelt_is_refused_by_name() -> None:
    head = fitted()
    with pytest.raises(
        InputError, match=r"'turn café!' holds '!', 'a', 'c', 'é', which the vocabulary of \d+"
    ) as caught:
        head.encode_target("turn café!")
    assert caught.value.kind == "unknown character"
    with pytest.raises(InputError, match="should be text; received 7") as caught:
        head.encode_target(7)
    assert caught.value.kind == "bad value"


def test_text_rules_come_before_spelling() -> None:
    head = fitted(text=["lowercase", "no_punctuation", "collapse_spaces"])
    assert torch.equal(head.encode_target(" Turn,  LEFT! "), head.encode_target("turn left"))
    assert head.metric.describe() == "lower case, punctuation removed, runs of white space as one space"


@pytest.mark.parametrize("units", ["characters", "bpe"])
@pytest.mark.parametrize("text", ["\u2585 turn", "a\u2581b", "<unk>", "turn\n"])
def test_targets_are_spelt_whatever_they_hold(units: Any, text: str) -> None:
    head = CTCHead(input_size=4, units=units, vocabulary_size=30)
    texts = [text, *["turn left now", "turn right now", "left or right", "stop turning"] * 3]
    head.fit(texts)
    for each in texts:
        assert head.units.decode([label - 1 for label in head.encode_target(each).tolist()]) == each


@pytest.mark.parametrize("units", ["characters", "bpe"])
def test_what_no_text_has_costs_its_row_alone(units: Any, tmp_path: Path) -> None:
    head = CTCHead(input_size=4, units=units, vocabulary_size=20)
    head.fit(["turn left now", "turn right now", "a\0b", "a\ud83d"])
    head.save_assets(tmp_path)
    assert len(head.encode_target("turn")) > 0
    for text, said in (("a\0b", "a null character"), ("a\ud83d", "half a surrogate pair")):
        with pytest.raises(InputError, match=f"the target holds {said}") as caught:
            head.encode_target(text)
        assert caught.value.kind == "bad value"


def test_the_output_is_a_distribution_in_full_precision() -> None:
    head, batch = fitted(), encoded([5, 3])
    for context in (torch.autocast("cpu", torch.bfloat16), torch.autocast("cpu", enabled=False)):
        with context:
            output = head(batch)
        assert output.values.dtype == torch.float32
        torch.testing.assert_close(output.values.exp().sum(dim=-1), torch.ones(2, 5))
        assert output.lengths.tolist() == [5, 3]


def test_the_loss_is_torchs_summed_and_its_count_the_labels() -> None:
    head, batch = fitted(), encoded([30, 12, 20])
    targets = [head.encode_target(text) for text in ("turn left", "on", "")]
    total, count = head.loss(batch, targets)
    expected = F.ctc_loss(
        head(batch).values.transpose(0, 1),
        torch.cat(targets),
        batch.lengths,
        torch.tensor([9, 2, 0]),
        reduction="sum",
    )
    torch.testing.assert_close(total, expected)
    assert float(count) == 11.0
    single = [
        head.loss(PaddedSequence.pad([row]), [target])[0] for row, target in zip(batch.rows(), targets, strict=True)
    ]
    torch.testing.assert_close(total, torch.stack(single).sum(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(head.loss(batch.extended(64).masked(1e3), targets)[0], total, rtol=1e-5, atol=1e-5)


def test_a_shortcut_s_loss_is_that_of_its_own_layer_and_of_training_alone() -> None:
    head, plain = fitted(shortcut=0.3, front_size=4), fitted()
    plain.load_state_dict(head.state_dict(), strict=False)
    steps, labels = encoded([40, 60, 50]), [head.encode_target(text) for text in TEXTS[:3]]
    front = PaddedSequence(torch.randn(3, 60, 4), steps.lengths)
    batch = Encoded(*steps, front)
    assert torch.equal(head.loss(batch, labels)[0], plain.loss(batch, labels)[0])  # in evaluation
    head.train()
    total, count = head.loss(batch, labels)
    side = CTCHead(input_size=4)
    side.fit(TEXTS)
    assert head.side_output is not None
    side.output = head.side_output
    with torch.no_grad():
        wanted = float(plain.loss(batch, labels)[0] + 0.3 * side.loss(front, labels)[0])
    assert total.item() == pytest.approx(wanted)
    assert float(count) == float(plain.loss(batch, labels)[1])
    total.backward()
    assert head.side_output.weight.grad is not None
    with pytest.raises(ConfigError, match=r"shortcut needs what the front-end gave"):
        head.loss(Encoded(*steps), labels)  # what it saw was of one batch
    # Rows whose labels don't fit are left out on both sides.
    chosen = [labels[2], labels[0]]
    with torch.no_grad():
        wanted = float(plain.loss(batch.chosen([2, 0]), chosen)[0] + 0.3 * side.loss(front.chosen([2, 0]), chosen)[0])
        assert float(head.loss(batch.chosen([2, 0]), chosen)[0]) == pytest.approx(wanted)


def test_intermediate_layers_learn_through_the_output_layer_and_in_training_alone() -> None:
    head, plain = fitted(intermediate=0.4, intermediate_layers=[3, 1]), fitted()
    assert head.used_layers == [1, 3]
    plain.load_state_dict(head.state_dict())
    steps, labels = encoded([40, 60, 50]), [head.encode_target(text) for text in TEXTS[:3]]
    layers = [PaddedSequence(torch.randn(3, 60, D), steps.lengths) for _ in range(2)]
    batch = Encoded(*steps, layers=layers)
    assert torch.equal(head.loss(batch, labels)[0], plain.loss(batch, labels)[0])  # in evaluation
    head.train()
    own, *inner = (float(plain.loss(each, labels)[0]) for each in (steps, *layers))
    assert float(head.loss(batch, labels)[0]) == pytest.approx(0.6 * own + 0.4 * sum(inner) / 2)
    # Rows whose labels don't fit are left out of the layers too.
    chosen = [labels[2], labels[0]]
    own, *inner = (float(plain.loss(each.chosen([2, 0]), chosen)[0]) for each in (steps, *layers))
    assert float(head.loss(batch.chosen([2, 0]), chosen)[0]) == pytest.approx(0.6 * own + 0.4 * sum(inner) / 2)
    with pytest.raises(ConfigError, match=r"intermediate needs what the encoder's layers gave"):
        head.loss(Encoded(*steps), labels)


@pytest.mark.parametrize("options", [{"intermediate": 0.3}, {"intermediate_layers": [1]}])
def test_a_share_for_intermediate_layers_goes_with_their_numbers(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"intermediate goes with intermediate_layers"):
        fitted(**options)


def test_a_shortcut_needs_a_front_end() -> None:
    with pytest.raises(ConfigError, match=r"shortcut needs a front-end"):
        fitted(shortcut=0.3)


def test_learning_lowers_the_loss_to_the_text() -> None:
    """Loss, gradient and decoding belong together: trained on one text, the head says it."""
    head = fitted().train()
    batch = PaddedSequence.pad([torch.eye(20)])
    head.output = torch.nn.Linear(20, head.output_size)
    target = head.encode_target("turn on")
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        total, count = head.loss(batch, [target])
        (total / count).backward()
        optimizer.step()
    ((path, confidence),) = head.eval().decode(batch)
    transcript = head.answer("a", (path, confidence), where)
    assert transcript.text == "turn on"
    assert confidence > 0.9
    assert confidence == pytest.approx((-head.loss(batch, [target])[0]).exp().item(), rel=1e-4)


def test_a_label_that_does_not_fit_names_its_row() -> None:
    head = fitted()
    with pytest.raises(InputError, match=r"row 1 of the batch: 3 labels need 4 steps, and 3 are left") as caught:
        head.loss(encoded([9, 3]), [head.encode_target("go on"), torch.tensor([1, 1, 2])])
    assert caught.value.kind == "too short for its label"
    assert head.min_steps(torch.tensor([1, 1, 2])) == 4
    assert head.loss(encoded([9, 4]), [head.encode_target("go on"), torch.tensor([1, 1, 2])])[0].isfinite()


def test_an_answer_has_places_around_its_steps() -> None:
    head = fitted()
    labels = head.encode_target("on").tolist()
    path = CTCHypothesis(tuple(labels), (2, 5), (4, 6), (0.75, 0.5))
    transcript = head.answer("row 7", (path, 0.25), where)
    assert (transcript.id, transcript.text, transcript.confidence) == ("row 7", "on", 0.25)
    assert [(token.text, token.confidence) for token in transcript.tokens] == [("o", 0.75), ("n", 0.5)]
    assert [token.start for token in transcript.tokens] == pytest.approx([1.5 * 0.04, 4.5 * 0.04])
    assert [token.end for token in transcript.tokens] == pytest.approx([3.5 * 0.04, 5.5 * 0.04])
    assert [word.text for word in transcript.words] == ["on"]
    nothing = head.answer("row 8", (CTCHypothesis((), (), (), ()), 0.9), where)
    assert (nothing.text, nothing.words, nothing.tokens, nothing.confidence) == ("", (), (), 0.9)


def test_decoding_takes_its_options() -> None:
    head, batch = fitted(), encoded([20, 9])
    assert head.decode(batch) == head.decode(batch, CTCDecoding(method="greedy"))
    for wrong in ({"beam": 0}, {"beam_width": 3}, {"n_best": 60}, {"open_lexicon": True}, {"lm_weight": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CTCDecoding.model_validate(wrong)


def test_a_blank_penalty_finds_labels_that_the_blank_hid_with_both_methods() -> None:
    head, batch = fitted(), encoded([9, 4, 6])
    for method in ("greedy", "beam"):
        plain = head.decode(batch, CTCDecoding(method=method))
        found = head.decode(batch, CTCDecoding(method=method, blank_penalty=4.0))
        assert sum(len(row[0].labels) for row in found) > sum(len(row[0].labels) for row in plain)
        for number, length in enumerate([9, 4, 6]):  # batch = single
            alone = head.decode(
                PaddedSequence(batch.values[number : number + 1, :length], torch.tensor([length])),
                CTCDecoding(method=method, blank_penalty=4.0),
            )
            assert alone[0][0].labels == found[number][0].labels


@pytest.mark.parametrize("units", ["characters", "unigram", "bpe"])
def test_assets_restore_the_head(units: str, tmp_path: Path) -> None:
    head = fitted(units=units, vocabulary_size=16)
    head.save_assets(tmp_path)
    again = CTCHead(input_size=D, units=units, vocabulary_size=16)
    again.load_assets(tmp_path)
    assert again.output_size == head.output_size
    again.load_state_dict(head.state_dict())
    batch = encoded([20, 9])
    assert torch.equal(again.eval()(batch).values, head(batch).values)
    for text in TEXTS:
        assert torch.equal(again.encode_target(text), head.encode_target(text))


def test_before_it_has_learnt_it_says_so() -> None:
    head = CTCHead(input_size=D)
    for attempt in (lambda: head(encoded([3])), lambda: head.encode_target("a"), lambda: head.units):
        with pytest.raises(ConfigError, match=r"no units yet: call fit\(texts\) or load_assets"):
            attempt()


def test_dropout_works_in_training_only() -> None:
    head, batch = fitted(dropout=0.5), encoded([20])
    plain = head(batch).values
    assert not torch.allclose(head.train()(batch).values, plain)
    assert torch.equal(head.eval()(batch).values, plain)


@torch.no_grad()
def test_a_temperature_changes_probabilities_and_no_text() -> None:
    head, batch = fitted(), encoded([4, 2])
    before = head.decode(batch)
    head.temperature = 2.0
    after = head.decode(batch)
    assert [(item.labels, item.starts, item.stops) for item, _ in after] == [
        (item.labels, item.starts, item.stops) for item, _ in before
    ]
    emissions = head(batch).values.double()
    flat = F.softmax(emissions / 2.0, dim=-1)  # [B, T, V]
    for row, (item, confidence) in enumerate(after):
        means = [
            float(flat[row, start:stop, label].mean())
            for label, start, stop in zip(item.labels, item.starts, item.stops, strict=True)
        ]
        assert list(item.posteriors) == pytest.approx(means, abs=1e-6)
        assert head.posteriors(batch, [torch.tensor(item.labels)] * 2)[row] == pytest.approx(confidence)
    # One label in two steps: alone in both, in the first, or in the second.
    label = after[1][0].labels[0] if after[1][0].labels else 1
    one, two = flat[1, 0], flat[1, 1]
    expected = one[label] * two[label] + one[label] * two[0] + one[0] * two[label]
    found = head.target_log_probabilities(batch, [torch.tensor([label])] * 2, [1.0, 2.0])
    assert float(found[1, 1].exp()) == pytest.approx(float(expected), rel=1e-6)
    head.temperature = 1.0
    assert head.decode(batch) == before
    assert head.posteriors(batch, [torch.tensor([label])] * 2)[1] == pytest.approx(float(found[0, 1].exp()))


def test_posteriors_are_of_the_whole_text_over_all_alignments() -> None:
    head, batch = fitted(), encoded([9, 3])
    targets = [head.encode_target("on"), head.encode_target("go on")]
    first, second = head.posteriors(batch, targets)
    loss, _ = head.loss(PaddedSequence(batch.values[:1], batch.lengths[:1]), targets[:1])
    assert first == pytest.approx(math.exp(-float(loss.detach())), rel=1e-4)
    assert second == 0.0  # five labels don't fit into three steps
    hypothesis, confidence = head.decode(batch)[0]
    assert head.posteriors(batch, [torch.tensor(hypothesis.labels), targets[1]])[0] == pytest.approx(confidence)
