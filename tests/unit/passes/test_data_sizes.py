"""Data-dependent sizes: their names, ranges and consequences."""

import onnx.parser
import onnx_ir as ir

from edgec.ir.dims import dim_ranges
from edgec.ir.model import OPSET
from edgec.passes.canonicalize import canonicalize


def canonical(text: str) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> {text}')
    return canonicalize(ir.serde.deserialize_model(proto)).model


def test_one_selection_has_one_size() -> None:
    model = canonical(
        "g (float[6,4] x, bool[6] c) => (float[a,4] y, float[b,4] z) "
        "{ y = Compress<axis = 0>(x, c)  s = Shape(y)  e = Expand(y, s)  z = Relu(e) }"
    )
    assert [node.op_type for node in model.graph] == ["NonZero", "Squeeze", "Gather", "Relu"]
    ((name, sizes),) = dim_ranges(model).items()
    assert sizes == (0, 6)
    assert [str(d) for d in model.graph.node(2).outputs[0].shape or ()] in ([name, "4"], ["a", "4"])


def test_suppression_keeps_so_many_of_each_class() -> None:
    model = canonical(
        "g (float[2,9,4] x, float[2,3,9] s) => (int64[k,3] y) "
        "{ n = Constant<value_int = 5>()  y = NonMaxSuppression(x, s, n) }"
    )
    assert dim_ranges(model) == {"k": (0, 2 * 3 * 5)}


def test_an_expand_to_another_shape_stays() -> None:
    model = canonical("g (float[n,1] x, float[n,3] w) => (float[n,3] y) { s = Shape(w)  y = Expand(x, s) }")
    assert [node.op_type for node in model.graph] == ["Shape", "Expand"]
