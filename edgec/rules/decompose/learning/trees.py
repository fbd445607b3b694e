"""Decision tree ensembles of `ai.onnx.ml`, evaluated level by level with Gather and Where.

All trees are evaluated at once: one table holds the nodes of all trees, an index (N, trees) holds the current node of
each tree, starting at its root, and each level of the deepest tree moves it to a child. A leaf is its own child.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    shares,
    transformed,
)

_STUMP = (
    "nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], nodes_featureids = [1, 0, 0], "
    'nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values = [0.5, 0.0, 0.0], '
    "nodes_truenodeids = [1, 0, 0], nodes_falsenodeids = [2, 0, 0]"
)
"""One tree with one decision, for the examples."""

_WALK = (
    "x1 = Gather<axis = 1>(x, f)  c = LessOrEqual(x1, t)  n = Where(c, l, r)  w = Gather<axis = 0>(leaves, n)  "
    "s = ReduceSum<keepdims = 0>(w, trees)"
)


class TreeRegressorToGather(Rule):
    """TreeEnsembleRegressor(x) -> Gather and Where to find each tree's leaf, and their aggregated weights."""

    name = "tree-regressor-to-gather"
    roots = (f"{DOMAIN}::TreeEnsembleRegressor",)
    examples = (
        Example(
            "float[2,3] x",
            f"y = ai.onnx.ml.TreeEnsembleRegressor<{_STUMP}, n_targets = 1, target_treeids = [0, 0], "
            "target_nodeids = [1, 2], target_ids = [0, 0], target_weights = [-1.0, 2.0]>(x)",
            _WALK,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        trees = _decode(r, "target", r.integer("n_targets", 1))
        if isinstance(trees, Miss):
            return trees
        kind = _AGGREGATES.get(r.string("aggregate_function", "SUM"))
        if kind is None:
            return Miss(f"the trees are aggregated by {r.string('aggregate_function', 'SUM')}")
        scores = _plus_base(g.op(kind, _leaves(as_float(r.input(0), g), trees, g), g.ints(1), keepdims=0), r, g)
        found = transformed(scores, r, g)
        return found if isinstance(found, Miss) else [found]


class TreeClassifierToGather(Rule):
    """TreeEnsembleClassifier(x) -> Gather and Where to find each tree's leaf, their summed weights, and the label."""

    name = "tree-classifier-to-gather"
    roots = (f"{DOMAIN}::TreeEnsembleClassifier",)
    examples = (
        Example(
            "float[2,3] x",
            f"l, y = ai.onnx.ml.TreeEnsembleClassifier<{_STUMP}, classlabels_int64s = [0, 1, 2], "
            "class_treeids = [0, 0, 0], class_nodeids = [1, 2, 2], class_ids = [0, 1, 2], "
            "class_weights = [1.0, 0.5, 0.5]>(x)",
            f"{_WALK}  y = ArgMax<axis = -1, keepdims = 0>(s)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        classes = Classes.decode(r, "classlabels_int64s", "classlabels_strings")
        trees = _decode(r, "class", classes.count)
        if isinstance(trees, Miss):
            return trees
        sums = g.op("ReduceSum", _leaves(as_float(r.input(0), g), trees, g), g.ints(1), keepdims=0)
        if classes.count > 2:
            sums = _plus_base(sums, r, g)
            label = classes.at(largest(sums, g), node.outputs[0], g)
            return labels_and_scores(label, transformed(sums, r, g))
        return _binary_outputs(_binary_score(sums, trees, g), trees, classes, r, g)


_AGGREGATES = {"SUM": "ReduceSum", "AVERAGE": "ReduceMean", "MIN": "ReduceMin", "MAX": "ReduceMax"}


@dataclass(frozen=True)
class _Trees:
    """The nodes of all trees in one table; each decides `x[feature] <= threshold`, a leaf is its own child.

    `missing`: whether NaN goes to `left`. `weights` (nodes, outputs) are 0 except at leaves. `roots`: a node per tree.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing: Array
    weights: Array
    roots: Array
    depth: int


def _binary_score(sums: Value, trees: _Trees, g: GraphBuilder) -> Value | Miss:
    """The score (N, 1) of two classes, given by the weights of one of them."""
    weighted = [i for i in range(2) if trees.weights[:, i].any()]
    if len(weighted) > 1:
        return Miss("both of two classes have weights")
    return g.op("Slice", sums, g.ints(max(weighted, default=0)), g.ints(max(weighted, default=0) + 1), g.ints(1))


def _binary_outputs(
    score: Value | Miss, trees: _Trees, classes: Classes, r: Reader, g: GraphBuilder
) -> Replacement | Miss:
    """Label and scores of two classes: logistic of the margins, shares if no weight is negative, else margins."""
    if isinstance(score, Miss) or classes.count != 2:
        return score if isinstance(score, Miss) else Miss(f"there are {classes.count} classes")
    score = _plus_base(score, r, g)
    positive = bool((trees.weights >= 0).all())
    label = classes.at(above(score, 0.5 if positive else 0.0, g), r.node.outputs[0], g)
    if r.string("post_transform", "NONE") == "LOGISTIC":
        return labels_and_scores(label, g.op("Sigmoid", margins(score, g)))
    return labels_and_scores(label, (shares if positive else margins)(score, g))


def _plus_base(sums: Value, r: Reader, g: GraphBuilder) -> Value:
    base = numbers(r, "base_values")
    return g.op("Add", sums, g.const(base)) if base.any() else sums


def _leaves(x: Value, trees: _Trees, g: GraphBuilder) -> Value:
    """(N, trees, outputs): the weights of the leaf that each row reaches in each tree."""
    place = None
    for _ in range(max(trees.depth, 1)):  # if all are leaves, one step returns the roots
        place = _step(x, place, trees, g)
    return g.op("Gather", g.const(trees.weights), place, axis=0)


def _step(x: Value, place: Value | None, trees: _Trees, g: GraphBuilder) -> Value:
    """The children (N, trees) of the nodes at `place`; None means the roots, which are the same for every row."""

    def at(table: Array) -> Value:
        if place is None:
            return g.const(table[trees.roots])
        return g.op("Gather", g.const(table), place, axis=0)

    feature = at(trees.feature)
    seen = g.op("Gather", x, feature, axis=1) if place is None else g.op("GatherElements", x, feature, axis=1)
    goes_left = g.op("LessOrEqual", seen, at(trees.threshold))
    if trees.missing.any():
        goes_left = g.op("Or", goes_left, g.op("And", g.op("IsNaN", seen), at(trees.missing)))
    return g.op("Where", goes_left, at(trees.left), at(trees.right))


def _decode(r: Reader, prefix: str, outputs: int) -> _Trees | Miss:
    """The trees of a node. `prefix` is that of the attributes of its leaves: `class` or `target`."""
    count = len(r.ints("nodes_nodeids", ()))
    if count == 0 or r.has("nodes_values_as_tensor") or r.has(f"{prefix}_weights_as_tensor"):
        return Miss("the trees are given as tensors in double precision")
    modes = np.asarray(r.strings("nodes_modes", ()))
    if odd := set(modes) - set(_MODES) - {"LEAF"}:
        return Miss(f"a decision has the mode {min(odd)}")
    owners = r.ints("nodes_treeids", ())
    places = {key: i for i, key in enumerate(zip(owners, r.ints("nodes_nodeids", ()), strict=True))}
    leaf = modes == "LEAF"

    def children(name: str) -> Array:
        found = zip(owners, r.ints(name, ()), leaf, strict=True)
        return np.asarray([i if ends else places[tree, child] for i, (tree, child, ends) in enumerate(found)], np.int64)

    true, false = children("nodes_truenodeids"), children("nodes_falsenodeids")
    roots = np.asarray(list({tree: i for i, tree in reversed(list(enumerate(owners)))}.values())[::-1], np.int64)
    depth = _depth(roots, true, false)
    if depth is None:
        return Miss("a tree contains a cycle")
    swapped = np.isin(modes, ("BRANCH_GT", "BRANCH_GTE"))
    strict = np.isin(modes, ("BRANCH_LT", "BRANCH_GTE"))
    threshold = numbers(r, "nodes_values")
    missing = np.asarray(r.ints("nodes_missing_value_tracks_true", (0,) * count), bool)
    return _Trees(
        np.where(leaf, 0, np.asarray(r.ints("nodes_featureids", ()), np.int64)),
        np.where(strict, np.nextafter(threshold, np.float32(-np.inf)), threshold),
        np.where(swapped, false, true),
        np.where(swapped, true, false),
        (missing ^ swapped) & ~leaf,
        _weights(r, prefix, (count, outputs), places),
        roots,
        depth,
    )


_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
"""Decisions that are `x <= t`, strict ones with the next smaller float, or its negation, with children swapped."""


def _weights(r: Reader, prefix: str, shape: tuple[int, int], places: dict[tuple[int, int], int]) -> Array:
    weights = np.zeros(shape, np.float32)
    names = ("treeids", "nodeids", "ids")
    for tree, node, output, weight in zip(
        *(r.ints(f"{prefix}_{n}", ()) for n in names), r.floats(f"{prefix}_weights", ()), strict=True
    ):
        weights[places[tree, node], output] += np.float32(weight)
    return weights


def _depth(roots: Array, true: Array, false: Array) -> int | None:
    """The number of decisions on the longest path from a root to a leaf. None if there is a cycle."""
    for depth, level in enumerate(_levels(roots, true, false)):
        if not len(level):
            return depth - 1
        if depth > len(true):
            return None
    return None


def _levels(roots: Array, true: Array, false: Array) -> Iterator[Array]:
    """The nodes at each depth, from the roots on."""
    level = roots
    while True:
        yield level
        inner = level[true[level] != level]
        level = np.unique(np.concatenate([true[inner], false[inner]]))
