import subprocess
import sys

import torch
from torch import nn

from seqpipe.layers.lstm import LSTM

PROGRAM = """
import torch
from seqpipe import PaddedSequence, RecurrentEncoder
from seqpipe.layers.lstm import LSTM, has_bf16_lstm

torch.manual_seed(0)
layer = LSTM(6, 5, batch_first=True)
values, state = torch.randn(3, 7, 6), (torch.randn(1, 3, 5), torch.randn(1, 3, 5))
wanted, (hidden, cell) = layer(values, state)
encoder = RecurrentEncoder(input_size=6, hidden_size=5, layers=2)
rows = PaddedSequence.pad([torch.randn(9, 6), torch.randn(4, 6)])
encoded = encoder.eval()(rows).values
drawn = torch.get_rng_state()
with torch.autocast("cpu", torch.bfloat16):
    got, (after, kept) = layer(values, state)
    got.float().sum().backward()
    assert torch.allclose(encoder(rows).values.float(), encoded, atol=0.03)
    again, _ = layer(values.bfloat16(), tuple(part.bfloat16() for part in state))
for one, other in ((got, wanted), (after, hidden), (kept, cell), (again, wanted)):
    assert torch.allclose(one.float(), other, atol=0.03)
assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
assert torch.equal(torch.get_rng_state(), drawn), "whether there are kernels is asked without drawing"
print(has_bf16_lstm())
"""


def test_it_runs_under_autocast_where_there_is_no_avx_512(command_environment: dict[str, str]) -> None:
    environment = command_environment | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        assert done.stdout == "False\n"


def test_in_fp32_it_is_torch_s() -> None:
    torch.manual_seed(0)
    one = LSTM(6, 5, batch_first=True)
    torch.manual_seed(0)
    other = nn.LSTM(6, 5, batch_first=True)
    values = torch.randn(3, 7, 6)
    assert torch.equal(one(values)[0], other(values)[0])
    assert list(one.state_dict()) == list(other.state_dict())
