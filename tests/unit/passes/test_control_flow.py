"""Branches and loops: results are unchanged, a side that is not taken cannot fail, refusals have reasons."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.diag import EdgecError
from edgec.ir.model import OPSET
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.control_flow import ResolveControlFlow
from edgec.passes.remarks import Missed, Remark, counted, only
from edgec.runners.onnxruntime import OnnxRuntimeRunner

HEAD = f'<ir_version: 10, opset_import: ["" : {OPSET}]>\n'


def load(text: str) -> ir.Model:
    proto = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(HEAD + text), data_prop=True)
    return ir.serde.deserialize_model(proto)


def settle(model: ir.Model) -> list[Remark]:
    ConstantsToInitializers().run(model)
    FoldConstants().run(model)
    remarks = ResolveControlFlow().run(model)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    return remarks


def run(model: ir.Model, **inputs: np.ndarray) -> list[np.ndarray]:
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        return list(runner.run(inputs).values())


def kinds(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


LOOKUP = """
g (bool c, float[4] x, int64 i) => (float[1] y) {
  y = If (c) <
    then_branch = a () => (float[1] p) {
      ax = Constant <value_ints = [0]> ()
      j = Unsqueeze (i, ax)
      p = Gather (x, j)
    },
    else_branch = b () => (float[1] q) {
      z = Constant <value_floats = [-1.0]> ()
      q = Identity (z)
    }>
}
"""


@pytest.mark.parametrize(("taken", "index", "expected"), [(True, 2, 3.0), (False, 2, -1.0), (False, 99, -1.0)])
def test_an_index_of_the_other_side_may_be_out_of_range(taken: bool, index: int, expected: float) -> None:
    model = load(LOOKUP)
    remarks = settle(model)
    assert counted(remarks).get("if-to-where", 0) == 1
    assert "If" not in kinds(model)
    x = np.asarray([1, 2, 3, 4], np.float32)
    (found,) = run(model, c=np.asarray(taken), x=x, i=np.asarray(index))
    np.testing.assert_array_equal(found, [expected])


LOGARITHM = """
g (bool[1] c, float[3] x) => (float[3] y, float[] s) {
  y, s = If (c) <
    then_branch = a () => (float[3] p, float[] ps) {
      p = Log (x)
      ps = ReduceSum <keepdims = 0> (p)
    },
    else_branch = b () => (float[3] q, float[] qs) {
      q = Neg (x)
      qs = ReduceSum <keepdims = 0> (q)
    }>
}
"""


@pytest.mark.parametrize(("taken", "x"), [(True, [1, 2, 3]), (False, [-1, 0, np.inf]), (False, [1, -2, 3])])
def test_both_sides_agree_with_if(taken: bool, x: list[float]) -> None:
    given, settled = load(LOGARITHM), load(LOGARITHM)
    settle(settled)
    feeds = {"c": np.asarray([taken]), "x": np.asarray(x, np.float32)}
    for a, b in zip(run(given, **feeds), run(settled, **feeds), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_unused_side_computes_on_safe_values() -> None:
    model = load(LOGARITHM)
    settle(model)
    log = next(node for node in model.graph if node.op_type == "Log")
    assert log.inputs[0].producer().op_type == "Where"


NESTED = """
g (bool c, bool d, float[2] x) => (float[2] y) {
  y = If (c) <
    then_branch = a () => (float[2] p) {
      p = If (d) <
        then_branch = aa () => (float[2] pp) { pp = Sqrt (x) },
        else_branch = ab () => (float[2] pq) { pq = Neg (x) }>
    },
    else_branch = b () => (float[2] q) { q = Add (x, x) }>
}
"""


@pytest.mark.parametrize(("c", "d"), [(True, True), (True, False), (False, True), (False, False)])
def test_nested_branches(c: bool, d: bool) -> None:
    given, settled = load(NESTED), load(NESTED)
    assert counted(settle(settled))["if-to-where"] == 2
    feeds = {
        "c": np.asarray(c),
        "d": np.asarray(d),
        "x": np.asarray([4.0, 9.0] if c and d else [-4.0, 9.0], np.float32),
    }
    np.testing.assert_array_equal(*run(given, **feeds), *run(settled, **feeds))


def test_different_shapes_are_refused_with_both_shapes_and_places() -> None:
    model = load(
        """
        g (bool c, float[2, 3] x) => (float[n, m] y) {
          y = If (c) <
            then_branch = a () => (float[2, 3] p) { [short] p = Neg (x) },
            else_branch = b () => (float[3, 2] q) { [turned] q = Transpose <perm = [1, 0]> (x) }>
        }
        """
    )
    with pytest.raises(EdgecError) as refused:
        settle(model)
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.code == "E0206"
    said = " ".join(diagnostic.notes)
    assert "float[2, 3]" in said
    assert "float[3, 2]" in said
    assert "short" in said
    assert "turned" in said
    assert "if-not-mergeable" in said


def test_a_known_condition_takes_its_branch_whatever_the_shapes() -> None:
    model = load(
        """
        g (float[2, 3] x) => (float[3, 2] y) <bool c = {0}> {
          y = If (c) <
            then_branch = a () => (float[2, 3] p) { p = Neg (x) },
            else_branch = b () => (float[3, 2] q) { q = Transpose <perm = [1, 0]> (x) }>
        }
        """
    )
    assert counted(settle(model))["take-constant-branch"] == 1
    assert kinds(model) == ["Transpose"]


POWERS = """
g (float[2] x) => (float[2] last, float[k, 2] all) <int64 n = {4}, bool go = {1}> {
  last, all = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool o, float[2] w, float[2] s) {
    o = Identity (c)
    w = Mul (v, x)
    f = Cast <to = 1> (i)
    s = Add (w, f)
  }>
}
"""


def test_a_loop_of_known_length_becomes_its_steps() -> None:
    given, settled = load(POWERS), load(POWERS)
    assert counted(settle(settled))["unroll-loop"] == 1
    assert "Loop" not in kinds(settled)
    x = np.asarray([1.5, -2], np.float32)
    for a, b in zip(run(given, x=x), run(settled, x=x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_condition_that_counts_ends_the_loop() -> None:
    model = load(
        """
        g (float[2] x) => (float[2] y) <int64 three = {3}> {
          y = Loop (, , x) <body = b (int64 i, bool c, float[2] v) => (bool o, float[2] w) {
            one = Constant <value_int = 1> ()
            next = Add (i, one)
            o = Less (next, three)
            w = Add (v, x)
          }>
        }
        """
    )
    settle(model)
    assert kinds(model) == ["Add"] * 3
    np.testing.assert_allclose(*run(model, x=np.ones(2, np.float32)), [4.0, 4.0])


def test_a_branch_inside_a_loop_is_decided_by_the_step() -> None:
    model = load(
        """
        g (float[2] x) => (float[2] y) <int64 n = {3}, bool go = {1}, int64 zero = {0}> {
          y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool o, float[2] w) {
            o = Identity (c)
            first = Equal (i, zero)
            w = If (first) <
              then_branch = t () => (float[2] p) { p = Neg (v) },
              else_branch = e () => (float[2] q) { q = Add (v, v) }>
          }>
        }
        """
    )
    settle(model)
    np.testing.assert_allclose(*run(model, x=np.ones(2, np.float32)), [-4.0, -4.0])


def test_a_loop_that_depends_on_data_stays_with_its_reason() -> None:
    model = load(
        """
        g (float[2] x, int64 n) => (float[2] y) <bool go = {1}> {
          y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool o, float[2] w) {
            o = Identity (c)
            w = Add (v, x)
          }>
        }
        """
    )
    remarks = settle(model)
    assert kinds(model) == ["Loop"]
    assert "depends on data" in only(Missed, remarks)[0].reason


def test_a_loop_that_data_ends_is_left_whole() -> None:
    model = load(
        """
        g (float[2] x) => (float[2] y) <int64 n = {5}, bool go = {1}, float limit = {3}> {
          y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool o, float[2] w) {
            w = Add (v, x)
            s = ReduceMax <keepdims = 0> (w)
            o = Less (s, limit)
          }>
        }
        """
    )
    settle(model)
    assert kinds(model) == ["Loop"]


SCAN = """
g (float[2] s, float[3, 2] x) => (float[2] last, float[2, 3] all) {
  last, all = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_axes = [1],
                    scan_output_directions = [1],
    body = b (float[2] v, float[2] e) => (float[2] w, float[2] o) {
      w = Add (v, e)
      o = Mul (w, e)
    }> (s, x)
}
"""


def test_scan_in_every_direction() -> None:
    given, settled = load(SCAN), load(SCAN)
    assert counted(settle(settled))["unroll-scan"] == 1
    rng = np.random.default_rng(1)
    feeds = {"s": rng.standard_normal(2).astype(np.float32), "x": rng.standard_normal((3, 2)).astype(np.float32)}
    for a, b in zip(run(given, **feeds), run(settled, **feeds), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
