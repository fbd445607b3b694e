"""Apply a plan of factors: weights absorb them, and multiplications convert between scaled and unscaled values."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.backends.coreml.precision.activation_scaling.plan import Plan
from edgec.backends.coreml.precision.value_ranges import VARIANCE, Range, Ranges
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, changed_copy, is_constant
from edgec.ops.base import Reader

_LEAST_FACTOR = 14
"""2 to the negative of this is float16's smallest normal number; smaller factors are split into several."""


def rewrite(model: Model, plan: Plan, rule: str) -> Ranges:
    """Scale the values as planned, in place, and return the ranges of the scaled values.

    The model's outputs are unchanged: a multiplication undoes the factor. Scaled values get new names.
    """
    work = _Rewriting(model.graph, plan, rule)
    for node in list(model.graph):
        work.bring(node)
    work.rename()
    return Ranges({**plan.ranges.renamed(work.names).seen, **work.seen})


class _Rewriting:
    """`names`: the old names of scaled values by their new ones. `seen`: ranges of new and scaled values."""

    def __init__(self, graph: ir.Graph, plan: Plan, rule: str) -> None:
        self.names: dict[str, str] = {}
        self.seen: dict[str, Range] = {}
        self._graph, self._plan, self._rule = graph, plan, rule
        self._ranges = {v: plan.ranges.of(v) for v in (*graph.inputs, *(v for node in graph for v in node.outputs))}
        self._products: dict[tuple[ir.Value, int], ir.Value] = {}
        self._constants: dict[tuple[ir.Value, int], ir.Value] = {}

    def bring(self, node: ir.Node) -> None:
        """Scale the operands to the exponents that the node requires."""
        asked = [self._required_exponent(node, i) for i in range(len(node.inputs))]
        self._set_epsilon(node)
        for i, (value, exponent) in enumerate(zip(list(node.inputs), asked, strict=True)):
            if value is not None and value.dtype == ir.DataType.FLOAT:
                held = self._constant(value, exponent) if is_constant(value) else self._product(value, exponent, node)
                if held is not value:
                    node.replace_input_with(i, held)

    def _required_exponent(self, node: ir.Node, index: int) -> int:
        found = self._plan.roles.get(node)
        if found is None or index != found.weight:
            return self._plan.operand(node, index)
        taken = self._plan.weight(node)
        return -taken if found.divides else taken

    def _set_epsilon(self, node: ir.Node) -> None:
        """A normalization of k x has k² times the epsilon and the variance."""
        variance = self._plan.ranges.variance(node)
        exponent = 0 if variance is None else self._plan.operand(node, 0)
        if exponent != 0 and variance is not None:
            epsilon = Reader(node).number("epsilon", 1e-5) * 4.0**exponent
            node.attributes["epsilon"] = ir.AttrFloat32("epsilon", epsilon)
            self.seen[(node.outputs[0].name or "") + VARIANCE] = _times(variance, 2 * exponent)

    def _constant(self, value: ir.Value, exponent: int) -> ir.Value:
        """A constant times 2 to the exponent, computed lazily."""
        if exponent != 0 and (value, exponent) not in self._constants:
            source, name = value.const_value, f"{value.name}/{self._rule}.{exponent}"
            assert source is not None

            def scaled() -> ir.Tensor[NDArray[np.generic]]:
                return ir.Tensor(changed_copy(source, lambda array: np.ldexp(array, exponent)), name=name)

            tensor = ir.LazyTensor(scaled, source.dtype, shape=ir.Shape(source.shape.numpy()), name=name)
            made = ir.Value(name=name, shape=value.shape, type=ir.TensorType(source.dtype), const_value=tensor)
            self._graph.initializers[name] = made
            self._constants[value, exponent] = made
        return self._constants.get((value, exponent), value)

    def _product(self, value: ir.Value, exponent: int, before: ir.Node) -> ir.Value:
        """A value multiplied to the required exponent."""
        missing = exponent - self._plan.of(value)
        if missing != 0 and (value, exponent) not in self._products:
            g = GraphBuilder(self._graph, [before], self._rule)
            self._products[value, exponent] = self._times(value, exponent, g)
            g.commit(before)
        return value if missing == 0 else self._products[value, exponent]

    def _times(self, value: ir.Value, exponent: int, g: GraphBuilder) -> ir.Value:
        made, held, seen = value, self._plan.of(value), self._ranges.get(value)
        while held != exponent:
            step = max(exponent - held, -_LEAST_FACTOR)
            made, held = g.op("Mul", made, g.like(2.0**step, value)), held + step
            made.name = f"{value.name}/{self._rule}.{held}"
            if seen is not None:
                self.seen[made.name] = _times(seen, held)
        return made

    def rename(self) -> None:
        """Give scaled values new names, and the original names to unscaled outputs."""
        before = {value: value.name or "" for value in self._plan.exponents}
        for value, name in before.items():
            value.name = f"{name}/{self._rule}"
            self.names[value.name] = name
            if (seen := self._ranges[value]) is not None:
                self.seen[value.name] = _times(seen, self._plan.of(value))
        for i, value in enumerate(self._graph.outputs):
            if value in before:
                self._graph.outputs[i] = self._unscaled(value, before[value])

    def _unscaled(self, value: ir.Value, name: str) -> ir.Value:
        if (value, 0) not in self._products:
            maker = value.producer()
            assert maker is not None
            g = GraphBuilder(self._graph, [maker], self._rule)
            self._products[value, 0] = self._times(value, 0, g)
            self._graph.extend(g.nodes)
        made = self._products[value, 0]
        made.name = name
        if (seen := self._ranges[value]) is not None:
            self.seen[name] = seen
        return made


def _times(seen: Range, exponent: int) -> Range:
    return Range(seen.high * 2.0**exponent, seen.low * 2.0**exponent)
