"""Intervals of integers: every computed value lies inside, and only proven bounds are reported."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.passes.constants import ConstantsToInitializers
from edgec.passes.verify import evaluate
from edgec.rules.intervals import Interval, interval_of

WHOLE = Interval(-(2**63), 2**63 - 1)
HEAD = '<ir_version: 10, opset_import: ["" : 23]> g (float[3,7] x, int8[3] b, int64[3] n) => (int64[k] y) '


def model(body: str, constants: str = "") -> ir.Model:
    proto = onnx.parser.parse_model(HEAD + (f"<{constants}>" if constants else "") + "{" + body + "}")
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    made = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    ConstantsToInitializers().run(made)
    return made


WIDE = "w = Cast<to = 7>(b) "

CASES = [
    ("y = ArgMax<axis = 1, keepdims = 0>(x)", "", Interval(0, 6)),
    (WIDE + "y = Identity(w)", "", Interval(-128, 127)),
    (WIDE + "y = Mul(w, w)", "", Interval(-128 * 127, 128 * 128)),
    (WIDE + "a = Abs(w) y = Sub(a, w)", "", Interval(-127, 256)),
    (WIDE + "y = Div(w, c)", "int64 c = {-3}", Interval(-42, 42)),
    (WIDE + "y = Mod(w, c)", "int64 c = {-3}", Interval(-2, 0)),
    (WIDE + "y = Mod<fmod = 1>(w, c)", "int64 c = {-3}", Interval(-2, 2)),
    (WIDE + "y = ReduceSum<keepdims = 0>(w)", "", Interval(-384, 381)),
    (WIDE + "y = CumSum(w, c)", "int64 c = {0}", Interval(-384, 381)),
    (WIDE + "a = ArgMin<axis = 1, keepdims = 0>(x) y = Concat<axis = 0>(a, w)", "", Interval(-128, 127)),
    (WIDE + "y = Min(w, c)", "int64 c = {5}", Interval(-128, 5)),
    (WIDE + "y = Pad(w, c)", "int64[2] c = {1, 1}", Interval(-128, 127)),
    ("y = Sign(n)", "", Interval(-1, 1)),
    ("s = Shape(x) y = Identity(s)", "", Interval(0, 2**31 - 1)),
    ("y = Add(n, c)", "int64 c = {1}", WHOLE),  # may wrap
    (WIDE + "y = Div(w, w)", "", WHOLE),  # the divisor may be zero
    ("y = Cast<to = 7>(x)", "", WHOLE),
    ("y = Identity(n)", "", WHOLE),
]


@pytest.mark.parametrize(("body", "constants", "expected"), CASES, ids=[c[0] for c in CASES])
def test_interval(body, constants, expected):
    made = model(body, constants)
    found = interval_of(made.graph.outputs[0])
    assert found == expected
    rng = np.random.default_rng(0)
    for _ in range(20):
        b = rng.choice([-128, -1, 1, 3, 127], 3).astype(np.int8)
        feeds = {"x": rng.standard_normal((3, 7)).astype(np.float32), "b": b, "n": rng.integers(-9, 9, 3)}
        (y,) = evaluate(made, feeds)
        assert found.low <= int(y.min()) <= int(y.max()) <= found.high


def test_a_type_is_not_claimed_to_hold_more():
    assert Interval(0, 2**31 - 1).within(ir.DataType.INT32)
    assert not Interval(0, 2**31).within(ir.DataType.INT32)
