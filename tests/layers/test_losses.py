import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.layers.losses import binary_cross_entropy, cross_entropy

N, K = 40, 5


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(N, K, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(K, (N,), generator=torch.Generator().manual_seed(2))


WEIGHTS = [torch.ones(K), torch.tensor([0.5, 1.0, 2.0, 0.0, 7.0])]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_cross_entropy_is_that_of_torch(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float) -> None:
    total, count = cross_entropy(logits.log_softmax(dim=1), labels, weights, smoothing, 0.0)
    expected = nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)(logits, labels)
    assert float(total / count) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("focal", [0.5, 2.0])
def test_the_focal_loss_makes_less_of_what_is_known(logits: Tensor, labels: Tensor, focal: float) -> None:
    emissions = logits.log_softmax(dim=1)
    total, count = cross_entropy(emissions, labels, torch.ones(K), 0.0, focal)
    own = emissions[torch.arange(N), labels]
    assert float(total) == pytest.approx(float((-((1 - own.exp()) ** focal) * own).sum()), rel=1e-4)
    assert float(count) == N
    assert total < cross_entropy(emissions, labels, torch.ones(K), 0.0, 0.0)[0]


@pytest.mark.parametrize("focal", [0.5, 1.0, 2.0])
def test_gradients_are_finite_where_everything_is_known(focal: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [-200.0, 200.0]], requires_grad=True)
    cross_entropy(logits.log_softmax(dim=1), torch.tensor([0, 0]), torch.ones(2), 0.1, focal)[0].backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    binary_cross_entropy(logits, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.ones(2), 0.1, focal).sum().backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize("weights", WEIGHTS)
def test_binary_cross_entropy_is_that_of_torch(logits: Tensor, weights: Tensor) -> None:
    wanted = (torch.rand(N, K, generator=torch.Generator().manual_seed(3)) < 0.3).float()
    expected = F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=weights, reduction="none")
    assert torch.allclose(binary_cross_entropy(logits, wanted, weights, 0.0, 0.0), expected, atol=1e-6)


def test_smoothing_takes_from_yes_and_no_alike(logits: Tensor) -> None:
    wanted = (logits > 1).float()
    expected = F.binary_cross_entropy_with_logits(logits, wanted * 0.8 + 0.1, reduction="none")
    assert torch.allclose(binary_cross_entropy(logits, wanted, torch.ones(K), 0.2, 0.0), expected, atol=1e-6)


def test_the_binary_focal_loss_is_that_of_its_paper(logits: Tensor) -> None:
    wanted = (logits > 1).float()
    target = torch.where(wanted > 0, logits.sigmoid(), 1 - logits.sigmoid())
    expected = -((1 - target) ** 2) * target.log()
    assert torch.allclose(binary_cross_entropy(logits, wanted, torch.ones(K), 0.0, 2.0), expected, atol=1e-5)
