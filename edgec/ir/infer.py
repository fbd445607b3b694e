"""Type and shape inference: ONNX's own, applied to one node at a time."""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx import shape_inference

from edgec.ir.model import OPSET, constant, is_constant, static_shape

_SMALL = 1024
"""Constant inputs of up to this many elements are passed to the inference: shapes, axes, pads, scales."""


def infer_types(node: ir.Node) -> None:
    """Fill in the unknown types, shapes and single dimensions of a node's outputs.

    What cannot be inferred (unknown input types, operators outside `ai.onnx`) stays unknown.
    """
    if node.domain != "" or all(out.dtype is not None and static_shape(out) is not None for out in node.outputs):
        return
    schema = _schema(node.op_type)
    if schema is None or any(v is not None and (not _is_tensor(v) or v.shape is None) for v in node.inputs):
        return
    proto = ir.serde.serialize_node(_named(node))
    types = {v.name or "": _type(v) for v in node.inputs if v is not None}
    data = {v.name or "": _tensor(v) for v in node.inputs if v is not None and _is_small(v)}
    try:
        found = shape_inference.infer_node_outputs(
            schema, proto, types, data, opset_imports=[onnx.helper.make_opsetid("", OPSET)]
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError):
        return
    for out in node.outputs:
        if out.name in found:
            _apply(out, found[out.name])


def _is_tensor(value: ir.Value) -> bool:
    return isinstance(value.type, ir.TensorType) and value.dtype is not None


def _schema(op_type: str) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(op_type, OPSET, "")
    except onnx.defs.SchemaError:
        return None


def _named(node: ir.Node) -> ir.Node:
    """Name unnamed values, since serialization needs names."""
    for i, value in enumerate([*node.inputs, *node.outputs]):
        if value is not None and not value.name:
            value.name = f"unnamed_{id(node)}_{i}"
    return node


def _is_small(value: ir.Value) -> bool:
    shape = static_shape(value)
    size = 1
    for dim in shape or ():
        size *= dim
    return is_constant(value) and shape is not None and size <= _SMALL


def _tensor(value: ir.Value) -> onnx.TensorProto:
    array = constant(value)
    assert array is not None
    return onnx.numpy_helper.from_array(array, value.name)


def _type(value: ir.Value) -> onnx.TypeProto:
    assert value.dtype is not None
    assert value.shape is not None
    dims = [d if isinstance(d, int) else d.value for d in value.shape]
    return onnx.helper.make_tensor_type_proto(int(value.dtype), dims)


def _apply(value: ir.Value, proto: onnx.TypeProto) -> None:
    if not proto.HasField("tensor_type"):
        return  # a sequence or an optional value
    tensor = proto.tensor_type
    value.dtype = ir.DataType(tensor.elem_type)
    if not tensor.HasField("shape"):
        return
    dims: list[int | str | None] = []
    for dim in tensor.shape.dim:
        dims.append(dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None))
    value.shape = _refined(value.shape, ir.Shape(dims))
    value.type = ir.TensorType(ir.DataType(tensor.elem_type))


def _refined(known: ir.Shape | None, found: ir.Shape) -> ir.Shape:
    """The known numbers of both shapes; symbols are kept, and unnamed dimensions take the inferred symbol."""
    if known is None or len(known) != len(found):
        return found if known is None else known
    return ir.Shape([k if _is_known(k, f) else f for k, f in zip(known, found, strict=True)])


def _is_known(dim: int | ir.SymbolicDim, found: int | ir.SymbolicDim) -> bool:
    return isinstance(dim, int) or (dim.value is not None and not isinstance(found, int))
