from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqpipe import ConfigError, PaddedSequence, RecurrentEncoder

SIMILAR = [41, 50, 38, 47]
RAGGED = [9, 1, 300, 30, 2] + [5, 12, 7] * 6
TORCH: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN}


def batch_of(lengths: list[int], size: int = 6) -> PaddedSequence:
    generator = torch.Generator().manual_seed(2)
    return PaddedSequence.pad([torch.randn(length, size, generator=generator) for length in lengths])


def packed_twin(encoder: RecurrentEncoder, cell: str) -> nn.RNNBase:
    """torch's own stack with the encoder's weights."""
    first = encoder.forward_layers[0]
    options = {"nonlinearity": cell.removeprefix("rnn_")} if cell.startswith("rnn") else {}
    twin: nn.RNNBase = TORCH[cell](
        first.input_size,
        first.hidden_size,
        num_layers=len(encoder.forward_layers),
        bidirectional=encoder.backward_layers is not None,
        batch_first=True,
        **options,
    )
    stacks = {"": encoder.forward_layers, "_reverse": encoder.backward_layers or []}
    with torch.no_grad():
        for suffix, stack in stacks.items():
            for index, layer in enumerate(stack):
                for name, parameter in layer.named_parameters():
                    twin.get_parameter(f"{name.removesuffix('_l0')}_l{index}{suffix}").copy_(parameter)
    return twin


def run_packed(twin: nn.RNNBase, batch: PaddedSequence) -> Tensor:
    packed = pack_padded_sequence(batch.values, batch.lengths, batch_first=True, enforce_sorted=False)
    output, _ = pad_packed_sequence(twin(packed)[0], batch_first=True, total_length=batch.values.shape[1])
    return output


def row_by_row(encoder: RecurrentEncoder, batch: PaddedSequence) -> list[Tensor]:
    """The encoder spelt out for one row without padding at a time."""
    rows = []
    for row in batch.rows():
        values = row[None]
        for index, layer in enumerate(encoder.forward_layers):
            output = layer(values)[0]
            if encoder.backward_layers is not None:
                backward = encoder.backward_layers[index](values.flip(1))[0].flip(1)
                output = output + backward if encoder.merge == "sum" else torch.cat([output, backward], dim=-1)
            if encoder.norms is not None:
                output = encoder.norms[index](output)
            if encoder.residual and output.shape == values.shape:
                output = output + values
            values = output
        rows.append(values[0])
    return rows


def calls_of(encoder: RecurrentEncoder, batch: PaddedSequence) -> int:
    """Into how many segments the encoder really cut this batch."""
    calls: list[int] = []
    hook = encoder.forward_layers[0].register_forward_hook(lambda *_: calls.append(1))
    encoder(batch)
    hook.remove()
    return len(calls)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", TORCH)
