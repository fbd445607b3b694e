"""Converts models of any opset to the working opset."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.inliner
import onnx_ir as ir

from edgec.diag import Place, error
from edgec.diag.foreign import said
from edgec.frontend.onnx.older_opsets import DEFAULT_DOMAINS, after_conversion
from edgec.ir.model import IR_VERSION, OPSET, Model


def to_working_opset(proto: onnx.ModelProto, path: Path) -> Model:
    """Convert to `OPSET` and infer shapes. Raises `EdgecError` E0301 if the file cannot be converted.

    Operators newer than `OPSET` are kept: rules and function bodies decompose them.
    """
    version = next((o.version for o in proto.opset_import if o.domain in DEFAULT_DOMAINS), OPSET)
    try:
        if version < 7:
            proto = _prelu_slopes(proto)
        if version < 9 and any(node.op_type == "Scan" for node in proto.graph.node):
            raise ValueError("Scan of opset 8 has a batch dimension, which later opsets do not have")
        if version < OPSET and proto.functions:
            proto = onnx.inliner.inline_local_functions(proto)  # the converter would drop functions
        if version < OPSET:
            proto = onnx.version_converter.convert_version(proto, OPSET)
            after_conversion(proto, version)
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (RuntimeError, ValueError) as failure:
        raise error(
            "E0301",
            f"`{path.name}` cannot be converted from opset {version} to {OPSET}",
            place=Place(str(path)),
            notes=[said("onnx", failure)],
        ) from failure
    model = deserialized(_relabelled(proto) if version > OPSET else proto, path)
    model.ir_version = IR_VERSION
    model.graph.opset_imports.setdefault("", OPSET)
    _fix_defaults(model.graph)
    return model


def deserialized(proto: onnx.ModelProto, path: Path) -> Model:
    """The protobuf as IR. Raises `EdgecError` E0301 if it is inconsistent."""
    try:
        return ir.serde.deserialize_model(proto)
    except ir.serde.SerdeError as failure:
        cause: BaseException = failure
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise error(
            "E0301",
            f"`{path.name}` is not a valid model",
            place=Place(str(path)),
            notes=[said("onnx_ir", cause)],
        ) from failure


def _fix_defaults(graph: ir.Graph) -> None:
    """Up to IR version 3 every weight is listed as an input too; here a weight is a constant."""
    kept = [value for value in graph.inputs if not value.is_initializer()]
    graph.inputs.clear()
    graph.inputs.extend(kept)


def _prelu_slopes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Before opset 7 a slope of C elements applied to channels, which onnx's converter does not handle."""
    shapes = {
        v.name: len(v.type.tensor_type.shape.dim) for v in onnx.shape_inference.infer_shapes(proto).graph.value_info
    }
    shapes |= {v.name: len(v.type.tensor_type.shape.dim) for v in proto.graph.input}
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    slopes = {n.input[1]: shapes.get(n.input[0], 0) for n in copy.graph.node if n.op_type == "PRelu"}
    for tensor in copy.graph.initializer:
        if tensor.name in slopes and list(tensor.dims) != [1]:
            tensor.dims.extend([1] * (slopes[tensor.name] - 1 - len(tensor.dims)))
    for value in copy.graph.input:
        if value.name in slopes and any(t.name == value.name for t in copy.graph.initializer):
            dims = next(t.dims for t in copy.graph.initializer if t.name == value.name)
            value.type.CopyFrom(onnx.helper.make_tensor_type_proto(value.type.tensor_type.elem_type, list(dims)))
    return copy


def _relabelled(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same nodes, declared to have the working opset.

    Opsets 24 to 28 allow more element types and add operators and optional inputs; none changes the meaning of an
    existing attribute or input. Their additions are visible in the node (an attribute, another input), so none is lost.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for holder in (copy, *copy.functions):
        for entry in holder.opset_import:
            if entry.domain in DEFAULT_DOMAINS:
                entry.version = OPSET
    return copy
