"""Rewriting operators that support either layout to channels-last data."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.legality.windows import ONLY_NHWC
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.elementwise import ACTIVATIONS, BINARY, UNARY
from edgec.ops.image import Resize
from edgec.ops.norm import Softmax
from edgec.ops.reduce import REDUCTIONS, Reduce
from edgec.ops.shape import Concat, Pad, Slice, Split
from edgec.ops.table import view

_ELEMENTWISE = UNARY | BINARY | ACTIVATIONS | {"Max", "Min", "Where", "Gelu", "Clip", "Cast"}
FLEXIBLE = _ELEMENTWISE | REDUCTIONS | {"Softmax", "LogSoftmax", "Concat", "Split", "Pad", "Slice"}
"""Operators that have a channels-last form."""


def is_data(node: ir.Node, index: int) -> bool:
    """Whether an input has the node's layout. (Weights keep ONNX's.)"""
    return index == 0 or node.op_type not in ONLY_NHWC


def can_permute(node: ir.Node) -> bool:
    """Whether this node has a channels-last form: equal ranks, and constant parameters."""
    out = node.outputs[0]
    rank = len(out.shape) if out.shape is not None else 0
    op = view(node)
    data = [v for v in node.inputs if v is not None and not is_constant(v)]
    if isinstance(op, Reduce):
        same_rank = rank == Reader(node).rank(op.x) if op.keepdims else _reduces_spatial(op)
        return op.axes is not None and same_rank and Reader(node).rank(op.x) in (4, 5)
    if rank not in (4, 5) or not data:
        return False
    if isinstance(op, Pad):
        return op.begin is not None and op.value is not None
    if isinstance(op, Slice):
        return op.is_constant
    if isinstance(op, Split):
        return op.sizes is not None
    if node.op_type == "Clip":
        return all(len(v.shape or ()) == rank for v in data[:1]) and len(data) == 1
    return all(v.shape is not None and len(v.shape) == rank for v in data)


def _reduces_spatial(op: Reduce) -> bool:
    """Whether all spatial axes are reduced without keepdims, which leaves (N, C) in both layouts."""
    rank = len(op.x.shape or ())
    return op.axes is not None and set(op.axes) == set(range(2, rank))


def permuted_node(node: ir.Node, inputs: list[ir.Value | None], graph: ir.Graph) -> ir.Node:
    """The channels-last form of a node; `inputs` are its operands, with data already permuted."""
    op = view(node)
    rank = _data_rank(node)
    make = _Maker(node, graph, rank)
    match op:
        case Reduce(axes=axes) if axes is not None:
            return make.node(
                [inputs[0], make.ints(sorted(_axis(a, rank) for a in axes))], {"keepdims": int(op.keepdims)}
            )
        case Softmax() | Concat():
            return make.node(inputs, {"axis": _axis(op.axis, rank)})
        case Split(sizes=sizes) if sizes is not None:
            return make.node([inputs[0], make.ints(sizes)], {"axis": _axis(op.axis, rank)})
        case Pad(begin=begin, end=end) if begin is not None and end is not None:
            pads = [*_permuted(begin), *_permuted(end)]
            return make.node([inputs[0], make.ints(pads), *node.inputs[2:3]], {"mode": op.mode})
        case Slice(starts=starts, ends=ends, axes=axes, steps=steps) if axes is not None:
            moved = [_axis(a, rank) for a in axes]
            return make.node([inputs[0], *(make.ints(i or ()) for i in (starts, ends, moved, steps))], {})
        case Resize():
            return make.resize(op, make.broadcast(inputs[0]))
        case _ if node.op_type in _ELEMENTWISE:
            operands = inputs if node.op_type == "Clip" else [make.broadcast(v) for v in inputs]
            return make.node(operands, None)
        case _:
            return make.spatial(op, inputs)


def _data_rank(node: ir.Node) -> int:
    if node.op_type in ONLY_NHWC and node.inputs[0] is not None:
        return len(node.inputs[0].shape or ())
    ranks = [len(v.shape) for v in node.inputs if v is not None and v.shape is not None and not is_constant(v)]
    return max(ranks, default=4)


def _axis(axis: int, rank: int) -> int:
    """The position of an axis of (N, C, spatial…) in (N, spatial…, C)."""
    if axis == 0:
        return 0
    return rank - 1 if axis == 1 else axis - 1


def _permuted(values: tuple[int, ...]) -> list[int]:
    return [values[0], *values[2:], values[1]]


class _Maker:
    """Builds the new node with the old one's provenance."""

    def __init__(self, node: ir.Node, graph: ir.Graph, rank: int) -> None:
        self.old, self.graph, self.rank = node, graph, rank

    def node(self, inputs: list[ir.Value | None], attributes: dict[str, object] | None) -> ir.Node:
        """A node of the same operator; `attributes` None keeps the old ones."""
        old = self.old
        kept = old.attributes.values() if attributes is None else ir.convenience.convert_attributes(attributes)  # type: ignore[arg-type]
        new = ir.Node("", old.op_type, inputs, kept, num_outputs=len(old.outputs), name=old.name)
        new.metadata_props.update(old.metadata_props)
        for before, after in zip(old.outputs, new.outputs, strict=True):
            after.type = before.type
        return new

    def ints(self, values: object) -> ir.Value:
        """A 1-D int64 initializer."""
        return self._initializer(np.asarray(values, dtype=np.int64))

    def broadcast(self, value: ir.Value | None) -> ir.Value | None:
        """A constant operand in channels-last order; one of lower rank gets leading ones first."""
        if value is None or not is_constant(value):
            return value
        array = constant(value)
        shape = static_shape(value)
        if array is None or not shape or array.size == 1:
            return value
        full = array.reshape((1,) * (self.rank - array.ndim) + array.shape)
        return self._initializer(np.transpose(full, [0, *range(2, self.rank), 1]))

    def spatial(self, op: object, inputs: list[ir.Value | None]) -> ir.Node:
        """Conv, ConvTranspose and pools: explicit attributes, `auto_pad` resolved. With a computed weight the input may
        be a constant.
        """
        inputs = [self.broadcast(inputs[0]), *inputs[1:]]
        window = getattr(op, "window", None)
        if window is None:
            return self.node(inputs, None)
        attributes: dict[str, object] = {
            "strides": list(window.strides),
            "dilations": list(window.dilations),
            "pads": [*window.pads_begin, *window.pads_end],
            "kernel_shape": list(window.kernel),
        }
        if hasattr(op, "groups"):
            attributes["group"] = op.groups
        if hasattr(op, "output_padding"):
            attributes["output_padding"] = list(op.output_padding)
        for name in ("ceil_mode", "count_include_pad"):
            if hasattr(op, name):
                attributes[name] = int(getattr(op, name))
        return self.node(inputs, attributes)

    def resize(self, op: Resize, x: ir.Value | None) -> ir.Node:
        """Resize keeps its attributes; the sizes or scales follow the axes."""
        attributes = {
            k: a.value for k, a in self.old.attributes.items() if k not in ("axes", "keep_aspect_ratio_policy")
        }
        sizes = op.sizes()
        if op.sizes_value is not None and not is_constant(op.sizes_value):
            axes = [_axis(axis, self.rank) for axis in op.axes]
            return self.node([x, None, None, op.sizes_value], {**attributes, "axes": axes})
        if sizes is not None:
            last = np.asarray([sizes[0], *sizes[2:], sizes[1]], dtype=np.int64)
            return self.node([x, None, None, self._initializer(last)], attributes)
        assert op.scales is not None
        scales = [op.scales[0], *op.scales[2:], op.scales[1]]
        return self.node([x, None, self._initializer(np.asarray(scales, dtype=np.float32))], attributes)

    def _initializer(self, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> ir.Value:
        name = f"{self.old.outputs[0].name}/nhwc.{len(self.graph.initializers)}"
        tensor = ir.Tensor(np.ascontiguousarray(array), name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.graph.initializers[name] = value
        return value
