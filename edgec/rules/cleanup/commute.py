"""Transposes and reshapes move through element-wise operators where that lets them cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.elementwise import BINARY, UNARY
from edgec.ops.shape import Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, producer

_FARTHEST = 8
"""Element-wise operators that a transpose is moved through at most."""

_POINTWISE = (
    UNARY | BINARY | {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Where", "Cast", "Max", "Min"}
)


@dataclass(frozen=True)
class _Path:
    """What moving a transpose up to a value's sources costs and saves, in transposes."""

    added: int
    removed: int

    def __add__(self, other: _Path) -> _Path:
        return _Path(self.added + other.added, self.removed + other.removed)


class CancelTransposes(Rule):
    """Transpose(f(Transpose(x), …)) -> f(x, …) or one Transpose fewer, for element-wise f of one use."""

    name = "cancel-transposes"
    roots = ("Transpose",)
    examples = (
        Example(
            "float[2,3,4] x",
            "t = Transpose<perm = [2, 0, 1]>(x)  r = Relu(t)  y = Transpose<perm = [1, 2, 0]>(r)",
            "y = Relu(x)",
        ),
        Example(
            "float[2,3] x",
            "t = Transpose<perm = [1, 0]>(x)  a = Add(t, c)  y = Transpose<perm = [1, 0]>(a)",
            "y = Add(x, d)",
            constants="float[2] c = {1, 2}",
        ),
        Example(
            "float[2,3] x, float[3,2] z",
            "t = Transpose<perm = [1, 0]>(x)  a = Add(t, z)  y = Transpose<perm = [1, 0]>(a)",
            None,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = node.inputs[0]
        if x is None or producer(x, "Transpose") is not None or is_constant(x):
            return NOT_HERE
        perm = Transpose.decode(Reader(node)).perm
        path = _survey(x, perm, _FARTHEST)
        if path is None or path.removed == 0 or path.added >= path.removed + 1:
            return NOT_HERE
        return [_move(x, perm, g)]


def _survey(value: ir.Value, perm: tuple[int, ...], steps: int) -> _Path | None:
    """What it takes to have the value transposed by moving the transpose up; None where that is not possible."""
    if is_constant(value):
        return _Path(0, 0)
    if value.shape is None or len(value.shape) != len(perm) or static_shape(value) is None:
        return None
    node = value.producer()
    if node is None or node.domain != "" or not only_use(value):
        return None
    if node.op_type == "Transpose":
        inner = Transpose.decode(Reader(node)).perm
        together = [inner[i] for i in perm]
        return _Path(0 if together == sorted(together) else 1, 1)
    if node.op_type not in _POINTWISE or steps == 0 or len(node.outputs) > 1:
        return None
    total = _Path(0, 0)
    for operand in node.inputs:
        found = _Path(0, 0) if operand is None else _survey(operand, perm, steps - 1)
        if found is None:
            return None
        total += found
    return total


def _move(value: ir.Value, perm: tuple[int, ...], g: GraphBuilder) -> ir.Value:
    """The transposed value, as surveyed."""
    array = constant(value)
    if array is not None:
        if array.size == 1:
            return value
        full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
        return g.const(np.ascontiguousarray(full.transpose(perm)), dtype=value.dtype)
    node = value.producer()
    assert node is not None
    if node.op_type == "Transpose":
        inner, source = Transpose.decode(Reader(node)).perm, node.inputs[0]
        assert source is not None
        together = [inner[i] for i in perm]
        return source if together == sorted(together) else g.op("Transpose", source, perm=together)
    attributes: dict[str, Any] = {k: a.value for k, a in node.attributes.items()}
    operands = [None if v is None else _move(v, perm, g) for v in node.inputs]
    return g.op(node.op_type, *operands, **attributes)


class CancelReshapes(Rule):
    """Reshape(f(Reshape(x))) -> Reshape(f(x)) for a unary element-wise f of one use; often no Reshape is left."""

    name = "cancel-reshapes"
    roots = ("Reshape",)
    examples = (
        Example(
            "float[2,3,4] x",
            "h = Reshape(x, s)  r = Relu(h)  y = Reshape(r, t)",
            "r = Relu(x)  y = Reshape(r, t)",
            constants="int64[1] s = {24}, int64[2] t = {4, 6}",
        ),
        Example(
            "float[2,3,4] x, float[24] z",
            "h = Reshape(x, s)  r = Add(h, z)  y = Reshape(r, t)",
            None,
            constants="int64[1] s = {24}, int64[2] t = {4, 6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        between = None if node.inputs[0] is None else node.inputs[0].producer()
        if (
            between is None
            or between.domain != ""
            or between.op_type not in _SINGLE
            or not only_use(between.outputs[0])
        ):
            return NOT_HERE
        first = producer(between.inputs[0], "Reshape")
        if (
            first is None
            or not only_use(first.outputs[0])
            or any(v is not None and _size(v) != 1 for v in between.inputs[1:])
        ):
            return NOT_HERE
        attributes: dict[str, Any] = {k: a.value for k, a in between.attributes.items()}
        mapped = g.op(between.op_type, first.inputs[0], *between.inputs[1:], **attributes)
        return [g.op("Reshape", mapped, *node.inputs[1:], allowzero=Reader(node).integer("allowzero", 0) or None)]


_SINGLE = UNARY | {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Cast"}


def _size(value: ir.Value) -> int | None:
    shape = static_shape(value)
    return None if shape is None else int(np.prod(shape))
