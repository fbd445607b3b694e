"""User-defined operators in a user's file: the example of the how-to page, and errors."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import edgec
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.extension import onnx_function, torch_operator
from edgec.frontend.extensions import load_extension
from edgec.frontend.request import SourceRequest
from edgec.runners.litert import LiteRTRunner
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests import ROOT

PAGE = ROOT.parent / "docs" / "how-to" / "extensions.md"


def refused(caught: pytest.ExceptionInfo[EdgecError]) -> tuple[str, str, str]:
    first = caught.value.diagnostics[0]
    return first.code, " ".join(first.notes), " ".join(first.help)


def prepared(folder: Path, source: str, extension: str | None):
    known = {"extension": load_extension(folder / extension)} if extension else {}
    return prepare(SourceRequest(source, **known), BuildOptions(), lambda step: None)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files in a folder, and `gate.onnx`."""
    folder = tmp_path_factory.mktemp("page")
    for name, content in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        (folder / name).write_text(content)
    save(folder / "gate.onnx", [helper.make_node("Gate", ["x"], ["y"], domain="my.domain", beta=2.0, name="g")])
    return folder


def save(path: Path, nodes: list[onnx.NodeProto]) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4]) for name in "xy")
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 1)]
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(np.float32([3]), "w")])
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)


def test_the_page_builds(page: Path, tmp_path: Path) -> None:
    (page / "edgec.toml").write_text('source = "net.py:model"\nextension = "my_ops.py"\n')
    from typer.testing import CliRunner

    from edgec.cli.app import app

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(page)
        done = CliRunner().invoke(app, ["build", "--target", "android", "--out", str(tmp_path)])
        assert done.exit_code == 0, done.output
        artifact = str(next(tmp_path.rglob("*.tflite")))
        command = ["check", artifact, "--against", "net.py:model", "--extension", "my_ops.py"]
        assert CliRunner().invoke(app, command).exit_code == 0


def test_without_it_both_are_refused_with_the_way_out(page: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        prepared(page, f"{page}/net.py:model", None)
    code, notes, way_out = refused(caught)
    assert (code, "own-operator" in notes, "--extension" in way_out) == ("E0202", True, True)
    assert caught.value.diagnostics[0].place.file == str(page / "net.py")
    with pytest.raises(EdgecError) as caught:
        prepared(page, str(page / "gate.onnx"), None)
    code, _, way_out = refused(caught)
    assert (code, "--extension" in way_out) == ("E0302", True)


def test_onnx_operators_and_functions(page: Path, tmp_path: Path) -> None:
    found = prepared(page, str(page / "gate.onnx"), "file_ops.py")
    x = found.samples[0].inputs["x"]
    with OnnxRuntimeRunner(found.model) as runner:
        np.testing.assert_allclose(runner.run({"x": x})["y"], x / (1 + np.exp(-2 * x)), rtol=1e-5)
    inner = helper.make_graph([helper.make_node("Twice", ["x"], ["o"], domain="my.domain")], "t", [],
                              [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])  # fmt: skip
    other = helper.make_graph([helper.make_node("Parts", ["x"], ["p", "q"], domain="my.domain", sizes=[1, 3]),
                               helper.make_node("Concat", ["q", "p"], ["o"], axis=1)], "e", [],
                              [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])  # fmt: skip
    total = [helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0), helper.make_node("Greater", ["s", "w"], ["c1"])]
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other)
    save(tmp_path / "if.onnx", [*total, helper.make_node("Squeeze", ["c1"], ["c"]), branch])
    (tmp_path / "ops.py").write_text(
        "import numpy as np\nfrom onnx import helper\n"
        "from edgec.extension import onnx_function, onnx_operator\n"
        "@onnx_operator('my.domain', 'Parts')\n"
        "def parts(op, x, *, sizes): return op.Split(x, np.array(sizes), axis=1, outputs=2)\n"
        "TWICE = onnx_function(helper.make_function('my.domain', 'Twice', ['x'], ['y'],\n"
        "    [helper.make_node('Add', ['x', 'x'], ['y'])], [helper.make_opsetid('', 17)]))\n"
    )
    found = prepared(tmp_path, str(tmp_path / "if.onnx"), "ops.py")
    with OnnxRuntimeRunner(found.model) as runner:
        high, low = np.full((2, 4), 2, np.float32), np.arange(8, dtype=np.float32).reshape(2, 4) - 8
        np.testing.assert_array_equal(runner.run({"x": high})["y"], high * 2)
        np.testing.assert_array_equal(runner.run({"x": low})["y"], np.roll(low, -1, 1))


@torch.library.custom_op("edgec_tests::scaled", mutates_args=("x",))
def scaled_(x: Tensor, factors: list[Tensor], by: float) -> Tensor:
    x.mul_(by)
    return (x * factors[0]).argmax(-1)


@scaled_.register_fake
def _(x: Tensor, factors: list[Tensor], by: float) -> Tensor:
    return x.new_empty(x.shape[:-1], dtype=torch.int64)


