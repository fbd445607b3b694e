"""Data-dependent sizes, such as the number of non-zero elements, become named dimensions with a range."""

from __future__ import annotations

import math
import re
from typing import ClassVar

import onnx_ir as ir

from edgec.ir.dims import UNBOUNDED, dim_ranges, forget_dim_range, rename_dims, set_dim_range
from edgec.ir.infer import infer_types
from edgec.ir.model import Model, static_shape
from edgec.ops.base import Reader
from edgec.ops.gather import NonMaxSuppression
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired

_AXES = {"NonZero": 1, "NonMaxSuppression": 0}
"""The dimension of the result whose size depends on the data."""


class DataSizes(Pass):
    """Names such a dimension at its operator, records its range from 0 to its maximum, and infers shapes behind it."""

    name = "data-sizes"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model) -> list[Remark]:
        """Only the main graph: a size that arises inside a loop or branch does not leave it as an open shape."""
        sources = [node for node in model.graph if node.domain == "" and node.op_type in _AXES]
        noted = sum(_name_dimension(model, node) for node in sources)
        if sources:
            _propagate(model)
        return fired(self.name, noted)


def _name_dimension(model: Model, node: ir.Node) -> bool:
    """Name the dimension, unless the frontend did; returns whether its range was recorded."""
    out, axis = node.outputs[0], _AXES[node.op_type]
    if out.shape is None or isinstance(out.shape[axis], int):
        return False
    dim = out.shape[axis]
    name = str(dim.value) if isinstance(dim, ir.SymbolicDim) and dim.value else f"count_of_{out.name}"
    if name in dim_ranges(model):
        return False
    out.shape = ir.Shape([ir.SymbolicDim(name) if i == axis else d for i, d in enumerate(out.shape)])
    set_dim_range(model, name, 0, min(_upper_bound(node), UNBOUNDED))
    return True


def _propagate(model: Model) -> None:
    """Infer the shapes downstream. torch's exporter has its own names for these sizes (`u0`), which are kept."""
    renamed: dict[str, str] = {}
    for node in model.graph:
        known = {out: out.shape for out in node.outputs if out.shape is not None and not out.shape.is_static()}
        for out, shape in known.items():
            out.shape = ir.Shape([None if _is_unbacked(dim) else dim for dim in shape])
        infer_types(node)
        for out, shape in known.items():
            found = out.shape or ()
            pairs = [(_symbol(f), _symbol(k)) for f, k in zip(found, shape, strict=True) if _is_unbacked(k)]
            renamed.update({f: renamed.get(f, k) for f, k in pairs if f and k})
            renamed.update({k: renamed[f] for f, k in pairs if f and k and renamed[f] != k})
            out.shape = ir.Shape([k if _symbol(f) == "" else f for f, k in zip(found, shape, strict=True)])
    ranges = dim_ranges(model)
    for name, exported in renamed.items():
        if name in ranges:
            forget_dim_range(model, name)
            set_dim_range(model, exported, *ranges[name])
    rename_dims(model, renamed)


def _is_unbacked(dim: int | ir.SymbolicDim) -> bool:
    return _UNBACKED.fullmatch(_symbol(dim)) is not None


def _symbol(dim: int | ir.SymbolicDim) -> str:
    """The dimension's name; empty if it has none."""
    return str(dim) if isinstance(dim, int) else str(dim.value or "")


_UNBACKED = re.compile(r"u\d+")


def _upper_bound(node: ir.Node) -> int:
    """The largest possible size."""
    if node.op_type == "NonZero":
        shape = static_shape(Reader(node).input(0))
        return UNBOUNDED if shape is None else math.prod(shape)
    op = NonMaxSuppression.decode(Reader(node))
    shape = static_shape(op.scores)
    if shape is None:
        return UNBOUNDED
    images, classes, boxes = shape
    return images * classes * (boxes if op.max_output is None else min(boxes, max(op.max_output, 0)))
