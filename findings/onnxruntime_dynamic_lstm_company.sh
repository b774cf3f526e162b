#!/usr/bin/env bash
# A row of a batch through DynamicQuantizeLSTM comes out otherwise with other rows beside it.
#
# Expected: rows of a batch are sequences of their own (LSTM of ONNX, input X: [seq_length, batch_size, input_size]); a
#   row's states are the same alone and in company, as those of LSTM are to the last bits.
# Instead:  the operator takes one scale for all rows of a step, from the least to the greatest value among them. A row
#   beside one that is twenty times as loud keeps fewer of the 256 levels for itself; after 40 steps its states have
#   moved by 0.4, where quantization costs the row alone 0.03. Nothing says so: "dynamic" quantization
#   is recommended for recurrent models, and batches of speech are what it is timed on.
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6.
# Documentation: onnxruntime ContribOperators.md, DynamicQuantizeLSTM; "Quantize ONNX models", dynamic quantization.
# Instead do: run one row at a time, which on one thread takes as long as a batch, and test that company changes nothing.
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
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
random = np.random.default_rng(0)
steps, width, hidden = 40, 32, 32
weights = {"W": random.normal(0, 0.3, (1, width, 4 * hidden)), "R": random.normal(0, 0.3, (1, hidden, 4 * hidden))}


def session(quantized):
    if quantized:
        constants, names = {}, []
        for name, values in weights.items():
            scale = np.abs(values).max(axis=1) / 63  # for each gate's unit, in 7 bits
            constants[name] = np.rint(values / scale[:, None]).astype(np.int8)
            constants[name + "s"] = scale.astype(np.float32)
            constants[name + "z"] = np.zeros((1, 4 * hidden), np.int8)
            names += [name + "s", name + "z"]
        inputs, kind, domain = ["X", "W", "R", "", "", "", "", "", *names], "DynamicQuantizeLSTM", "com.microsoft"
    else:
        constants = {name: values.transpose(0, 2, 1).astype(np.float32) for name, values in weights.items()}
        inputs, kind, domain = ["X", "W", "R"], "LSTM", ""
    node = helper.make_node(kind, inputs, ["Y"], domain=domain, hidden_size=hidden)
    shape = [steps, "rows", width]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(np.ascontiguousarray(v), n) for n, v in constants.items()])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


row = random.standard_normal((steps, 1, width)).astype(np.float32)
loud = 20 * random.standard_normal((steps, 1, width)).astype(np.float32)
exact = session(False).run(None, {"X": row})[0]
for quantized in (False, True):
    run = session(quantized)
    alone = run.run(None, {"X": row})[0]
    beside = run.run(None, {"X": np.concatenate([row, loud], axis=1)})[0][:, :, :1]
    moved, cost = np.abs(alone - beside).max(), np.abs(alone - exact).max()
    print(f"{'DynamicQuantizeLSTM' if quantized else 'LSTM'}: moved by company {moved:.7f}, from fp32 alone {cost:.7f}")
    if not quantized and moved > 1e-5:
        sys.exit("changed: rows of LSTM depend on each other")
    if quantized and (moved < 0.05 or cost > moved):
        sys.exit("changed: rows of DynamicQuantizeLSTM don't depend on each other, or its own error is as large")
print("as stated")
EOF
