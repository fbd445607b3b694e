"""Files as sources: exported programs, TorchScript, and files that are not models."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec
from tests.sdk.frontend.torch.small_source import CODE, Net, refusal, run


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


class Exploit:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def rewritten(source, target, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(json.loads(data)) if name.endswith("models/model.json") else data)


class Parts(nn.Module):
    def forward(self, table: dict[str, torch.Tensor], rows: list[torch.Tensor]):
        same = table["a"].dtype == torch.float32
        return table["a"] * table["b"] + (rows[0] if same else rows[1])


class Repeated(nn.Module):
    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        return x * times


def test_a_file_of_a_package_imports_its_neighbours(tmp_path):
    folder = tmp_path / "some_package" / "nets"
    folder.mkdir(parents=True)
    for part in (folder, folder.parent):
        (part / "__init__.py").write_text("")
    (folder.parent / "parts.py").write_text(CODE)
    (folder / "whole.py").write_text("from ..parts import Net, model\n")
    assert run(f"{folder}/whole.py:model").samples


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


def test_a_program_whose_output_class_is_not_at_hand(tmp_path):
    """As in transformers' outputs: the file names a class that this process has not imported."""

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


def test_structures_of_a_torchscript_file_are_named_by_their_parts(tmp_path):
    path = tmp_path / "parts.pt"
    torch.jit.script(Parts()).save(str(path))
    specs = tuple(InputSpec(name, (3,), "float32") for name in ("table_a", "table_b", "rows_0", "rows_1"))
    assert [v.name for v in run(path, inputs=specs).model.graph.inputs] == [s.name for s in specs]
    assert "table_KEY" in refusal(path).help[0]


def test_a_number_that_a_torchscript_file_wants_is_refused(tmp_path):
    torch.jit.script(Repeated()).save(str(tmp_path / "m.pt"))
    told = refusal(tmp_path / "m.pt", inputs=(InputSpec("x", (2,), "float32"),))
    assert (told.code, "times" in told.message) == ("E0107", True)


@pytest.mark.parametrize("first", [False, True])
def test_a_scripted_transformer(first, tmp_path):
    """When scripted, it calls one fused kernel for each layer."""

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


@pytest.mark.parametrize(
    ("name", "way"),
    [("a.h5", "tf2onnx"), ("a.safetensors", "--weights"), ("a.py", "file.py:attr"), ("a.tflite", "built")],
)
def test_files_that_are_no_source_have_a_way_in(name, way, tmp_path):
    (tmp_path / name).write_text("text")
    told = refusal(tmp_path / name)
    assert (told.code, way in told.help[0]) == ("E0103", True)


@pytest.mark.parametrize("left", [b"", bytes(4)])
def test_a_torchscript_tensor_beyond_its_bytes_is_refused(left, tmp_path):
    torch.jit.script(nn.Linear(4, 3).eval()).save(str(tmp_path / "a.pt"))
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, left if name.endswith("/data/1") else old.read(name))
    told = refusal(tmp_path / "b.pt", inputs=(InputSpec("input", (2, 4), "float32"),))
    assert told.code == "E0203"
