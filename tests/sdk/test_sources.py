"""Every way in: weights beside code, exported programs, TorchScript, structured inputs; and what is refused."""

import argparse
import dataclasses
import json
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file
from torch import nn
from torch.utils import _pytree as pytree

import edgec
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare, prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec, match_specs
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.frontend.torch.weights import load_weights

CODE = """
import torch
from torch import nn
from torch.utils import _pytree as pytree

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.net(x)

def model():
    return Net(), (torch.randn(1, 3, 8, 8),)
"""


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.net(x)


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, n: int = 2):
        rows = []
        for _ in range(n):
            x = self.layer(x)
            rows.append(x * 2 if bool(x.sum() > 0) else x - 1)
        while bool(x.norm() > 0.1):
            x = x * 0.5
        return torch.cat(rows, 1), x


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    return path


def run(ref, **more):
    """The canonical model of a source, checked against it by `prepare`."""
    return prepare(SourceRequest(str(ref), **more), BuildOptions(), lambda step: None)


def refusal(ref, **more):
    with pytest.raises(EdgecError) as caught:
        run(ref, **more)
    return caught.value.diagnostics[0]


@pytest.mark.parametrize("form", ["safetensors", "checkpoint", "wrapped"])
def test_weights_beside_code(code, form, tmp_path):
    state = Net().state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pt")
    if form == "safetensors":
        save_file(state, path)
    elif form == "checkpoint":
        torch.save(state, path)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    prepared = run(f"{code}:model", weights=path)
    weight = prepared.imported.model.graph.initializers
    found = [v.const_value.numpy() for v in weight.values() if v.shape == (2, 4, 1, 1)]
    assert torch.equal(torch.from_numpy(found[0]), state["net.3.weight"])


def wrapped(form, state):
    """The same tensors as training scripts leave them."""
    match form:
        case "deeper":
            return {"model": {"state_dict": state}, "step": np.float64(3)}
        case "another name":
            return {"params_ema": state, "options": argparse.Namespace(lr=0.1)}
        case "two prefixes":
            return {f"model.module.{k}": v for k, v in state.items()}
        case _:
            return {k.removeprefix("net."): v for k, v in state.items()}


@pytest.mark.parametrize("form", ["deeper", "another name", "two prefixes", "the inner module's"])
def test_weights_as_training_scripts_leave_them(code, form, tmp_path):
    state = Net().state_dict()
    torch.save(wrapped(form, state), tmp_path / "w.ckpt")
    prepared = run(f"{code}:model", weights=tmp_path / "w.ckpt")
    found = [
        v.const_value.numpy() for v in prepared.imported.model.graph.initializers.values() if v.shape == (2, 4, 1, 1)
    ]
    assert torch.equal(torch.from_numpy(found[0]), state["net.3.weight"])


