"""Recognizes scaled dot-product attention in the forms that exporters write, as one operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader
from edgec.ops.norm import Softmax
from edgec.ops.shape import Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.attention import fill_empty_rows, shown
from edgec.rules.match import is_scalar, only_use, operands, producer, scalar

_MASKED_SCORE = -1e9
"""Scores up to this are minus infinity as masks write it: their exponential is 0 compared to any other."""

_QKV = "float[1,2,3,4] q, float[1,2,4,5] k, float[1,2,5,4] v"


class RecognizeAttention(Rule):
    """Softmax(q @ k^T * scale + mask) @ v, scaled anywhere by Mul or Div, masked by Add or Where -> Attention."""

    name = "recognize-attention"
    roots = ("MatMul",)
    examples = (
        Example(
            "float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            "t = Transpose<perm = [0, 1, 3, 2]>(k)  s = MatMul(q, t)  d = Div(s, c)  m = Add(d, a)  "
            "p = Softmax<axis = -1>(m)  y = MatMul(p, v)",
            "y = Attention(q, k, v, a)",
            constants="float c = {2}, float[1,1,3,5] a = {0, 1, 0, 2, 3, -1, 0, 0, 0, 0, 1, 2, 3, 4, 5}",
        ),
        Example(
            "float[1,2,3,4] q, float[1,2,4,5] k, float[1,2,5,4] v, bool[1,2,3,5] w",
            "s = MatMul(q, k)  m = Where(w, s, i)  p = Softmax<axis = -1>(m)  y = MatMul(p, v)",
            "t = Transpose<perm = [0, 1, 3, 2]>(k)  a = Attention(q, t, v, w)  c = Cast<to = 6>(w)  "
            "n = ReduceMax(c, l)  e = Cast<to = 9>(n)  y = Where(e, a, x)",
            constants="float i = {-inf}",
        ),
        Example(
            "float[1,3,2,4] q, float[1,5,2,4] k, float[1,2,5,4] v",
            "r = Transpose<perm = [0, 2, 1, 3]>(q)  h = Mul(r, c)  t = Transpose<perm = [0, 2, 3, 1]>(k)  "
            "s = MatMul(h, t)  p = Softmax<axis = 3>(s)  y = MatMul(p, v)",
            "r = Transpose<perm = [0, 2, 1, 3]>(q)  t = Transpose<perm = [0, 2, 1, 3]>(k)  y = Attention(r, t, v)",
            constants="float c = {0.5}",
        ),
        Example(
            _QKV,
            "h = Mul(q, c)  t = Mul(k, c)  s = MatMul(h, t)  m = Where(w, s, i)  "
            "p = Softmax<axis = -1>(m)  y = MatMul(p, v)",
            "t = Transpose<perm = [0, 1, 3, 2]>(k)  e = Expand(w, s)  y = Attention(q, t, v, e)",
            constants="float c = {0.7}, float i = {-1e10}, bool[1,5] w = {1, 1, 0, 1, 0}",
        ),
        Example(
            _QKV,
            "s = MatMul(q, k)  a = Div(s, c)  b = Tanh(a)  d = Mul(b, c)  p = Softmax<axis = -1>(d)  y = MatMul(p, v)",
            "t = Transpose<perm = [0, 1, 3, 2]>(k)  y = Attention(q, t, v)",
            constants="float c = {2}",
        ),
        Example(
            _QKV,
            "s = MatMul(q, k)  p = Softmax<axis = -1>(s)  n = IsNaN(p)  w = Where(n, z, p)  y = MatMul(w, v)",
            "t = Transpose<perm = [0, 1, 3, 2]>(k)  y = Attention(q, t, v)",
            constants="float z = {0}",
        ),
        Example(_QKV, "s = MatMul(q, k)  p = Softmax<axis = 2>(s)  y = MatMul(p, v)", None),
        Example(
            _QKV + ", bool[1,2,3,5] w",
            "s = MatMul(q, k)  m = Where(w, s, i)  p = Softmax<axis = -1>(m)  y = MatMul(p, v)",
            None,
            constants="float i = {-1e10}",
        ),
        Example(
            "float[1,2,3,4] q, float[1,1,4,5] k, float[1,2,5,4] v",
            "s = MatMul(q, k)  p = Softmax<axis = -1>(s)  y = MatMul(p, v)",
            None,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        softmax, v = _weights(node.inputs[0]), node.inputs[1]
        if softmax is None or v is None:
            return NOT_HERE
        if Softmax.decode(Reader(softmax)).axis != Reader(softmax).rank(softmax.outputs[0]) - 1:
            return Miss("the softmax is not over the last dimension")
        scores = _scores(softmax.inputs[0])
        if isinstance(scores, Miss):
            return scores
        product = scores.product
        q, by_q = _unscaled(product.inputs[0])
        transposed, by_k = _unscaled(product.inputs[1])
        if any(x.shape is None or len(x.shape) != 4 for x in (q, transposed, v)):
            return Miss("an operand does not have four dimensions")
        k, by_inner = _keys(transposed, g)
        if differs := _shape_mismatch(q, k, v, scores.mask, node.outputs[0]):
            return Miss(differs)
        mask = _whole_mask(scores, q, k, g)
        scale = scores.scale * by_q * by_k * by_inner
        y = g.op("Attention", q, k, v, mask, scale=scale, softcap=scores.softcap or None)
        if mask is None or _is_guarded(node.inputs[0]) or _never_empty(scores):
            return [y]
        return [_undefined_where_empty(y, mask, g)]


def _weights(value: ir.Value | None) -> ir.Node | None:
    """The softmax, if it has no other users: plain, or as Where(IsNaN(s), 0, s), for queries without keys."""
    if value is None or not only_use(value):
        return None
    where = producer(value, "Where")
    test = None if where is None else producer(where.inputs[0], "IsNaN")
    if where is None or test is None:
        return producer(value, "Softmax")
    weights = where.inputs[2]
    guards = weights is not None and test.inputs[0] is weights and is_scalar(where.inputs[1], 0.0)
    users = set() if weights is None else {use.node for use in weights.uses()}
    return producer(weights, "Softmax") if guards and users == {where, test} else None


def _is_guarded(weights: ir.Value | None) -> bool:
    """Whether the weights of a query without keys are 0."""
    return producer(weights, "Where") is not None


def _never_empty(scores: _Scores) -> bool:
    """Whether the mask is constant and leaves each query at least one key."""
    known = constant(scores.mask)
    if known is None:
        return False
    seen = known == (not scores.hides) if known.dtype == np.bool_ else known.astype(np.float64) > -np.inf
    return bool(np.any(seen, axis=-1).all())


def _undefined_where_empty(y: ir.Value, mask: ir.Value, g: GraphBuilder) -> ir.Value:
    """NaN for queries without keys: the softmax gives 0/0 for them, Attention does not."""
    allowed = shown(mask, g)
    return y if allowed is None else fill_empty_rows(y, allowed, np.nan, g)


@dataclass
class _Scores:
    """What is between the product of queries and keys and the softmax. `hides`: the mask is true for hidden keys."""

    product: ir.Node
    scale: float = 1.0
    softcap: float = 0.0
    mask: ir.Value | None = None
    hides: bool = False


def _scores(value: ir.Value | None) -> _Scores | Miss:
    """Match the mask, then the soft cap, then the scale, backwards from the softmax to the product."""
    mask, hides = None, False
    while value is not None and only_use(value):
        add, where = producer(value, "Add"), producer(value, "Where")
        if (add is None and where is None) or mask is not None:
            break
        if add is not None:
            inner, mask = next((pair for pair in operands(add) if _leads_to_product(pair[0])), (None, None))
        else:
            assert where is not None
            found = _where_mask(where)
            if isinstance(found, Miss):
                return found
            inner, mask, hides = found
        if inner is None:
            return NOT_HERE
        value = inner
    capped, softcap = _uncapped(value)
    unscaled, scale = _unscaled(capped)
    product = producer(unscaled, "MatMul")
    if product is None or not only_use(product.outputs[0]):
        return NOT_HERE
    return _Scores(product, scale, softcap, mask, hides)


def _leads_to_product(value: ir.Value) -> bool:
    inner, _ = _unscaled(_uncapped(value)[0])
    return producer(inner, "MatMul") is not None and only_use(value)


def _where_mask(where: ir.Node) -> tuple[ir.Value | None, ir.Value | None, bool] | Miss:
    """The scores, the mask and whether it hides, of a Where that writes minus infinity.

    A finite number instead gives another result for a query without keys: the mask must then be constant and leave one.
    """
    condition, yes, no = where.inputs
    for inner, fill, hides in ((yes, no, False), (no, yes, True)):
        number = scalar(fill)
        if number is None or inner is None or not _leads_to_product(inner):
            continue
        if number > _MASKED_SCORE:
            return Miss("the value of masked scores is not minus infinity")
        if np.isfinite(number) and not _never_empty(_Scores(where, mask=condition, hides=hides)):
            return Miss("masked scores are finite, and a query may have no key")
        return inner, condition, hides
    return NOT_HERE


def _uncapped(value: ir.Value | None) -> tuple[ir.Value | None, float]:
    """x and c of Tanh(x / c) * c; the value itself and 0 if there is no soft cap."""
    product = producer(value, "Mul")
    for tanh, cap in () if product is None else operands(product):
        inner, number = producer(tanh, "Tanh"), scalar(cap)
        division = None if inner is None else producer(inner.inputs[0], "Div")
        if division is not None and number and only_use(tanh) and is_scalar(division.inputs[1], number):
            return division.inputs[0], number
    return value, 0.0


def _unscaled(value: ir.Value | None) -> tuple[ir.Value, float]:
    """The value before its multiplication or division by a scalar, and the factor."""
    assert value is not None
    product, division = producer(value, "Mul"), producer(value, "Div")
    if product is not None:
        for inner, factor in operands(product):
            if (number := scalar(factor)) and _same_rank(inner, value):
                return inner, number
    if division is not None and division.inputs[0] is not None and (number := scalar(division.inputs[1])):
        return (division.inputs[0], 1 / number) if _same_rank(division.inputs[0], value) else (value, 1.0)
    return value, 1.0


def _same_rank(a: ir.Value, b: ir.Value) -> bool:
    return a.shape is not None and b.shape is not None and len(a.shape) == len(b.shape)


def _keys(transposed: ir.Value, g: GraphBuilder) -> tuple[ir.Value, float]:
    """k of k^T, without its own scale, and the scale; the transpose is removed or changed accordingly."""
    node = producer(transposed, "Transpose")
    if node is None:
        return g.op("Transpose", transposed, perm=[0, 1, 3, 2]), 1.0
    perm = Transpose.decode(Reader(node)).perm
    x, factor = _unscaled(node.inputs[0])
    perm = (*perm[:2], perm[3], perm[2])
    return (x if perm == (0, 1, 2, 3) else g.op("Transpose", x, perm=list(perm))), factor


def _whole_mask(scores: _Scores, q: ir.Value, k: ir.Value, g: GraphBuilder) -> ir.Value | None:
    """A boolean or additive mask, expanded to all queries and keys, as ONNX Runtime requires."""
    mask = scores.mask
    if mask is None or mask.shape is None or q.shape is None or k.shape is None:
        return None
    if scores.hides:
        mask = g.op("Not", mask)
    whole = [*list(mask.shape or ())[:-2], q.shape[2], k.shape[2]]
    sizes = [d for d in whole if isinstance(d, int)]
    return mask if list(mask.shape or ()) == whole else g.op("Expand", mask, g.ints(*sizes))


def _shape_mismatch(q: ir.Value, k: ir.Value, v: ir.Value, mask: ir.Value | None, y: ir.Value) -> str:
    """Why the shapes are not those of attention; empty if they are."""
    dims = [list(x.shape or ()) for x in (q, k, v)]
    if not dims[0][:2] == dims[1][:2] == dims[2][:2]:
        return "batch or heads are broadcast"
    if any(x.dtype is None or not x.dtype.is_floating_point() or x.dtype != q.dtype for x in (q, k, v)):
        return "the operands are not floats of one type"
    if mask is None:
        return ""
    if mask.shape is None or len(mask.shape) > 4:
        return "the mask has more than four dimensions"
    full = [*dims[0][:3], dims[1][2]]
    if list(mask.shape)[-2:] != full[-2:] and not all(isinstance(d, int) for d in (*mask.shape, *full[-2:])):
        return "the mask is broadcast over open dimensions"
    fits = all(d in (1, f) for d, f in zip(reversed(list(mask.shape)), reversed(full), strict=False))
    return "" if fits else "the mask broadcasts the scores"
