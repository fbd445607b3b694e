"""Canonicalization alone: the core graph runs in ONNX Runtime, or in onnx's reference if that has no kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from edgec.diag import EdgecError
from edgec.frontend.onnx.opset import to_working_opset
from edgec.passes.canonicalize import canonicalize
from edgec.passes.verify import evaluate
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests.conformance.onnx_nodes.compare import Tolerance


class CoreEngine:
    """The core dialect."""

    name = "core"
    intro = (
        "Each model is brought to the working opset and canonicalized; the core graph runs in ONNX Runtime without\n"
        "its optimizations, or, where that has no kernel or one that departs from ONNX, in onnx's reference\n"
        "implementation.\n"
        "Outputs are compared with the test's own, by its tolerances (and 8 units in the last place of the largest)."
    )
    binds = True
    tolerance = Tolerance()

    def run(self, model: onnx.ModelProto, inputs: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Canonicalize and execute."""
        core = to_working_opset(model, Path(model.graph.name or "case"))
        canonicalize(core)
        try:
            exchanged = all(v.dtype in _EXCHANGED for v in (*core.graph.inputs, *core.graph.outputs))
            if exchanged and not any(_departs(node) for node in core.graph):
                with OnnxRuntimeRunner(core, optimize=False) as runner:
                    return list(runner.run(inputs).values())
        except EdgecError:
            # A graph for which ONNX Runtime has no kernel may still be valid: ONNX's own checker decides.
            onnx.checker.check_model(ir.to_proto(core), full_check=True)
        return evaluate(core, inputs)


def _departs(node: ir.Node) -> bool:
    """Whether ONNX Runtime's kernel is known to differ from ONNX's definition.

    Resize with aligned corners rounds the length that a fractional scale gives; Attention returns masked scores as the
    lowest finite number instead of minus infinity.
    """
    if node.op_type == "Resize":
        mode = node.attributes.get("coordinate_transformation_mode")
        return mode is not None and mode.as_string() == "align_corners"
    return node.op_type == "Attention" and len(node.outputs) > 3


_EXCHANGED = frozenset(
    ir.DataType[name] for name in "FLOAT FLOAT16 DOUBLE BOOL INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64".split()
)
"""Element types that ONNX Runtime exchanges with numpy."""


CORE = CoreEngine()
