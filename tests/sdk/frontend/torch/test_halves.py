"""Models in half precision: imported in float32, with a note."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

import edgec
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare, prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from tests.sdk.ordinary import Functions, differences


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Linear(144, 5)).eval()


class Inside(nn.Module):
    """Half precision inside, single outside; with a table that is neither parameter nor buffer."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.dtype = net().to(dtype), dtype
        self.table = torch.linspace(-1, 1, 25).reshape(5, 5).to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.net(x.to(self.dtype)) @ self.table
        z = torch.zeros(1, 5, dtype=self.dtype)
        z[:] = y
        if z.sum() > 0:
            return torch.cat([z, y.half()]).float()
        return torch.cat([y.type(torch.float32), z.float() * 2])


class Cast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.net(x)


X = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
MODELS = {
    "half": (lambda: net().half(), X.half()),
    "bfloat16": (lambda: net().bfloat16(), X.bfloat16()),
    "half-inside": (lambda: Inside(torch.float16), X),
    "bfloat16-inside": (lambda: Inside(torch.bfloat16), X),
    "autocast": (Cast, X),
}


@pytest.mark.parametrize("name", MODELS)
def test_modules(name: str) -> None:
    make, x = MODELS[name]
    module = make()
    request = ExportRequest("model", SourceId("module", "test", ""), module, (x,))
    found = prepare_imported(export_module(request), BuildOptions(), lambda step: None).imported
    assert "E0216" in {d.code for d in found.warnings}
    kept = ir.DataType.FLOAT16 if x.dtype == torch.float16 else ir.DataType.FLOAT
    assert [v.dtype for v in found.model.graph.inputs] == [kept]
    assert [v.dtype for v in found.model.graph.outputs] == [ir.DataType.FLOAT]


def test_the_modules_of_the_python_interface_stay_as_they_are(tmp_path: Path) -> None:
    module = Inside(torch.bfloat16)
    before = {k: v.dtype for k, v in module.state_dict().items()}
    assert edgec.build(module, (X,), target="android", out=tmp_path).failures == ()
    assert {k: v.dtype for k, v in module.state_dict().items()} == before
    assert module.table.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_torch_files(dtype: torch.dtype, tmp_path: Path) -> None:
    module = net().to(dtype)
    torch.jit.trace(module, X.to(dtype)).save(str(tmp_path / "net.pt"))
    torch.export.save(torch.export.export(module, (X.to(dtype),)), tmp_path / "net.pt2")
    inputs = (InputSpec("input", (1, 3, 8, 8), "float32"),)
    for request in (SourceRequest(str(tmp_path / "net.pt"), inputs), SourceRequest(str(tmp_path / "net.pt2"))):
        assert "E0216" in {d.code for d in prepare(request, BuildOptions(), lambda s: None).imported.warnings}


def test_what_half_precision_means_is_single(tmp_path: Path) -> None:
    """The reference is the model in float32, with its rounded weights."""
    module = net().half()
    request = ExportRequest("model", SourceId("module", "test", ""), module, (X.half(),))
    found = export_module(request)
    name = found.model.graph.inputs[0].name
    expected = net().half().float()(X.half().float()).detach().numpy()
    (given,) = found.reference.run({name: X.half().numpy()}).values()
    np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-6)


def test_a_module_in_single_precision_is_not_told() -> None:
    request = ExportRequest("model", SourceId("module", "test", ""), net(), (X,))
    assert export_module(request).warnings == ()


def onnx_file(kind: int, path: Path) -> Path:
    """Half precision inside and outside, also in a subgraph."""
    rng = np.random.default_rng(2)
    weight = ir.tensor(rng.standard_normal((4, 3)).astype(np.float32)).numpy()
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    sides = [
        onnx.helper.make_graph(
            [onnx.helper.make_node(op, ["m"], [op])], op, [], [onnx.helper.make_tensor_value_info(op, kind, (2, 3))]
        )
        for op in ("Relu", "Neg")
    ]
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["m"]),
        onnx.helper.make_node("ReduceSum", ["m"], ["s"], keepdims=0),
        onnx.helper.make_node("Greater", ["s", "zero"], ["c"]),
        onnx.helper.make_node("If", ["c"], ["i"], then_branch=sides[0], else_branch=sides[1]),
        onnx.helper.make_node("Cast", ["ones"], ["o"], to=kind),
        onnx.helper.make_node("Add", ["i", "o"], ["y"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", kind, (2, 4))],
        [onnx.helper.make_tensor_value_info("y", kind, (2, 3))],
        [
            onnx.numpy_helper.from_array(weight.astype(dtype), "w"),
            onnx.numpy_helper.from_array(np.zeros((), dtype), "zero"),
            onnx.numpy_helper.from_array(np.ones(3, np.float32), "ones"),
        ],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16])
