"""The engines by name."""

from tests.conformance.onnx_nodes.engine import Engine
from tests.conformance.onnx_nodes.engines.core import CORE
from tests.conformance.onnx_nodes.engines.coreml import COREML
from tests.conformance.onnx_nodes.engines.tflite import TFLITE

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (CORE, TFLITE, COREML)}
