"""Open dimensions from the source to the canonical graph, checked at several sizes."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamic
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.ir.dims import dim_ranges
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests.models import randomized


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        features = self.net(x)
        return self.head(features.mean((2, 3))), nn.functional.interpolate(features, scale_factor=2.0)


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.query = nn.Linear(16, 16)

    def forward(self, ids):
        x = self.table(ids)
        batch, length, _ = x.shape
        q = self.query(x).view(batch, length, 2, 8).transpose(1, 2)
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        a = nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=mask)
        return self.layer(x + a.transpose(1, 2).reshape(batch, length, 16))


def prepared(module, inputs, *dynamic):
    from edgec.compiler.stages import prepare_imported

    dims = tuple(d for text in dynamic for d in parse_dynamic(text))
    request = ExportRequest("m", SourceId("module", "t", ""), randomized(module), inputs, dynamic=dims)
    return prepare_imported(export_module(request), BuildOptions(), lambda step: None)


@pytest.mark.parametrize(
    ("module", "inputs", "dynamic", "shape"),
    [
        (Image, (torch.randn(1, 3, 16, 16),), "x:0=batch,2..3=16..40", ["batch", 3, "x_2", "x_3"]),
        (Text, (torch.randint(0, 50, (1, 7)),), "ids:0=batch:1..4,1=length:2..20", ["batch", "length"]),
    ],
)
def test_sizes_are_open_and_right(module, inputs, dynamic, shape):
    result = prepared(module(), inputs, dynamic)
    (value,) = result.model.graph.inputs
    assert [d if isinstance(d, int) else d.value for d in value.shape] == shape
    assert set(dim_ranges(result.model)) == {d for d in shape if isinstance(d, str)}
    assert len({s.inputs[value.name].shape for s in result.samples}) >= 4
    with OnnxRuntimeRunner(result.model) as runner:
        for sample in result.samples:
            for name, found in runner.run(sample.inputs).items():
                assert found.shape == sample.expected[name].shape


def test_the_python_interface_opens_dimensions(tmp_path):
    import edgec

    module = randomized(Image())
    built = edgec.build(
        module,
        (torch.randn(1, 3, 16, 16),),
        "rtx",
        out=tmp_path,
        dynamic=["x:0=n:1..4"],
        settings=["accept.max_rel=1e-3"],
    )
    assert built.manifest.inputs[0].shape == ("n", 3, 16, 16)
    assert built.manifest.accuracy.samples >= 4
    assert not built.failures


def test_samples_that_the_source_refuses_are_told():
    class Picky(nn.Module):
        def forward(self, x):
            assert x[0, 0] == -1
            return x * 2

    result = prepared(Picky(), (torch.linspace(-1, 1, 16).reshape(2, 8),))
    assert [d.code for d in result.imported.warnings] == ["E0215", "E0211"]
    assert len(result.samples) == 1


def test_a_name_that_the_model_lacks():
    with pytest.raises(EdgecError) as caught:
        prepared(Image(), (torch.randn(1, 3, 16, 16),), "y:0=batch")
    assert caught.value.diagnostics[0].help == ("did you mean `x`?",)


def test_a_dimension_that_the_model_fixes():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(2, 8)

    with pytest.raises(EdgecError) as caught:
        prepared(Fixed(), (torch.randn(2, 8),), "x:0=n")
    assert caught.value.diagnostics[0].code == "E0202"


def onnx_file(path, *, external=False, shape=("n", 4)):
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.standard_normal((4, 600)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path, save_as_external_data=external, location="w.bin", size_threshold=0)
    return path


def run(path, **more):
    return prepare(SourceRequest(str(path), **more), BuildOptions(), lambda step: None)


def test_an_onnx_file_keeps_or_gets_open_dimensions(tmp_path):
    path = onnx_file(tmp_path / "m.onnx")
    with pytest.raises(EdgecError) as caught:
        run(path)
    assert "--dynamic x:DIM" in caught.value.diagnostics[0].help[0]
    for file in (path, onnx_file(tmp_path / "fixed.onnx", shape=(3, 4))):
        result = run(file, dynamic=tuple(parse_dynamic("x:0=rows:1..9")))
        assert str(result.model.graph.outputs[0].shape) == "[rows,600]"
        assert len({s.inputs["x"].shape for s in result.samples}) >= 3


def test_weights_beside_the_file_stay_there(tmp_path):
    path = onnx_file(tmp_path / "m.onnx", external=True, shape=(2, 4))
    result = run(path)
    assert [type(v.const_value) for v in result.imported.model.graph.initializers.values()] == [ir.ExternalTensor]


@pytest.mark.parametrize("damage", ["missing", "short", "outside", "offset"])
def test_weights_that_are_not_there(tmp_path, damage):
    path = onnx_file(tmp_path / "m.onnx", external=True, shape=(2, 4))
    file = tmp_path / "w.bin"
    if damage == "missing":
        file.unlink()
    elif damage == "short":
        file.write_bytes(file.read_bytes()[:100])
    else:
        model = onnx.load(path, load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            if damage == "outside" and entry.key == "location":
                entry.value = "../w.bin"
            if damage == "offset" and entry.key == "offset":
                entry.value = "9999999999999"
        onnx.save(model, path)
    with pytest.raises(EdgecError) as caught:
        run(path)
    assert caught.value.diagnostics[0].code in ("E0203", "E0207", "E0301")


class Flat(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.first = first

    def forward(self, x):
        return nn.functional.gelu(x.flatten(self.first)), x.flatten(0, self.first)


@pytest.mark.parametrize("dynamic", ["x:0=n:1..8", "x:2=w:2..8", "x:0=n:1..8,2=w:2..8", "x:0=n:1..8,1=c:2..8"])
@pytest.mark.parametrize("first", [1, 2])
def test_flattening_open_dimensions(first, dynamic):
    found = prepared(Flat(first), (torch.randn(3, 4, 5),), dynamic)
    assert "Flatten" not in {node.op_type for node in found.model.graph}


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("dynamic", ["x:0=n:1..8", "x:1=n:1..8", "x:0=n:1..8,1..2=2..8"])
def test_an_onnx_files_flatten_of_open_dimensions(axis, dynamic, tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"], axis=axis), helper.make_node("Relu", ["f"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    found = prepare(SourceRequest(str(path), dynamic=tuple(parse_dynamic(dynamic))), BuildOptions(), lambda step: None)
    assert found.samples
