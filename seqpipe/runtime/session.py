"""The graphs of an exported model, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import ConfigError, RunError
from seqpipe.runtime.manifest import GRAPH, Manifest, Tensor


class GraphSession:
    """A graph by the names of what it takes and gives; may be called by several threads at once.

    Args:
        path: of the ONNX file.
        inputs, outputs: as the manifest has them.
        threads: of one call.

    Raises:
        ConfigError: onnxruntime isn't installed.
        RunError: the graph can't be loaded, or takes or gives something else than the manifest says.
    """

    def __init__(self, path: Path, inputs: Sequence[Tensor], outputs: Sequence[Tensor], threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise ConfigError("running an exported model needs onnxruntime: pip install 'seqpipe[runtime]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors alone
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - it raises types of its own, which derive from nothing else
            raise RunError(f"{path}: can't be loaded by onnxruntime {onnxruntime.__version__}: {error}") from None
        self.version = str(onnxruntime.__version__)
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        for wanted, found, what in (
            (self.inputs, self._session.get_inputs(), "takes"),
            (self.outputs, self._session.get_outputs(), "gives"),
        ):
            # onnxruntime works out sizes of outputs that the graph leaves open.
            most = 3 if what == "takes" else 2
            if [_form(each)[:most] for each in wanted] != [_said(each)[:most] for each in found]:
                shown = ", ".join(f"{name} ({kind} {list(shape)})" for name, kind, shape in map(_said, found))
                raise RunError(f"{path}: {what} {shown}, which isn't what the manifest says; export the model again")

    def __call__(self, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name; of what is given, the graph's own inputs are taken."""
        found = self._session.run(None, {each.name: given[each.name] for each in self.inputs})
        return {each.name: values for each, values in zip(self.outputs, found, strict=True)}


class Session:
    """Prepared inputs in, the head's output of each out; may be called by several threads at once.

    Args:
        folder: of the exported model.
        manifest: of it.
        threads: of one call.

    Raises:
        ConfigError: onnxruntime isn't installed.
        RunError: the graph can't be loaded, or takes or gives something else than the manifest says.
    """

    def __init__(self, folder: Path, manifest: Manifest, threads: int = 1) -> None:
        self._graph = GraphSession(folder / GRAPH, manifest.inputs, manifest.outputs, threads)
        self.version = self._graph.version
        self.one_by_one = manifest.precision == "int8"
        self._dtype = np.dtype(manifest.inputs[0].dtype)

    def run(self, rows: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The output ``[T, D]`` of each prepared input, without padding.

        Args:
            rows: prepared inputs, each ``[S, ...]``; answered together, or, in int8, one by one.
        """
        if self.one_by_one and len(rows) > 1:
            return [self.run([row])[0] for row in rows]
        lengths = np.array([len(row) for row in rows], np.int64)
        values = np.zeros((len(rows), int(lengths.max()), *rows[0].shape[1:]), self._dtype)
        for place, row in enumerate(rows):
            values[place, : len(row)] = row
        names = [each.name for each in self._graph.inputs]
        output, sizes = self._graph(dict(zip(names, (values, lengths), strict=True))).values()
        return [row[:size] for row, size in zip(output, sizes.tolist(), strict=True)]


def _form(tensor: Tensor) -> tuple[str, str, tuple[int | str, ...]]:
    return tensor.name, tensor.dtype, tensor.shape


def _said(found: Any) -> tuple[str, str, tuple[int | str, ...]]:
    kinds = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}
    return found.name, kinds.get(found.type, found.type), tuple(found.shape)
