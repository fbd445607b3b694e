"""What lowerings of every family share: operands as TFLite wants them, constants, reshapes, transposes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Array, Const, Operand, Ref, Reject, TensorType
from edgec.backends.builder import Builder, tensor_type
from edgec.ops.base import Op, Value
from edgec.spec.target import Target

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
"""`ActivationFunctionType` of the TFLite schema."""
SAME, VALID = 0, 1
"""`Padding` of the TFLite schema."""

FLOATS = ("float32",)


def dtype_reject(op: Op, values: Sequence[Value | None], allowed: Sequence[str], label: str) -> Reject | None:
    """Refuse element types that the kernel does not have."""
    for value in values:
        name = value.dtype.numpy().name if value is not None and value.dtype is not None else None
        if name is not None and name not in allowed:
            return Reject(f"{label}-{name}", f"the kernel has no {name} form")
    return None


def rank_reject(value: Value, highest: int, label: str) -> Reject | None:
    """Refuse ranks above the kernel's."""
    rank = len(value.shape or ())
    return Reject(f"{label}-rank-{rank}", f"the kernel ends at rank {highest}") if rank > highest else None


def static_reject(values: Sequence[Value], label: str) -> Reject | None:
    """Refuse shapes that are not known before the model runs."""
    for value in values:
        if value.shape is None or any(not isinstance(d, int) for d in value.shape):
            return Reject(f"{label}-dynamic", f"the shape of `{value.name}` is not static")
    return None


def accepts(op: Op, target: Target) -> Reject | None:
    """Refuses nothing."""
    return None


def shape_of(value: Value) -> tuple[int, ...]:
    """The static shape; dynamic dimensions are refused before lowering."""
    return tuple(d if isinstance(d, int) else -1 for d in value.shape or ())


def ints(b: Builder, values: Sequence[int], hint: str = "ints") -> Const:
    """A 1-D int32 constant: shapes, axes, paddings."""
    return b.const(np.asarray(values, dtype=np.int32).reshape(-1), hint)


def scalar(b: Builder, value: float, dtype: str, hint: str = "scalar") -> Const:
    """A 0-D constant."""
    return b.const(np.asarray(value, dtype=dtype), hint)


def constant_like(b: Builder, array: Array, value: Value) -> Const:
    """A constant derived from a graph constant, named after it."""
    return b.const(array, value.name or "const")


def reshape(b: Builder, x: Operand, shape: Sequence[int]) -> Ref:
    """RESHAPE to a static shape."""
    out = TensorType(x.type.dtype, tuple(shape))
    return b.op("RESHAPE", {"input": x, "shape": ints(b, shape, "shape")}, out, newShape=tuple(shape))


def transpose(b: Builder, x: Operand, perm: Sequence[int]) -> Ref:
    """TRANSPOSE by a permutation."""
    out = TensorType(x.type.dtype, tuple(x.type.shape[i] for i in perm))
    return b.op("TRANSPOSE", {"input": x, "perm": ints(b, perm, "perm")}, out)


def cast(b: Builder, x: Operand, dtype: str) -> Operand:
    """CAST, unless the type is right already."""
    if x.type.dtype == dtype:
        return x
    if isinstance(x, Const):
        return b.const(x.numpy().astype(dtype), x.name)
    return b.op("CAST", {"input": x}, TensorType(dtype, x.type.shape))


def binary(b: Builder, opcode: str, x: Operand, y: Operand, out: TensorType | None = None) -> Ref:
    """An element-wise builtin of two operands."""
    return b.op(opcode, {"a": x, "b": y}, out, **({"fusedActivationFunction": NONE} if opcode in _FUSABLE else {}))


_FUSABLE = frozenset({"ADD", "SUB", "MUL", "DIV"})


def out_type(value: Value) -> TensorType:
    """The type of a graph value."""
    return tensor_type(value)
