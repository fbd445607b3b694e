"""Scalers, encoders and selections of `ai.onnx.ml`, as element-wise operators, Gather and Concat."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.learning.scores import DOMAIN, Array, as_float, numbers


class ScalerToMul(Rule):
    """Scaler(x) -> (x - offset) * scale."""

    name = "scaler-to-mul"
    roots = (f"{DOMAIN}::Scaler",)
    examples = (
        Example(
            "float[2,3] x",
            "y = ai.onnx.ml.Scaler<offset = [1.0, 2.0, 3.0], scale = [0.5]>(x)",
            "d = Sub(x, offset)  y = Mul(d, scale)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        centred = g.op("Sub", as_float(r.input(0), g), g.const(numbers(r, "offset", (0.0,))))
        return [g.op("Mul", centred, g.const(numbers(r, "scale", (1.0,))))]


class NormalizerToDiv(Rule):
    """Normalizer(x; norm) -> x divided by its row's maximum, L1 or L2 norm, unless that is 0."""

    name = "normalizer-to-div"
    roots = (f"{DOMAIN}::Normalizer",)
    examples = (
        Example(
            "float[2,3] x",
            'y = ai.onnx.ml.Normalizer<norm = "L1">(x)',
            "a = Abs(x)  n = ReduceSum(a, axes)  z = Equal(n, zero)  d = Where(z, one, n)  y = Div(x, d)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = as_float(r.input(0), g)
        kind = r.string("norm", "MAX")
        if kind == "MAX":
            norm = g.op("ReduceMax", x, g.ints(-1))
        elif kind == "L1":
            norm = g.op("ReduceSum", g.op("Abs", x), g.ints(-1))
        else:
            norm = g.op("Sqrt", g.op("ReduceSum", g.op("Mul", x, x), g.ints(-1)))
        empty = g.op("Equal", norm, g.like(0.0, norm))
        return [g.op("Div", x, g.op("Where", empty, g.like(1.0, norm), norm))]


class ImputerToWhere(Rule):
    """Imputer(x) -> Where(x is the marker of a missing value, its column's imputed value, x)."""

    name = "imputer-to-where"
    roots = (f"{DOMAIN}::Imputer",)
    examples = (
        Example(
            "float[2,3] x",
            "y = ai.onnx.ml.Imputer<imputed_value_floats = [1.0, 2.0, 3.0], replaced_value_float = 0.0>(x)",
            "m = Equal(x, zero)  y = Where(m, values, x)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        floating = r.has("imputed_value_floats")
        values = r.floats("imputed_value_floats", ()) if floating else r.ints("imputed_value_int64s", ())
        replaced = r.number("replaced_value_float", 0.0) if floating else r.integer("replaced_value_int64", 0)
        if x.dtype is None:
            return Miss("the element type is not known")
        missing = g.op("IsNaN", x) if np.isnan(replaced) else g.op("Equal", x, g.like(replaced, x))
        return [g.op("Where", missing, g.const(np.asarray(values), dtype=x.dtype), x)]


class BinarizerToGreater(Rule):
    """Binarizer(x; threshold) -> Cast(x > threshold)."""

    name = "binarizer-to-greater"
    roots = (f"{DOMAIN}::Binarizer",)
    examples = (
        Example(
            "float[2,3] x",
            "y = ai.onnx.ml.Binarizer<threshold = 0.5>(x)",
            "m = Greater(x, threshold)  y = Cast<to = 1>(m)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        if x.dtype is None:
            return Miss("the element type is not known")
        above = g.op("Greater", x, g.like(r.number("threshold", 0.0), x))
        return [g.op("Cast", above, to=x.dtype.value)]


class FeatureExtractorToGather(Rule):
    """ArrayFeatureExtractor(x, indices) -> Gather of columns."""

    name = "feature-extractor-to-gather"
    roots = (f"{DOMAIN}::ArrayFeatureExtractor",)
    examples = (
        Example(
            "float[2,3] x",
            "y = ai.onnx.ml.ArrayFeatureExtractor(x, i)",
            "y = Gather<axis = -1>(x, i)",
            constants="int64[2] i = {2, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, indices = r.input(0), r.input(1)
        if x.dtype == ir.DataType.STRING:
            return Miss("the features are strings")
        if r.rank(indices) != 1:
            indices = g.op("Reshape", indices, g.ints(-1))
        if r.rank(x) == 1:
            x = g.op("Unsqueeze", x, g.ints(0))
        return [g.op("Gather", x, indices, axis=-1)]


class FeatureVectorizerToConcat(Rule):
    """FeatureVectorizer(x1, ...) -> Concat of the columns of each."""

    name = "feature-vectorizer-to-concat"
    roots = (f"{DOMAIN}::FeatureVectorizer",)
    examples = (
        Example(
            "float[2,3] x, float[2,1] z",
            "y = ai.onnx.ml.FeatureVectorizer<inputdimensions = [3, 1]>(x, z)",
            "y = Concat<axis = 1>(x, z)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        parts = r.variadic()
        sizes = r.ints("inputdimensions", ())
        shapes = [static_shape(part) for part in parts]
        if [len(s or ()) for s in shapes] != [2] * len(parts) or [(s or (0, 0))[1] for s in shapes] != list(sizes):
            return Miss("the inputs are not tables with the given numbers of columns")
        return [g.op("Concat", *(as_float(part, g) for part in parts), axis=1)]


class LabelEncoderToGather(Rule):
    """LabelEncoder(x; keys, values), numbers -> the value whose key equals x, else the default."""

    name = "label-encoder-to-gather"
    roots = (f"{DOMAIN}::LabelEncoder",)
    examples = (
        Example(
            "int64[2] x",
            "y = ai.onnx.ml.LabelEncoder<keys_int64s = [3, 5], values_int64s = [10, 20], default_int64 = 7>(x)",
            "u = Unsqueeze(x, last)  e = Equal(u, keys)  f = Cast<to = 1>(e)  "
            "i = ArgMax<axis = -1, keepdims = 0>(f)  m = ReduceMax<keepdims = 0>(f, last)  h = Greater(m, zero)  "
            "v = Gather<axis = 0>(values, i)  y = Where(h, v, default)",
            output="int64",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        keys, values = _table(r, "keys"), _table(r, "values")
        if keys is None or values is None or keys.dtype.kind in "OSU" or values.dtype.kind in "OSU":
            return Miss("the keys or values are strings")
        if keys.dtype.kind == "f" and np.isnan(keys).any():
            return Miss("a key is not a number")
        x = r.input(0)
        if x.dtype is None:
            return Miss("the element type is not known")
        hits = g.op("Cast", _equal(x, keys, g), to=ir.DataType.FLOAT.value)
        place = g.op("ArgMax", hits, axis=-1, keepdims=0)
        known = g.op("Greater", g.op("ReduceMax", hits, g.ints(-1), keepdims=0), g.like(0.0, hits))
        found = g.op("Gather", g.const(values), place, axis=0)
        return [g.op("Where", known, found, g.const(_default(r, values.dtype)))]


class OneHotEncoderToEqual(Rule):
    """OneHotEncoder(x; categories), integers -> Cast(x == categories); all 0 for an unknown category."""

    name = "one-hot-encoder-to-equal"
    roots = (f"{DOMAIN}::OneHotEncoder",)
    examples = (
        Example(
            "int64[2] x",
            "y = ai.onnx.ml.OneHotEncoder<cats_int64s = [1, 4, 7], zeros = 1>(x)",
            "u = Unsqueeze(x, last)  e = Equal(u, categories)  y = Cast<to = 1>(e)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        if not r.has("cats_int64s"):
            return Miss("the categories are strings")
        if not r.integer("zeros", 1):
            return Miss("an unknown category is an error")
        x = r.input(0)
        if x.dtype != ir.DataType.INT64:
            x = g.op("Cast", x, to=ir.DataType.INT64.value)
        hits = _equal(x, np.asarray(r.ints("cats_int64s", ()), np.int64), g)
        return [g.op("Cast", hits, to=ir.DataType.FLOAT.value)]


def _equal(x: Value, keys: Array, g: GraphBuilder) -> Value:
    """Whether each element of x equals each key, along a new last axis."""
    return g.op("Equal", g.op("Unsqueeze", x, g.ints(-1)), g.const(keys, dtype=x.dtype))


def _table(r: Reader, what: str) -> Array | None:
    """The `keys` or `values` of a LabelEncoder, from whichever attribute has them; None if they are strings."""
    if r.has(f"{what}_int64s"):
        return np.asarray(r.ints(f"{what}_int64s", ()), np.int64)
    if r.has(f"{what}_floats"):
        return numbers(r, f"{what}_floats")
    if r.has(f"{what}_tensor"):
        return np.asarray(r.node.attributes[f"{what}_tensor"].as_tensor().numpy()).reshape(-1)
    return None


def _default(r: Reader, dtype: np.dtype[np.generic]) -> Array:
    """The value for an unknown key, with the values' element type."""
    if r.has("default_tensor"):
        return np.asarray(r.node.attributes["default_tensor"].as_tensor().numpy()).reshape(()).astype(dtype)
    number = r.integer("default_int64", -1) if dtype.kind == "i" else r.number("default_float", -0.0)
    return np.asarray(number, dtype)
