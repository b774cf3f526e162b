#!/usr/bin/env bash
# onnxruntime's ReduceSum adds up int64 in floating point: sums beyond 2^53 are rounded, and those beyond 2^63 clipped.
#
# Expected: sums of whole numbers are whole numbers: exact as long as they fit, else modulo 2^64, as numpy, torch and
#   onnxruntime's own MatMul, CumSum and Add have them.
# Instead:  they have the 53 bits of a float64, and where the sum doesn't fit, the greatest or least int64. Sums of hashes
#   (n-grams, characters, feature hashing), of identifiers and of times in nanoseconds come out as others' do. No error,
#   no warning.
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 (operators of opset 20, CPU).
# Documentation: ONNX Operators, ReduceSum: "computes the sum of the input tensor's elements along the provided axes", with
#   tensor(int64) among the types.
# Instead do: MatMul with a column of ones, or the last value of CumSum.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)


def run(operator, values, other):
    node = helper.make_node(operator, ["X", "O"], ["Y"])
    inputs = [helper.make_tensor_value_info("X", TensorProto.INT64, values.shape)]
    outputs = [helper.make_tensor_value_info("Y", TensorProto.INT64, ["a", "b"])]
    graph = helper.make_graph([node], "g", inputs, outputs, [numpy_helper.from_array(other, "O")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": values})[0]


for values in (np.array([[2**53, 1]]), np.array([[2**62, 2**62, 2**62]])):
    with np.errstate(over="ignore"):
        exact = int(values.sum())
    reduced = int(run("ReduceSum", values, np.array([1])).ravel()[0])
    product = int(run("MatMul", values, np.ones((values.shape[1], 1), np.int64)).ravel()[0])
    running = int(run("CumSum", values, np.array(1)).ravel()[-1])
    print(values.tolist(), "ReduceSum", reduced, "MatMul", product, "CumSum", running, "numpy", exact)
    if (product, running) != (exact, exact):
        sys.exit("changed: MatMul or CumSum isn't exact either")
    if reduced == exact:
        sys.exit("changed: ReduceSum is exact")
print("as stated")
PYTHON
