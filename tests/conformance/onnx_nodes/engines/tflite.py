"""TFLite files executed by LiteRT."""

from tests.conformance.onnx_nodes.compare import Tolerance
from tests.conformance.onnx_nodes.engines.backend import TargetEngine

TFLITE = TargetEngine(
    name="tflite",
    intro="Each model is built for the target `android` (float32) and the written file is executed by LiteRT.",
    target="android",
    settings=(),
    tolerance=Tolerance(relative=1e-4, of_peak=1e-5, same_types=False),
)
