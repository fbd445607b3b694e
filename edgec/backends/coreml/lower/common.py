"""Shared by all lowerings: MIL's element types, constants, casts, reshapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array, Const, Operand, Ref, TensorType
from edgec.backends.builder import Builder
from edgec.backends.coreml.types import MIL_NAMES, NARROW, mil_type
from edgec.ir.model import changed_copy
from edgec.ops.base import Value


class MilBuilder(Builder):
    """A builder whose values have MIL's element types; inputs are converted at the start of the program."""

    def input(self, value: Value) -> Ref:
        """Declare an input with its own type; in the program it has MIL's."""
        ref = super().input(value)
        self.bind(value, Ref(ref.name, _in_mil(ref.type)))
        return ref

    def operand(self, value: Value) -> Operand:
        """The operand that holds a graph value; a constant is converted during assembly."""
        operand = super().operand(value)
        if isinstance(operand, Const) and operand.type != _in_mil(operand.type):
            operand = Const(operand.name, _in_mil(operand.type), operand.tensor)
            self.bind(value, operand)
        return operand

    def derived(self, value: Value, shape: tuple[int, ...], change: Callable[[Array], Array]) -> Const:
        """A constant computed from a large one during assembly, so that no second copy is kept in memory."""
        source = ir.convenience.get_const_tensor(value)
        assert source is not None
        name = self._unique(value.name or "weight")
        kind = TensorType(type_of(value).dtype, shape)

        def make() -> ir.Tensor[Array]:
            return ir.Tensor(changed_copy(source, change), name=name)

        return Const(name, kind, ir.LazyTensor(make, source.dtype, shape=ir.Shape(shape), name=name))

    def emit(self, opcode: str, out: TensorType, /, **arguments: object) -> Ref:
        """Append an instruction: operands become inputs, other arguments literals; None is omitted."""
        return self.emit_many(opcode, (out,), **arguments)[0]

    def emit_many(self, opcode: str, outs: tuple[TensorType, ...], /, **arguments: object) -> tuple[Ref, ...]:
        """Append an instruction with several outputs."""
        inputs: dict[str, object] = {}
        attrs: dict[str, object] = {}
        for name, value in arguments.items():
            is_operand = isinstance(value, Ref | Const) or (
                isinstance(value, tuple) and bool(value) and isinstance(value[0], Ref | Const)
            )
            if value is not None:
                (inputs if is_operand else attrs)[name] = value
        typed = tuple(_in_mil(o) for o in outs)
        return self.multi(opcode, inputs, typed, **attrs)  # type: ignore[arg-type]


def _in_mil(kind: TensorType) -> TensorType:
    return TensorType(mil_type(kind.dtype), kind.shape)


def type_of(value: Value) -> TensorType:
    """The MIL type of a graph value."""
    dims = tuple(d if isinstance(d, int) else (d.value or "?") for d in value.shape or ())
    assert value.dtype is not None
    return TensorType(mil_type(value.dtype.numpy().name), dims)


def static_dims(kind: TensorType) -> tuple[int, ...] | None:
    """The shape if it is static, otherwise None."""
    dims = tuple(d for d in kind.shape if isinstance(d, int))
    return dims if len(dims) == len(kind.shape) else None


def shape_of(value: Value) -> tuple[int, ...]:
    """The static shape."""
    return tuple(d if isinstance(d, int) else -1 for d in value.shape or ())


def cast(b: MilBuilder, x: Operand, dtype: str) -> Operand:
    """A cast, unless the operand has the type already."""
    if x.type.dtype == dtype:
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


def wrapped(b: MilBuilder, y: Operand, value: Value) -> Operand:
    """Wrap a result around to the value's type, as arithmetic on fewer than 32 bits does."""
    assert value.dtype is not None
    name = value.dtype.numpy().name
    if name not in NARROW:
        return y
    low, high = NARROW[name]
    size, shift = b.const(np.asarray(high - low + 1, np.int32), "size"), b.const(np.asarray(low, np.int32), "low")
    if not low:
        return b.emit("mod", y.type, x=y, y=size)
    above = b.emit("mod", y.type, x=b.emit("sub", y.type, x=y, y=shift), y=size)
    return b.emit("add", y.type, x=above, y=shift)


def through_half(b: MilBuilder, x: Operand) -> Operand:
    """bool as float16, for data movement that MIL does not support on bool."""
    return cast(b, x, "float16") if x.type.dtype == "bool" else x


def moved_back(b: MilBuilder, y: Operand, out: TensorType) -> Operand:
    """Convert back to bool after data movement in float16."""
    return cast(b, y, "bool") if out.dtype == "bool" else y
