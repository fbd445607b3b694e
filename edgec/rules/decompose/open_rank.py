"""Window partitioning with open sizes (6-D transposes between reshapes): adjacent dimensions are merged."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.shape import Reshape, Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer


class OpenTransposeOfFewer(Rule):
    """Reshape(Transpose(Reshape(x))) over too many dimensions, some of them open -> the same over fewer dimensions."""

    name = "open-transpose-of-fewer"
    roots = ("Reshape",)
    examples = (Example("float[2,6] x", "y = Reshape(x, s)", None, constants="int64[2] s = {3, 4}"),)

    def __init__(self, highest: int) -> None:
        self._highest = highest

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        turned = producer(node.inputs[0], "Transpose")
        split = None if turned is None else producer(turned.inputs[0], "Reshape")
        if turned is None or split is None:
            return NOT_HERE
        op, before, after = (
            Transpose.decode(Reader(turned)),
            Reshape.decode(Reader(split)),
            Reshape.decode(Reader(node)),
        )
        if len(op.perm) <= self._highest or static_shape(op.x) is not None:
            return NOT_HERE
        if after.shape is not None and 0 in after.shape and not after.allow_zero:
            return Miss("the result copies sizes")
        sizes = _sizes(before, g)
        if sizes is None:
            return Miss("the size of a dimension is not known")
        groups = _groups([axis for axis in op.perm if sizes[axis] != 1])
        if len(groups) > self._highest:
            return Miss("too many dimensions are permuted")
        order = sorted(range(len(groups)), key=lambda i: groups[i][0])
        shape = g.op("Concat", *(_product([sizes[axis] for axis in groups[i]], g) for i in order), axis=0)
        moved = g.op("Transpose", g.op("Reshape", before.x, shape), perm=[order.index(i) for i in range(len(groups))])
        y = g.op("Reshape", moved, after.shape_value)
        y.shape = after.y.shape
        return [y]


def _groups(perm: list[int]) -> list[list[int]]:
    """Runs of dimensions that are adjacent and in the same order before and after the transpose."""
    known = sorted(perm)
    groups: list[list[int]] = []
    for axis in perm:
        if groups and known.index(groups[-1][-1]) + 1 == known.index(axis):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _sizes(op: Reshape, g: GraphBuilder) -> list[int | Value] | None:
    """The size of each dimension of the result: a number (-1 is inferred), or a computed tensor of one element."""
    shape, known = op.y.shape, op.shape
    if shape is None:
        return None
    parts: list[int | Value] = [] if known is None else [*known]
    if known is None:
        joined = producer(op.shape_value, "Concat")
        for part in joined.inputs if joined is not None else ():
            content = constant(part)
            if content is None and (part is None or static_shape(part) != (1,)):
                return None
            parts += [part] if content is None and part is not None else [int(i) for i in content.reshape(-1)]  # type: ignore[union-attr]
    if len(parts) != len(shape):
        return None
    if any(part == 0 for part in parts) and not op.allow_zero:
        parts = [g.op("Shape", op.x, start=i, end=i + 1) if part == 0 else part for i, part in enumerate(parts)]
    return [size if isinstance(size, int) else part for size, part in zip(shape, parts, strict=True)]


def _product(sizes: list[int | Value], g: GraphBuilder) -> Value:
    """The merged size of several dimensions."""
    if any(isinstance(size, int) and size == -1 for size in sizes):
        return g.ints(-1)
    total = 1
    found: Value | None = None
    for size in sizes:
        if isinstance(size, int):
            total *= size
        else:
            found = size if found is None else g.op("Mul", found, size)
    if found is None:
        return g.ints(total)
    return found if total == 1 else g.op("Mul", found, g.ints(total))
