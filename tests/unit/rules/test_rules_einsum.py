"""Einsum: any equation gives numpy's results, and common ones transpose activations only if necessary."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgec.ir.model import OPSET
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.cleanup.identity import RemoveNoOpMovement
from edgec.rules.decompose.einsum import EinsumToMatMul
from edgec.rules.decompose.equation import parse


def rewritten(equation: str, shapes: list[tuple[int, ...]], constant: frozenset[int] = frozenset()) -> ir.Model:
    names = [f"x{i}" for i in range(len(shapes))]
    rng = np.random.default_rng(3)
    node = onnx.helper.make_node("Einsum", names, ["y"], equation=equation)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [
            value(n, onnx.TensorProto.FLOAT, s)
            for i, (n, s) in enumerate(zip(names, shapes, strict=True))
            if i not in constant
        ],
        [onnx.helper.make_empty_tensor_value_info("y")],
        [onnx.numpy_helper.from_array(rng.standard_normal(shapes[i]).astype(np.float32), names[i]) for i in constant],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    ConstantsToInitializers().run(model)
    RewritePass("test", [EinsumToMatMul(), RemoveNoOpMovement()]).run(model)
    FoldConstants().run(model)
    return model


def check(equation: str, shapes: list[tuple[int, ...]]) -> list[str]:
    model = rewritten(equation, shapes)
    kinds = [node.op_type for node in model.graph]
    assert "Einsum" not in kinds
    rng = np.random.default_rng(5)
    feeds = {f"x{i}": rng.standard_normal(s).astype(np.float32) for i, s in enumerate(shapes)}
    expected = np.einsum(equation, *(feeds[f"x{i}"].astype(np.float64) for i in range(len(shapes))))
    (found,) = evaluate(model, feeds)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    return kinds


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij->ji", [(2, 3)]),
        ("ii->i", [(4, 4)]),
        ("iii", [(3, 3, 3)]),
        ("ijji->j", [(2, 3, 3, 2)]),
        ("...ii->...i", [(2, 4, 4)]),
        ("i,i", [(4,), (4,)]),
        ("i,j->ij", [(4,), (3,)]),
        ("i,j->ji", [(4,), (3,)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("bij, bjk -> bki", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 4, 5), (2, 6, 4, 5)]),
        ("bhqk,bkhd->bqhd", [(2, 4, 3, 6), (2, 6, 4, 5)]),
        ("abc,acd,ad->b", [(2, 3, 4), (2, 4, 5), (2, 5)]),
        ("aB,Bc", [(2, 3), (3, 4)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("i...,i...->...", [(2, 3, 4), (2, 1, 4)]),
        ("a,b->", [(2,), (3,)]),
    ],
)
def test_numbers(equation: str, shapes: list[tuple[int, ...]]) -> None:
    check(equation, shapes)


@pytest.mark.parametrize(
    ("equation", "shapes", "constant", "transposes"),
    [
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)], frozenset(), 0),
        ("bhwc,dc->bhwd", [(2, 3, 4, 5), (6, 5)], frozenset({1}), 0),
        ("bij,bkj->bik", [(2, 3, 4), (2, 5, 4)], frozenset(), 1),
        ("bij,bjk->bki", [(2, 3, 4), (2, 4, 5)], frozenset(), 1),
        ("bnc,b1c->bnc".replace("1", "m"), [(2, 3, 4), (2, 1, 4)], frozenset(), 0),
    ],
)
def test_few_transposes(
    equation: str, shapes: list[tuple[int, ...]], constant: frozenset[int], transposes: int
) -> None:
    model = rewritten(equation, shapes, constant)
    assert [node.op_type for node in model.graph].count("Transpose") == transposes


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_random_equations(data: st.DataObject) -> None:
    sizes = {"a": 2, "b": 3, "C": 4, "d": 1, "e": 2}
    letters = st.lists(st.sampled_from(sorted(sizes)), min_size=1, max_size=4)
    operands = data.draw(st.lists(letters, min_size=1, max_size=3))
    known = sorted({letter for letters in operands for letter in letters})
    output = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=len(known)))
    equation = ",".join("".join(o) for o in operands) + "->" + "".join(output)
    check(equation, [tuple(sizes[x] for x in o) for o in operands])


@pytest.mark.parametrize("equation", ["ij,jk->ik", "i->i", "ij->k", "ij->ii", "i-j->i"])
def test_what_does_not_fit_is_said(equation: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(equation, [2])
