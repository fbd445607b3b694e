"""ONNX files: read without executing anything, checked, and brought to the working opset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from google.protobuf.message import DecodeError

from edgec.diag import Place, error
from edgec.frontend.captured import Array, Captured, SourceId
from edgec.frontend.inputs import InputSpec, match_specs
from edgec.frontend.opset import to_working_opset
from edgec.frontend.source import SourceRequest, file_sha256, source_name
from edgec.ir.model import Model


class OnnxReference:
    """The file as it was given, run by ONNX Runtime on the CPU without graph optimization."""

    name = "onnxruntime"

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as failure:  # onnxruntime's classes share no public base
            raise error(
                "E0203", f"ONNX Runtime refuses `{path.name}`", notes=[str(failure).splitlines()[0]]
            ) from failure

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the original file."""
        names = [o.name for o in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))


def capture_onnx(path: Path, request: SourceRequest) -> Captured:
    """Read an ONNX file. Raises `EdgecError` E0203 (unreadable), E0207 (leaves its folder), E0301 (invalid)."""
    proto = _read(path)
    reference = OnnxReference(path)
    model = to_working_opset(proto, path)
    examples = _examples(model, request)
    source = SourceId("onnx", request.ref, file_sha256(path))
    return Captured(source_name(request), source, model, reference, examples)


def _read(path: Path) -> onnx.ModelProto:
    place = Place(str(path))
    try:
        proto = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, OSError) as failure:
        raise error("E0203", f"`{path.name}` is not an ONNX file", place=place, notes=[str(failure)]) from failure
    if not proto.graph.node and not proto.graph.output:
        raise error("E0203", f"`{path.name}` holds no graph", place=place)
    _confine_external_data(proto, path)
    try:
        onnx.external_data_helper.load_external_data_for_model(proto, str(path.parent))
        # The checker insists on the shapes of outputs, which many exporters leave to be inferred.
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, OSError) as failure:
        raise error(
            "E0301", f"`{path.name}` is not a valid model", place=place, notes=_first_lines(failure)
        ) from failure
    return proto


def _confine_external_data(proto: onnx.ModelProto, path: Path) -> None:
    """Every external tensor must lie in the model's own folder, links resolved."""
    folder = path.resolve().parent
    for tensor in onnx.external_data_helper._get_all_tensors(proto):
        for entry in tensor.external_data:
            if entry.key == "location" and not (folder / entry.value).resolve().is_relative_to(folder):
                raise error(
                    "E0207",
                    f"initializer `{tensor.name}` points outside the model's folder",
                    place=Place(str(path)),
                    notes=[f"its location is `{entry.value}`"],
                )


def _examples(model: Model, request: SourceRequest) -> dict[str, Array]:
    """Seeded samples of the file's own input types; `--input` fixes shapes that the file leaves open."""
    given = {spec.name: spec for spec in request.inputs}
    inputs = [v for v in model.graph.inputs if not v.is_initializer()]
    match_specs([v.name or "" for v in inputs], [given.get(v.name or "") or _declared(v) for v in inputs])
    if unknown := set(given) - {v.name for v in inputs}:
        raise error(
            "E0107",
            f"the model has no input `{min(unknown)}`",
            notes=[f"its inputs are {', '.join(v.name or '' for v in inputs)}"],
        )
    rng = np.random.default_rng(0)
    examples = {}
    for value in inputs:
        spec = given.get(value.name or "") or _declared(value)
        examples[spec.name] = spec.sample(rng)
        value.shape = ir.Shape(spec.shape)
    return examples


def _declared(value: ir.Value) -> InputSpec:
    dims = list(value.shape) if value.shape is not None else None
    if dims is None or value.dtype is None or not all(isinstance(d, int) for d in dims):
        raise error("E0107", f"the shape of input `{value.name}` is open", help=[f"add `--input {value.name}=SHAPE`"])
    return InputSpec(value.name or "", tuple(int(d) for d in dims), value.dtype.numpy().name)  # type: ignore[arg-type]


def _first_lines(failure: Exception) -> list[str]:
    """The first few lines of onnx's message that say something."""
    return [line.strip() for line in str(failure).splitlines() if line.strip()][:3]