def test_weights_in_several_files(code, tmp_path):
    state = Net().state_dict()
    files = {name: f"{i % 2}.safetensors" for i, name in enumerate(state)}
    for file in set(files.values()):
        save_file({name: state[name] for name in state if files[name] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": files}))
    prepared = run(f"{code}:model", weights=index)
    found = [
        v.const_value.numpy() for v in prepared.imported.model.graph.initializers.values() if v.shape == (2, 4, 1, 1)
    ]
    assert torch.equal(torch.from_numpy(found[0]), state["net.3.weight"])
    index.write_text(json.dumps({"weight_map": {**files, "net.0.bias": "../elsewhere.safetensors"}}))
    assert refusal(f"{code}:model", weights=index).code == "E0207"
    index.write_text("{")
    assert refusal(f"{code}:model", weights=index).code == "E0203"


def test_quantized_weights_are_no_floats(code, tmp_path):
    state = {k: v.to(torch.int8) for k, v in Net().state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    told = refusal(f"{code}:model", weights=tmp_path / "w.safetensors")
    assert told.code == "E0110"
    assert "int8 in the file and float32 in the model" in told.notes[0]


def test_tied_weights_are_in_the_file_once():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    state = {k: v.clone() + 1 for k, v in net.state_dict().items() if k != "1.weight"}
    with tempfile.TemporaryDirectory() as folder:
        save_file(state, Path(folder) / "w.safetensors")
        load_weights(net, Path(folder) / "w.safetensors")
    assert torch.equal(net[1].weight, state["0.weight"])


FORMS = """
import torch
from code import Net

class Sized(Net):
    def __init__(self, size):
        super().__init__()

scripted = torch.jit.script(Net().eval())

def traced():
    return torch.jit.trace(Net().eval(), torch.randn(1, 3, 8, 8)), {"x": torch.randn(1, 3, 8, 8)}

def program():
    return torch.export.export(Net().eval(), (torch.randn(1, 3, 8, 8),))
"""


def test_what_code_may_name(tmp_path):
    (tmp_path / "parts.py").write_text(CODE)
    (tmp_path / "forms.py").write_text(FORMS.replace("from code", "from parts"))
    specs = (InputSpec("x", (1, 3, 8, 8), "float32"),)
    assert run(f"{tmp_path}/forms.py:scripted", inputs=specs).samples
    assert run(f"{tmp_path}/forms.py:traced").samples
    assert [v.name for v in run(f"{tmp_path}/forms.py:program").model.graph.inputs] == ["x"]
    told = refusal(f"{tmp_path}/forms.py:Sized", inputs=specs)
    assert (told.code, told.message) == ("E0103", f"`{tmp_path}/forms.py:Sized` needs arguments: size")
    assert refusal(f"{tmp_path}/forms.py:").code == "E0103"


def test_a_file_of_a_package_imports_its_neighbours(tmp_path):
    folder = tmp_path / "some_package" / "nets"
    folder.mkdir(parents=True)
    for part in (folder, folder.parent):
        (part / "__init__.py").write_text("")
    (folder.parent / "parts.py").write_text(CODE)
    (folder / "whole.py").write_text("from ..parts import Net, model\n")
    assert run(f"{folder}/whole.py:model").samples


def test_weights_that_do_not_fit(code, tmp_path):
    state = Net().state_dict()
    state["net.3.bias2"] = state.pop("net.3.bias")
    state["net.0.bias"] = torch.zeros(5)
    save_file(state, tmp_path / "w.safetensors")
    told = refusal(f"{code}:model", weights=tmp_path / "w.safetensors")
    assert told.code == "E0110"
    assert "[5] in the file and [4] in the model" in told.notes[0]
    assert "net.3.bias" in told.help[0]


class Exploit:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


@pytest.mark.parametrize("suffix", [".pt", ".pkl", ".joblib"])
def test_pickles_are_not_executed(suffix, tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"model{suffix}"
    if suffix == ".pt":
        torch.save(Exploit(), path)
        assert refusal(f"{code}:model", weights=path).code == "E0204"
    else:
        path.write_bytes(pickle.dumps(Exploit()))
    assert refusal(path).code == "E0204"
    assert not (tmp_path / "executed").exists()


def test_an_exported_program(tmp_path):
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(Net().eval(), (torch.randn(1, 3, 8, 8),)), path)
    prepared = run(path)
    assert [v.name for v in prepared.model.graph.inputs] == ["x"]
    assert prepared.imported.source.kind == "pt2"


def rewritten(source, target, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(json.loads(data)) if name.endswith("models/model.json") else data)


def test_an_exported_program_cannot_evaluate_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dynamic = {"x": {0: torch.export.Dim("n", min=2, max=8)}}
    torch.export.save(torch.export.export(Net().eval(), (torch.randn(3, 3, 8, 8),), dynamic_shapes=dynamic), "a.pt2")

    def change(document):
        text = json.dumps(document)
        assert '"expr_str": "Symbol' in text
        return text.replace('"expr_str": "Symbol', '"expr_str": "open(chr(120), chr(119)) + Symbol', 1)

    rewritten("a.pt2", "b.pt2", change)
    assert run(tmp_path / "a.pt2").samples
    assert refusal(tmp_path / "b.pt2").code == "E0204"
    assert not (tmp_path / "x").exists()


def test_scripted_modules_keep_their_decisions(tmp_path):
    path = tmp_path / "deciding.pt"
    torch.jit.script(Deciding().eval()).save(str(path))
    prepared = run(path, inputs=(InputSpec("x", (2, 4), "float32"),))
    notes = [d.code for d in prepared.imported.warnings]
    assert notes.count("E0208") >= 2
    assert "E0210" not in notes
    assert {s for b in prepared.imported.branches for s in b.sides} == {True, False}


def test_traced_modules_are_told_to_be_unproven(tmp_path):
    path = tmp_path / "net.pt"
    torch.jit.trace(Net().eval(), torch.randn(1, 3, 8, 8)).save(str(path))
    prepared = run(path, inputs=(InputSpec("x", (1, 3, 8, 8), "float32"),))
    assert [d.code for d in prepared.imported.warnings] == ["E0210"]
    assert refusal(path).code == "E0107"


def test_a_state_dict_alone_is_no_model(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    told = refusal(tmp_path / "net.pt")
    assert told.code == "E0103"
    assert "--weights net.pt" in told.help[0]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"\x80\x02.", b"text"])
@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".onnx"])
def test_broken_files_are_refused(content, suffix, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    assert refusal(path, inputs=(InputSpec("x", (1,), "float32"),)).code in ("E0203", "E0204", "E0301")


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


class Structured(nn.Module):
    def forward(self, pair, table, rest):
        total = pair.left + pair.right + table["a"] * table["b"]["c"]
        return {"sum": total, "parts": Pair(total * 2, rest[1] - 1), "all": [total, rest[0]]}


def test_structures_in_and_out_keep_their_names():
    def draw():
        return torch.randn(2, 3)

    inputs = (Pair(draw(), draw()), {"a": draw(), "b": {"c": draw()}}, [draw(), (draw())])
    request = ExportRequest("m", SourceId("module", "t", ""), Structured(), inputs)
    model = export_module(request).model
    assert [v.name for v in model.graph.inputs] == [
        "pair_left", "pair_right", "table_a", "table_b_c", "rest_0", "rest_1",
    ]  # fmt: skip
    assert [v.name for v in model.graph.outputs] == ["sum", "parts_left", "parts_right", "all_0", "all_1"]


def test_a_transformer_with_a_mask_asks_no_data():
    """torch compares the mask with a causal one, which is a decision on data; applied as it is, it needs none."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)

        def forward(self, source, target):
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            return self.net(source, target, tgt_mask=mask)

    inputs = (torch.randn(1, 5, 8), torch.randn(1, 4, 8))
    request = ExportRequest("net", SourceId("module", "net", ""), Net().eval(), inputs)
    prepare_imported(export_module(request), BuildOptions(), lambda step: None)


def test_a_transformer_encoder_with_both_masks(tmp_path: Path) -> None:
    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
            self.layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

        def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
            mask = torch.nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.layers(x, mask=mask, src_key_padding_mask=padding)

    padding = torch.tensor([[False] * 5, [False, False, True, True, True]])
    built = edgec.build(Encoder().eval(), (torch.randn(2, 5, 16), padding), target="android", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures


def test_an_emitted_graph_holds_the_weights_that_lay_beside_its_source(tmp_path: Path) -> None:
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", 1, [2, 4])],
            [helper.make_tensor_value_info("y", 1, [2, 3])],
            [numpy_helper.from_array(weight, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    options = BuildOptions(out=tmp_path / "out", emit=("onnx",))
    report = build(SourceRequest(str(path)), ["android", "rtx"], options, lambda step: None)
    assert not report.errors
    shutil.rmtree(tmp_path / "source")
    for target in ("android", "rtx"):
        session = onnxruntime.InferenceSession(tmp_path / "out" / "net" / target / "net.onnx")
        x = np.ones((2, 4), dtype=np.float32)
        np.testing.assert_allclose(session.run(None, {"x": x})[0], x @ weight)


def test_a_program_whose_output_class_is_not_at_hand(tmp_path):
    """As transformers' outputs are: the file names a class that this process has not imported."""

    class Result(dict):
        pass

    pytree.register_pytree_node(
        Result,
        lambda r: (list(r.values()), list(r)),
        lambda values, keys: Result(zip(keys, values, strict=True)),
        serialized_type_name="elsewhere.Result",
    )

    class Model(torch.nn.Module):
        def forward(self, x):
            return Result(hidden=x * 2, pooled=x.mean(0))

    path = tmp_path / "model.pt2"
    try:
        torch.export.save(torch.export.export(Model(), (torch.randn(3, 4),)), path)
    finally:
        pytree._deregister_pytree_node(Result)
    found = prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)
    assert [v.name for v in found.model.graph.outputs] == ["hidden", "pooled"]
    assert "elsewhere.Result" not in pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE


