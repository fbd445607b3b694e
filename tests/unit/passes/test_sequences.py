"""Sequences of known length are replaced by their elements."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.ir.model import OPSET
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.sequences import ResolveSequences
from edgec.passes.verify import evaluate

X = np.arange(24, dtype=np.float32).reshape(4, 6)


def settle(body: str, constants: str = "") -> ir.Model:
    text = f'<ir_version: 10, opset_import: ["" : {OPSET}]>\ng (float[4, 6] x) => (float y) {constants} {{ {body} }}'
    proto = onnx.parser.parse_model(text)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    ConstantsToInitializers().run(model)
    FoldConstants().run(model)
    ResolveSequences().run(model)
    return model


@pytest.mark.parametrize(
    ("body", "constants", "expected"),
    [
        ("s = SplitToSequence <axis = 1> (x, n)  y = SequenceAt (s, i)", "<int64 n = {4}, int64 i = {1}>", X[:, 4:]),
        ("s = SplitToSequence <axis = 0, keepdims = 0> (x)  y = SequenceAt (s, i)", "<int64 i = {-1}>", X[3]),
        (
            "s = SplitToSequence <axis = 1> (x, n)  y = SequenceAt (s, i)",
            "<int64[2] n = {1, 5}, int64 i = {0}>",
            X[:, :1],
        ),
        ("s = SequenceConstruct (x, x)  y = ConcatFromSequence <axis = 0> (s)", "", np.concatenate([X, X])),
        ("s = SequenceConstruct (x, x)  y = ConcatFromSequence <axis = 1, new_axis = 1> (s)", "", np.stack([X, X], 1)),
        (
            "n = Neg (x)  s = SequenceConstruct (x, x)  t = SequenceInsert (s, n, i)  u = SequenceErase (t, j)  "
            "y = SequenceAt (u, j)",
            "<int64 i = {1}, int64 j = {0}>",
            -X,
        ),
        ("o = Optional (x)  y = OptionalGetElement (o)", "", X),
    ],
)
def test_numbers(body: str, constants: str, expected: np.ndarray) -> None:
    model = settle(body, constants)
    assert not [n for n in model.graph if n.op_type.startswith(("Sequence", "SplitTo", "Optional", "ConcatFrom"))]
    np.testing.assert_array_equal(evaluate(model, {"x": X})[0], expected)


def test_only_the_split_dimension_must_be_known() -> None:
    text = f"""<ir_version: 10, opset_import: ["" : {OPSET}]>
g (float[b, 6] x, float[4, n] z) => (float[b, 2] y, float s) <int64 k = {{4}}, int64 i = {{1}}>
{{ t = SplitToSequence <axis = -1> (x, k)  y = SequenceAt (t, i)  s = SplitToSequence <axis = 1> (z, k) }}"""
    model = ir.serde.deserialize_model(onnx.parser.parse_model(text))
    ConstantsToInitializers().run(model)
    ResolveSequences().run(model)
    assert [node.op_type for node in model.graph] == ["Split", "SplitToSequence"]


def test_length_is_a_constant() -> None:
    model = settle("e = SequenceEmpty ()  s = SequenceInsert (e, x)  l = SequenceLength (s)  y = Cast <to = 1> (l)")
    np.testing.assert_array_equal(evaluate(model, {"x": X})[0], 1.0)


def test_a_computed_position_stays() -> None:
    model = settle(
        "s = SplitToSequence <axis = 0> (x)  f = ReduceMax <keepdims = 0> (x)  i = Cast <to = 7> (f)  "
        "y = SequenceAt (s, i)"
    )
    assert "SequenceAt" in [n.op_type for n in model.graph]
