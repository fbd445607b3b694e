"""What the values of a graph are like on the verification samples: executed in float32, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, static_shape
from edgec.ops.base import Reader
from edgec.runners.onnxruntime import OnnxRuntimeRunner


@dataclass(frozen=True)
class Range:
    """Magnitudes seen: the largest, and the smallest that is not zero (infinite where every element is zero).

    A value that was not finite is seen as infinite.
    """

    high: float
    low: float

    def joined(self, other: Range) -> Range:
        """What both saw."""
        return Range(max(self.high, other.high), min(self.low, other.low))


Ranges = Mapping[str, Range]
"""By value name; a normalization's variances by its output's name and `VARIANCE`. What was not observed is missing."""

VARIANCE = "/variance"


def observe(model: Model, samples: Sequence[Mapping[str, Array]]) -> Ranges:
    """The range of every float value that a node makes, over all samples. Empty without samples."""
    if not samples:
        return {}
    probed = model.clone()
    names = _add_probes(probed.graph)
    if not names:
        return {}
    seen: dict[str, Range] = {}
    with OnnxRuntimeRunner(probed) as runner:
        for sample in samples:
            results = runner.run(sample)
            for i, name in enumerate(names):
                found = _range(results[f"probe{i}.high"], results[f"probe{i}.low"])
                seen[name] = found if name not in seen else seen[name].joined(found)
    return seen


def _range(high: Array, low: Array) -> Range:
    largest = float(high)
    return Range(largest if np.isfinite(largest) else np.inf, float(low))


def _add_probes(graph: ir.Graph) -> list[str]:
    """Replace the outputs by two numbers for each value; activations are freed as the run goes."""
    nodes = list(graph)
    if not nodes:
        return []
    g = GraphBuilder(graph, nodes[-1:], "probe")
    watched = [(value.name or "", value) for node in nodes for value in node.outputs if _is_watched(value)]
    watched += [((node.outputs[0].name or "") + VARIANCE, v) for node in nodes if (v := _variance(node, g)) is not None]
    graph.outputs.clear()
    infinite, zero = (g.const(np.asarray(number, dtype=np.float32)) for number in (np.inf, 0))
    for i, (_, value) in enumerate(watched):
        size = g.op("Abs", value)
        low = g.op("ReduceMin", g.op("Where", g.op("Equal", size, zero), infinite, size), keepdims=0)
        for kind, result in (("high", g.op("ReduceMax", size, keepdims=0)), ("low", low)):
            result.name = f"probe{i}.{kind}"
            result.shape, result.type = ir.Shape(()), ir.TensorType(ir.DataType.FLOAT)
            graph.outputs.append(result)
    graph.extend(g.nodes)
    return [name for name, _ in watched]


def _is_watched(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.FLOAT and bool(value.name) and 0 not in (static_shape(value) or (1,))


def _variance(node: ir.Node, g: GraphBuilder) -> ir.Value | None:
    """What a normalization divides by the root of, epsilon aside."""
    if node.op_type not in ("LayerNormalization", "InstanceNormalization"):
        return None
    r = Reader(node)
    x, rank = r.input(0), r.rank(r.input(0))
    first = r.axis(r.integer("axis", -1), rank) if node.op_type == "LayerNormalization" else 2
    axes = g.ints(*range(first, rank))
    centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
    return g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
