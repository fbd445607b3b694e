"""Core ML packages in float32, executed by the MIL interpreter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from tests.conformance.onnx_nodes.compare import Tolerance
from tests.conformance.onnx_nodes.engines.backend import TargetEngine


@dataclass(frozen=True)
class CoreMLEngine(TargetEngine):
    """Core ML's interface has no bool: an int32 output of 0 and 1 is read as bool if the model declares it so."""

    def run(self, model: onnx.ModelProto, inputs: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Build, run, and read bool outputs; numbers other than 0 and 1 are kept, to be reported as wrong."""
        found = super().run(model, inputs)
        return [_as_declared(array, output) for array, output in zip(found, model.graph.output, strict=True)]


def _as_declared(array: np.ndarray[Any, Any], output: onnx.ValueInfoProto) -> np.ndarray[Any, Any]:
    is_bool = output.type.tensor_type.elem_type == onnx.TensorProto.BOOL
    return array.astype(bool) if is_bool and bool(np.isin(array, (0, 1)).all()) else array


COREML = CoreMLEngine(
    name="coreml",
    intro=(
        "Each model is built for the target `iphone` with `numerics.compute=float32` and `numerics.weights=float32`\n"
        "(in float16 many cases would differ by its precision alone); the written package runs in the MIL interpreter."
    ),
    target="iphone",
    settings=("numerics.compute=float32", "numerics.weights=float32"),
    tolerance=Tolerance(relative=1e-4, of_peak=1e-5, same_types=False),
)
