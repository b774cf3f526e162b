#!/usr/bin/env bash
# The reference evaluator of ONNX runs LSTM, GRU and RNN over the padding: it takes sequence_lens, and doesn't use it.
#
# Expected: onnx.reference.ReferenceEvaluator is the yardstick for runtimes: of a batch of lengths [5, 3] the second
#   row of Y_h is the state after 3 steps, and a reverse direction starts at the third.
# Instead:  all rows run over all steps, as without lengths, for all three operators in every direction; onnxruntime
#   keeps to the lengths. The attribute clip has no effect either. No error, no warning, and onnx.checker finds
#   nothing. Who tests an export of a batched recogniser against the reference takes the right runtime for the wrong
#   one, or finds both alike because all test rows were of full length.
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 (operators of opset 17).
# Documentation: ONNX Operators, LSTM, GRU and RNN, input sequence_lens ("lengths of the sequences in a batch") and
#   attribute clip.
# Instead do: compare with onnxruntime, or with the reference one row at a time, each cut to its length.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
random = np.random.default_rng(0)
steps, batch, width, hidden = 5, 2, 3, 4


def run(operator, gates, direction, lengths, **attributes):
    ways = 2 if direction == "bidirectional" else 1
    shapes = {"X": (steps, batch, width), "W": (ways, gates * hidden, width), "R": (ways, gates * hidden, hidden)}
    feed = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    feed["L"] = np.array(lengths, dtype=np.int32)
    node = helper.make_node(operator, ["X", "W", "R", "", "L"], ["Y", "Y_h"], hidden_size=hidden,
                            direction=direction, **attributes)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT32 if name == "L" else TensorProto.FLOAT, a.shape)
              for name, a in feed.items()]
    outputs = [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (steps, ways, batch, hidden)),
               helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, (ways, batch, hidden))]
    model = helper.make_model(helper.make_graph([node], "g", inputs, outputs),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runtime, reference = session.run(None, feed), ReferenceEvaluator(model).run(None, feed)
    apart = [np.abs(runtime[1] - reference[1]).max()]  # the last states, then Y, each row as far as its length
    apart += [np.abs(runtime[0][:n, :, row] - reference[0][:n, :, row]).max() for row, n in enumerate(lengths)]
    print(f"{operator} {direction}, lengths {lengths}, {attributes}: apart by {max(apart):.7f}, padding left out")
    return max(apart)


for operator, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    for direction in ("forward", "reverse", "bidirectional"):
        if run(operator, gates, direction, [5, 5]) > 1e-4:
            sys.exit("changed: they differ without padding")
        if run(operator, gates, direction, [5, 3]) < 0.01:
            sys.exit("changed: the reference keeps to sequence_lens, or onnxruntime doesn't")
    if run(operator, gates, "forward", [5, 5], clip=0.1) < 0.01:
        sys.exit("changed: the reference clips, or onnxruntime doesn't")
print("as stated")
EOF