class Scaled(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x + 1
        places = scaled_(y, [x, y], 3.0) if x.shape[0] == 2 else scaled_(y, [x], 1.0)
        return places, y


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("K = torch.ones(4) * 3\n{0}    x.copy_(x * K * by / 3)\n    return torch.max(x * factors[0], -1)[1]\n", "", 0),
        ("{0}    return x.argmax(-1)\n", "E0205", 0),
        ("{0}    return x.foo()\n", "E0201", 5),
        ("{0}    return x[:1].argmax(-1) if x.sum() > 0 else 0\n", "E0201", 5),
        ("{0}    return torch.ops.edgec_tests.scaled(x, factors, by)\n", "E0202", 0),
        ("x = 1\n", "E0103", 0),
        ("@torch_operator('scaled')\ndef f(): ...\n", "E0103", 0),
        ("raise ValueError\n", "E0201", 3),
    ],
)
def test_what_the_file_says_is_checked(body: str, code: str, line: int, tmp_path: Path) -> None:
    head = "@torch_operator('edgec_tests::scaled')\ndef scaled(x, factors, by):\n"
    path = tmp_path / "ops.py"
    path.write_text("import torch\nfrom edgec.extension import torch_operator\n" + body.format(head))
    if not code:
        assert not edgec.build(Scaled(), (torch.randn(2, 4),), target="rtx", out=tmp_path, extension=path).failures
        return
    with pytest.raises(EdgecError) as caught:
        edgec.build(Scaled(), (torch.randn(2, 4),), target="rtx", out=tmp_path, extension=path)
    (found,) = caught.value.diagnostics
    assert found.code == code
    if line:
        assert found.place is not None
        assert (found.place.file, found.place.line) == (str(path), line)


@torch.library.custom_op("edgec_tests::parts", mutates_args=())
def parts(x: Tensor, w: Tensor, k: int, mode: str = "a") -> tuple[Tensor, Tensor]:
    return x[:, :k] * w, (x > 0)[:, k:].to(torch.int64)


@parts.register_fake
def _(x: Tensor, w: Tensor, k: int, mode: str = "a") -> tuple[Tensor, Tensor]:
    rest = x.new_empty((x.shape[0], x.shape[1] - k, *x.shape[2:]), dtype=torch.int64)
    return x.new_empty((x.shape[0], k, *x.shape[2:])), rest


class Parted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.w = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 4, 3), nn.Parameter(torch.ones(1, 1, 1) * 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        p, q = torch.ops.edgec_tests.parts(torch.relu(self.first(x)), self.w, 3)
        r, t = torch.ops.edgec_tests.parts(self.second(p), self.w * 2, 1, "z")
        return r.mean((2, 3)), q.float().sum((1, 2, 3)) + t.sum()


PARTS = """
import torch
from edgec.extension import TFLiteKernel, torch_operator
@torch_operator("edgec_tests::parts", tflite=TFLiteKernel("Parts", lambda x, w, k, mode="a": {"k": k, "mode": mode}))
def parts(x, w, k, mode="a"):
    return x[:, :k] * w, torch.where(x[:, k:] > 0, 1, 0)
@torch_operator("edgec_tests::scaled", tflite=TFLiteKernel("Scaled", b"s"))
def scaled(x, factors, by):
    x.copy_(x * by)
    return torch.max(x * factors[0], -1)[1]
"""


def test_a_tflite_kernel_is_called_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(PARTS)
    example = (torch.randn(2, 3, 8, 8),)
    android, rtx = (
        edgec.build(Parted().eval(), example, target=t, out=tmp_path, extension=tmp_path / "ops.py", name="m")
        for t in ("android", "rtx")
    )
    assert not android.failures
    assert [d.code for d in android.told if d.code == "E0612"] == ["E0612"]
    assert not any(d.code == "E0612" for d in rtx.told)
    path = android.folder / android.manifest.artifact.path
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    codes = [code.customCode for code in model.operatorCodes]
    options = [
        flexbuffers.Loads(bytes(op.customOptions))
        for op in model.subgraphs[0].operators
        if codes[op.opcodeIndex] == b"Parts"
    ]
    assert options == [{"k": 3, "mode": "a"}, {"k": 1, "mode": "z"}]
    with pytest.raises(EdgecError) as caught:
        LiteRTRunner(path)
    assert caught.value.diagnostics[0].code == "E0603"
    assert "`Parts`" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("module", "shape", "more", "label"),
    [
        (Scaled, (2, 4), {}, "kernel-in-place"),
        (Parted, (2, 3, 8, 8), {"dynamic": ["x:0=b:1..4"]}, "kernel-open-size"),
        (Parted, (2, 3, 8, 8), {"settings": ["options.io_layout=nhwc"]}, "kernel-interface"),
    ],
)
def test_what_a_kernel_cannot_is_refused(
    module: type[nn.Module], shape: tuple[int, ...], more: dict[str, list[str]], label: str, tmp_path: Path
) -> None:
    (tmp_path / "ops.py").write_text(PARTS)
    with pytest.raises(EdgecError) as caught:
        edgec.build(
            module().eval(), (torch.randn(shape),), target="android", out=tmp_path,
            extension=tmp_path / "ops.py", **more
        )  # fmt: skip
    assert f"rejected by `{label}`" in caught.value.diagnostics[0].notes


def test_what_the_decorators_give_can_be_called_and_taken_from_onnxscript() -> None:
    @torch_operator("mine::twice")
    def twice(x: int) -> int:
        return x * 2

    assert twice(4) == 8
    proto = helper.make_function("my", "F", [], [], [], [])
    assert onnx_function(proto).proto is proto
