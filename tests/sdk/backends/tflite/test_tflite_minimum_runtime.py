"""Forms of operators that older runtimes support, and a target's oldest runtime."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.base import Program
from edgec.backends.tflite.backend import TFLITE
from edgec.diag import EdgecError
from edgec.ir.model import OPSET
from edgec.passes.canonicalize import canonicalize
from edgec.passes.verify import evaluate
from edgec.spec.target import Target, load_target

CONSTANTS = (
    "int64[2,3] places = {0, 1, 2, 1, 0, 1}, int64[1] s = {1}, int64[1] e = {3}, int64[1] a = {5}, int64 three = {3}, "
    "int64 two = {2}, int64[2] s2 = {0, 1}, int64[2] e2 = {4, 6}, int64[2] a2 = {1, 2}, int64[2] p2 = {2, 2}"
)


def model(body: str, inputs: str, output: str) -> ir.Model:
    head = f'<ir_version: 10, opset_import: ["" : {OPSET}]>'
    proto = onnx.parser.parse_model(f"{head} g ({inputs}) => ({output} y) <{CONSTANTS}> {{ {body} }}")
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))


def lowered(source: ir.Model, target: Target) -> Program:
    return TFLITE.lower(TFLITE.legalize(canonicalize(source.clone()).model, target).model, target)


BOOL_ROWS = ("z = Cast<to = 9>(x)  w = GatherND(z, places)  y = Cast<to = 1>(w)", "float[2,3,4] x", "float[2]")
MASK = ("i = Cast<to = 7>(x)  z = Greater(x, x)  w = GatherND(z, i)  y = Cast<to = 1>(w)", "float[2,2] x", "float[2]")
CASES = {
    "two steps": ("y = Slice(x, s2, e2, a2, p2)", "float[1,4,6,5] x", "float[1,2,3,5]"),
    "known places": BOOL_ROWS,
    "six dimensions": ("y = Slice(x, s, e, a)", "float[2,2,2,2,2,3] x", "float[2,2,2,2,2,2]"),
    "one of six dimensions": ("y = Gather<axis = 3>(x, two)", "float[1,2,2,4,3,3] x", "float[1,2,2,3,3]"),
    "a broadcast comparison": (
        "b = Less(x, z)  y = Cast<to = 1>(b)",
        "float[1,2,2,2,2] x, float[2,1] z",
        "float[1,2,2,2,2]",
    ),
    "integers times a scalar": (
        "i = Cast<to = 7>(x)  j = Mul(i, three)  y = Cast<to = 1>(j)",
        "float[2,1,2,3,2] x",
        "float[2,1,2,3,2]",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_costs_nothing_is_in_the_form_that_every_runtime_takes(name: str, tmp_path: Path) -> None:
    source = model(*CASES[name])
    target = load_target("raspberry-pi", ["options.min_runtime=2.14"])
    program = lowered(source, target)  # nothing of it is refused
    assert all(len(v.type.shape) <= 5 for i in program.instrs if "SLICE" in i.op for v in i.operands()[:1])
    path = tmp_path / "m.tflite"
    TFLITE.assemble(program, target, path)
    feeds = {
        v.name: np.random.default_rng(0).integers(-2, 3, tuple(v.shape)).astype(np.float32) for v in source.graph.inputs
    }
    with TFLITE.open(path, target) as runner:
        np.testing.assert_array_equal(runner.run(feeds)["y"], evaluate(source, feeds)[0])


def test_what_the_oldest_runtime_lacks_is_refused_by_label() -> None:
    newest = lowered(model(*MASK), load_target("raspberry-pi"))
    assert "GATHER_ND" in {i.op for i in newest.instrs}
    with pytest.raises(EdgecError) as refused:
        lowered(model(*MASK), load_target("raspberry-pi", ["options.min_runtime=2.14"]))
    (told,) = refused.value.diagnostics
    assert told.code == "E0412"
    assert "needs runtime 2.16" in told.message
    assert any("rejected by `runtime-gather-nd`" in note for note in told.notes)
    lowered(model(*MASK), load_target("raspberry-pi", ["options.min_runtime=2.16"]))


@pytest.mark.parametrize("release", ["2", "new", "2.2", '"2.1x"'])
def test_an_oldest_runtime_that_is_no_release_is_refused(release: str) -> None:
    with pytest.raises(EdgecError) as refused:
        load_target("raspberry-pi", [f"options.min_runtime={release}"])
    assert {d.code for d in refused.value.diagnostics} == {"E0101"}
