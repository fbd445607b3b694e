"""Shared by all lowerings: operands in TFLite's form, constants, reshapes, transposes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Array, Const, Operand, Ref, TensorType
from edgec.backends.builder import Builder, tensor_type
from edgec.ops.base import Value

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
"""`ActivationFunctionType` of the TFLite schema."""
SAME, VALID = 0, 1
"""`Padding` of the TFLite schema."""


def shape_of(value: Value) -> tuple[int, ...]:
    """The static shape; dynamic dimensions are rejected before lowering."""
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
    """RESHAPE to a shape with at most one open dimension (-1)."""
    out = TensorType(x.type.dtype, tuple("?" if d == -1 else d for d in shape))
    return b.op("RESHAPE", {"input": x, "shape": ints(b, shape, "shape")}, out, newShape=tuple(shape))


_MOST_BROADCAST = 6
"""The maximum rank of XNNPACK's elementwise operators."""


def broadcast(b: Builder, x: Operand, shape: Sequence[int]) -> Operand:
    """x broadcast to a static shape, or x itself if it has the shape.

    Floats are multiplied by ones, which delegates support and which is exact; other types use BROADCAST_TO.
    """
    if x.type.shape == tuple(shape):
        return x
    if x.type.dtype == "float32" and not isinstance(x, Const) and len(shape) <= _MOST_BROADCAST:
        padded = [1] * (len(shape) - len(x.type.shape)) + list(x.type.shape)
        ones = b.const(np.ones([n if n != d else 1 for n, d in zip(shape, padded, strict=True)], np.float32), "ones")
        return binary(b, "MUL", x, ones, TensorType("float32", tuple(shape)))
    if len(x.type.shape) < len(shape):
        dims = [d if isinstance(d, int) else -1 for d in x.type.shape]
        x = reshape(b, x, [1] * (len(shape) - len(dims)) + dims)
    return b.op("BROADCAST_TO", {"input": x, "shape": ints(b, shape, "shape")}, TensorType(x.type.dtype, tuple(shape)))


def transpose(b: Builder, x: Operand, perm: Sequence[int]) -> Ref:
    """TRANSPOSE by a permutation."""
    out = TensorType(x.type.dtype, tuple(x.type.shape[i] for i in perm))
    return b.op("TRANSPOSE", {"input": x, "perm": ints(b, perm, "perm")}, out)


def pad(b: Builder, x: Operand, pads: Sequence[tuple[int, int]], fill: float = 0.0) -> Ref:
    """PAD with zeros, or PADV2 with another value; `pads` has the amounts before and after each dimension."""
    shape = tuple(d + p + q if isinstance(d, int) else d for d, (p, q) in zip(x.type.shape, pads, strict=True))
    inputs: dict[str, Operand] = {"input": x, "paddings": b.const(np.asarray(pads, dtype=np.int32), "paddings")}
    if fill:
        inputs["value"] = scalar(b, fill, x.type.dtype, "fill")
    return b.op("PADV2" if fill else "PAD", inputs, TensorType(x.type.dtype, shape))


def cast(b: Builder, x: Operand, dtype: str) -> Operand:
    """CAST, unless the operand has the type already."""
    if x.type.dtype == dtype:
        return x
    if isinstance(x, Const):
        return b.const(x.numpy().astype(dtype), x.name)
    return b.op("CAST", {"input": x}, TensorType(dtype, x.type.shape))


def binary(b: Builder, opcode: str, x: Operand, y: Operand, out: TensorType | None = None) -> Ref:
    """An elementwise builtin of two operands."""
    return b.op(opcode, {"a": x, "b": y}, out, **({"fusedActivationFunction": NONE} if opcode in _FUSABLE else {}))


_FUSABLE = frozenset({"ADD", "SUB", "MUL", "DIV"})


def out_type(value: Value) -> TensorType:
    """The type of a graph value."""
    return tensor_type(value)