class Parts(nn.Module):
    def forward(self, table: dict[str, torch.Tensor], rows: list[torch.Tensor]):
        same = table["a"].dtype == torch.float32
        return table["a"] * table["b"] + (rows[0] if same else rows[1])


def test_structures_of_a_torchscript_file_are_named_by_their_parts(tmp_path):
    path = tmp_path / "parts.pt"
    torch.jit.script(Parts()).save(str(path))
    specs = tuple(InputSpec(name, (3,), "float32") for name in ("table_a", "table_b", "rows_0", "rows_1"))
    assert [v.name for v in run(path, inputs=specs).model.graph.inputs] == [s.name for s in specs]
    assert "table_KEY" in refusal(path).help[0]


class Repeated(nn.Module):
    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        return x * times


def test_a_number_that_a_torchscript_file_wants_is_refused(tmp_path):
    torch.jit.script(Repeated()).save(str(tmp_path / "m.pt"))
    told = refusal(tmp_path / "m.pt", inputs=(InputSpec("x", (2,), "float32"),))
    assert (told.code, "times" in told.message) == ("E0107", True)


@pytest.mark.parametrize("first", [False, True])
def test_a_scripted_transformer(first, tmp_path):
    """Scripted, it calls one fused kernel a layer."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=first, activation="gelu")
            self.net = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
            self.mix = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x, padding):
            x = self.net(x, src_key_padding_mask=padding)
            return self.mix(x, x, x)

    torch.jit.script(Net().eval()).save(str(tmp_path / "m.pt"))
    specs = (InputSpec("x", (2, 12, 8), "float32"), InputSpec("padding", (2, 12), "bool"))
    assert len(run(tmp_path / "m.pt", inputs=specs).model.graph.outputs) == 2


def test_a_torchscript_file_that_torch_quantized(tmp_path):
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), {nn.Linear})
    torch.jit.script(net).save(str(tmp_path / "m.pt"))
    told = refusal(tmp_path / "m.pt", inputs=(InputSpec("input", (2, 4), "float32"),))
    assert "rejected by `torchscript-quantized`" in told.notes


def test_an_archive_cut_short_is_no_pickle(tmp_path):
    torch.jit.script(Repeated()).save(str(tmp_path / "m.pt"))
    content = (tmp_path / "m.pt").read_bytes()
    (tmp_path / "m.pt").write_bytes(content[: len(content) // 2])
    assert refusal(tmp_path / "m.pt").code == "E0203"


def test_samples_in_the_place_of_a_models_own(tmp_path):
    size = torch.export.Dim("n", min=2, max=8)
    program = torch.export.export(Net().eval(), (torch.randn(3, 3, 8, 8),), dynamic_shapes={"x": {0: size}})
    torch.export.save(program, tmp_path / "m.pt2")
    prepared = run(tmp_path / "m.pt2", inputs=(InputSpec("x", (5, 3, 8, 8), "float32"),))
    assert prepared.samples[0].inputs["x"].shape == (5, 3, 8, 8)


def beside(path, location):
    """An ONNX file whose one weight lies at `location`."""
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 4])],
        [helper.make_tensor_value_info("y", 1, [2, 3])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "a\0b", "a" * 5000, "folder/w.bin", "link.bin"])
def test_weights_outside_the_folder_are_refused(location, tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "model"
    outside.mkdir()
    folder.mkdir()
    (outside / "w.bin").write_bytes(np.ones(12, np.float32).tobytes())
    (folder / "folder").symlink_to(outside)
    (folder / "link.bin").symlink_to(outside / "w.bin")
    beside(folder / "m.onnx", location)
    assert refusal(folder / "m.onnx").code == "E0207"


def test_a_link_to_a_model_finds_the_weights_beside_the_model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").write_bytes(np.ones(12, np.float32).tobytes())
    beside(tmp_path / "model" / "m.onnx", "w.bin")
    (tmp_path / "link.ONNX").symlink_to(tmp_path / "model" / "m.onnx")
    assert run(tmp_path / "link.ONNX").samples


@pytest.mark.parametrize(
    ("name", "way"),
    [("a.h5", "tf2onnx"), ("a.safetensors", "--weights"), ("a.py", "file.py:attr"), ("a.tflite", "built")],
)
def test_files_that_are_no_source_have_a_way_in(name, way, tmp_path):
    (tmp_path / name).write_text("text")
    told = refusal(tmp_path / name)
    assert (told.code, way in told.help[0]) == ("E0103", True)


class Twice(nn.Module):
    def forward(self, x, y):
        return x * 2 + y


def test_one_tensor_for_two_inputs_is_two_inputs():
    example = torch.randn(3)
    request = ExportRequest("m", SourceId("module", "m", ""), Twice(), (example, example))
    model = prepare_imported(export_module(request), BuildOptions(), lambda step: None).model
    assert [bool(list(v.uses())) for v in model.graph.inputs] == [True, True]


def built(code, **more):
    with pytest.raises(EdgecError) as caught:
        build(SourceRequest(f"{code}:model"), ["android"], BuildOptions(**more), lambda step: None)
    return caught.value.diagnostics[0]


def test_names_that_nothing_has_are_refused(code, tmp_path):
    told = built(code, disable=("fold-batch-nrm",))
    assert (told.code, told.help) == ("E0109", ("did you mean `fold-batch-norm`?",))
    assert built(code, enable=("nothing",)).code == "E0109"
    assert built(code, emit=("text",)).code == "E0101"
    own = BuildOptions(out=tmp_path, disable=("clamped-mish",))  # a rule of this backend's
    assert build(SourceRequest(f"{code}:model"), ["android"], own, lambda step: None).built


def test_inputs_that_are_slips():
    with pytest.raises(EdgecError, match="too large"):
        InputSpec.parse("x=99999999999x4")
    with pytest.raises(EdgecError, match="given twice"):
        match_specs(["x"], [InputSpec.parse("x=2"), InputSpec.parse("x=3")])


@pytest.mark.parametrize("equation", ["....", "i..j,jk", "ij,jk-", "\tij,jk", "b^k,kj"])
def test_what_is_no_equation_is_refused(equation, tmp_path):
    """onnx's shape inference would not end on these."""
    graph = helper.make_graph(
        [helper.make_node("Einsum", ["x", "x"], ["y"], equation=equation)],
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 2])],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    )
    assert refusal(path).code == "E0301"


@pytest.mark.parametrize("damage", [b"broken", b"\x80\x02u.", b"\x80\x02}(K\x01u."])
def test_checkpoints_that_end_early_are_refused(damage, code, tmp_path):
    (tmp_path / "w.ckpt").write_bytes(damage)
    assert refusal(f"{code}:model", weights=tmp_path / "w.ckpt").code in ("E0203", "E0204")


def test_an_einsum_of_two_element_types_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Einsum", ["x", "w"], ["y"], equation="bij,jk->bik")],
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 2, 3])],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(np.ones((3, 4), np.int32), "w")],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    )
    assert refusal(path).code.startswith(("E02", "E03"))


@pytest.mark.parametrize("left", [b"", bytes(4)])
def test_a_torchscript_tensor_beyond_its_bytes_is_refused(left, tmp_path):
    torch.jit.script(nn.Linear(4, 3).eval()).save(str(tmp_path / "a.pt"))
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, left if name.endswith("/data/1") else old.read(name))
    told = refusal(tmp_path / "b.pt", inputs=(InputSpec("input", (2, 4), "float32"),))
    assert told.code == "E0203"
