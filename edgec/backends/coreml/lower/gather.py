"""Indexing and resizing. bool is converted to float16 where MIL does not support it."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.legality.image import RESAMPLE_MODES, SAMPLING, native_operation, repetitions
from edgec.backends.coreml.lower.common import (
    MilBuilder,
    cast,
    moved_back,
    reshape,
    shape_of,
    through_half,
    type_of,
)
from edgec.backends.coreml.options import CoreMLOptions
from edgec.ir.model import constant
from edgec.ops.base import Value
from edgec.ops.gather import Gather, GatherElements, GatherND, OneHot, ScatterElements, ScatterND
from edgec.ops.image import GridSample, Resize

_MODES = {"none": "update", "add": "add", "mul": "mul", "max": "max", "min": "min"}


def _checks(b: MilBuilder, indices: Value) -> bool | None:
    """`validate_indices`: checked for computed indices; None before iOS 17, which lacks the parameter."""
    options = b.target.options
    assert isinstance(options, CoreMLOptions)
    return None if options.is_before("iOS17") or constant(indices) is not None else True


def _gather(op: Gather, b: MilBuilder) -> Operand:
    x, out = through_half(b, b.operand(op.x)), type_of(op.y)
    arguments = {"indices": _indices(b, op.indices), "axis": op.axis, "validate_indices": _checks(b, op.indices)}
    y = b.emit("gather", TensorType(x.type.dtype, out.shape), x=x, **arguments)
    return moved_back(b, y, out)


def _indices(b: MilBuilder, value: Value) -> Operand:
    return cast(b, b.operand(value), "int32")


def _gather_elements(op: GatherElements, b: MilBuilder) -> Operand:
    x, out, indices = through_half(b, b.operand(op.x)), type_of(op.y), _indices(b, op.indices)
    arguments = {"indices": indices, "axis": op.axis, "validate_indices": _checks(b, op.indices)}
    y = b.emit("gather_along_axis", TensorType(x.type.dtype, out.shape), x=x, **arguments)
    return moved_back(b, y, out)


def _gather_nd(op: GatherND, b: MilBuilder) -> Operand:
    x, out, indices = through_half(b, b.operand(op.x)), type_of(op.y), _indices(b, op.indices)
    arguments = {"batch_dims": op.batch_dims or None, "validate_indices": _checks(b, op.indices)}
    y = b.emit("gather_nd", TensorType(x.type.dtype, out.shape), x=x, indices=indices, **arguments)
    return moved_back(b, y, out)


def _scatter_elements(op: ScatterElements, b: MilBuilder) -> Operand:
    arguments = _scattered(op, b)
    return b.emit("scatter_along_axis", type_of(op.y), **arguments, axis=op.axis, mode=_MODES[op.reduction])


def _scatter_nd(op: ScatterND, b: MilBuilder) -> Operand:
    return b.emit("scatter_nd", type_of(op.y), **_scattered(op, b), mode=_MODES[op.reduction])


def _scattered(op: ScatterElements | ScatterND, b: MilBuilder) -> dict[str, object]:
    operands = {"data": b.operand(op.x), "indices": _indices(b, op.indices), "updates": b.operand(op.updates)}
    return {**operands, "validate_indices": _checks(b, op.indices)}


def _one_hot(op: OneHot, b: MilBuilder) -> Operand:
    """Compare the indices with 0 … depth - 1: negative ones count from the end, others out of range match nothing."""
    values, out, depth = constant(op.values), type_of(op.y), op.depth
    assert values is not None
    assert depth is not None
    given = shape_of(op.indices)
    shape = (*given[: op.axis], 1, *given[op.axis :])
    column = reshape(b, _indices(b, op.indices), shape)
    flags = TensorType("bool", shape)
    negative = b.emit("less", flags, x=column, y=b.const(np.asarray(0, np.int32), "zero"))
    shifted = b.emit("add", column.type, x=column, y=b.const(np.asarray(depth, np.int32), "depth"))
    index = b.emit("select", column.type, cond=negative, a=shifted, b=column)
    line = np.arange(depth, dtype=np.int32).reshape([-1 if i == op.axis else 1 for i in range(len(shape))])
    hit = b.emit("equal", TensorType("bool", out.shape), x=index, y=b.const(line, "classes"))
    kind = "int32" if out.dtype == "bool" else out.dtype
    off, on = (
        b.const(np.full(shape_of(op.y), v).astype(kind), name) for v, name in zip(values, ("off", "on"), strict=True)
    )
    return cast(b, b.emit("select", TensorType(kind, out.shape), cond=hit, a=on, b=off), out.dtype)


def _resize(op: Resize, b: MilBuilder) -> Operand:
    operation, x = native_operation(op), b.operand(op.x)
    if operation == "resize":
        assert op.sizes_value is not None
        sizes = cast(b, b.operand(op.sizes_value), "int32")
        kept = TensorType("int32", (2,))
        last = sizes if len(op.axes) == 2 else b.emit("slice_by_index", kept, x=sizes, begin=(2,), end=(4,))
        how = {"interpolation_mode": "LINEAR", "sampling_mode": SAMPLING[op.transform]}
        return b.emit("resize", type_of(op.y), x=x, shape=last, resized_dims=np.uint32(2), **how)
    if operation is not None:
        return _upsampled(op, operation, x, b)
    assert op.out_shape is not None
    return b.emit(
        "resize_bilinear",
        type_of(op.y),
        x=b.operand(op.x),
        target_size_height=op.out_shape[2],
        target_size_width=op.out_shape[3],
        sampling_mode=SAMPLING[op.transform],
    )


def _upsampled(op: Resize, operation: str, x: Operand, b: MilBuilder) -> Operand:
    """Upsampling by integer factors."""
    assert op.scales is not None
    known = repetitions(op) if operation == "upsample_nearest_neighbor" else None
    height, width = known.values() if known else (int(scale) for scale in op.scales[2:])
    factors: dict[str, object] = {"scale_factor_height": height, "scale_factor_width": width}
    if operation == "upsample_bilinear":
        aligned = op.transform == "align_corners"
        factors |= {"align_corners": aligned, "half_pixel_centers": op.transform.endswith("half_pixel")}
    return b.emit(operation, type_of(op.y), x=x, **factors)


def _padding(op: GridSample) -> str:
    """MIL's padding mode: ONNX reflects at the centres of the outer pixels, or at their edges."""
    if op.padding == "reflection":
        return "reflection" if op.align_corners else "symmetric"
    return {"zeros": "constant", "border": "border"}[op.padding]


def _grid_sample(op: GridSample, b: MilBuilder) -> Operand:
    """Coordinates are always float32: float16 represents a position in 224 pixels to a twentieth of one."""
    return b.emit(
        "resample",
        type_of(op.y),
        x=b.operand(op.x),
        coordinates=cast(b, b.operand(op.grid), "float32"),
        sampling_mode=RESAMPLE_MODES[op.mode],
        padding_mode=_padding(op),
        padding_value=0.0,
        coordinates_mode="normalized_minus_one_to_one",
        align_corners=op.align_corners,
    )


LOWERINGS = (
    Lowering(GridSample, _grid_sample),
    Lowering(Gather, _gather),
    Lowering(GatherElements, _gather_elements),
    Lowering(GatherND, _gather_nd),
    Lowering(ScatterElements, _scatter_elements),
    Lowering(ScatterND, _scatter_nd),
    Lowering(OneHot, _one_hot),
    Lowering(Resize, _resize),
)
