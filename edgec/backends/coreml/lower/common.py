"""What lowerings of every family share: MIL's element types, constants, casts, reshapes."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.backends.base import Const, Operand, Ref, Reject, TensorType
from edgec.backends.builder import Builder
from edgec.ops.base import Op, Value
from edgec.spec.target import Target

_MIL_TYPES = {
    "int64": "int32",
    "float64": "float32",
    "uint8": "int32",
    "int8": "int32",
    "int16": "int32",
    "uint16": "int32",
}
"""MIL computes in float16, float32, int32 and bool."""

MIL_NAMES = {"float32": "fp32", "float16": "fp16", "int32": "int32", "bool": "bool"}


class MilBuilder(Builder):
    """A builder whose every value has one of MIL's element types."""

    def emit(self, opcode: str, out: TensorType, /, **arguments: object) -> Ref:
        """One instruction; operands are inputs, everything else is a literal. None is left out."""
        return self.emit_many(opcode, (out,), **arguments)[0]

    def emit_many(self, opcode: str, outs: tuple[TensorType, ...], /, **arguments: object) -> tuple[Ref, ...]:
        """One instruction with several outputs."""
        inputs: dict[str, object] = {}
        attrs: dict[str, object] = {}
        for name, value in arguments.items():
            is_operand = isinstance(value, Ref | Const) or (
                isinstance(value, tuple) and bool(value) and isinstance(value[0], Ref | Const)
            )
            if value is not None:
                (inputs if is_operand else attrs)[name] = value
        typed = tuple(TensorType(mil_type(o.dtype), o.shape) for o in outs)
        return self.multi(opcode, inputs, typed, **attrs)  # type: ignore[arg-type]


def mil_type(dtype: str) -> str:
    """The element type that stands for `dtype` in MIL."""
    return _MIL_TYPES.get(dtype, dtype)


def accepts(op: Op, target: Target) -> Reject | None:
    """Refuses nothing."""
    return None


def static_reject(values: Sequence[Value], label: str) -> Reject | None:
    """Refuse shapes that are not known before the model runs."""
    for value in values:
        if value.shape is None or any(not isinstance(d, int) for d in value.shape):
            return Reject(f"{label}-dynamic", f"the shape of `{value.name}` is not static")
    return None


def rank_reject(values: Sequence[Value], target: Target, label: str) -> Reject | None:
    """Refuse ranks above the target's limit."""
    for value in values:
        rank = len(value.shape or ())
        if rank > target.limits.max_rank:
            return Reject(f"{label}-rank-{rank}", f"Core ML ends at rank {target.limits.max_rank}")
    return None


def float_reject(values: Sequence[Value], label: str) -> Reject | None:
    """Refuse integers where MIL has float kernels alone."""
    for value in values:
        name = value.dtype.numpy().name if value.dtype is not None else "?"
        if not name.startswith("float"):
            return Reject(f"{label}-{name}", f"the operation has no {name} form")
    return None


def type_of(value: Value) -> TensorType:
    """The MIL type of a graph value."""
    dims = tuple(d if isinstance(d, int) else (d.value or "?") for d in value.shape or ())
    assert value.dtype is not None
    return TensorType(mil_type(value.dtype.numpy().name), dims)


def shape_of(value: Value) -> tuple[int, ...]:
    """The static shape."""
    return tuple(d if isinstance(d, int) else -1 for d in value.shape or ())


def cast(b: MilBuilder, x: Operand, dtype: str) -> Operand:
    """A cast, unless the type is right already."""
    if mil_type(x.type.dtype) == dtype:
        return x
    if isinstance(x, Const):
        return b.const(x.numpy().astype(dtype), x.name)
    return b.emit("cast", TensorType(dtype, x.type.shape), x=x, dtype=MIL_NAMES[dtype])


def reshape(b: MilBuilder, x: Operand, shape: Sequence[int]) -> Operand:
    """A reshape to a static shape; a scalar is squeezed out of its single element."""
    out = TensorType(x.type.dtype, tuple(shape))
    if x.type.shape == out.shape:
        return x
    if not shape:
        return b.emit("squeeze", out, x=x)
    return b.emit("reshape", out, x=x, shape=tuple(shape))


def through_half(b: MilBuilder, x: Operand) -> Operand:
    """bool as float16, for the moves that MIL has no bool form of."""
    return cast(b, x, "float16") if x.type.dtype == "bool" else x
