"""LSTM, GRU and RNN as MIL operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Array, Const, Lowering, Operand, Ref, TensorType
from edgec.backends.coreml.legality.recurrent import ACTIVATIONS
from edgec.backends.coreml.lower.common import MilBuilder, reshape, shape_of
from edgec.ir.model import constant
from edgec.ops.base import Value
from edgec.ops.recurrent import Recurrent

_GATES = {"LSTM": (0, 2, 1, 3), "GRU": (1, 2, 0), "RNN": (0,)}
"""Positions of MIL's gates in ONNX's order: LSTM input, forget, output, cell (ONNX iofc); GRU reset, output, update
(ONNX zrh)."""

_PEEPHOLES = (0, 2, 1)
"""Input, forget, output (ONNX iof)."""

_ACTIVATION_NAMES = {
    "LSTM": ("recurrent_activation", "cell_activation", "activation"),
    "GRU": ("recurrent_activation", "activation"),
    "RNN": ("activation",),
}


def _recurrent(op: Recurrent, b: MilBuilder) -> Sequence[Operand]:
    """ONNX's Y (T, D, B, H) and last states (D, B, H) from MIL's (T, B, D*H) and (B, D*H).

    In canonical graphs the sequence is the first dimension.
    """
    x = b.operand(op.x)
    states = [_initial(op, v, x, b) for v in ((op.h0, op.c0) if op.kind == "LSTM" else (op.h0,))]
    if op.kind == "LSTM" and op.directions == 2:
        y, *last = _bidirectional_lstm(op, x, states, b)
    else:
        halves = [_one_way(op, d, x, states, b) for d in range(op.directions)]
        y, *last = (_joined(parts, b) for parts in zip(*halves, strict=True))
    steps, batch, _ = shape_of(op.x)
    y = _transpose(b, _split_directions(b, y, (steps, batch, op.directions, op.hidden)), (0, 2, 1, 3))
    results = [y, *(_transpose(b, reshape(b, v, (batch, op.directions, op.hidden)), (1, 0, 2)) for v in last)]
    return results[: len(op.outputs)]


def _split_directions(b: MilBuilder, y: Operand, shape: tuple[int, ...]) -> Operand:
    """A reshape with a possibly open sequence length."""
    if -1 not in shape:
        return reshape(b, y, shape)
    out = TensorType(y.type.dtype, (y.type.shape[0], *shape[1:]))
    return b.emit("reshape", out, x=y, shape=shape)


def _bidirectional_lstm(op: Recurrent, x: Operand, states: list[Operand], b: MilBuilder) -> tuple[Operand, ...]:
    forward, back = _weights(op, 0, x, b), _weights(op, 1, x, b)
    arguments = {**forward, **{f"{name}_back": value for name, value in back.items()}}
    return _emit(op, b, x, states, arguments, "bidirectional")


def _one_way(op: Recurrent, d: int, x: Operand, states: list[Operand], b: MilBuilder) -> tuple[Operand, ...]:
    """One direction; MIL's reversed one returns outputs in the order of computation, ONNX's in the input's."""
    own = [_half(op, d, s, b) for s in states]
    backward = d == 1 or op.direction == "reverse"
    y, *last = _emit(op, b, x, own, _weights(op, d, x, b), "reverse" if backward else "forward")
    return (b.emit("reverse", y.type, x=y, axes=(0,)) if backward else y, *last)


def _emit(
    op: Recurrent, b: MilBuilder, x: Operand, states: list[Operand], weights: dict[str, Const], direction: str
) -> tuple[Ref, ...]:
    steps, batch = x.type.shape[:2]
    width = op.hidden * (2 if direction == "bidirectional" else 1)
    last = TensorType(x.type.dtype, (batch, width))
    types = (TensorType(x.type.dtype, (steps, batch, width)), *(last for _ in states))
    initial = dict(zip(("initial_h", "initial_c"), states, strict=False))
    acts = [ACTIVATIONS[a.lower()] for a in op.activations]
    options: dict[str, object] = dict(zip(_ACTIVATION_NAMES[op.kind], acts, strict=False))
    if op.kind == "GRU" and op.linear_before_reset:
        options["reset_after"] = True
    return b.emit_many(
        op.kind.lower(), types, x=x, **initial, **weights, direction=direction, output_sequence=True, **options
    )


def _weights(op: Recurrent, d: int, x: Operand, b: MilBuilder) -> dict[str, Const]:
    """Weights of one direction, with gates in MIL's order; MIL has one bias, ONNX two.

    A GRU with the reset gate after the product scales the recurrent bias, and has the input bias separately.
    """
    order, dtype = _GATES[op.kind], x.type.dtype
    found = {
        "weight_ih": _ordered(_array(op.w)[d], order),
        "weight_hh": _ordered(_array(op.r)[d], order),
    }
    if op.b is not None:
        outer, inner = _array(op.b)[d].reshape(2, -1).astype(np.float32)
        apart = op.kind == "GRU" and bool(op.linear_before_reset)
        found["bias"] = _ordered(inner if apart else outer + inner, order)
        if apart:
            found["input_bias"] = _ordered(outer, order)
    if op.peephole is not None:
        found["peephole"] = _ordered(_array(op.peephole)[d], _PEEPHOLES)
    return {name: b.const(array.astype(dtype), f"{op.node.name}/{name}{d}") for name, array in found.items()}


def _array(value: Value) -> Array:
    array = constant(value)
    assert array is not None
    return array


def _ordered(array: Array, order: tuple[int, ...]) -> Array:
    parts = np.split(array, len(order))
    return np.ascontiguousarray(np.concatenate([parts[i] for i in order]))


def _initial(op: Recurrent, state: Value | None, x: Operand, b: MilBuilder) -> Operand:
    """A state (D, B, H) as MIL's (B, D*H); zeros if none is given."""
    batch = int(x.type.shape[1])
    width = op.directions * op.hidden
    if state is None:
        return b.const(np.zeros((batch, width), dtype=x.type.dtype), f"{op.node.name}/zeros")
    given = b.operand(state)
    return reshape(b, _transpose(b, given, (1, 0, 2)), (batch, width))


def _half(op: Recurrent, d: int, state: Operand, b: MilBuilder) -> Operand:
    """The part of one direction."""
    if op.directions == 1:
        return state
    batch = int(state.type.shape[0])
    out = TensorType(state.type.dtype, (batch, op.hidden))
    begin, end = (0, d * op.hidden), (batch, (d + 1) * op.hidden)
    return b.emit("slice_by_index", out, x=state, begin=begin, end=end)


def _joined(parts: tuple[Operand, ...], b: MilBuilder) -> Operand:
    if len(parts) == 1:
        return parts[0]
    shape = parts[0].type.shape
    out = TensorType(parts[0].type.dtype, (*shape[:-1], int(shape[-1]) * 2))
    return b.emit("concat", out, values=parts, axis=len(shape) - 1, interleave=False)


def _transpose(b: MilBuilder, x: Operand, perm: tuple[int, ...]) -> Operand:
    out = TensorType(x.type.dtype, tuple(x.type.shape[i] for i in perm))
    return b.emit("transpose", out, x=x, perm=perm)


LOWERINGS = (Lowering(Recurrent, _recurrent),)
