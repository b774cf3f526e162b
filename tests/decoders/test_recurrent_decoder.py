"""The decoder network: attention as its papers write it, and one step at a time as all steps at once."""

import itertools
from typing import Any, get_args

import pytest
import torch

from seqpipe import ConfigError, PaddedSequence
from seqpipe.decoders.attention import Attention, AttentionKind
from seqpipe.decoders.continuation import DecoderContinuation
from seqpipe.decoders.recurrent import Bridge, RecurrentDecoder

KINDS = get_args(AttentionKind)
SIZES = {"memory_size": 8, "embedding_size": 5, "hidden_size": 8, "output_size": 6, "heads": 2}


def encoded(rows: int = 3) -> PaddedSequence:
    generator = torch.Generator().manual_seed(4)
    return PaddedSequence(torch.randn(rows, 7, 8, generator=generator), torch.tensor([7, 3, 1][:rows]))


def decoder(**options: Any) -> RecurrentDecoder:
    torch.manual_seed(2)
    return RecurrentDecoder(**{**SIZES, **options}).eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_a_distribution_over_real_steps(kind: AttentionKind) -> None:
    attention = Attention(kind, 8, 8, heads=2)
    context, weights = attention(torch.randn(3, 4, 8), attention.remember(encoded()))
    assert context.shape == (3, 4, 8)
    assert torch.allclose(weights.sum(dim=2), torch.ones(3, 4))
    assert float(weights[1, :, 3:].abs().max()) == 0 == float(weights[2, :, 1:].abs().max())


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_papers(kind: AttentionKind) -> None:
    torch.manual_seed(3)
    attention, batch, query = Attention(kind, 8, 8, heads=2), encoded(1), torch.randn(1, 1, 8)
    steps, asked = batch.values[0], query[0, 0]
    weights = attention(query, attention.remember(batch))[1][0, 0]
    if kind == "multi_head":
        asked, keys = attention.query(asked), attention.key(steps)
        scores = [(keys[:, part] @ asked[part]) / 2.0 for part in (slice(0, 4), slice(4, 8))]
        expected = torch.stack([each.softmax(dim=0) for each in scores]).mean(dim=0)
    else:
        score = {
            "dot": lambda key: asked @ key,
            "general": lambda key: asked @ attention.key(key),
            "bahdanau": lambda key: attention.energy((attention.query(asked) + attention.key(key)).tanh())[0],
            "location": lambda key: attention.energy((attention.query(asked) + attention.key(key)).tanh())[0],
        }[kind]
        expected = torch.stack([score(key) for key in steps]).softmax(dim=0)
    assert torch.allclose(weights, expected, atol=1e-6)


@torch.no_grad()
def test_location_knows_where_it_was() -> None:
    torch.manual_seed(3)
    attention, batch, query = Attention("location", 8, 8), encoded(2), torch.randn(2, 1, 8)
    before = torch.rand(2, 1, 7) * batch.mask()[:, None]
    weights = attention(query, attention.remember(batch), before)[1]
    kernel = attention.around.weight[:, 0]  # [filters, width]
    half = kernel.shape[1] // 2
    for row, length in enumerate(batch.lengths.tolist()):
        scores = []
        for step in range(length):
            seen = [
                sum(float(kernel[one, place - step + half] * before[row, 0, place]) for place in range(length))
                for one in range(len(kernel))
            ]
            sums = attention.query(query[row, 0]) + attention.key(batch.values[row, step])
            scores.append(attention.energy((sums + attention.place(torch.tensor(seen))).tanh())[0])
        assert torch.allclose(weights[row, 0, :length], torch.stack(scores).softmax(dim=0), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("kind", "feeding", "cell"), list(itertools.product(KINDS, (False, True), ("lstm", "gru"))))
def test_steps_one_by_one_are_all_steps_at_once(kind: AttentionKind, feeding: bool, cell: Any) -> None:
    network = decoder(attention=kind, input_feeding=feeding, cell=cell, layers=2)
    batch, written = encoded(), torch.randn(3, 4, 5)
    outputs, weights = network(written, batch)
    memory, state = network.attention.remember(batch), network.start(batch)
    for step in range(4):
        output, looked, state = network.step(written[:, step], memory, state)
        assert torch.allclose(output, outputs[:, step], atol=1e-6)
        assert torch.allclose(looked[:, 0], weights[:, step], atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(("kind", "feeding", "cell"), list(itertools.product(KINDS, (False, True), ("lstm", "gru"))))
def test_a_search_s_steps_are_torch_s(kind: AttentionKind, feeding: bool, cell: Any, bf16: bool) -> None:
    network = decoder(attention=kind, input_feeding=feeding, cell=cell, layers=2)
    table = torch.randn(4, 5)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        continuation = DecoderContinuation(network, encoded(), lambda labels: table[labels], torch.Tensor.float)
        memory, state = network.attention.remember(encoded()), network.start(encoded())
        for last in torch.tensor([[0, 0, 0], [2, 1, 2], [3, 3, 0]]):
            expected, weights, state = network.step(table[last], memory, state)
            logits, normalizer, looked = continuation.step(last)
            wide = 0.03 if bf16 else 1e-5
            assert torch.allclose(logits - normalizer[:, None], expected.float().log_softmax(dim=-1), atol=wide)
            assert torch.allclose(looked, weights, atol=wide)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_hypotheses_side_by_side_are_rows_by_themselves(kind: AttentionKind) -> None:
    network = decoder(attention=kind, input_feeding=True)
    batch, written = encoded(), torch.randn(3, 2, 5)
    memory, state = network.attention.remember(batch), network.start(batch)
    places = torch.arange(3).repeat_interleave(2)
    both, _, _ = network.step(written.flatten(0, 1), memory, state.chosen(places))
    for number in range(2):
        alone, _, _ = network.step(written[:, number], memory, state)
        assert torch.allclose(both.unflatten(0, (3, 2))[:, number], alone, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("kind", get_args(Bridge))
def test_the_bridge_sees_real_steps_alone(kind: Bridge) -> None:
    batch = encoded()
    network = decoder(bridge=kind)
    expected = network.start(batch)
    spoilt = batch.masked(float("nan"))
    assert torch.equal(network.start(spoilt).hidden, expected.hidden)
    assert bool(expected.hidden.any()) == (kind != "zero")


def test_what_comes_later_changes_nothing_before() -> None:
    network = decoder()
    written = torch.randn(3, 4, 5)
    changed = written.clone()
    changed[:, 2:] = 9.0
    assert torch.allclose(network(written, encoded())[0][:, :2], network(changed, encoded())[0][:, :2], atol=1e-6)


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ConfigError, match=r"attention dot needs hidden_size to be the encoder's 8 features; it is 6"):
        Attention("dot", 6, 8)
    with pytest.raises(ConfigError, match=r"heads should divide hidden_size \(8\)"):
        Attention("multi_head", 8, 8, heads=3)
