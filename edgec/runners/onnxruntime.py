"""ONNX Runtime on the CPU: for canonical graphs, and for the ONNX that TensorRT was given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import onnx_ir as ir
import onnxruntime as ort

from edgec.diag import error
from edgec.ir.model import Model
from edgec.runners.base import Array

_LARGEST_IN_MEMORY = 1 << 31
"""Protobuf messages end at 2 GiB; larger models have to come from a file."""


class OnnxRuntimeRunner:
    """Runs an ONNX file, or a model in memory, as it stands: `optimize` False switches graph rewriting off."""

    name = "onnxruntime"

    def __init__(self, model: Path | Model, *, optimize: bool = True) -> None:
        options = ort.SessionOptions()
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_BASIC if optimize else level.ORT_DISABLE_ALL
        options.log_severity_level = 4
        content = str(model) if isinstance(model, Path) else _serialize(model)
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as failure:  # onnxruntime's classes share no public base
            raise error("E0602", "ONNX Runtime refuses the model", notes=[str(failure).splitlines()[0]]) from failure

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises `EdgecError` E0602 when the model fails."""
        names = [o.name for o in self._session.get_outputs()]
        wanted = {i.name for i in self._session.get_inputs()}
        try:
            results = self._session.run(names, {k: v for k, v in inputs.items() if k in wanted})
        except Exception as failure:  # onnxruntime's classes share no public base
            raise error("E0602", "ONNX Runtime fails on the model", notes=[str(failure).splitlines()[0]]) from failure
        return dict(zip(names, results, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._session


def _serialize(model: Model) -> bytes:
    proto = ir.to_proto(model)
    if proto.ByteSize() >= _LARGEST_IN_MEMORY:
        raise error("E0602", "the model is above 2 GB and cannot be run from memory")
    return bytes(proto.SerializeToString())
