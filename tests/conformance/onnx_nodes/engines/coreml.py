"""Core ML packages in float32, executed by the MIL interpreter."""

from tests.conformance.onnx_nodes.compare import Tolerance
from tests.conformance.onnx_nodes.engines.backend import TargetEngine

COREML = TargetEngine(
    name="coreml",
    intro=(
        "Each model is built for the target `iphone` with `numerics.compute=float32` and `numerics.weights=float32`\n"
        "(in float16 many cases would differ by its precision alone); the written package runs in the MIL interpreter."
    ),
    target="iphone",
    settings=("numerics.compute=float32", "numerics.weights=float32"),
    tolerance=Tolerance(relative=1e-4, of_peak=1e-5, same_types=False),
)
