#!/usr/bin/env bash
# safetensors.numpy of 0.8.0 writes arrays that aren't C-contiguous with their values in the wrong order.
#
# Expected: load(save({"x": x}))["x"] equals x, or an error as safetensors.torch has it for such tensors.
# Instead:  a transposed array, and one in Fortran's order, comes back with its own shape and the values in the order in which
#   they lie in memory; save and save_file alike, without an error. 0.7.0 writes them right. Weights of Keras, ONNX or
#   scikit-learn models are often transposed on their way to another format, and a square matrix gives no hint by its shape.
# Versions: safetensors 0.8.0, against 0.7.0, with numpy 2.4.6.
# Documentation: safetensors.numpy.save takes a "dictionary of tensors", of which nothing is said about their layout.
# Instead do: numpy.ascontiguousarray on each array before it is saved.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >look.py <<'PY'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load, load_file, save, save_file

matrix = np.arange(9, dtype=np.float32).reshape(3, 3)
for name, array in {"transposed": matrix.T, "Fortran's order": np.asfortranarray(matrix), "as it is": matrix}.items():
    save_file({"x": array}, "x.safetensors")
    back, from_file = load(save({"x": array}))["x"], load_file("x.safetensors")["x"]
    assert np.array_equal(back, from_file)
    assert np.array_equal(load(save({"x": np.ascontiguousarray(array)}))["x"], array)  # what to do instead
    print(f"safetensors {version('safetensors')}, {name}: {'right' if np.array_equal(back, array) else 'wrong'}")
PY
python3 -m venv venv
for version in 0.8.0 0.7.0; do
  venv/bin/pip install --quiet --disable-pip-version-check "safetensors==$version" numpy==2.4.6
  venv/bin/python look.py
done | tee seen
stated="safetensors 0.8.0, transposed: wrong
safetensors 0.8.0, Fortran's order: wrong
safetensors 0.8.0, as it is: right
safetensors 0.7.0, transposed: right
safetensors 0.7.0, Fortran's order: right
safetensors 0.7.0, as it is: right"
if [ "$(cat seen)" != "$stated" ]; then
  echo "changed: stated as above in the header, seen otherwise"
  exit 1
fi
echo "as stated"
