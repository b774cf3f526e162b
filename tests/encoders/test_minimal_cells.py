"""minGRU and minLSTM inside the encoder, and in models on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from seqpipe import PaddedSequence, RecurrentEncoder
from seqpipe.config.recipe import parse_recipe
from seqpipe.data.rows import Row
from seqpipe.layers.minimal_cells import MinGRU, MinLSTM
from seqpipe.pipeline import Pipeline

CELLS: dict[str, Any] = {"mingru": MinGRU, "minlstm": MinLSTM}
SIMILAR = [41, 50, 38, 47]
RAGGED = [9, 1, 300, 30, 2] + [5, 12, 7] * 6


@pytest.fixture(params=[1, 2], ids=["in turn", "side by side"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def batch_of(lengths: list[int], dtype: torch.dtype = torch.float64) -> PaddedSequence:
    generator = torch.Generator().manual_seed(2)
    return PaddedSequence.pad([torch.randn(length, 6, generator=generator, dtype=dtype) for length in lengths])


@pytest.mark.parametrize("merge", ["concatenate", "sum"])
@pytest.mark.parametrize("lengths", [SIMILAR, RAGGED], ids=["one segment", "several segments"])
@pytest.mark.parametrize("cell", CELLS)
def test_both_ways_it_is_the_layers_over_each_row_and_over_the_row_reversed(
    cell: str, lengths: list[int], merge: str, threads: int
) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(input_size=6, hidden_size=5, layers=2, cell=cell, merge=merge).double()
    assert all(type(layer) is CELLS[cell] for layer in encoder.forward_layers)
    batch = batch_of(lengths)
    output = encoder(batch).values
    rows = []
    for row in batch.rows():
        values = row[None]
        for forward, backward in zip(encoder.forward_layers, encoder.backward_layers or [], strict=True):
            found = forward(values)[0], backward(values.flip(1))[0].flip(1)
            values = sum(found) if merge == "sum" else torch.cat(found, dim=-1)
        rows.append(values[0])
    expected = PaddedSequence.pad(rows).values
    torch.testing.assert_close(output, expected, atol=1e-12, rtol=0)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(3), dtype=output.dtype)
    parameters = list(encoder.parameters())
    own = torch.autograd.grad((output * weights).sum(), parameters)
    for gradient, reference in zip(
        own, torch.autograd.grad((expected * weights).sum(), parameters, allow_unused=False), strict=True
    ):
        torch.testing.assert_close(gradient, reference, atol=1e-10, rtol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("cell", CELLS)
def test_one_way_nothing_that_comes_later_changes_what_was(cell: str) -> None:
    encoder = RecurrentEncoder(input_size=6, hidden_size=5, layers=3, cell=cell, bidirectional=False).double()
    batch = batch_of([60, 60])
    whole = encoder(batch).values
    for steps in (1, 17, 59):
        begun = encoder(PaddedSequence(batch.values[:, :steps], torch.tensor([steps, steps]))).values
        torch.testing.assert_close(begun, whole[:, :steps], atol=1e-13, rtol=0)


RECIPE = """
pipeline:
  features: [{stage: Waveform, sample_rate: 8000}, {stage: LogMel, n_mels: 6}]
  encoder:
    - {stage: PyramidalEncoder, hidden_size: 4, layers: 1, cell: minlstm}
    - {stage: RecurrentEncoder, hidden_size: 3, layers: 2, cell: mingru, chrono_steps: 40}
  head: CTCHead
"""


@torch.no_grad()
def test_a_model_of_them_is_saved_and_loaded_to_the_bit(tmp_path: Path) -> None:
    first = Pipeline(parse_recipe(yaml.safe_load(RECIPE), "r.yaml"))
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randn(length, generator=generator) for length in (9000, 2345)]
    raws = [{"array": row.numpy(), "sampling_rate": 8000} for row in rows]
    first.fit([Row(text, raw, text, 1, "rows", {}) for raw, text in zip(raws, ["ab", "a"], strict=True)])
    first.eval().save(tmp_path / "run", {"note": "a model"})
    second = Pipeline.load(tmp_path / "run").eval()
    assert second.recipe == first.recipe
    batch = PaddedSequence.pad(rows)
    one, other = first(batch), second(batch)
    assert torch.equal(one.values, other.values)
    assert torch.equal(one.lengths, other.lengths)
    stages: Any = second.encoder
    assert [type(layer) for layer in stages.stages[0].layers[0].forward_layers] == [MinLSTM]
    assert [type(layer) for layer in stages.stages[1].forward_layers] == [MinGRU, MinGRU]
