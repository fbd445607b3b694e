"""Builds new nodes: types are inferred at once, nodes are inserted into the graph only when the rewrite succeeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from edgec.ir.infer import infer_types
from edgec.ir.model import constant
from edgec.ir.provenance import inherit


class GraphBuilder:
    """Collects the nodes of one rewrite; they enter the graph with `commit`.

    `sources` are the nodes that the new ones replace, whose file, line and module they inherit.
    """

    def __init__(self, graph: ir.Graph, sources: Sequence[ir.Node], rule: str) -> None:
        self.graph = graph
        self.nodes: list[ir.Node] = []
        self._sources = sources
        self._rule = rule
        self._constants: list[ir.Value] = []

    def op(self, op_type: str, *inputs: ir.Value | None, domain: str = "", **attributes: Any) -> ir.Value:
        """A new node with one output."""
        return self.multi(op_type, 1, *inputs, domain=domain, **attributes)[0]

    def multi(
        self, op_type: str, outputs: int, *inputs: ir.Value | None, domain: str = "", **attributes: Any
    ) -> Sequence[ir.Value]:
        """A new node with several outputs."""
        if op_type == "Reshape" and any(inputs[1] is own for own in self._constants) and _names_empty(inputs[1]):
            attributes = {"allowzero": 1, **attributes}
        found = ir.convenience.convert_attributes({k: v for k, v in attributes.items() if v is not None})
        node = ir.Node(domain, op_type, inputs, found, num_outputs=outputs)
        base = next((s.outputs[0].name for s in self._sources if s.outputs and s.outputs[0].name), "v")
        for i, out in enumerate(node.outputs):
            out.name = f"{base}/{self._rule}.{len(self.nodes)}" + (f".{i}" if i else "")
        node.name = f"{base}/{self._rule}.{len(self.nodes)}"
        inherit(node, self._sources, self._rule)
        self.nodes.append(node)
        infer_types(node)
        return node.outputs

    def const(
        self, array: ArrayLike | NDArray[np.generic], dtype: ir.DataType | None = None, name: str = ""
    ) -> ir.Value:
        """A new initializer. `dtype` converts it; without, Python ints become int64 and floats float32."""
        content = np.asarray(array)
        if dtype is not None:
            content = content.astype(dtype.numpy(), copy=False)
        elif not isinstance(array, np.ndarray | np.generic):
            content = content.astype({"i": np.int64, "f": np.float32}.get(content.dtype.kind, content.dtype))
        base = name or next((s.outputs[0].name for s in self._sources if s.outputs and s.outputs[0].name), "c")
        label = self._free(f"{base}/{self._rule}.const{len(self._constants)}")
        # A transposed weight stays a view: transposing it back then needs no copy.
        whole = content.flags.c_contiguous or content.flags.f_contiguous
        tensor = ir.Tensor(content if whole else np.ascontiguousarray(content), name=label)
        value = ir.Value(
            name=label, shape=ir.Shape(content.shape), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self._constants.append(value)
        # Registered at once, since decoding asks `is_initializer`; `discard` removes it after a failed rewrite.
        self.graph.initializers[label] = value
        return value

    def _free(self, label: str) -> str:
        """The label, with a suffix if an earlier rewrite of the same value has used it."""
        free, count = label, 0
        while free in self.graph.initializers:
            count += 1
            free = f"{label}_{count}"
        return free

    def like(self, number: float, value: ir.Value) -> ir.Value:
        """A scalar constant with the value's element type."""
        return self.const(np.asarray(number), dtype=value.dtype)

    def ints(self, *numbers: int) -> ir.Value:
        """A 1-D int64 constant: axes, shapes, pads."""
        return self.const(np.asarray(numbers, dtype=np.int64))

    def commit(self, before: ir.Node) -> None:
        """Insert the collected nodes before the given one."""
        if self.nodes:
            self.graph.insert_before(before, self.nodes)

    def discard(self) -> None:
        """Undo everything that was built."""
        for node in reversed(self.nodes):
            for i in range(len(node.inputs)):
                node.replace_input_with(i, None)
        for value in self._constants:
            if value.name is not None:
                self.graph.initializers.pop(value.name, None)


def _names_empty(shape: ir.Value | None) -> bool:
    """Whether a constant shape has no elements: rules never write 0 in the sense of "copy this size"."""
    sizes = None if shape is None else constant(shape)
    return sizes is not None and 0 in sizes and -1 not in sizes
