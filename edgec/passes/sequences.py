"""Resolves sequences and optional values at compile time, leaving only tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, all_graphs, static_shape
from edgec.ops.base import Reader
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired
from edgec.passes.rewrite import remove_dead, replace_value


class ResolveSequences(Pass):
    """Replaces sequences of known length by their elements, and optional values by their content.

    What cannot be resolved (a computed position, a sequence in the model's interface) stays; the check of the dialect
    refuses it.
    """

    name = "sequences"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model) -> list[Remark]:
        """Track every sequence from where it is constructed to where a tensor is read from it."""
        resolved = 0
        for graph in all_graphs(model):
            known = _Known(graph)
            for node in list(graph):
                resolve = _RESOLVE.get(node.op_type) if node.domain == "" else None
                if resolve is not None and resolve(Reader(node), known):
                    resolved += 1
            remove_dead(graph, known.resolved[::-1])
        return fired(self.name, resolved)


@dataclass
class _Known:
    """The known content of sequences and optional values, and the nodes that are no longer needed."""

    graph: ir.Graph
    elements: dict[ir.Value, list[ir.Value]] = field(default_factory=dict)
    content: dict[ir.Value, ir.Value | None] = field(default_factory=dict)
    resolved: list[ir.Node] = field(default_factory=list)

    def holds(self, node: ir.Node, elements: list[ir.Value]) -> bool:
        """Record that the node's output is a sequence of these elements."""
        self.elements[node.outputs[0]] = elements
        self.resolved.append(node)
        return True

    def becomes(self, node: ir.Node, value: ir.Value, g: GraphBuilder) -> bool:
        """Replace the node's output by this tensor."""
        g.commit(node)
        replace_value(self.graph, node.outputs[0], value)
        self.resolved.append(node)
        return True

    def builder(self, node: ir.Node) -> GraphBuilder:
        return GraphBuilder(self.graph, [node], ResolveSequences.name)


def _position(r: Reader, index: int, length: int, default: int) -> int | None:
    """A constant position, negative ones resolved; None if it is computed or out of range."""
    if r.optional(index) is None:
        return default
    found = r.const_scalar(index)
    if found is None or not -length <= int(found) <= length:
        return None
    return int(found) % length if length and int(found) < length else int(found)


def _construct(r: Reader, known: _Known) -> bool:
    return known.holds(r.node, list(r.variadic()))


def _empty(r: Reader, known: _Known) -> bool:
    return known.holds(r.node, [])


def _insert(r: Reader, known: _Known) -> bool:
    elements = known.elements.get(r.input(0))
    at = None if elements is None else _position(r, 2, len(elements), len(elements))
    if elements is None or at is None:
        return False
    return known.holds(r.node, [*elements[:at], r.input(1), *elements[at:]])


def _erase(r: Reader, known: _Known) -> bool:
    elements = known.elements.get(r.input(0))
    at = None if not elements else _position(r, 1, len(elements), len(elements) - 1)
    if not elements or at is None or at >= len(elements):
        return False
    return known.holds(r.node, [*elements[:at], *elements[at + 1 :]])


def _at(r: Reader, known: _Known) -> bool:
    elements = known.elements.get(r.input(0))
    at = None if not elements else _position(r, 1, len(elements), 0)
    if not elements or at is None or at >= len(elements):
        return False
    return known.becomes(r.node, elements[at], known.builder(r.node))


def _length(r: Reader, known: _Known) -> bool:
    elements = known.elements.get(r.input(0))
    if elements is None:
        return False
    g = known.builder(r.node)
    return known.becomes(r.node, g.const(np.asarray(len(elements), dtype=np.int64)), g)


def _split(r: Reader, known: _Known) -> bool:
    x = r.input(0)
    if x.shape is None:
        return False
    axis = r.axis(r.integer("axis", 0), len(x.shape))
    sizes = part_sizes(r, x.shape[axis])
    if not sizes:
        return False
    g = known.builder(r.node)
    parts = [x] if len(sizes) == 1 else list(g.multi("Split", len(sizes), x, g.ints(*sizes), axis=axis))
    if r.optional(1) is None and not r.integer("keepdims", 1):
        parts = [g.op("Squeeze", part, g.ints(axis)) for part in parts]
    g.commit(r.node)
    return known.holds(r.node, parts)


def part_sizes(split: Reader, size: int | ir.SymbolicDim) -> tuple[int, ...] | None:
    """The part sizes of SplitToSequence: 1 each by default, equal parts of a scalar size, or a list of sizes.

    None if the number of parts is known only at run time: they have one size, and the split dimension is open.
    """
    given = (1,) if split.optional(1) is None else split.const_ints(1)
    if given is None:
        return None
    if split.optional(1) is not None and static_shape(split.input(1)) != ():
        return given
    if not isinstance(size, int):
        return None
    step = given[0]
    return tuple(min(step, size - start) for start in range(0, size, step))


def _concat(r: Reader, known: _Known) -> bool:
    elements = known.elements.get(r.input(0))
    if not elements:
        return False
    axis, g = r.integer("axis"), known.builder(r.node)
    parts: Sequence[ir.Value] = elements
    if r.integer("new_axis", 0):
        parts = [g.op("Unsqueeze", part, g.ints(axis)) for part in elements]
    found = g.op("Concat", *parts, axis=axis) if len(parts) > 1 else g.op("Identity", parts[0])
    return known.becomes(r.node, found, g)


def _identity(r: Reader, known: _Known) -> bool:
    x, out = r.input(0), r.node.outputs[0]
    if x in known.elements:
        return known.holds(r.node, known.elements[x])
    if x in known.content:
        known.content[out] = known.content[x]
        known.resolved.append(r.node)
        return True
    return False


def _optional(r: Reader, known: _Known) -> bool:
    x, out = r.optional(0), r.node.outputs[0]
    if x in known.elements:
        known.elements[out] = known.elements[x]
    known.content[out] = x
    known.resolved.append(r.node)
    return True


def _get(r: Reader, known: _Known) -> bool:
    x = r.input(0)
    content = known.content.get(x, x)
    if content in known.elements:
        return known.holds(r.node, known.elements[content])
    if content is None or not isinstance(content.type, ir.TensorType):
        return False
    return known.becomes(r.node, content, known.builder(r.node))


def _has(r: Reader, known: _Known) -> bool:
    x = r.optional(0)
    if x is not None and x not in known.content and x not in known.elements and not isinstance(x.type, ir.TensorType):
        return False
    there = x is not None and known.content.get(x, x) is not None
    g = known.builder(r.node)
    return known.becomes(r.node, g.const(np.asarray(there)), g)


_RESOLVE: dict[str, Callable[[Reader, _Known], bool]] = {
    "ConcatFromSequence": _concat,
    "Identity": _identity,
    "Optional": _optional,
    "OptionalGetElement": _get,
    "OptionalHasElement": _has,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
