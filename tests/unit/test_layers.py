"""What must be importable without torch or a vendor SDK is, and what a person starts is light."""

import subprocess
import sys

HEAVY = ("torch", "onnx", "onnx_ir", "onnxruntime", "coremltools", "ai_edge_litert", "tensorrt_rtx_bindings", "numpy")


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


def test_the_command_line_imports_nothing_heavy() -> None:
    assert loaded_by("import edgec, edgec.cli.app") == set()


def test_passes_and_below_need_no_torch_and_no_sdk() -> None:
    code = "import edgec.passes.canonicalize, edgec.backends.builder, edgec.backends.tflite.lower.table"
    code += ", edgec.backends.coreml.lower.table, edgec.backends.tflite.legalize, edgec.backends.coreml.legalize"
    assert not loaded_by(code) & {"torch", "coremltools", "ai_edge_litert", "tensorrt_rtx_bindings"}


def test_every_core_op_has_a_view() -> None:
    from edgec.dialect.core import CORE
    from edgec.ops.table import DECODERS

    assert set(DECODERS) >= CORE.ops
