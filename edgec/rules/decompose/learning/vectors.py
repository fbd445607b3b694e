"""Support vector machines of `ai.onnx.ml`, as the arithmetic of their kernels."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.learning.scores import (
    DOMAIN,
    Array,
    Classes,
    above,
    as_float,
    labels_and_scores,
    largest,
    margins,
    numbers,
    transformed,
)


class SvmRegressorToKernel(Rule):
    """SVMRegressor(x) -> kernel(x, support vectors) @ coefficients + rho."""

    name = "svm-regressor-to-kernel"
    roots = (f"{DOMAIN}::SVMRegressor",)
    examples = (
        Example(
            "float[2,3] x",
            "y = ai.onnx.ml.SVMRegressor<n_supports = 1, support_vectors = [1.0, 2.0, 3.0], coefficients = [0.5], "
            'rho = [0.25], kernel_type = "LINEAR", kernel_params = [1.0, 0.0, 3.0]>(x)',
            "k = MatMul(x, v)  s = MatMul(k, c)  y = Add(s, r)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = as_float(r.input(0), g)
        count = r.integer("n_supports", 0)
        weights = numbers(r, "coefficients").reshape(-1, 1)
        if count:
            vectors = numbers(r, "support_vectors").reshape(count, -1)
            x = _kernel(x, vectors, r, g)
        scores = g.op("Add", g.op("MatMul", x, g.const(weights)), g.const(numbers(r, "rho", (0.0,))[:1]))
        if r.integer("one_class", 0):
            positive = g.op("Greater", scores, g.like(0.0, scores))
            return [g.op("Where", positive, g.like(1.0, scores), g.like(-1.0, scores))]
        found = transformed(scores, r, g)
        return found if isinstance(found, Miss) else [found]


class SvmClassifierToKernel(Rule):
    """SVMClassifier(x) without probabilities -> the score of each pair of classes from the kernel, decided by vote."""

    name = "svm-classifier-to-kernel"
    roots = (f"{DOMAIN}::SVMClassifier",)
    examples = (
        Example(
            "float[2,1] x",
            "l, y = ai.onnx.ml.SVMClassifier<classlabels_ints = [0, 1, 2], vectors_per_class = [1, 1, 1], "
            "support_vectors = [1.0, 2.0, 3.0], coefficients = [0.5, 1.0, -1.0, 0.25, 0.5, -0.5], "
            'rho = [0.25, 0.5, 1.0], kernel_type = "LINEAR", kernel_params = [1.0, 0.0, 3.0]>(x)',
            "k = MatMul(x, v)  p = MatMul(k, c)  y = Add(p, r)  w = Greater(y, zero)  f = Cast<to = 1>(w)  "
            "n = Sub(one, f)  a = MatMul(f, first)  b = MatMul(n, second)  v = Add(a, b)  "
            "l = ArgMax<axis = -1, keepdims = 0>(v)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        classes = Classes.decode(r, "classlabels_ints", "classlabels_strings")
        sizes = r.ints("vectors_per_class", ())
        if r.floats("prob_a", ()):
            return Miss("its probabilities are computed iteratively")
        if len(sizes) != classes.count or classes.count < 2:
            return Miss("it has no support vectors for each class")
        vectors = numbers(r, "support_vectors").reshape(sum(sizes), -1)
        weights = _pairwise(numbers(r, "coefficients").reshape(-1, sum(sizes)), sizes)
        kernel = _kernel(as_float(r.input(0), g), vectors, r, g)
        scores = g.op("Add", g.op("MatMul", kernel, g.const(weights)), g.const(numbers(r, "rho")))
        if classes.count == 2:
            label = classes.at(above(g.op("Neg", scores), 0.0, g), node.outputs[0], g)
            return labels_and_scores(label, transformed(margins(scores, g), r, g))
        label = classes.at(largest(_votes(scores, classes.count, g), g), node.outputs[0], g)
        return labels_and_scores(label, transformed(scores, r, g))


def _kernel(x: Value, vectors: Array, r: Reader, g: GraphBuilder) -> Value:
    """(N, vectors): the kernel value of each row with each support vector (vectors, features)."""
    gamma, offset, degree = (r.floats("kernel_params", ()) or (0.0, 0.0, 0.0))[:3]
    kind = r.string("kernel_type", "LINEAR")
    if kind == "RBF":
        # Squared differences are not expanded: that would cancel if the vectors are far from 0.
        apart = g.op("Sub", g.op("Unsqueeze", x, g.ints(1)), g.const(vectors))
        distance = g.op("ReduceSum", g.op("Mul", apart, apart), g.ints(-1), keepdims=0)
        return g.op("Exp", g.op("Mul", distance, g.like(-gamma, distance)))
    product = g.op("MatMul", x, g.const(vectors.T))
    if kind == "LINEAR":
        return product
    inner = g.op("Add", g.op("Mul", product, g.like(gamma, product)), g.like(offset, product))
    return g.op("Tanh", inner) if kind == "SIGMOID" else g.op("Pow", inner, g.like(degree, inner))


def _pairwise(coefficients: Array, sizes: tuple[int, ...]) -> Array:
    """(vectors, pairs) from libsvm's (classes - 1, vectors): row j - 1 holds class i's part against j, i < j."""
    starts = np.cumsum([0, *sizes])
    columns = []
    for i in range(len(sizes)):
        for j in range(i + 1, len(sizes)):
            column = np.zeros(coefficients.shape[1], np.float32)
            column[starts[i] : starts[i + 1]] = coefficients[j - 1, starts[i] : starts[i + 1]]
            column[starts[j] : starts[j + 1]] = coefficients[i, starts[j] : starts[j + 1]]
            columns.append(column)
    return np.stack(columns, axis=1)


def _votes(scores: Value, count: int, g: GraphBuilder) -> Value:
    """(N, classes): the number of pairs that each class wins."""
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, second = (np.zeros((len(pairs), count), np.float32) for _ in range(2))
    for k, (i, j) in enumerate(pairs):
        first[k, i], second[k, j] = 1, 1
    won = g.op("Cast", g.op("Greater", scores, g.like(0.0, scores)), to=ir.DataType.FLOAT.value)
    lost = g.op("Sub", g.like(1.0, won), won)
    return g.op("Add", g.op("MatMul", won, g.const(first)), g.op("MatMul", lost, g.const(second)))
