"""Write the legalized graph as a file: ONNX of the requested opset, or ONNX Runtime's own format converted from it."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx
import onnx_ir as ir

from edgec.backends.onnx_program import OnnxProgram
from edgec.backends.onnxruntime.canonical_ort import canonical
from edgec.backends.onnxruntime.options import OnnxRuntimeOptions
from edgec.diag import error
from edgec.diag.foreign import said
from edgec.ir.model import OPSET, Model
from edgec.ir.save import save_onnx

CONFIGURATION = ".required_operators.config"
"""Suffix of the list of operators that a reduced build of ONNX Runtime has to include."""


def assemble(program: OnnxProgram, options: OnnxRuntimeOptions, path: Path) -> None:
    """Write the artifact, and next to an `.ort` file the list of operators that a reduced build needs.

    Raises `EdgecError` E0501 if the graph cannot be converted to the opset, or ONNX Runtime rejects it.
    """
    model = _at_opset(program.model, options.opset)
    if options.format == "onnx":
        save_onnx(model, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{path.stem}.onnx"
        save_onnx(model, source)
        _convert(source, path)
    path.write_bytes(canonical(path.read_bytes()))
    _write_configuration(path)


def _at_opset(model: Model, opset: int) -> Model:
    if opset == OPSET:
        return model
    own = model.clone()
    ir.external_data.load_to_model(own)
    try:
        converted = onnx.version_converter.convert_version(ir.to_proto(own), opset)
    except Exception as failure:  # the converter raises what its C++ does
        raise error(
            "E0501",
            f"the graph has no form at opset {opset}",
            notes=[said("onnx", failure)],
            help=["`--set options.opset=…` takes a newer one, if the app's ONNX Runtime reads it"],
        ) from failure
    return ir.serde.deserialize_model(converted)


def _convert(source: Path, path: Path) -> None:
    """Convert with ONNX Runtime, with the optimizations that are valid on any CPU."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    try:
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as failure:  # onnxruntime's classes share no public base
        raise error(
            "E0501",
            "ONNX Runtime cannot convert the graph to its own format",
            notes=[said("ONNX Runtime", failure)],
            help=["`--set options.format=onnx` writes the graph as ONNX instead"],
        ) from failure


def _write_configuration(path: Path) -> None:
    from onnxruntime.tools.ort_format_model.utils import create_config_from_models

    logging.getLogger("ort_format_model.utils").setLevel(logging.WARNING)  # it logs each file to stderr
    listed = path.with_suffix(CONFIGURATION)
    create_config_from_models([path], listed, enable_type_reduction=True)
    lines = listed.read_text(encoding="utf-8").splitlines()
    operators = [line for line in lines if not line.startswith("#")]  # comments name the folder of the build
    listed.write_text("\n".join([f"# for {path.name}", *operators, ""]), encoding="utf-8")
