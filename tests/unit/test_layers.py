"""Modules that must be importable without torch or a vendor SDK are, and start quickly."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgec

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


_OWN = {
    "coreml": ("backends/coreml", "ledger/coreml", "runners/mil", "runners/apple", "formats"),
    "mlpackage": ("backends/coreml", "ledger/coreml", "runners", "formats", "measure/inspection"),
    "tflite": ("backends/tflite", "ledger/tflite", "runners", "formats", "measure/inspection"),
    "tensorrt": ("backends/tensorrt", "ledger/tensorrt", "formats"),
}
"""Modules, besides its row, in which a backend or its format may be named in code."""

_ROWS = ("spec/backend.py", "artifact/format.py")


@pytest.mark.parametrize("name", _OWN)
def test_a_backend_is_named_in_its_own_folders_alone(name: str) -> None:
    """In code; comments, docstrings and help texts may name it."""
    root = Path(edgec.__file__).parent
    places = [path for path in root.rglob("*.py") if not str(path.relative_to(root)).startswith((*_OWN[name], *_ROWS))]
    assert [str(path) for path in places if name in _code_words(path)] == []


def _code_words(path: Path) -> set[str]:
    """Complete strings, and the parts of imported modules' names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= set(node.module.split("."))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, node.value.removeprefix(".")}
    return found
