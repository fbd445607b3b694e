"""LinearRegressor and LinearClassifier of `ai.onnx.ml`, as MatMul and Add."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.learning.scores import (
    DOMAIN,
    Classes,
    as_float,
    labels_and_scores,
    largest,
    numbers,
    transformed,
)


class LinearRegressorToMatMul(Rule):
    """LinearRegressor(x) -> x @ coefficients + intercepts."""

    name = "linear-regressor-to-matmul"
    roots = (f"{DOMAIN}::LinearRegressor",)
    examples = (
        Example(
            "float[2,3] x",
            "y = ai.onnx.ml.LinearRegressor<coefficients = [0.5, -1.0, 2.0], intercepts = [0.25]>(x)",
            "m = MatMul(x, w)  y = Add(m, b)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        found = transformed(_sums(r, r.integer("targets", 1), g), r, g)
        return found if isinstance(found, Miss) else [found]


class LinearClassifierToMatMul(Rule):
    """LinearClassifier(x) -> x @ coefficients + intercepts, post-transformed, and the label of the largest score."""

    name = "linear-classifier-to-matmul"
    roots = (f"{DOMAIN}::LinearClassifier",)
    examples = (
        Example(
            "float[2,3] x",
            "l, y = ai.onnx.ml.LinearClassifier<coefficients = [0.5, -1.0, 2.0, 1.0, 0.0, -1.0], "
            'intercepts = [0.25, 0.5], classlabels_ints = [0, 1], post_transform = "LOGISTIC">(x)',
            "m = MatMul(x, w)  s = Add(m, b)  l = ArgMax<axis = -1, keepdims = 0>(s)  y = Sigmoid(s)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        classes = Classes.decode(r, "classlabels_ints", "classlabels_strings")
        count = len(r.floats("intercepts", ())) or classes.count
        if count < 2 or count != classes.count:
            return Miss(f"there are {count} scores for {classes.count} classes")
        sums = _sums(r, count, g)
        label = classes.at(largest(sums, g), node.outputs[0], g)
        return labels_and_scores(label, transformed(sums, r, g))


def _sums(r: Reader, count: int, g: GraphBuilder) -> Value:
    """(N, count): the weighted sums of the features, plus the intercepts."""
    weights = numbers(r, "coefficients").reshape(count, -1)
    product = g.op("MatMul", as_float(r.input(0), g), g.const(weights.T))
    intercepts = numbers(r, "intercepts")
    return g.op("Add", product, g.const(intercepts)) if intercepts.any() else product
