"""Loops and branches in artifacts: the results are those of Python, for any number of iterations."""

import functools
import re

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from edgec.backends.table import backend
from edgec.compiler.build import compile_target
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare, prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.measure.fidelity import compare_all
from edgec.spec.target import load_target
from tests import branching, looping

SINGLE = "numerics.compute=float32"
NATIVE = "graph.control_flow=native"
LOOPS = {"android": "WHILE", "iphone": "while_loop"}
BRANCHES = {"android": "IF", "iphone": "cond"}


@functools.cache
def prepared(models, name):
    make, _ = models.MODELS[name]
    torch.manual_seed(3)
    request = ExportRequest(name, SourceId("module", "test", ""), make().eval(), models.MODELS[name][1]())
    return prepare_imported(export_module(request), BuildOptions(), lambda step: None)


def agrees(models, name, target, tmp_path, count=20):
    """Build, and compare the artifact with Python on new inputs; returns its operators."""
    source, draw = prepared(models, name), models.MODELS[name][1]
    built = compile_target(source, target, BuildOptions(out=tmp_path), lambda step: None)
    assert built.manifest.accuracy.status == "passed"
    torch.manual_seed(11)
    with backend(target.backend).open(built.folder / built.manifest.artifact.path, target) as runner:
        for _ in range(count):
            inputs = dict(zip(source.imported.examples, (t.numpy() for t in draw()), strict=True))
            differences = compare_all(source.imported.reference.run(inputs), runner.run(inputs))
            assert max(d.max_rel for d in differences) < 1e-4, (inputs, differences)
    return built.manifest.graph.ops


@pytest.mark.parametrize("target", ["android", "iphone"])
@pytest.mark.parametrize("name", looping.MODELS)
def test_loops_run_natively(name, target, tmp_path):
    ops = agrees(looping, name, load_target(target, (SINGLE,)), tmp_path)
    assert LOOPS[target] in ops
    assert BRANCHES[target] not in ops


@pytest.mark.parametrize("target", ["android", "iphone"])
@pytest.mark.parametrize("name", ["nested", "early-exits", "expressions", "loops", "dead-index", "in-place"])
def test_branches_stay_branches_where_the_target_asks(name, target, tmp_path):
    ops = agrees(branching, name, load_target(target, (SINGLE, NATIVE)), tmp_path)
    assert BRANCHES[target] in ops


@pytest.mark.parametrize("target", ["android", "iphone"])
def test_branches_inside_loops(target, tmp_path):
    ops = agrees(looping, "collatz", load_target(target, (SINGLE, NATIVE)), tmp_path)
    assert {BRANCHES[target], LOOPS[target]} <= ops.keys()


@pytest.mark.parametrize("name", ["collatz", "greedy", "kinds", "ranges"])
def test_no_step_one_step_and_several_are_verified(name):
    loops = [b for b in prepared(looping, name).imported.branches if b.rounds is not None]
    assert loops
    assert all(b.rounds == (0, 1, 2) for b in loops), loops


class Eager(torch.nn.Module):
    """A loop that always runs at least twice."""

    def forward(self, x):
        total, i = x.abs().sum(), torch.tensor(0)
        while i < 2 + total:
            i = i + 1
        return x + i


def test_a_number_of_steps_that_no_sample_takes_is_a_warning():
    request = ExportRequest("eager", SourceId("module", "test", ""), Eager().eval(), (torch.rand(2),))
    told = [d.message for d in export_module(request).warnings if d.code == "E0209"]
    assert [re.sub(".*this `while` ", "", text) for text in told] == ["runs no step"]


COLLECTS = """<ir_version: 10, opset_import: ["" : 18]>
g (float[2] x, int64 n) => (float[2] last, float[k, 2] all) {
  t = Constant<value = bool {1}>()
  last, all = Loop(n, t, x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] u, float[2] v) {
    d = Identity(c)  u = Add(s, s)  v = Identity(u)
  }>
}"""

GROWS = """<ir_version: 10, opset_import: ["" : 18]>
g (float[k] x, int64 n) => (float[m] y) {
  t = Constant<value = bool {1}>()
  y = Loop(n, t, x) <body = b (int64 i, bool c, float[p] s) => (bool d, float[q] u) {
    d = Identity(c)  u = Concat<axis = 0>(s, s)
  }>
}"""


@pytest.mark.parametrize("target", ["android", "iphone"])
@pytest.mark.parametrize(("text", "label"), [(COLLECTS, "loop-collects"), (GROWS, "loop-state-shape")])
def test_what_a_loop_cannot_carry_is_refused(text, label, target):
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))
    chosen, loaded = backend(load_target(target).backend), load_target(target)
    with pytest.raises(EdgecError) as caught:
        chosen.lower(chosen.legalize(model, loaded).model, loaded)
    assert any(f"rejected by `{label}`" in note for d in caught.value.diagnostics for note in d.notes)


