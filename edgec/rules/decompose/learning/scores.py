"""Transforms of scores and selection of labels, shared by linear models, trees and support vector machines.

ONNX's specification leaves much open. In those cases the rules follow ONNX Runtime
(core/providers/cpu/ml/ml_common.h), and are tested against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import Miss

Array = NDArray[Any]
DOMAIN = "ai.onnx.ml"


@dataclass(frozen=True)
class Classes:
    """The labels of a classifier: integers, or `count` strings, which no device runtime has."""

    integers: tuple[int, ...]
    count: int

    @classmethod
    def decode(cls, r: Reader, integers: str, strings: str) -> Classes:
        """Read the labels from the attributes with these names."""
        found = r.ints(integers, ())
        return cls(found, len(found) or len(r.strings(strings, ())))

    def at(self, index: Value, label: Value, g: GraphBuilder) -> Value | Miss:
        """The labels (N,) at `index`, to replace `label`. Unused string labels are replaced by the index."""
        if not self.integers:
            asked = label.uses() or label.is_graph_output()
            return Miss("the labels are strings") if asked else index
        if self.integers == tuple(range(self.count)):
            return index
        return g.op("Gather", g.const(np.asarray(self.integers, np.int64)), index, axis=0)


def numbers(r: Reader, name: str, default: tuple[float, ...] = ()) -> Array:
    """An attribute's numbers as a float32 vector."""
    return np.asarray(r.floats(name, default), np.float32)


def as_float(x: Value, g: GraphBuilder) -> Value:
    """The features in float32, the type in which these operators compute."""
    return x if x.dtype == ir.DataType.FLOAT else g.op("Cast", x, to=ir.DataType.FLOAT.value)


def transformed(scores: Value, r: Reader, g: GraphBuilder) -> Value | Miss:
    """The scores (N, count) after `post_transform`."""
    kind = r.string("post_transform", "NONE")
    if kind == "NONE":
        return scores
    if kind == "LOGISTIC":
        return g.op("Sigmoid", scores)
    if kind == "SOFTMAX":
        return g.op("Softmax", scores, axis=-1)
    return Miss(f"the scores are transformed by {kind}")


def largest(scores: Value, g: GraphBuilder) -> Value:
    """The index (N,) of each row's largest score, the first of equal scores."""
    return g.op("ArgMax", scores, axis=-1, keepdims=0)


def above(score: Value, threshold: float, g: GraphBuilder) -> Value:
    """The class index (N,) of a binary classifier with one score (N, 1): 1 above the threshold, else 0."""
    positive = g.op("Greater", g.op("Squeeze", score, g.ints(-1)), g.like(threshold, score))
    return g.op("Cast", positive, to=ir.DataType.INT64.value)


def shares(score: Value, g: GraphBuilder) -> Value:
    """(1 - score, score): the shares (N, 2) of both classes from the second's (N, 1)."""
    return g.op("Concat", g.op("Sub", g.like(1.0, score), score), score, axis=-1)


def margins(score: Value, g: GraphBuilder) -> Value:
    """(-score, score): the margins (N, 2) of both classes from the second's (N, 1)."""
    return g.op("Concat", g.op("Neg", score), score, axis=-1)


def labels_and_scores(label: Value | Miss, scores: Value | Miss) -> list[Value] | Miss:
    """A classifier's two outputs, or the reason why there is no replacement for one of them."""
    if isinstance(label, Miss):
        return label
    return scores if isinstance(scores, Miss) else [label, scores]
