"""The channels-first layout of a value, and conversion to it and back.

A value of shape (t₁, …, tₙ, C) has N = t₁·…·tₙ tokens of C channels; in the channels-first layout it is (1, C, 1, N),
with the tokens in the same order. One image of tokens, (1, H, W, C), becomes (1, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.ir.build import GraphBuilder
from edgec.ir.model import changed_copy, constant, static_shape
from edgec.ir.provenance import RULE
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.shape import Transpose
from edgec.rules.match import producer

NAME = "neural-engine-form"
"""The rewrite's name in the manifest."""

_LABEL = "channels"
"""The suffix in the names of new values."""

TO_CHANNELS, TO_TOKENS = (0, 3, 1, 2), (0, 2, 3, 1)
"""(1, H, W, C) to (1, C, H, W), and back."""


def shape_of(value: Value) -> Ints:
    """The static shape of a value that has one."""
    shape = static_shape(value)
    assert shape is not None
    return shape


def tokens(value: Value) -> int:
    """N: the product of all dimensions but the last."""
    return prod(shape_of(value)[:-1])


def places(shape: Ints) -> Ints:
    """The last two dimensions in the channels-first layout: (H, W) of an image of tokens, (1, N) of a sequence."""
    return shape[1:3] if len(shape) == 4 and shape[0] == 1 else (1, prod(shape[:-1]))


def form(shape: Ints) -> Ints:
    """The shape in the channels-first layout."""
    return (1, shape[-1], *places(shape))


def image_of(value: Value) -> Value | None:
    """The image (1, C, spatial…) whose channels-last transpose the value is: it is channels-first already."""
    node = producer(value, "Transpose")
    perm = () if node is None else Transpose.decode(Reader(node)).perm
    is_image = node is not None and perm == (0, *range(2, len(perm)), 1) and shape_of(value)[0] == 1
    return node.inputs[0] if node is not None and is_image else None


def makes_image(node: ir.Node) -> bool:
    """Whether the node transposes one channels-last image to channels-first."""
    if node.op_type != "Transpose" or node.domain or static_shape(node.outputs[0]) is None:
        return False
    perm = Transpose.decode(Reader(node)).perm
    return perm == (0, len(perm) - 1, *range(1, len(perm) - 1)) and shape_of(node.outputs[0])[0] == 1


def turning_bytes(value: Value) -> int:
    """The cost of transposing a value, in float16 bytes: 0 for one token, one channel, or an image."""
    if 1 in (shape_of(value)[-1], tokens(value)) or image_of(value) is not None:
        return 0
    return prod(shape_of(value)) * (1 if value.dtype == ir.DataType.BOOL else 2)


class Turned:
    """The channels-first version of each value; missing ones are created on demand."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self.of: dict[Value, Value] = {}
        self.masks: dict[tuple[object, ...], Value] = {}


class Maker:
    """Builds the channels-first version of one node; an operand is transposed once for all its users."""

    def __init__(self, node: ir.Node, turned: Turned) -> None:
        self.node = node
        self.g = GraphBuilder(turned.graph, [node], _LABEL)
        self.masks = turned.masks
        self._turned = turned

    def x(self, value: Value) -> Value:
        """The channels-first version of an operand."""
        image = image_of(value)
        if value not in self._turned.of and image is not None:
            self._turned.of[value] = self.reshape(image, form(shape_of(value)))
        elif value not in self._turned.of:
            shape = shape_of(value)
            flat = self.reshape(value, (1, *places(shape), shape[-1]))
            self._turned.of[value] = self.turn(flat, TO_CHANNELS, form(shape))
        return self._turned.of[value]

    def back(self, value: Value) -> Value:
        """The value in its original layout, from the channels-first version."""
        shape = shape_of(value)
        flat = self.turn(self._turned.of[value], TO_TOKENS, (1, *places(shape), shape[-1]))
        return self.reshape(flat, shape)

    def turn(self, value: Value, perm: Ints, shape: Ints) -> Value:
        """A transpose, or a reshape if at most one dimension is above 1."""
        if sum(d != 1 for d in shape) <= 1:
            return self.reshape(value, shape)
        return self.g.op("Transpose", value, perm=list(perm))

    def reshape(self, value: Value, shape: Ints) -> Value:
        """A reshape, unless the value has the shape already."""
        return value if static_shape(value) == shape else self.g.op("Reshape", value, self.g.ints(*shape))

    def same(self, inputs: Sequence[Value | None], **changed: object) -> Sequence[Value]:
        """The node's own operator and attributes on other inputs."""
        attributes = {**{name: a.value for name, a in self.node.attributes.items()}, **changed}
        return self.g.multi(self.node.op_type, len(self.node.outputs), *inputs, **attributes)

    def operand(self, value: Value | None, like: Value) -> Value | None:
        """An operand that broadcasts against `like`; a constant is transposed at compile time."""
        if value is None or not shape_of(value):
            return value
        array = constant(value)
        if array is not None:
            return self.g.const(turned_constant(array, like), dtype=value.dtype)
        x = self.x(value)
        return x if tokens(value) == 1 else self.reshape(x, (1, shape_of(value)[-1], *places(shape_of(like))))

    def weight(self, value: Value, shape: Ints, change: Callable[[Array], Array]) -> Value:
        """A constant computed lazily from another, so that no second copy is kept in memory."""
        source = value.const_value
        assert source is not None
        assert value.dtype is not None
        name = f"{value.name}/{_LABEL}"
        if (made := self.g.graph.initializers.get(name)) is not None and static_shape(made) == shape:
            return made

        def make() -> ir.Tensor[Array]:
            return ir.Tensor(changed_copy(source, change), name=name)

        tensor = ir.LazyTensor(make, value.dtype, shape=ir.Shape(shape), name=name)
        made = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(value.dtype), const_value=tensor)
        self.g.graph.initializers[name] = made
        return made

    def finish(self, results: Sequence[tuple[Value, Value]]) -> None:
        """Insert the nodes; each result is an old value and its channels-first version."""
        rule = self.node.metadata_props.get(RULE)
        for node in self.g.nodes:
            if rule is not None and node.op_type == self.node.op_type:
                node.metadata_props[RULE] = rule  # parts of a normalization stay marked as such
        for old, new in results:
            self._turned.of[old] = new
            new.shape, new.type = ir.Shape(form(shape_of(old))), old.type
            if new.producer() in self.g.nodes:
                new.name = f"{old.name}/{_LABEL}"
        self.g.commit(self.node)


def turned_constant(array: Array, like: Value) -> Array:
    """A constant that broadcasts against a value, changed to broadcast against its channels-first version."""
    shape = shape_of(like)
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    if prod(full.shape[:-1]) == 1:
        return full.reshape(1, -1, 1, 1)
    full = np.broadcast_to(full, (*shape[:-1], full.shape[-1]))
    rows: Array = full.reshape(-1, full.shape[-1])
    return np.ascontiguousarray(rows.T).reshape(1, -1, *places(shape))