INSIDE = """<ir_version: 10, opset_import: ["" : 18]>
g (float[3] x, bool c) => (float[3] y) {
  y = If(c) <
    then_branch = a () => (float[3] u) {
      t = Constant<value = bool {1}>()  z = Constant<value_float = 0.0>()
      u = Loop(, t, x) <body = b (int64 i, bool going, float[3] s) => (bool d, float[3] v) {
        two = Constant<value_float = 2.0>()  v = Div(s, two)
        m = ReduceMax<keepdims = 0>(v)  least = Constant<value_float = 0.01>()  d = Greater(m, least)
      }>
    },
    else_branch = e () => (float[3] w) { w = Neg(x) }
  >
}"""


@pytest.mark.parametrize("settings", [(SINGLE,), (SINGLE, NATIVE)])
@pytest.mark.parametrize("target", ["android", "iphone"])
def test_a_loop_in_a_branch_of_a_file(target, settings, tmp_path):
    """On the side that is not taken, x is infinite and the loop would never end."""
    path = tmp_path / "inside.onnx"
    onnx.save(onnx.parser.parse_model(INSIDE), path)
    options = BuildOptions(out=tmp_path)
    source, loaded = prepare(SourceRequest(str(path)), options, lambda step: None), load_target(target, settings)
    built = compile_target(source, loaded, options, lambda step: None)
    with backend(loaded.backend).open(built.folder / built.manifest.artifact.path, loaded) as runner:
        x = np.asarray([3.0, 1.0, np.inf], np.float32)
        np.testing.assert_array_equal(runner.run({"x": x, "c": np.asarray(False)})["y"], -x)
        given = np.asarray([3.0, 1.0, 0.5], np.float32)
        found = runner.run({"x": given, "c": np.asarray(True)})["y"]
        np.testing.assert_allclose(found, given / 512, rtol=1e-6)


UNTYPED = """<ir_version: 10, opset_import: ["" : 18]>
g (float[2,3] x, int64 n) => (float[p,q] y, float[r] z) <float[3] w = {0.5, -1, 2}> {
  t = Constant<value = bool {1}>()  s = ReduceSum<keepdims = 0>(x)  u = Reshape(s, one)
  y, z = Loop(n, t, x, u) <body = b (int64 i, bool c, float[] a, float[] e) => (bool d, float[] f, float[] h) {
    k = Constant<value_ints = [0]>()  m = ReduceMean<keepdims = 1>(a, k)  f = Sub(a, m)
    v = Mul(f, w)  l = ReduceMax<keepdims = 0>(v)  h = Add(e, l)
    hundred = Constant<value_float = 100.0>()  g = Less(h, hundred)  d = Squeeze(g)
  }>
}"""


@pytest.mark.parametrize("target", ["android", "iphone"])
def test_states_without_declared_shapes(target, tmp_path):
    """As exporters write them: the shapes that the body preserves are inferred."""
    proto = onnx.parser.parse_model(UNTYPED.replace("<float[3] w", "<int64[1] one = {1}, float[3] w"))
    path = tmp_path / "untyped.onnx"
    onnx.save(proto, path)
    options, loaded = BuildOptions(out=tmp_path), load_target(target, (SINGLE,))
    built = compile_target(prepare(SourceRequest(str(path)), options, lambda step: None), loaded, options, print)
    assert built.manifest.accuracy.status == "passed"
    assert [t.shape for t in built.manifest.outputs] == [(2, 3), (1,)]


TWICE = """<ir_version: 10, opset_import: ["" : 23]> g (float[2,3] x) => (float[2,3] y) <float z = {0}> {
    s = ReduceSum<keepdims = 0>(x)
    c = Greater(s, z)
    p, q = If (c) <
        then_branch = t () => (float[2,3] p1, float[2,3] q1) { p1 = Neg(x) q1 = Identity(p1) },
        else_branch = e () => (float[2,3] p2, float[2,3] q2) { p2 = Identity(x) q2 = Identity(x) }
    >
    y = Sub(p, q)
}"""


def test_a_branch_gives_no_tensor_twice():
    """LiteRT's IF returns wrong values in that case."""
    model = ir.from_onnx_text(TWICE)
    target = load_target("android", (SINGLE, NATIVE))
    chosen = backend("tflite")
    program = chosen.lower(chosen.legalize(model, target).model, target)
    (branching_instr,) = [instr for instr in program.instrs if instr.op == "IF"]
    for block in branching_instr.blocks:
        shown = [operand.name for _, operand in block.outputs]
        assert len(set(shown)) == 2
