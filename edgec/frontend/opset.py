"""From any opset to the working one."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from edgec.diag import Place, error
from edgec.ir.model import OPSET, Model

_DEFAULT = ("", "ai.onnx")


def to_working_opset(proto: onnx.ModelProto, path: Path) -> Model:
    """Convert to `OPSET` and infer shapes. Raises `EdgecError` E0301 when the file cannot be converted.

    Operators that are newer than `OPSET` are kept as they are: rules and function bodies take them apart.
    """
    version = next((o.version for o in proto.opset_import if o.domain in _DEFAULT), OPSET)
    try:
        if version < OPSET:
            proto = onnx.version_converter.convert_version(proto, OPSET)
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (RuntimeError, ValueError) as failure:
        raise error(
            "E0301",
            f"`{path.name}` cannot be converted from opset {version} to {OPSET}",
            place=Place(str(path)),
            notes=[line.strip() for line in str(failure).splitlines() if line.strip()][:3],
        ) from failure
    model = ir.serde.deserialize_model(_relabelled(proto) if version > OPSET else proto)
    model.graph.opset_imports.setdefault("", OPSET)
    _fix_defaults(model.graph)
    return model


def _fix_defaults(graph: ir.Graph) -> None:
    """Up to IR version 3 every weight is an input too; here a weight is a constant."""
    kept = [value for value in graph.inputs if not value.is_initializer()]
    graph.inputs.clear()
    graph.inputs.extend(kept)


def _relabelled(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same nodes under the working opset.

    Opsets 24 to 28 widened element types and added operators and optional inputs; none gave an existing attribute or
    input another meaning. What they added is in the node (an attribute, a further input), so nothing is lost.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for holder in (copy, *copy.functions):
        for entry in holder.opset_import:
            if entry.domain in _DEFAULT:
                entry.version = OPSET
    return copy