def test_onnx_files(kind: int, tmp_path: Path) -> None:
    path = onnx_file(kind, tmp_path / "half.onnx")
    prepared = prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)
    assert [d.code for d in prepared.imported.warnings] == ["E0216"]
    kept = ir.DataType.FLOAT16 if kind == onnx.TensorProto.FLOAT16 else ir.DataType.FLOAT
    assert [v.dtype for v in prepared.model.graph.inputs] == [kept]
    assert [v.dtype for v in prepared.model.graph.outputs] == [ir.DataType.FLOAT]
    weight = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0]).astype(np.float32)
    for sample in prepared.samples:
        product = sample.inputs["x"].astype(np.float32) @ weight
        expected = (np.maximum(product, 0) if product.sum() > 0 else -product) + 1
        np.testing.assert_allclose(sample.expected["y"], expected, rtol=1e-5, atol=1e-5)
    report = build(SourceRequest(str(path)), ["android", "iphone"], BuildOptions(out=tmp_path), lambda step: None)
    assert report.errors == []
    assert all(b.failures == () for b in report.built)


ROUNDS: Functions = {
    "half": lambda x: x.half().float(),
    "what-is-lost": lambda x: (x - x.to(torch.float16).to(torch.float32)) * 1000,
    "by-text": lambda x: x.type("torch.HalfTensor").type_as(x),
    "inside": lambda x: torch.sigmoid(x).half().float() * 3,
    "constant": lambda x: x.clamp(-9, 9) + torch.full((6,), 0.1, dtype=torch.half).float(),
    "bfloat16": lambda x: x.bfloat16().float(),
    "bfloat16-what-is-lost": lambda x: (x - x.to(dtype=torch.bfloat16)) * 100,
}


@pytest.mark.parametrize("target", ["android", "rtx", "iphone"])
def test_casts_of_a_model_in_single_round(target: str, tmp_path: Path) -> None:
    functions = {n: f for n, f in ROUNDS.items() if target != "iphone" or not n.startswith("bfloat16")}
    ties = torch.tensor([[2049.0, 2051, 1 + 2**-11, 257, 259, 1 + 2**-8], [0.1, 1e-3, 3e-6, -1e-9, 65504, 7e4]])
    assert differences(functions, (torch.randn(2, 6),), [(ties,), (-ties,)], target, tmp_path) == []


class Rounded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.half().float()


def test_casts_are_told() -> None:
    found = export_module(ExportRequest("model", SourceId("module", "test", ""), Rounded(), (X,)))
    assert [d.code for d in found.warnings] == ["E0216"]
    assert "the casts round" in found.warnings[0].message


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16])
def test_casts_of_an_onnx_file_in_single_round(kind: int, tmp_path: Path) -> None:
    make = onnx.helper.make_tensor_value_info
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["h"], to=kind),
        onnx.helper.make_node("Cast", ["h"], ["w"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Sub", ["x", "w"], ["y"]),
    ]
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(nodes, "g", [make("x", float32, (2, 50))], [make("y", float32, (2, 50))])
    path = tmp_path / "casts.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)
    prepared = prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)
    half = torch.float16 if kind == onnx.TensorProto.FLOAT16 else torch.bfloat16
    for sample in prepared.samples:
        x = torch.from_numpy(sample.inputs["x"])
        np.testing.assert_array_equal(sample.expected["y"], (x - x.to(half).float()).numpy())
    report = build(SourceRequest(str(path)), ["android", "rtx"], BuildOptions(out=tmp_path), lambda step: None)
    assert [(b.failures, b.manifest.accuracy.max_abs) for b in report.built] == [((), 0.0), ((), 0.0)]


def test_core_ml_refuses_bfloat16_with_its_line(tmp_path: Path) -> None:
    class Coarse(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.bfloat16().float()

    with pytest.raises(EdgecError) as raised:
        edgec.build(Coarse(), (X,), target="iphone", out=tmp_path)
    found = raised.value.diagnostics[0]
    assert found.code == "E0412"
    assert any("rejected by `type-bfloat16`" in note for note in found.notes)
    assert found.help == ("cast to float16, or omit the cast",)
    assert "test_halves.py" in str(found.place)
