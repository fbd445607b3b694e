"""The mapping of ONNX element types to MIL's: float16, float32, int32 and bool."""

from __future__ import annotations

import onnx_ir as ir

from edgec.diag import Diagnostic, EdgecError
from edgec.dialect.reject import Reject
from edgec.ir.model import Model, is_constant, static_shape

_MIL_TYPES = {
    ir.DataType.FLOAT: "float32",
    ir.DataType.DOUBLE: "float32",
    ir.DataType.FLOAT16: "float16",
    ir.DataType.BOOL: "bool",
    **dict.fromkeys((ir.DataType.INT8, ir.DataType.INT16, ir.DataType.INT32, ir.DataType.INT64), "int32"),
    **dict.fromkeys((ir.DataType.UINT8, ir.DataType.UINT16, ir.DataType.UINT32, ir.DataType.UINT64), "int32"),
}
"""Integers of 32 bits and more are assumed to fit int32: inputs and constants are checked, results cannot be."""

NARROW = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}
"""Types narrower than int32 wrap around at their own limits."""

_BY_NAME = {dtype.numpy().name: name for dtype, name in _MIL_TYPES.items()}

MIL_NAMES = {"float32": "fp32", "float16": "fp16", "int32": "int32", "bool": "bool"}
"""The names of types in MIL's `cast`."""


def mil_type(dtype: str) -> str:
    """The MIL element type for `dtype` (numpy's name)."""
    return _BY_NAME[dtype]


def interface_type(dtype: str) -> str:
    """The type of an input or output: bool is not supported there and becomes int32."""
    name = mil_type(dtype)
    return "int32" if name == "bool" else name


def is_known(dtype: ir.DataType | None) -> bool:
    """Whether MIL has a type for the values of `dtype`."""
    return dtype in _MIL_TYPES


def without_type(node: ir.Node) -> Reject | None:
    """The reason if an operator uses an element type that MIL lacks, or None."""
    return next((r for v in (*node.inputs, *node.outputs) if v is not None and (r := _reject(v))), None)


def check_interface(model: Model) -> None:
    """Raise `EdgecError` (E0412) with every input and output whose type MIL lacks."""
    found = []
    for value in (*model.graph.inputs, *model.graph.outputs):
        if (reject := _reject(value)) is not None:
            notes = (reject.reason, f"rejected by `{reject.label}`")
            found.append(Diagnostic("E0412", f"`{value.name}` is not supported by Core ML", None, notes))
    if found:
        raise EdgecError(found)


def _reject(value: ir.Value) -> Reject | None:
    if value.dtype is None or (not list(value.uses()) and not value.is_graph_output()):
        return None
    if is_known(value.dtype):
        empty = 0 in (static_shape(value) or ()) and not is_constant(value)
        return Reject("empty-tensor", f"`{value.name}` is empty, which Core ML does not support") if empty else None
    name = value.dtype.name.lower()
    reason = f"`{value.name}` is {name}, but Core ML computes in float16, float32, int32 and bool"
    is_bfloat16 = value.dtype == ir.DataType.BFLOAT16
    return Reject(f"type-{name}", reason, "cast to float16, or omit the cast" if is_bfloat16 else None)
