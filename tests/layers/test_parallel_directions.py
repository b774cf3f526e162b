import multiprocessing
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from seqpipe import PaddedSequence, RecurrentEncoder
from seqpipe.layers.parallel_directions import retaining, run_side_by_side


@pytest.fixture(autouse=True, params=[1, 2, 4])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def layers() -> list[nn.Module]:
    torch.manual_seed(1)
    return [nn.LSTM(5, 8, batch_first=True), nn.LSTM(5, 8, batch_first=True)]


@pytest.fixture
def inputs() -> list[Tensor]:
    return [torch.randn(4, 20, 5).requires_grad_(), torch.randn(4, 20, 5).requires_grad_()]


def run(layer: nn.Module, values: Tensor) -> Tensor:
    output: Tensor = layer(values)[0]
    return output


def gradients(outputs: list[Tensor], layers: list[nn.Module], inputs: list[Tensor]) -> list[Tensor]:
    total = outputs[0].square().sum() + 3 * outputs[1].square().sum()
    return list(torch.autograd.grad(total, [*inputs, *layers[0].parameters(), *layers[1].parameters()]))


def test_results_and_gradients_are_those_of_the_layers_in_turn(layers: list[nn.Module], inputs: list[Tensor]) -> None:
    outputs = run_side_by_side(run, layers, inputs)
    expected = [run(layer, values) for layer, values in zip(layers, inputs, strict=True)]
    for ours, theirs in zip(outputs, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    for ours, theirs in zip(gradients(outputs, layers, inputs), gradients(expected, layers, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_only_what_wants_a_gradient_gets_one(layers: list[nn.Module], inputs: list[Tensor]) -> None:
    layers[0].requires_grad_(False)
    values = [inputs[0].detach(), inputs[1].detach()]
    first, second = run_side_by_side(run, layers, values)
    (first.sum() + second.sum()).backward()
    assert all(parameter.grad is None for parameter in layers[0].parameters())
    assert all(parameter.grad is not None for parameter in layers[1].parameters())
    assert values[0].grad is None


def test_works_where_only_one_output_is_used(layers: list[nn.Module], inputs: list[Tensor]) -> None:
    first, _ = run_side_by_side(run, layers, inputs)
    first.sum().backward()
    assert inputs[0].grad is not None
    assert inputs[0].grad.abs().sum() > 0
    assert inputs[1].grad is None or not inputs[1].grad.any()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_no_graph_is_built_in_inference(
    layers: list[nn.Module], inputs: list[Tensor], mode: type[torch.no_grad] | type[torch.inference_mode]
) -> None:
    with mode():
        outputs = run_side_by_side(run, layers, inputs)
    assert not any(output.requires_grad for output in outputs)
    assert [output.is_inference() for output in outputs] == [mode is torch.inference_mode] * 2


def test_keeps_the_callers_autocast(layers: list[nn.Module], inputs: list[Tensor]) -> None:
    def product(layer: nn.Module, values: Tensor) -> Tensor:
        return values @ layer.get_parameter("weight_ih_l0").T

    with torch.autocast("cpu", torch.bfloat16):
        outputs = run_side_by_side(product, layers, inputs)
    assert [output.dtype for output in outputs] == [torch.bfloat16] * 2
    assert all(gradient.dtype == torch.float32 for gradient in torch.autograd.grad(outputs[0].sum(), [inputs[0]]))


def test_an_error_reaches_the_caller_and_harms_nothing(layers: list[nn.Module], inputs: list[Tensor]) -> None:
    with pytest.raises(RuntimeError, match="Expected 5"):
        run_side_by_side(run, layers, [inputs[0], inputs[1][..., :3]])
    outputs = run_side_by_side(run, layers, inputs)
    torch.testing.assert_close(outputs[1], run(layers[1], inputs[1]), atol=1e-6, rtol=0)


def test_leaves_the_number_of_threads_alone(layers: list[nn.Module], inputs: list[Tensor], threads: int) -> None:
    run_side_by_side(run, layers, inputs)
    seen: list[int] = []
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert [torch.get_num_threads(), *seen] == [threads, threads]


def test_each_layer_has_its_share_of_the_threads(layers: list[nn.Module], inputs: list[Tensor], threads: int) -> None:
    seen: list[int] = []

    def look(layer: nn.Module, values: Tensor) -> Tensor:
        seen.append(torch.get_num_threads())
        return run(layer, values)

    for _ in range(3):
        run_side_by_side(look, layers, inputs)
    assert seen == [max(1, threads // 2)] * 6


def test_several_threads_may_call_at_once(layers: list[nn.Module], inputs: list[Tensor], threads: int) -> None:
    expected = [run(layer, values).detach() for layer, values in zip(layers, inputs, strict=True)]
    differences: list[float] = []

    def call() -> None:
        for _ in range(20):
            outputs = run_side_by_side(run, layers, inputs)
            differences.extend(
                float((ours.detach() - theirs).abs().max()) for ours, theirs in zip(outputs, expected, strict=True)
            )

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert len(differences) == 4 * 20 * 2
    assert max(differences) < 1e-6


def test_works_in_a_forked_process(layers: list[nn.Module], inputs: list[Tensor], threads: int) -> None:
    if threads > 2:
        pytest.skip("GNU OpenMP's own threads don't survive a fork: 4 would use them in the child")
    run_side_by_side(run, layers, inputs)
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(layers, inputs), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def _in_child(layers: list[nn.Module], inputs: list[Tensor]) -> None:
    with torch.no_grad():
        outputs = run_side_by_side(run, layers, inputs)
    if not all(output.shape == (4, 20, 8) for output in outputs):
        raise SystemExit(3)


def test_gradients_of_gradients_are_refused(layers: list[nn.Module], inputs: list[Tensor], threads: int) -> None:
    if threads == 1:
        pytest.skip("in turn, torch decides")
    first, _ = run_side_by_side(run, layers, inputs)
    with pytest.raises(RuntimeError, match="gradients of gradients"):
        torch.autograd.grad(first.sum(), inputs[0], create_graph=True)


def test_what_is_retained_is_walked_back_twice_and_else_the_second_time_is_refused() -> None:
    encoder = RecurrentEncoder(input_size=3, hidden_size=4, layers=2)
    values = torch.randn(2, 6, 3, requires_grad=True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with retaining():
            total = encoder(PaddedSequence(values, torch.tensor([6, 4]))).values.square().sum()
        (first,) = torch.autograd.grad(total, values, retain_graph=True)
        (second,) = torch.autograd.grad(total, values)
        assert torch.equal(first, second)
        total = encoder(PaddedSequence(values, torch.tensor([6, 4]))).values.square().sum()
        torch.autograd.grad(total, values, retain_graph=True)
        with pytest.raises(RuntimeError, match="retaining"):
            torch.autograd.grad(total, values)
    finally:
        torch.set_num_threads(before)
