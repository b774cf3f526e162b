import pytest
import torch

from seqpipe.layers.dropout import DropoutKind, dropout, scaled_dropout


def test_hides_the_asked_share_and_scales_the_rest_up() -> None:
    torch.manual_seed(0)
    values = torch.rand(100, 1000) + 1
    dropped = dropout(values, 0.3, True)
    hidden = dropped == 0
    # 100,000 draws: three standard deviations are 0.0043.
    assert abs(float(hidden.float().mean()) - 0.3) < 0.0043
    torch.testing.assert_close(dropped[~hidden], values[~hidden] / 0.7, rtol=3e-5, atol=0)


def test_draws_are_independent_of_each_other() -> None:
    torch.manual_seed(0)
    hidden = (dropout(torch.ones(200_000), 0.5, True) == 0).double()
    hidden = (hidden - hidden.mean()) / hidden.std()
    # One drawn number serves four values: neighbours up to eight places apart.
    for distance in range(1, 9):
        assert abs(float((hidden[distance:] * hidden[:-distance]).mean())) < 0.01


def test_gradient_passes_where_values_do() -> None:
    torch.manual_seed(0)
    values = torch.rand(7, 11).requires_grad_()
    dropped = dropout(values, 0.5, True)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad, (dropped / values).detach())


def test_draws_follow_torchs_seed() -> None:
    values = torch.rand(5, 9)
    torch.manual_seed(4)
    first = dropout(values, 0.5, True)
    again = dropout(values, 0.5, True)
    torch.manual_seed(4)
    assert torch.equal(dropout(values, 0.5, True), first)
    assert not torch.equal(again, first)


@pytest.mark.parametrize(("probability", "training"), [(0.5, False), (0.0, True)])
def test_changes_nothing_in_evaluation_or_without_probability(probability: float, training: bool) -> None:
    values = torch.rand(3, 4)
    assert dropout(values, probability, training) is values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (0, 4), (3,), (2, 5, 7)])
def test_keeps_shape_and_type(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    dropped = dropout(torch.ones(shape, dtype=dtype), 0.25, True)
    assert dropped.shape == shape
    assert dropped.dtype == dtype


@pytest.mark.parametrize(("kind", "together"), [("variational", 1), ("steps", 2)])
def test_kinds_hide_together_what_they_say(kind: DropoutKind, together: int) -> None:
    torch.manual_seed(0)
    hidden = dropout(torch.ones(40, 50, 60), 0.3, True, kind) == 0
    assert torch.equal(hidden.all(together), hidden.any(together))
    others = 3 - together
    assert not torch.equal(hidden.all(others), hidden.any(others))
    assert abs(float(hidden.float().mean()) - 0.3) < 0.05


def test_a_factor_holds_inside_its_block_and_ends_with_it() -> None:
    torch.manual_seed(0)
    values = torch.ones(200_000)
    with scaled_dropout(0.5):
        assert float((dropout(values, 0.4, True) == 0).float().mean()) == pytest.approx(0.2, abs=0.003)
        with pytest.raises(ValueError, match="stop"), scaled_dropout(0.0):
            raise ValueError("stop")
        with scaled_dropout(0.0):
            assert dropout(values, 0.4, True) is values
        assert float((dropout(values, 0.4, True) == 0).float().mean()) == pytest.approx(0.2, abs=0.003)
    assert float((dropout(values, 0.4, True) == 0).float().mean()) == pytest.approx(0.4, abs=0.003)
