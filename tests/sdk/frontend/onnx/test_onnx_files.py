"""ONNX files as found in practice: wrong declarations, open shapes, and `--input` for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from edgec.compiler.build import Built, build
from edgec.compiler.options import BuildOptions
from edgec.compiler.samples import sample
from edgec.diag import EdgecError
from edgec.frontend.dispatch import import_source
from edgec.frontend.dynamic import parse_dynamic
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
typed = helper.make_tensor_value_info


def saved(
    path: Path,
    nodes: Sequence[NodeProto],
    interface: tuple[Sequence[ValueInfoProto], Sequence[ValueInfoProto]],
    constants: dict[str, np.ndarray] | None = None,
    between: Sequence[ValueInfoProto] = (),
) -> Path:
    inputs, outputs = interface
    weights = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights, value_info=between)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)
    return path


def built(path: Path, *, target: str = "android", **said: object) -> tuple[Built, list[str]]:
    """The artifact, which passed its checks, and the codes of all diagnostics."""
    request = SourceRequest(str(path), **said)  # type: ignore[arg-type]
    report = build(request, [target], BuildOptions(out=path.parent / "build"), lambda step: None)
    assert not report.errors
    (made,) = report.built
    assert not made.failures
    return made, [d.code for d in report.warnings]


@pytest.mark.parametrize("declared", [[1, "length"], [6, 1, 7], None])
def test_an_output_is_as_large_as_it_is_computed(declared: list[int | str] | None, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "rows"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Reshape", ["b", "back"], ["y"]),
    ]
    constants = {
        "rows": np.array([-1, 8]),
        "w": np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32),
        "back": np.array([6, 1, 5]),
    }
    interface = [typed("x", FLOAT, [1, 6, 8])], [typed("y", FLOAT, declared)]
    made, told = built(saved(tmp_path / "net.onnx", nodes, interface, constants))
    assert made.manifest.outputs[0].shape == (6, 1, 5)
    assert ("E0304" in told) == (declared is not None)


def test_wrong_shapes_between_and_inside_of_branches(tmp_path: Path) -> None:
    sides = [
        helper.make_graph([helper.make_node(op, ["b"], [op])], op, [], [typed(op, FLOAT, shape)])
        for op, shape in (("Neg", [7]), ("Relu", [-1, 9]))
    ]
    nodes = [
        helper.make_node("Transpose", ["x"], ["b"], perm=[1, 0]),
        helper.make_node("If", ["flag"], ["y"], then_branch=sides[0], else_branch=sides[1]),
    ]
    interface = [typed("x", FLOAT, [3, 4]), typed("flag", TensorProto.BOOL, [])], [typed("y", FLOAT, [-1])]
    made, told = built(saved(tmp_path / "net.onnx", nodes, interface, between=[typed("b", FLOAT, [2, 2, 2])]))
    assert made.manifest.outputs[0].shape == (4, 3)
    assert "E0304" in told


def test_wrong_element_types_are_what_is_computed(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["b"]), helper.make_node("Cast", ["b"], ["y"], to=TensorProto.INT32)]
    interface = [typed("x", FLOAT, [2, 3])], [typed("y", INT64, [2, 3])]
    made, told = built(saved(tmp_path / "net.onnx", nodes, interface, between=[typed("b", TensorProto.BOOL, [2, 3])]))
    assert made.manifest.outputs[0].dtype == "int32"
    assert told.count("E0304") == 1


def test_a_size_of_minus_one_is_open(tmp_path: Path) -> None:
    interface = [typed("x", FLOAT, [-1, -1, 4])], [typed("y", FLOAT, [-1, -1, 4])]
    path = saved(tmp_path / "net.onnx", [helper.make_node("Softmax", ["x"], ["y"], axis=1)], interface)
    made, told = built(path, dynamic=tuple(parse_dynamic("x:0=batch:1..3,1=length:2..9")))
    assert [str(size) for size in made.manifest.inputs[0].shape][2] == "4"
    assert "E0304" not in told


def two_sides(path: Path, rate: list[int]) -> Path:
    """Twice the input if the rate is 16000, else its negative; both are declared with wrong shapes."""
    sides = [
        helper.make_graph([helper.make_node("Add", ["x", "x"], ["t"])], "t", [], [typed("t", FLOAT, [9])]),
        helper.make_graph([helper.make_node("Neg", ["x"], ["e"])], "e", [], [typed("e", FLOAT, [9])]),
    ]
    nodes = [
        helper.make_node("Equal", ["sr", "k"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=sides[0], else_branch=sides[1]),
    ]
    interface = [typed("x", FLOAT, [2, 3]), typed("sr", INT64, rate)], [typed("y", FLOAT, [2, 3])]
    return saved(path, nodes, interface, {"k": np.array(16000)})


@pytest.mark.parametrize(("rate", "said"), [([], "sr=16000"), ([], "sr==16000:int64"), ([1], "sr=16000:int64")])
def test_a_value_takes_the_side_that_it_decides(rate: list[int], said: str, tmp_path: Path) -> None:
    path = two_sides(tmp_path / "net.onnx", rate)
    imported = import_source(SourceRequest(str(path), (InputSpec.parse(said),)))
    assert imported.examples["sr"].tolist() == np.full(rate, 16000).tolist()
    example = sample(imported).samples[0]
    assert np.array_equal(example.expected["y"], 2 * example.inputs["x"])
    built(path, inputs=(InputSpec.parse(said),))


@pytest.mark.parametrize("said", ["sr=16000:int32", "sr=0.5", "x=2x4", "x=2x3:float64", "x=3"])
def test_what_contradicts_the_file_is_refused(said: str, tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        import_source(SourceRequest(str(two_sides(tmp_path / "net.onnx", [])), (InputSpec.parse(said),)))
    (told,) = caught.value.diagnostics
    assert told.code == "E0107"
    assert told.help


def test_an_open_size_that_contradicts_its_range_is_refused(tmp_path: Path) -> None:
    interface = [typed("x", FLOAT, ["n", 4])], [typed("y", FLOAT, ["n", 4])]
    path = saved(tmp_path / "net.onnx", [helper.make_node("Relu", ["x"], ["y"])], interface)
    request = SourceRequest(str(path), (InputSpec.parse("x=9x4"),), dynamic=tuple(parse_dynamic("x:0=n:2..8")))
    with pytest.raises(EdgecError, match="`--dynamic` allows 2 to 8"):
        import_source(request)