@pytest.mark.parametrize("lengths", [SIMILAR, RAGGED], ids=["one segment", "several segments"])
def test_equals_torch_on_a_packed_batch(lengths: list[int], cell: str, bidirectional: bool, layers: int) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(
        input_size=6, cell=cell, hidden_size=10, layers=layers, bidirectional=bidirectional, initialization="uniform"
    )
    batch = batch_of(lengths)
    assert (calls_of(encoder, batch) == 1) == (lengths is SIMILAR)
    twin = packed_twin(encoder, cell)

    ours, theirs = batch.values.clone().requires_grad_(), batch.values.clone().requires_grad_()
    output = encoder(PaddedSequence(ours, batch.lengths)).values
    expected = run_packed(twin, PaddedSequence(theirs, batch.lengths))
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=0)  # the zeros in the padding too

    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(3))
    (output * weights).sum().backward()
    (expected * weights).sum().backward()
    pairs = [(ours.grad, theirs.grad)]
    stacks = {"": encoder.forward_layers, "_reverse": encoder.backward_layers or []}
    for suffix, stack in stacks.items():
        for index, layer in enumerate(stack):
            for name, parameter in layer.named_parameters():
                pairs.append((parameter.grad, twin.get_parameter(f"{name[:-1]}{index}{suffix}").grad))
    largest = max(float(reference.abs().max()) for _, reference in pairs)
    for gradient, reference in pairs:
        assert float((gradient - reference).abs().max()) <= 1e-5 * largest
    assert len(pairs) == 1 + len(list(twin.parameters()))


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru", "minlstm"])
@pytest.mark.parametrize("lengths", [SIMILAR, RAGGED], ids=["one segment", "several segments"])
@pytest.mark.parametrize(
    "options",
    [
        {"merge": "sum"},
        {"residual": True},
        {"layer_norm": True},
        {"merge": "sum", "residual": True, "layer_norm": True, "input_size": 10},
        {"bidirectional": False, "residual": True, "layer_norm": True, "input_size": 10},
    ],
    ids=str,
)
def test_options_do_what_they_say(options: dict[str, Any], lengths: list[int], cell: str) -> None:
    torch.manual_seed(0)
    options = {"input_size": 6, **options}
    encoder = RecurrentEncoder(hidden_size=10, layers=3, cell=cell, **options)
    with torch.no_grad():  # norms that show
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    batch = batch_of(lengths, options["input_size"])
    both_ways = options.get("bidirectional", True)
    assert encoder.output_size == (20 if both_ways and options.get("merge") != "sum" else 10)
    encoded = encoder(batch)
    assert encoded.values.shape == (len(lengths), max(lengths), encoder.output_size)
    for got, want in zip(encoded.rows(), row_by_row(encoder, batch), strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_an_option_changes_the_output() -> None:
    batch = batch_of(SIMILAR, 10)
    outputs = []
    options: list[dict[str, Any]] = [{}, {"residual": True}, {"layer_norm": True}, {"chrono_steps": 50}]
    options += [{"cell": cell} for cell in ("gru", "mingru", "minlstm")]
    for option in options:
        torch.manual_seed(0)
        encoder = RecurrentEncoder(input_size=10, hidden_size=10, layers=2, merge="sum", **option)
        outputs.append(encoder(batch).values)
    for index, output in enumerate(outputs):
        for other in outputs[index + 1 :]:
            assert not torch.allclose(output, other, atol=1e-3)


def test_the_padding_of_the_output_is_zero_and_keeps_its_size() -> None:
    batch = batch_of([3, 11]).extended(13)
    encoded = RecurrentEncoder(input_size=6, hidden_size=4, layer_norm=True)(batch)
    assert encoded.values.shape[:2] == (2, 13)
    assert encoded.lengths.tolist() == [3, 11]
    assert not encoded.values[~encoded.mask()].any()


@pytest.mark.parametrize("cell", ["lstm", "mingru", "minlstm"])
@pytest.mark.parametrize("lengths", [SIMILAR, RAGGED], ids=["one segment", "several segments"])
def test_what_stands_in_the_padding_reaches_no_gradient(lengths: list[int], cell: str) -> None:
    gradients = []
    for garbage in (0.0, float("nan")):
        torch.manual_seed(0)
        encoder = RecurrentEncoder(input_size=6, hidden_size=4, layers=2, cell=cell)
        output = encoder(batch_of(lengths).masked(garbage))
        output.values[output.mask()].square().sum().backward()
        gradients.append([parameter.grad for parameter in encoder.parameters()])
    for clean, spoilt in zip(*gradients, strict=True):
        assert torch.equal(clean, spoilt)


def test_dropout_spares_the_last_layer_and_evaluation() -> None:
    batch = batch_of(RAGGED)
    torch.manual_seed(0)
    encoder = RecurrentEncoder(input_size=6, hidden_size=32, layers=2, dropout=0.5)
    output = encoder.train()(batch)
    kept = encoder.eval()(batch)
    assert not torch.allclose(output.values, kept.values, atol=1e-3)
    assert output.values[output.mask()].all(), "of what the last layer gives, nothing is dropped"
    torch.manual_seed(0)
    plain = RecurrentEncoder(input_size=6, hidden_size=32, layers=2).train()(batch)
    assert torch.equal(plain.values, kept.values)


def test_dropout_stands_between_layers() -> None:
    torch.manual_seed(0)
    batch = batch_of([60] * 16)
    encoder = RecurrentEncoder(input_size=6, hidden_size=32, layers=2, dropout=0.25)
    entered: list[Tensor] = []
    encoder.forward_layers[1].register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    encoder.train()(batch)
    encoder.eval()(batch)
    dropped, whole = entered  # rows are equally long, so sorting keeps their order
    zero = dropped == 0
    assert float(zero[:, :60].float().mean()) == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(dropped[~zero], whole[~zero] / 0.75)


def test_one_layer_has_no_place_for_dropout() -> None:
    batch = batch_of(SIMILAR)
    encoder = RecurrentEncoder(input_size=6, hidden_size=8, layers=1, dropout=0.9)
    assert torch.equal(encoder.train()(batch).values, encoder.eval()(batch).values)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match=r"RecurrentEncoder\.hidden_size .*greater than 0; received 0"):
        RecurrentEncoder(input_size=6, hidden_size=0)
    with pytest.raises(ConfigError, match=r"RecurrentEncoder\.cell .*'lstm'.*received 'ltsm'"):
        RecurrentEncoder(input_size=6, cell="ltsm")
    with pytest.raises(ConfigError, match=r"RecurrentEncoder\.chrono_steps .*greater than 2; received 2"):
        RecurrentEncoder(input_size=6, chrono_steps=2)
    with pytest.raises(ConfigError, match=r"chrono_steps sets gates, of which RNN has none; choose another cell"):
        RecurrentEncoder(input_size=6, cell="rnn_tanh", chrono_steps=50)


@pytest.mark.parametrize("lengths", [SIMILAR, RAGGED], ids=["similar", "ragged"])
def test_what_a_layer_gives_is_what_a_stack_that_ends_with_it_gives(lengths: list[int]) -> None:
    encoder = RecurrentEncoder(input_size=6, hidden_size=5, layers=3, residual=True, layer_norm=True).eval()
    batch = batch_of(lengths)
    outputs = encoder.layer_outputs(batch)
    assert len(outputs) == encoder.inner_layers + 1 == 3
    assert torch.equal(outputs[-1].values, encoder(batch).values)
    for layers, output in enumerate(outputs, 1):
        shorter = RecurrentEncoder(input_size=6, hidden_size=5, layers=layers, residual=True, layer_norm=True).eval()
        shorter.load_state_dict({name: encoder.state_dict()[name] for name in shorter.state_dict()})
        torch.testing.assert_close(output.values, shorter(batch).values)
        assert torch.equal(output.lengths, batch.lengths)
