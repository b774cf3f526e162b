from typing import Any

import pytest
import torch
from torch import nn

from seqpipe import PaddedSequence
from seqpipe.layers.mlp import MLP
from seqpipe.layers.pooled_mlp import PooledMLP

D, K = 6, 4
OPTIONS: dict[str, Any] = {
    "dropout": 0.0,
    "dropout_kind": "elements",
    "normalization": "none",
    "activation": "relu",
}


def batch() -> PaddedSequence:
    generator = torch.Generator().manual_seed(1)
    return PaddedSequence.pad([torch.randn(length, D, generator=generator) for length in (5, 1, 9, 2)])


@torch.no_grad()
def test_it_is_linear_layers_with_activations_between() -> None:
    torch.manual_seed(0)
    mlp = MLP(D, [7, 5], K, **OPTIONS)
    layers: Any = [*mlp.hidden, mlp.output]
    plain = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    found = mlp(batch())
    assert torch.allclose(found.values[batch().mask()], plain(batch().values[batch().mask()]), atol=1e-6)
    assert found.lengths.tolist() == [5, 1, 9, 2]


def test_without_hidden_layers_it_is_linear() -> None:
    mlp = MLP(D, [], K, **OPTIONS)
    assert {name: tuple(value.shape) for name, value in mlp.state_dict().items()} == {
        "output.weight": (K, D),
        "output.bias": (K,),
    }


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_padding_changes_neither_scores_nor_statistics(normalization: str) -> None:
    def trained(garbage: float, more: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        torch.manual_seed(0)
        mlp = MLP(D, [7], K, **{**OPTIONS, "normalization": normalization})
        padded = batch().extended(batch().values.shape[1] + more).masked(garbage)
        found = mlp.train()(padded)
        return found.values[found.mask()], mlp.state_dict()

    scores, state = trained(0.0, 0)
    others, other_state = trained(float("nan"), 7)
    assert torch.allclose(scores, others, atol=1e-5)
    for name in state:
        assert torch.allclose(state[name].float(), other_state[name].float(), atol=1e-5), name


def test_dropout_is_for_training_alone() -> None:
    torch.manual_seed(0)
    mlp = MLP(D, [7], K, **{**OPTIONS, "dropout": 0.5})
    mask = batch().mask()
    assert not torch.equal(mlp(batch()).values[mask], mlp(batch()).values[mask])
    mlp.eval()
    assert torch.equal(mlp(batch()).values[mask], mlp(batch()).values[mask])


def test_pooled_scores_need_to_know_how_many() -> None:
    pooled = PooledMLP(D, ["mean"], [], step_dropout=0.0, **OPTIONS)
    with pytest.raises(ValueError, match="call build"):
        pooled(batch())
    pooled.build(K)
    assert pooled(batch()).shape == (4, K)
