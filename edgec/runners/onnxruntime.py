"""ONNX Runtime on the CPU, for canonical graphs and for the ONNX that is passed to TensorRT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

from edgec.diag import EdgecError, Place, error
from edgec.diag.foreign import said
from edgec.ir.model import Model, all_nodes
from edgec.ir.provenance import place_of
from edgec.runners.accurate_kernels import accurate, accurate_file
from edgec.runners.base import Array

_SMALL = 1024
"""Initializers up to this many bytes stay in the protobuf, since shape inference reads shapes and axes there."""

_SHARED = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.INT64, ir.DataType.INT32})
"""Element types that ONNX Runtime accepts from numpy."""


class SessionRunner:
    """Runs an ONNX Runtime session. `given` are inputs that are added to those of each run, `model` is what it runs."""

    name = "onnxruntime"

    def __init__(
        self, session: ort.InferenceSession, given: Mapping[str, Array], model: Path | Model | None = None
    ) -> None:
        self._session, self._weights, self._model = session, given, model

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises `EdgecError` E0602 when the model fails."""
        names = [o.name for o in self._session.get_outputs()]
        wanted = {i.name for i in self._session.get_inputs()}
        given = {**inputs, **self._weights}
        try:
            results = self._session.run(names, {k: v for k, v in given.items() if k in wanted})
        except Exception as failure:  # onnxruntime's classes share no public base
            raise _failed("ONNX Runtime fails while it runs the model", failure, self._model) from failure
        return dict(zip(names, results, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._session


class OnnxRuntimeRunner(SessionRunner):
    """Runs an ONNX file, or a model in memory; `optimize` False disables ONNX Runtime's graph optimizations.

    Kernels that are inaccurate for some values are replaced by others (`accurate_kernels`).
    """

    def __init__(self, model: Path | Model, *, optimize: bool = True) -> None:
        options = ort.SessionOptions()
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_BASIC if optimize else level.ORT_DISABLE_ALL
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would occupy a core
        source = (accurate_file(model) or model) if isinstance(model, Path) else accurate(model)
        content, weights = (str(source), {}) if isinstance(source, Path) else _without_weights(source)
        try:
            session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as failure:  # onnxruntime's classes share no public base
            raise _failed("ONNX Runtime cannot load the model", failure, model) from failure
        super().__init__(session, weights, model)


_NODE = re.compile(r"Name: ?'([^']*)'|[Nn]ode:? ?\(?'?([\w./:-]+)")
"""How ONNX Runtime names a node."""


def _failed(what: str, failure: Exception, model: Path | Model | None) -> EdgecError:
    """At the place of the node that it names, where the model is known."""
    named = _NODE.search(str(failure))
    name = next(filter(None, named.groups()), None) if named else None
    nodes = all_nodes(model) if isinstance(model, ir.Model) else ()
    place = next((place_of(node) for node in nodes if node.name == name), Place(node=name) if name else None)
    return error(
        "E0602",
        what,
        place=place,
        notes=[said("ONNX Runtime", failure)],
        help=["check the shapes and values of the inputs: `edgec inspect` shows what a file takes"],
    )


def _without_weights(model: Model) -> tuple[bytes, dict[str, Array]]:
    """The graph as a small protobuf whose larger weights are inputs, which avoids copies and the 2 GiB limit."""
    light = model.clone()
    weights: dict[str, Array] = {}
    for name, value in list(light.graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or value.shape is None or tensor.nbytes <= _SMALL or tensor.dtype not in _SHARED:
            continue
        if value.is_graph_output():
            continue
        weights[name] = np.ascontiguousarray(tensor.numpy())
        del light.graph.initializers[name]
        value.const_value, value.type = None, ir.TensorType(tensor.dtype)
        light.graph.inputs.append(value)
    ir.external_data.load_to_model(light)  # the remaining weights; serialized bytes cannot refer to files
    return bytes(ir.to_proto(light).SerializeToString()), weights
