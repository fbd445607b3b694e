"""What the values of a graph are like on the verification samples: executed in float32, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.ir.model import Model, static_shape
from edgec.ops.base import Reader
from edgec.runners.onnxruntime import OnnxRuntimeRunner


@dataclass(frozen=True)
class Range:
    """Magnitudes seen: the largest, and the smallest that is not zero (infinite where it was not looked for).

    A value that was not finite is seen as infinite.
    """

    high: float
    low: float

    def joined(self, other: Range) -> Range:
        """What both saw."""
        return Range(max(self.high, other.high), min(self.low, other.low))


VARIANCE = "/variance"
"""Behind the name of a normalization's output: what it divides by the root of."""

SENSITIVE = {"Div": 1, "Reciprocal": 0, "Log": 0, "Sqrt": 0, "Pow": 0}
"""Where a small operand matters, and which operand: a divisor's lost digits are the quotient's."""

CARRIES = frozenset("Expand Flatten Identity Reshape Squeeze Tile Transpose Unsqueeze".split())
"""Operators whose result holds exactly the elements of their first input."""

_BOUNDED = frozenset("Sigmoid Tanh Softmax HardSigmoid Erf Sin Cos Softsign Sign".split())
"""Operators whose result is never beyond 1."""

HEAVY = frozenset("Conv ConvTranspose Gemm MatMul LayerNormalization InstanceNormalization Softmax".split())
"""Where the search for small operands ends: sums of many terms are not all small."""


@dataclass(frozen=True)
class Ranges:
    """Ranges by value name. What was not observed is missing."""

    seen: Mapping[str, Range] = field(default_factory=dict)

    def of(self, value: ir.Value | None) -> Range | None:
        """The range of a value, or of what it carries."""
        while value is not None and (node := value.producer()) is not None and node.op_type in CARRIES:
            value = node.inputs[0]
        return None if value is None else self.seen.get(value.name or "")

    def renamed(self, names: Mapping[str, str]) -> Ranges:
        """With the ranges of old values for new ones that hold the same elements: `names` maps new to old."""
        kept = {f"{new}{end}": self.seen[old + end] for new, old in names.items() for end in ("", VARIANCE)
                if old + end in self.seen}  # fmt: skip
        return Ranges({**self.seen, **kept})

    def variance(self, node: ir.Node) -> Range | None:
        """The variances of a normalization."""
        return self.seen.get((node.outputs[0].name or "") + VARIANCE)


def observe(model: Model, samples: Sequence[Mapping[str, Array]]) -> Ranges:
    """The range of the float values that nodes make, over all samples. Nothing without samples."""
    if not samples or not len(model.graph):
        return Ranges()
    probed = model.clone()
    names = _add_probes(probed.graph)
    seen: dict[str, Range] = {}
    if names:
        with OnnxRuntimeRunner(probed) as runner:
            for sample in samples:
                for name, found in _read(runner.run(sample), names).items():
                    seen[name] = found if name not in seen else seen[name].joined(found)
    return Ranges(seen)


def _read(results: Mapping[str, Array], names: Sequence[str]) -> dict[str, Range]:
    found = {}
    for i, name in enumerate(names):
        high = max(abs(float(results[f"probe{i}.max"])), abs(float(results[f"probe{i}.min"])))
        found[name] = Range(high if np.isfinite(high) else np.inf, float(results.get(f"probe{i}.low", np.inf)))
    return found


def _add_probes(graph: ir.Graph) -> list[str]:
    """Replace the outputs by a few numbers for each value; activations are freed as the run goes."""
    nodes, small = list(graph), _may_be_small(graph)
    probes = _Probes(graph)
    for node in nodes:
        if node.op_type in CARRIES or (node.op_type in _BOUNDED and node.outputs[0] not in small):
            continue
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT and value.name and 0 not in (static_shape(value) or (1,)):
                probes.watch(value.name, value, low=value in small)
    for node in nodes:
        if node.op_type in ("LayerNormalization", "InstanceNormalization"):
            probes.watch((node.outputs[0].name or "") + VARIANCE, probes.variance(node), low=True)
    graph.outputs.clear()
    graph.outputs.extend(probes.outputs)
    graph.extend(probes.nodes)
    return probes.names


def _may_be_small(graph: ir.Graph) -> set[ir.Value]:
    """The operands whose lost digits matter, and what they are made of elementwise."""
    pending = [n.inputs[i] for n in graph if (i := SENSITIVE.get(n.op_type)) is not None]
    found: set[ir.Value] = set()
    while pending:
        value = pending.pop()
        node = None if value is None else value.producer()
        if value is None or node is None or value in found or node.op_type in HEAVY:
            continue
        found.add(value)
        pending.extend(node.inputs)
    return found


class _Probes:
    """Nodes that reduce values to numbers. They need no types: ONNX Runtime infers them."""

    def __init__(self, graph: ir.Graph) -> None:
        self.nodes: list[ir.Node] = []
        self.names: list[str] = []
        self.outputs: list[ir.Value] = []
        self._graph = graph
        self._zero, self._infinite = self._number(0.0), self._number(np.inf)

    def watch(self, name: str, value: ir.Value, *, low: bool) -> None:
        """Show the ends of a value, and its smallest magnitude if asked."""
        index = len(self.names)
        self.names.append(name)
        self._show(f"probe{index}.max", self._op("ReduceMax", value, keepdims=0))
        self._show(f"probe{index}.min", self._op("ReduceMin", value, keepdims=0))
        if low:
            size = self._op("Abs", value)
            nonzero = self._op("Where", self._op("Equal", size, self._zero), self._infinite, size)
            self._show(f"probe{index}.low", self._op("ReduceMin", nonzero, keepdims=0))

    def variance(self, node: ir.Node) -> ir.Value:
        """What a normalization divides by the root of, epsilon aside."""
        r = Reader(node)
        x, rank = r.input(0), r.rank(r.input(0))
        first = r.axis(r.integer("axis", -1), rank) if node.op_type == "LayerNormalization" else 2
        axes = self._constant(np.arange(first, rank, dtype=np.int64))
        centred = self._op("Sub", x, self._op("ReduceMean", x, axes, keepdims=1))
        return self._op("ReduceMean", self._op("Mul", centred, centred), axes, keepdims=1)

    def _op(self, op_type: str, *inputs: ir.Value, **attributes: int) -> ir.Value:
        node = ir.node(op_type, inputs, attributes)
        node.outputs[0].name = node.name = f"probe.{len(self.nodes)}"
        self.nodes.append(node)
        return node.outputs[0]

    def _show(self, name: str, value: ir.Value) -> None:
        value.name, value.shape, value.type = name, ir.Shape(()), ir.TensorType(ir.DataType.FLOAT)
        self.outputs.append(value)

    def _number(self, number: float) -> ir.Value:
        return self._constant(np.asarray(number, dtype=np.float32))

    def _constant(self, array: Array) -> ir.Value:
        name = f"probe.constant{len(self._graph.initializers)}"
        tensor = ir.tensor(array, name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self._graph.initializers[name] = value
        return value
